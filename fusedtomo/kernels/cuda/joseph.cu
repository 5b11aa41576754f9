// The projector: Joseph interpolation forward, its exact adjoint by gathering; see kernels/numba/joseph.py for the geometry.
//
// Positions are fixed-point numbers, 64 bits with 32 behind the point: the host rounds each tilt's steps once, from double
// precision, and threads only add integers. Floor is the upper word and the interpolation weight the lower one, right to
// 2^-33 (nz + ny) even on devices that are slow in double precision, so that both kernels hold the same matrix to 1e-7.
//
// A thread works on COLUMNS values of x, 32 apart, which share positions and weights.
//
// Traffic to be expected per launch and channel, with V voxels, T tilts, R = T t x ray sums, S = 4 bytes (2: half volume):
//   forward  device memory: S V (blocks of one x slab follow each other, the slab of 64 columns stays in L2) + 4 R written
//            L2: about 0.7 S T V; a block's 16 rays of 2 neighbouring tilts share most of their rows in L1
//            L1: 2 S T V, the bound together with about 10 instructions per voxel and tilt
//   adjoint  device memory: 4 R + 4 V written (+ 4 V read when it adds); L2: about 1.3 T V; L1: 8 T V

#ifndef COLUMNS
#define COLUMNS 2  // x values of a thread
#endif
#ifndef RAYS
#define RAYS 4  // neighbouring rays of a thread, forward
#endif
#ifndef TILTS
#define TILTS 2  // neighbouring tilts of a block, forward
#endif
#ifndef PLANES
#define PLANES 8  // planes that are crossed between two looks at whether the rays are inside, forward
#endif
#ifndef VOXELS
#define VOXELS 4  // voxels along z of a thread, adjoint
#endif

#ifdef FUSEDTOMO_HALF_VOLUME
typedef half_bits volume_t;
#else
typedef float volume_t;
#endif

__device__ __forceinline__ int whole(int64 position) { return (int)(position >> 32); }
__device__ __forceinline__ float fraction(int64 position) { return (float)(unsigned)position * 2.3283064365386963e-10f; }

// The rows m and m + 1 of COLUMNS columns, whose first values are at[c], weighted: sum += w0 row[m] + w1 row[m + 1].
// row: bytes from one to the next. `careful`: rows may be outside and count as zeros; else no load stands behind a branch,
// so that all of a thread's go out at once.
template <bool careful, class T>
__device__ __forceinline__ void add_rows(const T *const *at, int m, int rows, int row, float w0, float w1, float *sum)
{
    const bool in0 = !careful || (unsigned)m < (unsigned)rows, in1 = !careful || (unsigned)(m + 1) < (unsigned)rows;
#pragma unroll
    for (int c = 0; c < COLUMNS; ++c) {
        const float v0 = in0 ? load(shifted(at[c], m, row)) : 0.0f, v1 = in1 ? load(shifted(at[c], m + 1, row)) : 0.0f;
        sum[c] = fmaf(w0, v0, fmaf(w1, v1, sum[c]));
    }
}

// Where a thread's columns begin; those beyond the last read the first again and are not written.
template <class T>
__device__ __forceinline__ void set_columns(const T *first, int x, int nx, const T **at)
{
#pragma unroll
    for (int c = 0; c < COLUMNS; ++c)
        at[c] = first + (x + 32 * c < nx ? x + 32 * c : x);
}

template <class T>
__device__ __forceinline__ void advance(const T **at, int64 values)
{
#pragma unroll
    for (int c = 0; c < COLUMNS; ++c)
        at[c] += values;
}

// Let a thread's rays cross one plane.
template <bool careful>
__device__ __forceinline__ void cross(const volume_t *const *at, int64 position, int64 ray_step, int rows, int row,
                                      float (*sum)[COLUMNS])
{
#pragma unroll
    for (int j = 0; j < RAYS; ++j) {
        const int64 crossing = position + j * ray_step;
        const float w1 = fraction(crossing);
        add_rows<careful>(at, whole(crossing), rows, row, 1.0f - w1, w1, sum[j]);
    }
}

