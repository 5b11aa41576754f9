// Column sums in float64, and the elementwise steps of the solver.
//
// A sum's thread adds up one column of one chunk of rows; `fold` then adds chunks, 64 at a time, until one is left. The
// order depends on the number of rows alone: a column has the same bits in a volume and in any slab of it.
//
// Device memory traffic per voxel: dot, squared_change 8 bytes, totals 4, distance 12, descend 16, extrapolate 12; the
// partial sums add 8/64 bytes each way per sum.

#ifndef BATCH
#define BATCH 8  // rows that are read before any is written: their loads are under way at once
#endif

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

// partial (2, chunk, x): sums of a^2 and of a b
extern "C" __global__ void __launch_bounds__(256)
products(const float *__restrict__ a, const float *__restrict__ b, double *__restrict__ partial, int rows, int chunk_rows,
         int nx)
{
    const Column c = column(rows, chunk_rows, nx);
    double square = 0.0, product = 0.0;
#pragma unroll 8
    for (int k = 0; k < c.n; ++k) {
        const int64 i = c.first + (int64)k * nx;
        square += (double)a[i] * (double)a[i];
        product += (double)a[i] * (double)b[i];
    }
    const int64 n_chunks = (rows + chunk_rows - 1) / chunk_rows;
    if (c.n) {
        partial[c.place] = square;
        partial[c.place + n_chunks * nx] = product;
    }
}

// (a - b)^2 / inverse
extern "C" __global__ void __launch_bounds__(256)
distance(const float *__restrict__ a, const float *__restrict__ b, const float *__restrict__ inverse,
         double *__restrict__ partial, int rows, int chunk_rows, int nx)
{
    const Column c = column(rows, chunk_rows, nx);
    double sum = 0.0;
#pragma unroll 8
    for (int k = 0; k < c.n; ++k) {
        const int64 i = c.first + (int64)k * nx;
        const float move = a[i] - b[i];
        sum += (double)(move * move / inverse[i]);
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

// out = volume - step inverse gradient, which may be one of them; partial: inverse gradient^2
extern "C" __global__ void __launch_bounds__(256)
descend(const float *volume, const float *gradient, const float *inverse, float step, float *out,
        double *__restrict__ partial, int rows, int chunk_rows, int nx)
{
    const Column c = column(rows, chunk_rows, nx);
    double sum = 0.0;
    for (int k = 0; k < c.n; k += BATCH) {
        float move[BATCH] = {}, slope[BATCH] = {}, from[BATCH] = {};
#pragma unroll
        for (int j = 0; j < BATCH; ++j)
            if (k + j < c.n) {
                const int64 i = c.first + (int64)(k + j) * nx;
                slope[j] = gradient[i];
                move[j] = inverse[i] * slope[j];
                from[j] = volume[i];
            }
#pragma unroll
        for (int j = 0; j < BATCH; ++j)
            if (k + j < c.n) {
                sum += (double)(move[j] * slope[j]);
                out[c.first + (int64)(k + j) * nx] = fmaf(-step, move[j], from[j]);
            }
    }
    if (c.n)
        partial[c.place] = sum;
}

// out = max(newer + step (newer - older), 0), which may be one of them; partial (2, chunk, x): as squared_change
extern "C" __global__ void __launch_bounds__(256)
extrapolate(const float *newer, const float *older, float step, float *out, double *__restrict__ partial, int rows,
            int chunk_rows, int nx)
{
    const Column c = column(rows, chunk_rows, nx);
    double change = 0.0, square = 0.0;
    for (int k = 0; k < c.n; k += BATCH) {
        float value[BATCH] = {}, move[BATCH] = {};
#pragma unroll
        for (int j = 0; j < BATCH; ++j)
            if (k + j < c.n) {
                const int64 i = c.first + (int64)(k + j) * nx;
                value[j] = newer[i];
                move[j] = value[j] - older[i];
            }
#pragma unroll
        for (int j = 0; j < BATCH; ++j)
            if (k + j < c.n) {
                change += (double)move[j] * (double)move[j];
                square += (double)value[j] * (double)value[j];
                out[c.first + (int64)(k + j) * nx] = fmaxf(fmaf(step, move[j], value[j]), 0.0f);
            }
    }
    const int64 n_chunks = (rows + chunk_rows - 1) / chunk_rows;
    if (c.n) {
        partial[c.place] = change;
        partial[c.place + n_chunks * nx] = square;
    }
}
