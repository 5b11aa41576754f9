// Column sums in float64, and the elementwise steps of the solver.
//
// A sum's thread adds up one column of one chunk of rows; `fold` then adds chunks, 64 at a time, until one is left. The
// order depends on the number of rows alone: a column has the same bits in a volume and in any slab of it.
//
// Device memory traffic per voxel: dot, squared_change 8 bytes, totals 4, model_change 16, descend 16, extrapolate 12; the
// partial sums add 8/64 bytes each way per sum.

extern "C" __global__ void __launch_bounds__(256)
dot(const float *__restrict__ a, const float *__restrict__ b, double *__restrict__ partial, int rows, int chunk_rows, int nx)
{
    const Column c = column(rows, chunk_rows, nx);
    double sum = 0.0;
#pragma unroll 8
    for (int k = 0; k < c.n; ++k) {
        const int64 i = c.first + (int64)k * nx;
        sum += (double)a[i] * (double)b[i];
    }
    if (c.n)
        partial[c.place] = sum;
}

extern "C" __global__ void __launch_bounds__(256)
totals(const float *__restrict__ a, double *__restrict__ partial, int rows, int chunk_rows, int nx)
{
    const Column c = column(rows, chunk_rows, nx);
    double sum = 0.0;
#pragma unroll 8
    for (int k = 0; k < c.n; ++k)
        sum += (double)a[c.first + (int64)k * nx];
    if (c.n)
        partial[c.place] = sum;
}

// partial (2, chunk, x): sums of (newer - older)^2 and of newer^2
extern "C" __global__ void __launch_bounds__(256)
squared_change(const float *__restrict__ newer, const float *__restrict__ older, double *__restrict__ partial, int rows,
               int chunk_rows, int nx)
{
    const Column c = column(rows, chunk_rows, nx);
    double change = 0.0, square = 0.0;
#pragma unroll 8
    for (int k = 0; k < c.n; ++k) {
        const int64 i = c.first + (int64)k * nx;
        const double value = newer[i], move = newer[i] - older[i];
        change += move * move;
        square += value * value;
    }
    const int64 n_chunks = (rows + chunk_rows - 1) / chunk_rows;
    if (c.n) {
        partial[c.place] = change;
        partial[c.place + n_chunks * nx] = square;
    }
}

// g d + scale/2 d^2 / inverse, d = newer - older
extern "C" __global__ void __launch_bounds__(256)
model_change(const float *__restrict__ gradient, const float *__restrict__ inverse, double scale,
             const float *__restrict__ newer, const float *__restrict__ older, double *__restrict__ partial, int rows,
             int chunk_rows, int nx)
{
    const Column c = column(rows, chunk_rows, nx);
    double sum = 0.0;
#pragma unroll 8
    for (int k = 0; k < c.n; ++k) {
        const int64 i = c.first + (int64)k * nx;
        const float move = newer[i] - older[i];
        sum += (double)move * ((double)gradient[i] + 0.5 * scale * (double)(move / inverse[i]));
    }
    if (c.n)
        partial[c.place] = sum;
}

// partial (group, row, x) -> out (group, chunk, x)
extern "C" __global__ void __launch_bounds__(256)
fold(const double *__restrict__ partial, double *__restrict__ out, int rows, int chunk_rows, int nx)
{
    const Column c = column(rows, chunk_rows, nx);
    double sum = 0.0;
#pragma unroll 8
    for (int k = 0; k < c.n; ++k)
        sum += partial[c.first + (int64)k * nx];
    if (c.n)
        out[c.place] = sum;
}

#define PER_THREAD 4  // values, blockDim.x apart, so that several loads are under way

// out = volume - step inverse gradient
extern "C" __global__ void __launch_bounds__(256)
descend(const float *volume, const float *gradient, const float *inverse, float step, float *out, int64 size)
{
    const int64 first = (int64)blockIdx.x * blockDim.x * PER_THREAD + threadIdx.x;
    float value[PER_THREAD];
#pragma unroll
    for (int k = 0; k < PER_THREAD; ++k) {
        const int64 i = first + k * blockDim.x;
        if (i < size)
            value[k] = fmaf(-step * inverse[i], gradient[i], volume[i]);
    }
#pragma unroll
    for (int k = 0; k < PER_THREAD; ++k)
        if (first + k * blockDim.x < size)
            out[first + k * blockDim.x] = value[k];
}

// out = max(newer + step (newer - older), 0)
extern "C" __global__ void __launch_bounds__(256)
extrapolate(const float *newer, const float *older, float step, float *out, int64 size)
{
    const int64 first = (int64)blockIdx.x * blockDim.x * PER_THREAD + threadIdx.x;
    float value[PER_THREAD];
#pragma unroll
    for (int k = 0; k < PER_THREAD; ++k) {
        const int64 i = first + k * blockDim.x;
        if (i < size)
            value[k] = fmaxf(fmaf(step, newer[i] - older[i], newer[i]), 0.0f);
    }
#pragma unroll
    for (int k = 0; k < PER_THREAD; ++k)
        if (first + k * blockDim.x < size)
            out[first + k * blockDim.x] = value[k];
}
