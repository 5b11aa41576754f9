// Column sums in float64, and the elementwise steps of the solver.
//
// A sum's thread adds up WIDTH columns of one chunk of rows; `fold` then adds the chunks (fold.cu). The
// order depends on the number of rows alone: a column has the same bits in a volume and in any slab of it.
//
// Device memory traffic per voxel: dot, products, squared_change 8 bytes, totals 4, distance 12, descend 16, extrapolate 12;
// the partial sums add 8/64 bytes each way per sum.

#define BATCH 4  // rows that are read before any is written: their loads are under way at once

// Call `add(i, sum)` for all values i .. i + WIDTH - 1 of a thread's rows, and write its sums; partial (SUMS, chunk, x).
template <int SUMS, class Add>
__device__ __forceinline__ void column_sums(double *partial, int rows, int chunk_rows, int nx, Add add)
{
    const Column c = column(rows, chunk_rows, nx);
    double sum[SUMS][WIDTH] = {};
#pragma unroll 4
    for (int k = 0; k < c.n; ++k)
        add(c.first + (int64)k * nx, sum);
    const int64 n_chunks = (rows + chunk_rows - 1) / chunk_rows, group_sums = n_chunks * nx;
    for (int s = 0; c.n && s < SUMS; ++s)
        for (int j = 0; j < WIDTH; ++j)
            partial[c.place + s * group_sums + j] = sum[s][j];
}

extern "C" __global__ void __launch_bounds__(256)
dot(const float *__restrict__ a, const float *__restrict__ b, double *__restrict__ partial, int rows, int chunk_rows, int nx)
{
    column_sums<1>(partial, rows, chunk_rows, nx, [&](int64 i, double (*sum)[WIDTH]) {
        const Pack<float> u = packed(a + i), v = packed(b + i);
#pragma unroll
        for (int j = 0; j < WIDTH; ++j)
            sum[0][j] += (double)u.value[j] * (double)v.value[j];
    });
}

extern "C" __global__ void __launch_bounds__(256)
totals(const float *__restrict__ a, double *__restrict__ partial, int rows, int chunk_rows, int nx)
{
    column_sums<1>(partial, rows, chunk_rows, nx, [&](int64 i, double (*sum)[WIDTH]) {
        const Pack<float> u = packed(a + i);
#pragma unroll
        for (int j = 0; j < WIDTH; ++j)
            sum[0][j] += (double)u.value[j];
    });
}

// partial (2, chunk, x): sums of (newer - older)^2 and of newer^2
extern "C" __global__ void __launch_bounds__(256)
squared_change(const float *__restrict__ newer, const float *__restrict__ older, double *__restrict__ partial, int rows,
               int chunk_rows, int nx)
{
    column_sums<2>(partial, rows, chunk_rows, nx, [&](int64 i, double (*sum)[WIDTH]) {
        const Pack<float> u = packed(newer + i), v = packed(older + i);
#pragma unroll
        for (int j = 0; j < WIDTH; ++j) {
            const double value = u.value[j], move = u.value[j] - v.value[j];
            sum[0][j] += move * move;
            sum[1][j] += value * value;
        }
    });
}

// partial (2, chunk, x): sums of a^2 and of a b
extern "C" __global__ void __launch_bounds__(256)
products(const float *__restrict__ a, const float *__restrict__ b, double *__restrict__ partial, int rows, int chunk_rows,
         int nx)
{
    column_sums<2>(partial, rows, chunk_rows, nx, [&](int64 i, double (*sum)[WIDTH]) {
        const Pack<float> u = packed(a + i), v = packed(b + i);
#pragma unroll
        for (int j = 0; j < WIDTH; ++j) {
            sum[0][j] += (double)u.value[j] * (double)u.value[j];
            sum[1][j] += (double)u.value[j] * (double)v.value[j];
        }
    });
}

// (a - b)^2 / inverse
extern "C" __global__ void __launch_bounds__(256)
distance(const float *__restrict__ a, const float *__restrict__ b, const float *__restrict__ inverse,
         double *__restrict__ partial, int rows, int chunk_rows, int nx)
{
    column_sums<1>(partial, rows, chunk_rows, nx, [&](int64 i, double (*sum)[WIDTH]) {
        const Pack<float> u = packed(a + i), v = packed(b + i), d = packed(inverse + i);
#pragma unroll
        for (int j = 0; j < WIDTH; ++j) {
            const float move = u.value[j] - v.value[j];
            sum[0][j] += (double)(move * move / d.value[j]);
        }
    });
}

// out = volume - step inverse gradient, which may be one of them; partial: inverse gradient^2
extern "C" __global__ void __launch_bounds__(256)
descend(const float *volume, const float *gradient, const float *inverse, float step, float *out,
        double *__restrict__ partial, int rows, int chunk_rows, int nx)
{
    const Column c = column(rows, chunk_rows, nx);
    double sum[WIDTH] = {};
    for (int first = 0; first < c.n; first += BATCH) {
        const int64 i = c.first + (int64)first * nx;
        Pack<float> from[BATCH] = {}, slope[BATCH] = {}, metric[BATCH] = {};
#pragma unroll
        for (int k = 0; k < BATCH; ++k)
            if (first + k < c.n) {
                slope[k] = packed(gradient + i + (int64)k * nx);
                metric[k] = packed(inverse + i + (int64)k * nx);
                from[k] = packed(volume + i + (int64)k * nx);
            }
#pragma unroll
        for (int k = 0; k < BATCH; ++k) {
#pragma unroll
            for (int j = 0; j < WIDTH; ++j) {
                const float move = metric[k].value[j] * slope[k].value[j];
                sum[j] += (double)(move * slope[k].value[j]);
                from[k].value[j] = fmaf(-step, move, from[k].value[j]);
            }
            if (first + k < c.n)
                packed(out + i + (int64)k * nx) = from[k];
        }
    }
    for (int j = 0; c.n && j < WIDTH; ++j)
        partial[c.place + j] = sum[j];
}

// out = max(newer + step (newer - older), 0), which may be one of them; partial (2, chunk, x): as squared_change
extern "C" __global__ void __launch_bounds__(256)
extrapolate(const float *newer, const float *older, float step, float *out, double *__restrict__ partial, int rows,
            int chunk_rows, int nx)
{
    const Column c = column(rows, chunk_rows, nx);
    double change[WIDTH] = {}, square[WIDTH] = {};
    for (int first = 0; first < c.n; first += BATCH) {
        const int64 i = c.first + (int64)first * nx;
        Pack<float> value[BATCH] = {}, before[BATCH] = {};
#pragma unroll
        for (int k = 0; k < BATCH; ++k)
            if (first + k < c.n) {
                value[k] = packed(newer + i + (int64)k * nx);
                before[k] = packed(older + i + (int64)k * nx);
            }
#pragma unroll
        for (int k = 0; k < BATCH; ++k) {
#pragma unroll
            for (int j = 0; j < WIDTH; ++j) {
                const float here = value[k].value[j], move = here - before[k].value[j];
                change[j] += (double)move * (double)move;
                square[j] += (double)here * (double)here;
                value[k].value[j] = fmaxf(fmaf(step, move, here), 0.0f);
            }
            if (first + k < c.n)
                packed(out + i + (int64)k * nx) = value[k];
        }
    }
    const int64 n_chunks = (rows + chunk_rows - 1) / chunk_rows;
    for (int j = 0; c.n && j < WIDTH; ++j) {
        partial[c.place + j] = change[j];
        partial[c.place + n_chunks * nx + j] = square[j];
    }
}
