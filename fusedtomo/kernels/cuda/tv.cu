// Total variation: its value, one iteration of dual projected gradient, and the volume that a dual field stands for.
//
// Forward differences with a zero difference at the last plane of each axis; a channel's dual field is (3, z, y, x), its
// components along z, y and x, zero on the last plane of their axis. Kernels and signs are those of kernels/numba/tv.py.
//
// A block marches along z with a tile of TILE_Y x TILE_X voxels, a thread each. A thread makes the primal value of its
// next voxel, which becomes the present one; what it needs of the neighbours at y + 1 and x + 1 goes through shared
// memory. The row and the column beside the tile are made as well, by the block's first TILE_X + TILE_Y threads.
// Neighbours are addressed with steps that are 0 at a border: no load of a voxel waits behind a branch.
//
// Device memory traffic per voxel, with D = 12 bytes of dual (6: half duals):
//   ascend 8 + 2 D = 32 bytes (20), total_variation 4, finish 12 + D = 24 (18);
//   what is made beside a tile of 8 x 64 adds 14 % to what is read (from L2 or L1, mostly), starting a chunk of 32 planes 4 %.

#ifndef TILE_X
#define TILE_X 64
#endif
#ifndef TILE_Y
#define TILE_Y 8
#endif
#ifndef BLOCKS
#define BLOCKS 2  // on a multiprocessor at least, which bounds the registers of a thread
#endif

#ifdef FUSEDTOMO_HALF_DUALS
typedef half_bits dual_t;
#else
typedef float dual_t;
#endif

// A projected component. `short_of_one`: the voxel's vector is well inside the unit ball and may be rounded to nearest; on
// the sphere, half precision rounds toward zero so that no vector leaves the ball.
__device__ __forceinline__ void store(float *at, float value, bool) { *at = value; }
__device__ __forceinline__ void store(half_bits *at, float value, bool short_of_one)
{
    *at = short_of_one ? to_half(value) : to_half_toward_zero(value);
}

__device__ __forceinline__ float norm(float z, float y, float x, int anisotropic)
{
    return anisotropic ? fabsf(z) + fabsf(y) + fabsf(x) : sqrtf(fmaf(z, z, fmaf(y, y, x * x)));
}

// partial (channel, chunk and y, x): sums over z of the gradient's norm
extern "C" __global__ void __launch_bounds__(TILE_X * TILE_Y, BLOCKS)
total_variation(const float *__restrict__ volume, double *__restrict__ partial, int nz, int ny, int nx, int planes,
                int anisotropic)
{
    const int x = blockIdx.x * TILE_X + threadIdx.x, y = blockIdx.y * TILE_Y + threadIdx.y;
    const int n_chunks = (nz + planes - 1) / planes, first = blockIdx.z % n_chunks * planes;
    const int last = first + planes < nz ? first + planes : nz, right = x + 1 < nx ? 1 : 0, aside = y + 1 < ny ? nx : 0;
    const int64 plane = (int64)ny * nx, column = (int64)y * nx + x;
    if (x >= nx || y >= ny)
        return;
    const float *at = volume + (blockIdx.z / n_chunks * nz + first) * plane + column;
    float here = *at;
    double sum = 0.0;
#pragma unroll 4
    for (int z = first; z < last; ++z) {
        const float beside = at[aside], to_the_right = at[right];
        at += z + 1 < nz ? plane : 0;
        const float below = *at;
        sum += (double)norm(below - here, beside - here, to_the_right - here, anisotropic);
        here = below;
    }
    partial[blockIdx.z * plane + column] = sum;
}

// One channel of the problem: noisy and inverse of its first voxel, and the three components of its dual field.
struct Problem {
    const float *noisy, *inverse;
    const dual_t *pz, *py, *px;
    float weight;
};

__device__ __forceinline__ Problem problem(const float *noisy, const float *inverse, const float *weight,
                                           const dual_t *dual, int channel, int64 voxels)
{
    const dual_t *p = dual + 3 * channel * voxels;
    const int64 offset = channel * voxels;
    return Problem{noisy + offset, inverse + offset, p, p + voxels, p + 2 * voxels, weight[channel]};
}

__device__ __forceinline__ int channel_of(int nz, int planes) { return blockIdx.z / ((nz + planes - 1) / planes); }

// A voxel's primal value max(0, noisy - weight inverse L(p)), and what it is made of
struct Voxel {
    float u, noisy, inverse, pz, py, px;
};

