// The projector: Joseph interpolation forward, its exact adjoint by gathering; see kernels/numba/joseph.py for the geometry.
//
// Positions are fixed-point numbers, 64 bits with 32 behind the point: the host rounds each tilt's steps once, from double
// precision, and threads only add integers. Floor is the upper word and the interpolation weight the lower one, right to
// 2^-33 (nz + ny) even on devices that are slow in double precision, so that both kernels hold the same matrix to 1e-7.
//
// A thread works on WIDTH neighbouring x, which share positions and weights.
//
// Traffic to be expected per launch and channel, with V voxels, T tilts, R = T t x ray sums, S = 4 bytes (2: half volume):
//   forward  device memory: S V (blocks of one x slab follow each other, the slab of 128 columns stays in L2) + 4 R written
//            L2: about 0.7 S T V; a block's 16 rays of 2 neighbouring tilts share most of their rows in L1
//            L1: 2 S T V, the bound together with about 5 instructions per voxel and tilt
//   adjoint  device memory: 4 R + 4 V written (+ 4 V read when it adds); L2: about 1.3 T V; L1: 8 T V
//   adjoint_pullback, e elements: 4 R + 8 e V (+ 4 e V when it adds), and what adjoint takes of L2 and L1

#ifndef RAYS
#define RAYS 4  // neighbouring rays of a thread, forward
#endif
#ifndef TILTS
#define TILTS 4  // neighbouring tilts of a block, forward
#endif
#ifndef PLANES
#define PLANES 8  // planes that are crossed between two looks at whether the rays are inside, forward
#endif
#ifndef VOXELS
#define VOXELS 8  // voxels along z of a thread, adjoint
#endif

// Blocks on a multiprocessor at least, which bounds the registers of a thread; some GPUs' code needs a few registers more
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ < 1000
#define FORWARD_BLOCKS 3
#define ADJOINT_BLOCKS 7
#else
#define FORWARD_BLOCKS 2
#define ADJOINT_BLOCKS 5
#endif
#if !defined(__CUDA_ARCH__) || (__CUDA_ARCH__ >= 800 && __CUDA_ARCH__ < 1000)
#define PULLBACK_BLOCKS 8
#else
#define PULLBACK_BLOCKS 5
#endif

#ifdef FUSEDTOMO_HALF_VOLUME
typedef half_bits volume_t;
#else
typedef float volume_t;
#endif

__device__ __forceinline__ int whole(int64 position) { return (int)(position >> 32); }
__device__ __forceinline__ float fraction(int64 position) { return (float)(unsigned)position * 2.3283064365386963e-10f; }

// The rows m and m + 1, weighted: sum += w0 row[m] + w1 row[m + 1]. row: bytes from one to the next. `careful`: rows may be
// outside and count as zeros; else no load stands behind a branch, so that all of a thread's go out at once.
template <bool careful, class T>
__device__ __forceinline__ void add_rows(const Pack<T> *at, int m, int rows, int row, float w0, float w1, float *sum)
{
    const bool in0 = !careful || (unsigned)m < (unsigned)rows, in1 = !careful || (unsigned)(m + 1) < (unsigned)rows;
    Pack<T> lower = {}, upper = {};
    if (in0)
        lower = *shifted(at, m, row);
    if (in1)
        upper = *shifted(at, m + 1, row);
#pragma unroll
    for (int c = 0; c < WIDTH; ++c)
        sum[c] = fmaf(w0, load(&lower.value[c]), fmaf(w1, load(&upper.value[c]), sum[c]));
}

// Let a thread's rays, whose positions ascend, cross one plane inside the volume. The upper row of a ray is mostly the
// lower one of the next, and is not read again.
__device__ __forceinline__ void cross_inside(const Pack<volume_t> *at, int64 position, int64 ray_step, int row,
                                             float (*sum)[WIDTH])
{
    Pack<volume_t> upper[RAYS], lower[RAYS] = {};
    bool again[RAYS] = {};
#pragma unroll
    for (int j = 0; j < RAYS; ++j) {
        const int m = whole(position + j * ray_step);
        again[j] = j > 0 && m == whole(position + (j - 1) * ray_step) + 1;
        upper[j] = *shifted(at, m + 1, row);
        if (!again[j])
            lower[j] = *shifted(at, m, row);
    }
#pragma unroll
    for (int j = 0; j < RAYS; ++j) {
        const float w1 = fraction(position + j * ray_step), w0 = 1.0f - w1;
#pragma unroll
        for (int c = 0; c < WIDTH; ++c) {
            const float shared = load(&upper[j ? j - 1 : 0].value[c]), own = load(&lower[j].value[c]);
            const float below = again[j] ? shared : own;
            sum[j][c] = fmaf(w0, below, fmaf(w1, load(&upper[j].value[c]), sum[j][c]));
        }
    }
}