// volume (channel, z, y, x) -> out (channel, tilt, t, x).
// lines (tilt, 4): a ray's position on the planes that it crosses moves by [0] for the next ray and by [1] for the next
// plane, and is [2] for ray 0 on plane 0; [3]: planes across z, not y. inverse_h (tilt,): 1 / max(|cos|, |sin|).
// A block: TILTS tilts times blockDim.y / TILTS * RAYS rays times 32 COLUMNS columns.
extern "C" __global__ void __launch_bounds__(256, 4)
forward(const volume_t *__restrict__ volume, const int64 *__restrict__ lines, const float *__restrict__ inverse_h,
        float *__restrict__ out, int n_tilts, int nt, int nz, int ny, int nx)
{
    const int per_block = blockDim.y / TILTS * RAYS, t_blocks = (nt + per_block - 1) / per_block;
    const int tilt = blockIdx.x / t_blocks * TILTS + threadIdx.y % TILTS;
    const int t0 = blockIdx.x % t_blocks * per_block + threadIdx.y / TILTS * RAYS;
    const int x = blockIdx.y * 32 * COLUMNS + threadIdx.x, channel = blockIdx.z;
    if (tilt >= n_tilts || t0 >= nt || x >= nx)
        return;

    const int64 *line = lines + 4 * tilt;
    const int64 ray_step = line[0], plane_step = line[1];
    const bool along_z = line[3] != 0;
    const int planes = along_z ? nz : ny, rows = along_z ? ny : nz;
    // slices of up to 2^29 voxels, volumes of any size
    const int slice = ny * nx, plane = along_z ? slice : nx, row = (along_z ? nx : slice) * (int)sizeof(volume_t);
    const int64 last_ray = (RAYS - 1) * ray_step, last_plane = (PLANES - 1) * plane_step;
    const int64 lowest = (last_ray < 0 ? last_ray : 0) + (last_plane < 0 ? last_plane : 0);
    const int64 highest = last_ray + last_plane - lowest;
    const volume_t *at[COLUMNS];
    set_columns(volume + (int64)channel * nz * slice, x, nx, at);

    float sum[RAYS][COLUMNS] = {};
    int64 position = line[2] + t0 * ray_step;
    for (int first = 0; first < planes; first += PLANES) {
        const int low = whole(position + lowest), high = whole(position + highest);  // of all rays in the next PLANES planes
        const int n = low >= rows || high < -1 ? 0 : (first + PLANES <= planes ? PLANES : planes - first);
        if (low >= 0 && high < rows - 1 && n == PLANES) {
            for (int k = 0; k < PLANES; ++k, advance(at, plane))
                cross<false>(at, position + k * plane_step, ray_step, rows, row, sum);
        } else {
            for (int k = 0; k < n; ++k, advance(at, plane))
                cross<true>(at, position + k * plane_step, ray_step, rows, row, sum);
            advance(at, (int64)(PLANES - n) * plane);
        }
        position += PLANES * plane_step;
    }

    const float scale = inverse_h[tilt];
#pragma unroll
    for (int j = 0; j < RAYS; ++j)
#pragma unroll
        for (int c = 0; c < COLUMNS; ++c)
            if (t0 + j < nt && x + 32 * c < nx)
                out[(((int64)channel * n_tilts + tilt) * nt + t0 + j) * nx + x + 32 * c] = scale * sum[j][c];
}

// Add what one tilt gives to a thread's voxels.
template <bool careful>
__device__ __forceinline__ void gather(const float *const *at, int64 position, int64 z_step, int nt, int row, float once,
                                       float twice, float (*sum)[COLUMNS])
{
#pragma unroll
    for (int j = 0; j < VOXELS; ++j) {
        const int64 shadow = position + j * z_step;
        const float f = fraction(shadow);
        const float w0 = fmaxf(0.0f, fmaf(-f, twice, once)), w1 = fmaxf(0.0f, fmaf(f - 1.0f, twice, once));
        add_rows<careful>(at, whole(shadow), nt, row, w0, w1, sum[j]);
    }
}

// stack (channel, tilt, t, x) -> out (channel, z, y, x), or added to it.
// steps (tilt, 3): a voxel's position on the detector moves by [0] along y and by [1] along z, and is [2] for the first.
// weights (tilt, 2): 1/h and 1/h^2; the weight max(0, 1 - |t_v - t| / h) / h of the rays on either side follows from them.
// A block: blockDim.y voxels along y times VOXELS along z times 32 COLUMNS columns.
extern "C" __global__ void __launch_bounds__(256, 4)
adjoint(const float *__restrict__ stack, const int64 *__restrict__ steps, const float *__restrict__ weights,
        float *__restrict__ out, int n_tilts, int nt, int nz, int ny, int nx, int add)
{
    const int x_blocks = (nx + 32 * COLUMNS - 1) / (32 * COLUMNS), channel = blockIdx.z / x_blocks;
    const int x = blockIdx.z % x_blocks * 32 * COLUMNS + threadIdx.x;
    const int y = blockIdx.x * blockDim.y + threadIdx.y, z0 = blockIdx.y * VOXELS;
    if (x >= nx || y >= ny)
        return;
    const float *at[COLUMNS];
    set_columns(stack + (int64)channel * n_tilts * nt * nx, x, nx, at);
    const int row = nx * (int)sizeof(float);

    float sum[VOXELS][COLUMNS] = {};
    for (int tilt = 0; tilt < n_tilts; ++tilt, advance(at, (int64)nt * nx)) {
        const int64 z_step = steps[3 * tilt + 1], position = steps[3 * tilt + 2] + y * steps[3 * tilt] + z0 * z_step;
        const float once = weights[2 * tilt], twice = weights[2 * tilt + 1];
        const int one_end = whole(position), other_end = whole(position + (VOXELS - 1) * z_step);
        if ((unsigned)one_end < (unsigned)(nt - 1) && (unsigned)other_end < (unsigned)(nt - 1))
            gather<false>(at, position, z_step, nt, row, once, twice, sum);
        else
            gather<true>(at, position, z_step, nt, row, once, twice, sum);
    }

#pragma unroll
    for (int j = 0; j < VOXELS; ++j)
#pragma unroll
        for (int c = 0; c < COLUMNS; ++c)
            if (z0 + j < nz && x + 32 * c < nx) {
                float *target = out + (((int64)channel * nz + z0 + j) * ny + y) * nx + x + 32 * c;
                *target = add ? *target + sum[j][c] : sum[j][c];
            }
}
