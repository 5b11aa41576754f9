// The HAADF contrast model: sum_i (zeta_i x_i)^gamma and its derivative.
//
// Device memory traffic per voxel, e elements: density 4 (e + 1) bytes, add_pullback 4 (2 e + 1), or 4 (3 e + 1) when it
// adds. powf at full precision takes about as long as reading its argument.

// base^exponent for base >= 0; the exponents 0, 1 and 2 without a transcendental function
__device__ __forceinline__ float power(float base, float exponent)
{
    if (exponent == 2.0f)
        return base * base;
    if (exponent == 1.0f)
        return base;
    if (exponent == 0.0f)
        return 1.0f;
    return base != 0.0f ? powf(base, exponent) : 0.0f;  // NaN stays NaN
}

// volume (element, voxel), zeta (element,) -> out (voxel,)
extern "C" __global__ void __launch_bounds__(256)
density(const float *__restrict__ volume, const float *__restrict__ zeta, float gamma, float *__restrict__ out,
        int n_elements, int64 voxels)
{
    const int64 i = (int64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= voxels)
        return;
    float sum = 0.0f;
#pragma unroll 4
    for (int element = 0; element < n_elements; ++element)
        sum += power(zeta[element] * volume[element * voxels + i], gamma);
    out[i] = sum;
}

// out_i = gamma zeta_i^gamma max(x_i, least)^(gamma - 1) cotangent, or added to it; scale (element,): gamma zeta^gamma
extern "C" __global__ void __launch_bounds__(256)
pullback(const float *__restrict__ volume, const float *__restrict__ scale, float gamma,
         const float *__restrict__ cotangent, float least, float *__restrict__ out, int n_elements, int64 voxels, int add)
{
    const int64 i = (int64)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= voxels)
        return;
    const float factor = cotangent[i];
#pragma unroll 4
    for (int element = 0; element < n_elements; ++element) {
        const int64 k = element * voxels + i;
        const float slope = scale[element] * power(fmaxf(volume[k], least), gamma - 1.0f);
        out[k] = fmaf(slope, factor, add ? out[k] : 0.0f);
    }
}
