// What the CUDA sources need to be compiled by g++ and run one thread after the other; see host_build.py.
//
// With FUSEDTOMO_BARRIERS the threads of a block are coroutines: each runs until it comes to a barrier, then the next one.
#pragma once
#define FUSEDTOMO_HOST

#include <math.h>
#include <string.h>
#ifdef FUSEDTOMO_BARRIERS
#include <setjmp.h>
#include <ucontext.h>
#include <vector>
#endif

#define __global__
#define __device__ static
#define __shared__ static  // blocks run one after the other
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(...)  // NumPy aligns less than CuPy

struct Extent {
    unsigned x, y, z;
};
static Extent gridDim, blockDim, blockIdx, threadIdx;

static inline float rsqrtf(float value) { return 1.0f / sqrtf(value); }

static inline int float_bits(float value)
{
    int bits;
    memcpy(&bits, &value, 4);
    return bits;
}

static inline float float_of_bits(int bits)
{
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

static inline float quotient(float a, float b) { return a / b; }
static inline float root(float value) { return sqrtf(value); }

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

#ifdef FUSEDTOMO_BARRIERS
static const size_t STACK = 1 << 16;

struct Coroutine {
    ucontext_t context;  // as it begins; from its first barrier on it is `barrier`, which costs no system call
    jmp_buf barrier;
    Extent thread;
    bool begun, ended;
    std::vector<char> stack;
};
static ucontext_t scheduler_context;
static jmp_buf scheduler;
static Coroutine *current;

static inline void __syncthreads()
{
    if (!_setjmp(current->barrier))
        _longjmp(scheduler, 1);
    threadIdx = current->thread;
}

template <class Kernel>
static Kernel *running;

template <class Kernel>
static void run_to_its_end()
{
    (*running<Kernel>)();
    current->ended = true;
    _longjmp(scheduler, 1);
}

// Run one thread of a block until its next barrier, or its end
static void go_on(Coroutine &one)
{
    current = &one;
    threadIdx = one.thread;
    if (_setjmp(scheduler))
        return;
    if (one.begun)
        _longjmp(one.barrier, 1);
    one.begun = true;
    swapcontext(&scheduler_context, &one.context);
}

// Round after round, every thread that has not ended to its next barrier
template <class Kernel>
static void for_every_thread_of_a_block(unsigned long long threads, int reversed, Kernel kernel)
{
    static std::vector<Coroutine> block;
    if (block.size() < threads)
        block.resize(threads);
    running<Kernel> = &kernel;
    for (unsigned long long t = 0; t < threads; ++t) {
        Coroutine &one = block[t];
        one.stack.resize(STACK);
        one.thread = unravel(reversed ? threads - 1 - t : t, blockDim);
        one.begun = one.ended = false;
        getcontext(&one.context);
        one.context.uc_stack.ss_sp = one.stack.data();
        one.context.uc_stack.ss_size = STACK;
        one.context.uc_link = &scheduler_context;
        makecontext(&one.context, run_to_its_end<Kernel>, 0);
    }
    for (bool more = true; more;) {
        more = false;
        for (unsigned long long t = 0; t < threads; ++t)
            if (!block[t].ended) {
                go_on(block[t]);
                more = more || !block[t].ended;
            }
    }
}
#else
template <class Kernel>
static void for_every_thread_of_a_block(unsigned long long threads, int reversed, Kernel kernel)
{
    for (unsigned long long t = 0; t < threads; ++t) {
        threadIdx = unravel(reversed ? threads - 1 - t : t, blockDim);
        kernel();
    }
}
#endif

// Every thread of a grid in CUDA's order or from the last to the first: results must not depend on it.
template <class Kernel>
static void for_every_thread(const unsigned *grid, const unsigned *block, int reversed, Kernel kernel)
{
    gridDim = Extent{grid[0], grid[1], grid[2]};
    blockDim = Extent{block[0], block[1], block[2]};
    const unsigned long long blocks = 1ULL * grid[0] * grid[1] * grid[2], threads = 1ULL * block[0] * block[1] * block[2];
    for (unsigned long long b = 0; b < blocks; ++b) {
        blockIdx = unravel(reversed ? blocks - 1 - b : b, gridDim);
        for_every_thread_of_a_block(threads, reversed, kernel);
    }
}