// The same near the volume's end: rows outside count as zeros.
__device__ __forceinline__ void cross_end(const Pack<volume_t> *at, int64 position, int64 ray_step, int rows, int row,
                                          float (*sum)[WIDTH])
{
#pragma unroll
    for (int j = 0; j < RAYS; ++j) {
        const int64 crossing = position + j * ray_step;
        const float w1 = fraction(crossing);
        add_rows<true>(at, whole(crossing), rows, row, 1.0f - w1, w1, sum[j]);
    }
}

// volume (channel, z, y, x) -> out (channel, tilt, t, x).
// lines (tilt, 4): a ray's position on the planes that it crosses moves by [0] for the next ray and by [1] for the next
// plane, and is [2] for ray 0 on plane 0; [3]: planes across z, not y. inverse_h (tilt,): 1 / max(|cos|, |sin|).
// A block: TILTS tilts times blockDim.y / TILTS * RAYS rays times 32 WIDTH columns.
extern "C" __global__ void __launch_bounds__(256, FORWARD_BLOCKS)
forward(const volume_t *__restrict__ volume, const int64 *__restrict__ lines, const float *__restrict__ inverse_h,
        float *__restrict__ out, int n_tilts, int nt, int nz, int ny, int nx)
{
    const int per_block = blockDim.y / TILTS * RAYS, t_blocks = (nt + per_block - 1) / per_block;
    const int tilt = blockIdx.x / t_blocks * TILTS + threadIdx.y % TILTS;
    const int t0 = blockIdx.x % t_blocks * per_block + threadIdx.y / TILTS * RAYS;
    const int x = (blockIdx.y * 32 + threadIdx.x) * WIDTH, channel = blockIdx.z;
    if (tilt >= n_tilts || t0 >= nt || x >= nx)
        return;

    const int64 *line = lines + 4 * tilt;
    const bool flip = line[0] < 0;
    const int64 ray_step = flip ? -line[0] : line[0], plane_step = line[1];
    const bool along_z = line[3] != 0;
    const int planes = along_z ? nz : ny, rows = along_z ? ny : nz;
    // slices of up to 2^29 voxels, volumes of any size
    const int slice = ny * nx, row = (along_z ? nx : slice) * (int)sizeof(volume_t);
    const int plane = (along_z ? slice : nx) * (int)sizeof(volume_t);
    const int64 last_ray = (RAYS - 1) * ray_step, last_plane = (PLANES - 1) * plane_step;
    const int64 lowest = (last_ray < 0 ? last_ray : 0) + (last_plane < 0 ? last_plane : 0);
    const int64 highest = last_ray + last_plane - lowest;
    const Pack<volume_t> *at = &packed(volume + (int64)channel * nz * slice + x);

    float sum[RAYS][WIDTH] = {};
    int64 position = line[2] + (flip ? t0 + RAYS - 1 : t0) * line[0];
    for (int first = 0; first < planes; first += PLANES) {
        const int low = whole(position + lowest), high = whole(position + highest);  // of all rays in the next PLANES planes
        const int n = low >= rows || high < -1 ? 0 : (first + PLANES <= planes ? PLANES : planes - first);
        if (low >= 0 && high < rows - 1 && n == PLANES) {
            for (int k = 0; k < PLANES; ++k, at = shifted(at, 1, plane))
                cross_inside(at, position + k * plane_step, ray_step, row, sum);
        } else {
            for (int k = 0; k < n; ++k, at = shifted(at, 1, plane))
                cross_end(at, position + k * plane_step, ray_step, rows, row, sum);
            at = shifted(at, PLANES - n, plane);
        }
        position += PLANES * plane_step;
    }

    const float scale = inverse_h[tilt];
    float *target = out + (((int64)channel * n_tilts + tilt) * nt + t0) * nx + x;
#pragma unroll
    for (int j = 0; j < RAYS; ++j) {
        const int ray = flip ? RAYS - 1 - j : j;
        Pack<float> values;
#pragma unroll
        for (int c = 0; c < WIDTH; ++c)
            values.value[c] = scale * sum[j][c];
        if (t0 + ray < nt)
            packed(target + (int64)ray * nx) = values;
    }
}

// Add what one tilt gives to a thread's voxels.
template <bool careful>
__device__ __forceinline__ void gather(const Pack<float> *at, int64 position, int64 z_step, int nt, int row, float once,
                                       float twice, float (*sum)[WIDTH])
{
#pragma unroll
    for (int j = 0; j < VOXELS; ++j) {
        const int64 shadow = position + j * z_step;
        const float f = fraction(shadow);
        const float w0 = fmaxf(0.0f, fmaf(-f, twice, once)), w1 = fmaxf(0.0f, fmaf(f - 1.0f, twice, once));
        add_rows<careful>(at, whole(shadow), nt, row, w0, w1, sum[j]);
    }
}

