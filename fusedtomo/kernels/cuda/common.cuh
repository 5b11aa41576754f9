// In front of every source (see launch.py). Plain C++14 for NVRTC, no header; g++ compiles it too (tests, FUSEDTOMO_HOST).
//
// Arrays are C-contiguous with x, the tilt axis, last: neighbouring threads take neighbouring x, so that loads coalesce
// and whatever depends on (tilt, t, z, y) alone is the same for a warp. Only total variation and fold share memory in a block;
// no kernel uses atomics: every output belongs to one thread, which sums in a fixed order.

typedef long long int64;
typedef unsigned short half_bits;  // IEEE half precision, as numpy.float16

#ifndef FUSEDTOMO_HOST
// A 64-bit product in one instruction; left to itself, the compiler multiplies 64-bit numbers, which takes four.
__device__ __forceinline__ int64 wide_product(int a, int b)
{
    int64 product;
    asm("mul.wide.s32 %0, %1, %2;" : "=l"(product) : "r"(a), "r"(b));
    return product;
}

__device__ __forceinline__ int float_bits(float value) { return __float_as_int(value); }
__device__ __forceinline__ float float_of_bits(int bits) { return __int_as_float(bits); }
// To two units in the last place, in a few instructions, and without a branch for numbers that do not occur here
__device__ __forceinline__ float quotient(float a, float b) { return __fdividef(a, b); }
__device__ __forceinline__ float root(float value)
{
    float result;
    asm("sqrt.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(value));
    return result;
}

__device__ __forceinline__ float from_half(half_bits bits)
{
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
}

__device__ __forceinline__ half_bits to_half(float value)
{
    half_bits bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
}

__device__ __forceinline__ half_bits to_half_toward_zero(float value)
{
    half_bits bits;
    asm("cvt.rz.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    return bits;
}
#endif

__device__ __forceinline__ float load(const float *at) { return *at; }
__device__ __forceinline__ float load(const half_bits *at) { return from_half(*at); }

// A pointer n times so many bytes further on
template <class T>
__device__ __forceinline__ const T *shifted(const T *at, int n, int bytes)
{
    return (const T *)((const char *)at + wide_product(n, bytes));
}

#ifndef WIDTH
#define WIDTH 1  // neighbouring x of a thread
#endif

// A thread's neighbouring values of one row, read and written by one instruction: nx is a multiple of WIDTH, and arrays
// start at multiples of 16 bytes.
template <class T>
struct __align__(WIDTH * sizeof(T)) Pack {
    T value[WIDTH];
};

template <class T>
__device__ __forceinline__ const Pack<T> &packed(const T *at) { return *(const Pack<T> *)at; }
template <class T>
__device__ __forceinline__ Pack<T> &packed(T *at) { return *(Pack<T> *)at; }

// WIDTH columns of one chunk of rows, of arrays (group, row, x): n values from `first` on, nx apart; its sum goes to `place`
// of the partial sums (group, chunk, x). The chunks depend on the number of rows alone.
struct Column {
    int64 first, place;
    int n;
};

__device__ __forceinline__ Column column(int rows, int chunk_rows, int nx)
{
    const int x = (blockIdx.x * blockDim.x + threadIdx.x) * WIDTH, chunk = blockIdx.y * blockDim.y + threadIdx.y;
    const int64 group = blockIdx.z, start = (int64)chunk * chunk_rows, n_chunks = (rows + chunk_rows - 1) / chunk_rows;
    const bool outside = x >= nx || start >= rows;
    Column c;
    c.first = (group * rows + start) * nx + x;
    c.place = (group * n_chunks + chunk) * nx + x;
    c.n = outside ? 0 : (rows - start < chunk_rows ? (int)(rows - start) : chunk_rows);
    return c;
}