// Voxel i; above: p_z one plane before it; front, left: steps to its neighbours at y - 1, x - 1, 0 where there are none
__device__ __forceinline__ Voxel voxel(const Problem &p, int64 i, float above, int front, int left)
{
    Voxel v;
    const float before_y = load(p.py + i - front), before_x = load(p.px + i - left);
    v.noisy = p.noisy[i];
    v.inverse = p.inverse[i];
    v.pz = load(p.pz + i);
    v.py = load(p.py + i);
    v.px = load(p.px + i);
    const float l = (v.pz - above) + (v.py - (front ? before_y : 0.0f)) + (v.px - (left ? before_x : 0.0f));
    v.u = fmaxf(0.0f, fmaf(-p.weight * v.inverse, l, v.noisy));
    return v;
}

// A column of voxels along z that a thread makes one after the other
struct Path {
    int64 i;
    int front, left;
    bool inside;
    Voxel here;
};

__device__ __forceinline__ Path path(const Problem &p, int x, int y, int first, int ny, int nx)
{
    Path path = {};
    path.inside = x < nx && y < ny;
    path.front = y > 0 ? nx : 0;
    path.left = x > 0 ? 1 : 0;
    path.i = ((int64)first * ny + y) * nx + x;
    if (path.inside)
        path.here = voxel(p, path.i, first > 0 ? load(p.pz + path.i - (int64)ny * nx) : 0.0f, path.front, path.left);
    return path;
}

__device__ __forceinline__ Voxel next(const Problem &p, const Path &path, int64 plane)
{
    return path.inside ? voxel(p, path.i + plane, path.here.pz, path.front, path.left) : path.here;
}

// What a neighbour ahead needs to know of a voxel
struct Known {
    float u, inverse;
};

__device__ __forceinline__ Known known(const Voxel &v) { return Known{v.u, v.inverse}; }

// A choice that no address is taken for, which would send both to local memory
__device__ __forceinline__ Known either(bool first, const Known &one, const Known &other)
{
    const float u = one.u, inverse = one.inverse;
    return Known{first ? u : other.u, first ? inverse : other.inverse};
}

// The primal volume's forward differences at a voxel, zero at the volume's end, and the largest inverse ahead of it. At the
// volume's end the voxel itself stands for the one ahead.
struct Ahead {
    float dz, dy, dx, largest;
};

__device__ __forceinline__ Ahead ahead(const Known &here, const Known &below, const Known &beside, const Known &right)
{
    return Ahead{below.u - here.u, beside.u - here.u, right.u - here.u,
                 fmaxf(below.inverse, fmaxf(beside.inverse, right.inverse))};
}

// Let a block march over its planes; `visit(i, voxel, ahead)` is called for every voxel of the volume.
template <class Visit>
__device__ __forceinline__ void march(const Problem &p, int nz, int ny, int nx, int planes, Visit visit)
{
    __shared__ Known sheet[2][TILE_Y + 1][TILE_X + 1];
    const int tx = threadIdx.x, ty = threadIdx.y, x0 = blockIdx.x * TILE_X, y0 = blockIdx.y * TILE_Y;
    const int k = ty * TILE_X + tx, n_chunks = (nz + planes - 1) / planes, first = blockIdx.z % n_chunks * planes;
    const int last = first + planes < nz ? first + planes : nz;
    const int ex = k < TILE_X ? k : TILE_X, ey = k < TILE_X ? TILE_Y : k - TILE_X;  // beside the tile
    const bool at_edge = k < TILE_X + TILE_Y;
    const int64 plane = (int64)ny * nx;
    Path mine = path(p, x0 + tx, y0 + ty, first, ny, nx), edge = {};
    if (at_edge)
        edge = path(p, x0 + ex, y0 + ey, first, ny, nx);
    const bool right = x0 + tx + 1 < nx, aside = y0 + ty + 1 < ny;
    for (int z = first, buffer = 0; z < last; ++z, buffer ^= 1) {
        sheet[buffer][ty][tx] = known(mine.here);
        if (at_edge)
            sheet[buffer][ey][ex] = known(edge.here);
        const Voxel below = z + 1 < nz ? next(p, mine, plane) : mine.here;
        const Voxel edge_below = at_edge && z + 1 < last ? next(p, edge, plane) : edge.here;
        __syncthreads();  // one a plane is enough: the next is written to the other buffer
        const Known here = known(mine.here), beside = either(aside, sheet[buffer][ty + 1][tx], here);
        if (mine.inside)
            visit(mine.i, mine.here, ahead(here, known(below), beside, either(right, sheet[buffer][ty][tx + 1], here)));
        mine.here = below;
        edge.here = edge_below;
        mine.i += plane;
        edge.i += plane;
    }
}

