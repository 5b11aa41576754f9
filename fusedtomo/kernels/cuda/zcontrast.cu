// The HAADF contrast model: sum_i (zeta_i x_i)^gamma and its derivative.
//
// A thread works on WIDTH neighbouring voxels. Device memory traffic per voxel, e elements: density 4 (e + 1) bytes,
// add_pullback 4 (2 e + 1), or 4 (3 e + 1) when it adds.

// volume (element, voxel), zeta (element,) -> out (voxel,)
extern "C" __global__ void __launch_bounds__(256)
density(const float *__restrict__ volume, const float *__restrict__ zeta, float gamma, float *__restrict__ out,
        int n_elements, int64 voxels)
{
    const int64 i = ((int64)blockIdx.x * blockDim.x + threadIdx.x) * WIDTH;
    if (i >= voxels)
        return;
    Pack<float> sum = {};
#pragma unroll 4
    for (int element = 0; element < n_elements; ++element) {
        const Pack<float> x = packed(volume + element * voxels + i);
#pragma unroll
        for (int j = 0; j < WIDTH; ++j)
            sum.value[j] += power(zeta[element] * x.value[j], gamma);
    }
    packed(out + i) = sum;
}

// out_i = gamma zeta_i^gamma max(x_i, least)^(gamma - 1) cotangent, or added to it; scale (element,): gamma zeta^gamma
extern "C" __global__ void __launch_bounds__(256)
pullback(const float *__restrict__ volume, const float *__restrict__ scale, float gamma,
         const float *__restrict__ cotangent, float least, float *__restrict__ out, int n_elements, int64 voxels, int add)
{
    const int64 i = ((int64)blockIdx.x * blockDim.x + threadIdx.x) * WIDTH;
    if (i >= voxels)
        return;
    const Pack<float> factor = packed(cotangent + i);
#pragma unroll 4
    for (int element = 0; element < n_elements; ++element) {
        const int64 k = element * voxels + i;
        const Pack<float> x = packed(volume + k);
        Pack<float> pulled = {};
        if (add)
            pulled = packed(out + k);
#pragma unroll
        for (int j = 0; j < WIDTH; ++j)
            pulled.value[j] += pulled_back(x.value[j], scale[element], gamma, least, factor.value[j]);
        packed(out + k) = pulled;
    }
}
