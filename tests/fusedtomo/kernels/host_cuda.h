// What the CUDA sources need to be compiled by g++ and run one thread after the other; see host_build.py.
#pragma once
#define FUSEDTOMO_HOST

#include <math.h>
#include <string.h>

#define __global__
#define __device__ static
#define __forceinline__ inline
#define __launch_bounds__(...)

struct Extent {
    unsigned x, y, z;
};
static Extent gridDim, blockDim, blockIdx, threadIdx;

static inline float rsqrtf(float value) { return 1.0f / sqrtf(value); }

static inline long long wide_product(int a, int b) { return (long long)a * b; }

static inline float from_half(unsigned short bits)
{
    _Float16 value;
    memcpy(&value, &bits, 2);
    return (float)value;
}

static inline unsigned short to_half(float value)
{
    const _Float16 nearest = (_Float16)value;
    unsigned short bits;
    memcpy(&bits, &nearest, 2);
    return bits;
}

static inline unsigned short to_half_toward_zero(float value)
{
    const unsigned short bits = to_half(value);
    return fabsf(from_half(bits)) > fabsf(value) ? bits - 1 : bits;
}

static inline Extent unravel(unsigned long long index, const Extent &size)
{
    return Extent{(unsigned)(index % size.x), (unsigned)(index / size.x % size.y), (unsigned)(index / size.x / size.y)};
}

// Every thread of a grid in CUDA's order or from the last to the first: results must not depend on it.
template <class Kernel>
static void for_every_thread(const unsigned *grid, const unsigned *block, int reversed, Kernel kernel)
{
    gridDim = Extent{grid[0], grid[1], grid[2]};
    blockDim = Extent{block[0], block[1], block[2]};
    const unsigned long long blocks = 1ULL * grid[0] * grid[1] * grid[2], threads = 1ULL * block[0] * block[1] * block[2];
    for (unsigned long long b = 0; b < blocks; ++b)
        for (unsigned long long t = 0; t < threads; ++t) {
            blockIdx = unravel(reversed ? blocks - 1 - b : b, gridDim);
            threadIdx = unravel(reversed ? threads - 1 - t : t, blockDim);
            kernel();
        }
}