__device__ __forceinline__ float clamp(float value) { return fminf(1.0f, fmaxf(-1.0f, value)); }

// spare = dual - step grad(primal(dual)) projected on unit balls; the dual of a channel without weight is copied.
// step: 1.75 / (6 weight (inverse here + the largest of those ahead)): 1.75 times the block form of Pock and Chambolle's
// diagonal preconditioner (ICCV 2011, lemma 2).
// noisy, inverse (channel, z, y, x), weight (channel,), dual, spare (channel, 3, z, y, x)
extern "C" __global__ void __launch_bounds__(TILE_X * TILE_Y, BLOCKS)
ascend(const float *__restrict__ noisy, const float *__restrict__ inverse, const float *__restrict__ weight,
       const dual_t *__restrict__ dual, dual_t *__restrict__ spare, int nz, int ny, int nx, int planes, int anisotropic)
{
    const int64 voxels = (int64)nz * ny * nx;
    const Problem p = problem(noisy, inverse, weight, dual, channel_of(nz, planes), voxels);
    dual_t *out = spare + 3 * (p.noisy - noisy);
    march(p, nz, ny, nx, planes, [&](int64 i, const Voxel &v, const Ahead &a) {
        if (p.weight == 0.0f) {
            out[i] = p.pz[i];
            out[i + voxels] = p.py[i];
            out[i + 2 * voxels] = p.px[i];
            return;
        }
        const float tau = 1.75f / (6.0f * p.weight * (v.inverse + a.largest));
        float rz = fmaf(-tau, a.dz, v.pz), ry = fmaf(-tau, a.dy, v.py), rx = fmaf(-tau, a.dx, v.px);
        const float square = fmaf(rz, rz, fmaf(ry, ry, rx * rx));
        const float shrink = square > 1.0f ? rsqrtf(square) : 1.0f;
        const bool short_of_one = anisotropic || square < 0.998f;
        rz = anisotropic ? clamp(rz) : rz * shrink;
        ry = anisotropic ? clamp(ry) : ry * shrink;
        rx = anisotropic ? clamp(rx) : rx * shrink;
        store(out + i, rz, short_of_one);
        store(out + i + voxels, ry, short_of_one);
        store(out + i + 2 * voxels, rx, short_of_one);
    });
}

// out = primal(dual); partial (3, channel, chunk and y, x): sums over z of |grad out|, of -<grad out, dual> and of
// (out - noisy)^2 / inverse
extern "C" __global__ void __launch_bounds__(TILE_X * TILE_Y, BLOCKS)
finish(const float *__restrict__ noisy, const float *__restrict__ inverse, const float *__restrict__ weight,
       const dual_t *__restrict__ dual, float *__restrict__ out, double *__restrict__ partial, int nz, int ny,
       int nx, int planes, int anisotropic)
{
    const int x = blockIdx.x * TILE_X + threadIdx.x, y = blockIdx.y * TILE_Y + threadIdx.y;
    const Problem p = problem(noisy, inverse, weight, dual, channel_of(nz, planes), (int64)nz * ny * nx);
    float *target = out + (p.noisy - noisy);
    double variation = 0.0, pairing = 0.0, moved = 0.0;
    march(p, nz, ny, nx, planes, [&](int64 i, const Voxel &v, const Ahead &a) {
        target[i] = v.u;
        const float move = v.u - v.noisy;
        variation += (double)norm(a.dz, a.dy, a.dx, anisotropic);
        pairing -= (double)fmaf(a.dz, v.pz, fmaf(a.dy, v.py, a.dx * v.px));
        moved += (double)(move * move / v.inverse);
    });
    if (x >= nx || y >= ny)
        return;
    const int64 n = (int64)ny * nx, place = blockIdx.z * n + (int64)y * nx + x;
    partial[place] = variation;
    partial[place + gridDim.z * n] = pairing;
    partial[place + 2 * gridDim.z * n] = moved;
}
