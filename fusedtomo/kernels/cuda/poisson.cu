// The Poisson term: its value by column, and its derivative with respect to the projection.
//
// Device memory traffic per ray sum: divergence 8 bytes, residual 12.

// Kullback-Leibler divergence of counts from gain * projected + eps, as partial sums; see sums.cu. A group is an element.
extern "C" __global__ void __launch_bounds__(256)
divergence(const float *__restrict__ projected, const float *__restrict__ counts, const float *__restrict__ gain,
           const float *__restrict__ eps, double *__restrict__ partial, int rows, int chunk_rows, int nx)
{
    const Column c = column(rows, chunk_rows, nx);
    const float g = gain[blockIdx.z], e = eps[blockIdx.z];
    double sum = 0.0;
#pragma unroll 4
    for (int k = 0; k < c.n; ++k) {
        const int64 i = c.first + (int64)k * nx;
        const float model = fmaf(g, projected[i], e), b = counts[i];
        const float information = b > 0.0f ? b * logf(b / model) : 0.0f;
        sum += (double)(model - b + information);
    }
    if (c.n)
        partial[c.place] = sum;
}

#define PER_THREAD 4  // values, blockDim.x apart

// out = weight gain (1 - counts / (gain projected + eps)); size: values of one element, which is blockIdx.y
extern "C" __global__ void __launch_bounds__(256)
residual(const float *projected, const float *counts, const float *__restrict__ gain, const float *__restrict__ eps,
         const float *__restrict__ weight, float *out, int64 size)
{
    const int element = blockIdx.y;
    const int64 offset = element * size, first = (int64)blockIdx.x * blockDim.x * PER_THREAD + threadIdx.x;
    const float g = gain[element], e = eps[element], scale = weight[element] * g;
    float value[PER_THREAD];
#pragma unroll
    for (int k = 0; k < PER_THREAD; ++k) {
        const int64 i = first + k * blockDim.x;
        if (i < size)
            value[k] = scale * (1.0f - counts[offset + i] / fmaf(g, projected[offset + i], e));
    }
#pragma unroll
    for (int k = 0; k < PER_THREAD; ++k)
        if (first + k * blockDim.x < size)
            out[offset + first + k * blockDim.x] = value[k];
}