// The voxels of a thread of `adjoint` and its kin: VOXELS along z from z0 times WIDTH along x.
struct Voxels {
    int x, y, z0, channel;
};

// A block: blockDim.y voxels along y times VOXELS along z times 32 WIDTH columns.
__device__ __forceinline__ Voxels voxels_of(int nx)
{
    const int x_blocks = (nx + 32 * WIDTH - 1) / (32 * WIDTH);
    return Voxels{(int)(blockIdx.z % x_blocks * 32 + threadIdx.x) * WIDTH, (int)(blockIdx.x * blockDim.y + threadIdx.y),
                  (int)blockIdx.y * VOXELS, (int)blockIdx.z / x_blocks};
}

// What all tilts give to a thread's voxels.
// steps (tilt, 3): a voxel's position on the detector moves by [0] along y and by [1] along z, and is [2] for the first.
// weights (tilt, 2): 1/h and 1/h^2; the weight max(0, 1 - |t_v - t| / h) / h of the rays on either side follows from them.
__device__ __forceinline__ void back_projected(const float *stack, const int64 *steps, const float *weights, const Voxels &v,
                                               int n_tilts, int nt, int nx, float (*sum)[WIDTH])
{
    const Pack<float> *at = &packed(stack + (int64)v.channel * n_tilts * nt * nx + v.x);
    const int row = nx * (int)sizeof(float);
    for (int tilt = 0; tilt < n_tilts; ++tilt, at = shifted(at, nt, row)) {
        const int64 z_step = steps[3 * tilt + 1], position = steps[3 * tilt + 2] + v.y * steps[3 * tilt] + v.z0 * z_step;
        const float once = weights[2 * tilt], twice = weights[2 * tilt + 1];
        const int one_end = whole(position), other_end = whole(position + (VOXELS - 1) * z_step);
        if ((unsigned)one_end < (unsigned)(nt - 1) && (unsigned)other_end < (unsigned)(nt - 1))
            gather<false>(at, position, z_step, nt, row, once, twice, sum);
        else
            gather<true>(at, position, z_step, nt, row, once, twice, sum);
    }
}

// stack (channel, tilt, t, x) -> out (channel, z, y, x), or added to it.
extern "C" __global__ void __launch_bounds__(128, ADJOINT_BLOCKS)
adjoint(const float *__restrict__ stack, const int64 *__restrict__ steps, const float *__restrict__ weights,
        float *__restrict__ out, int n_tilts, int nt, int nz, int ny, int nx, int add)
{
    const Voxels v = voxels_of(nx);
    if (v.x >= nx || v.y >= ny)
        return;
    float sum[VOXELS][WIDTH] = {};
    back_projected(stack, steps, weights, v, n_tilts, nt, nx, sum);

    float *target = out + (((int64)v.channel * nz + v.z0) * ny + v.y) * nx + v.x;
#pragma unroll
    for (int j = 0; j < VOXELS; ++j, target += (int64)ny * nx) {
        if (v.z0 + j >= nz)
            return;
        Pack<float> voxels = {};
        if (add)
            voxels = packed(target);
#pragma unroll
        for (int c = 0; c < WIDTH; ++c)
            voxels.value[c] += sum[j][c];
        packed(target) = voxels;
    }
}

// The back-projection of a stack (tilt, t, x), pulled back through the contrast as zcontrast.cu's `pullback` does:
// volume, out (element, z, y, x), scale (element,).
extern "C" __global__ void __launch_bounds__(128, PULLBACK_BLOCKS)
adjoint_pullback(const float *__restrict__ stack, const int64 *__restrict__ steps, const float *__restrict__ weights,
                 const float *__restrict__ volume, const float *__restrict__ scale, float gamma, float least,
                 float *__restrict__ out, int n_elements, int n_tilts, int nt, int nz, int ny, int nx, int add)
{
    const Voxels v = voxels_of(nx);
    if (v.x >= nx || v.y >= ny)
        return;
    float sum[VOXELS][WIDTH] = {};
    back_projected(stack, steps, weights, v, n_tilts, nt, nx, sum);

    int64 first = ((int64)v.z0 * ny + v.y) * nx + v.x;
    for (int element = 0; element < n_elements; ++element, first += (int64)nz * ny * nx) {
        const float factor = scale[element];
#pragma unroll
        for (int j = 0; j < VOXELS; ++j) {
            const int64 i = first + (int64)j * ny * nx;
            if (v.z0 + j >= nz)
                break;
            const Pack<float> x = packed(volume + i);
            Pack<float> pulled = {};
            if (add)
                pulled = packed(out + i);
#pragma unroll
            for (int c = 0; c < WIDTH; ++c)
                pulled.value[c] += pulled_back(x.value[c], factor, gamma, least, sum[j][c]);
            packed(out + i) = pulled;
        }
    }
}
