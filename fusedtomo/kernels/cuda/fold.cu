// The second half of a column sum: all partial sums of a column, added in one launch.
//
// A block of 32 columns by STEPS threads: a thread adds every STEPS-th row, and then the first of each column adds theirs,
// one after the other. The order depends on the number of rows alone.

#define STEPS 32  // 1024 threads

// partial (group, row, x) -> out (group, x)
extern "C" __global__ void __launch_bounds__(1024)
fold(const double *__restrict__ partial, double *__restrict__ out, int rows, int nx)
{
    __shared__ double part[STEPS][32];
    const int x = blockIdx.x * 32 + threadIdx.x, step = threadIdx.y;
    const double *at = partial + (int64)blockIdx.y * rows * nx + x;
    double sum = 0.0;
#pragma unroll 8
    for (int row = step; row < rows && x < nx; row += STEPS)
        sum += at[(int64)row * nx];
    part[step][threadIdx.x] = sum;
    __syncthreads();
    if (step > 0 || x >= nx)
        return;
    for (int k = 1; k < STEPS; ++k)
        sum += part[k][threadIdx.x];
    out[(int64)blockIdx.y * nx + x] = sum;
}
