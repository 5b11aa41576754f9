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
//   ascend 8 + 2 D = 32 bytes (20), total_variation 4, finish 12 + D = 24 (18), each 4 (2) more with local weights;
//   what is made beside a tile of 8 x 64 adds 14 % to what is read (from L2 or L1, mostly), starting a chunk of 32 planes 4 %.

#ifndef TILE_X
#define TILE_X 64
#endif
#ifndef TILE_Y
#define TILE_Y 2
#endif
#ifndef BLOCKS
#define BLOCKS 8  // on a multiprocessor at least, which bounds the registers of a thread
#endif
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#define FITTING (BLOCKS - 1)  // a V100's code needs a few registers more
#else
#define FITTING BLOCKS
#endif

// partial (channel, chunk and y, x): sums over z of the gradient's norm; by one voxel a thread, WIDTH is 1.
// local (channel, z, y, x), of all kernels here: not read without FUSEDTOMO_LOCAL_WEIGHTS, any array stands in its place
extern "C" __global__ void __launch_bounds__(TILE_X * TILE_Y, FITTING)
total_variation(const float *__restrict__ volume, const dual_t *__restrict__ local, double *__restrict__ partial, int nz,
                int ny, int nx, int planes, int anisotropic)
{
    const int x = blockIdx.x * TILE_X + threadIdx.x, y = blockIdx.y * TILE_Y + threadIdx.y;
    const int n_chunks = (nz + planes - 1) / planes, first = blockIdx.z % n_chunks * planes;
    const int last = first + planes < nz ? first + planes : nz, right = x + 1 < nx ? 1 : 0, aside = y + 1 < ny ? nx : 0;
    const int64 plane = (int64)ny * nx, column = (int64)y * nx + x;
    if (x >= nx || y >= ny)
        return;
    const int64 start = (blockIdx.z / n_chunks * nz + first) * plane + column;
    const float *at = volume + start;
    float here = *at;
    double sum = 0.0;
#pragma unroll 4
    for (int z = first; z < last; ++z) {
        const float beside = at[aside], to_the_right = at[right];
        at += z + 1 < nz ? plane : 0;
        const float below = *at;
        const float weight = weights_at(local + start + (z - first) * plane).value[0];
        sum += (double)(weight * norm(below - here, beside - here, to_the_right - here, anisotropic));
        here = below;
    }
    partial[blockIdx.z * plane + column] = sum;
}

// One channel of the problem: noisy, inverse and local weight of its first voxel, and the components of its dual field.
struct Problem {
    const float *noisy, *inverse;
    const dual_t *local, *pz, *py, *px;
    float weight;
};

__device__ __forceinline__ Problem problem(const float *noisy, const float *inverse, const float *weight,
                                           const dual_t *local, const dual_t *dual, int channel, int64 voxels)
{
    const dual_t *p = dual + 3 * channel * voxels;
    const int64 offset = channel * voxels;
    return Problem{noisy + offset, inverse + offset, local + offset, p, p + voxels, p + 2 * voxels, weight[channel]};
}

__device__ __forceinline__ int channel_of(int nz, int planes) { return blockIdx.z / ((nz + planes - 1) / planes); }

// What the primal values of WIDTH neighbours are made of: their own, and those of the dual one step before them
struct Raw {
    Pack<float> noisy, inverse;
    Pack<dual_t> pz, py, px, before_y;
    dual_t before_x;  // of the first
};

// Primal values max(0, noisy - weight inverse L(p)), and their own part of what they are made of
struct Voxels {
    Pack<float> u, noisy, inverse, pz, py, px;
};

// A column along z that a thread makes voxel after voxel; what the next ones are made of is read one plane ahead
struct Path {
    int64 i;
    int front, left;  // steps to y - 1, x - 1, 0 where there are none
    Voxels here;
    Raw next;
};

__device__ __forceinline__ Raw read(const Problem &p, const Path &path, int64 i)
{
    return Raw{packed(p.noisy + i), packed(p.inverse + i), packed(p.pz + i), packed(p.py + i), packed(p.px + i),
               packed(p.py + i - path.front), p.px[i - path.left]};
}

// above: p_z one plane before
__device__ __forceinline__ Voxels made(const Problem &p, const Path &path, const Raw &r, const Pack<float> &above)
{
    Voxels v;
    v.noisy = r.noisy;
    v.inverse = r.inverse;
    float before_x = path.left ? load(&r.before_x) : 0.0f;
#pragma unroll
    for (int j = 0; j < WIDTH; ++j) {
        const float before_y = path.front ? load(&r.before_y.value[j]) : 0.0f;
        v.pz.value[j] = load(&r.pz.value[j]);
        v.py.value[j] = load(&r.py.value[j]);
        v.px.value[j] = load(&r.px.value[j]);
        const Vector here{v.pz.value[j], v.py.value[j], v.px.value[j]}, before{above.value[j], before_y, before_x};
        v.u.value[j] = primal(r.noisy.value[j], r.inverse.value[j], p.weight, here, before);
        before_x = v.px.value[j];
    }
    return v;
}

__device__ __forceinline__ Path path(const Problem &p, int x, int y, int first, int nz, int ny, int nx)
{
    const int64 plane = (int64)ny * nx;
    Path path = {};
    path.front = y > 0 ? nx : 0;
    path.left = x > 0 ? 1 : 0;
    path.i = first * plane + (int64)y * nx + x;
    Pack<float> above = {};
    for (int j = 0; first > 0 && j < WIDTH; ++j)
        above.value[j] = load(p.pz + path.i - plane + j);
    path.here = made(p, path, read(p, path, path.i), above);
    if (first + 1 < nz)
        path.next = read(p, path, path.i + plane);
    return path;
}

// What a neighbour ahead needs to know of a voxel
struct Known {
    float u, inverse;
};

// A choice that no address is taken for, which would send both to local memory
__device__ __forceinline__ Known either(bool first, const Known &one, const Known &other)
{
    const float u = one.u, inverse = one.inverse;
    return Known{first ? u : other.u, first ? inverse : other.inverse};
}

__device__ __forceinline__ void show(Known *sheet, const Voxels &v)
{
#pragma unroll
    for (int j = 0; j < WIDTH; ++j)
        sheet[j] = Known{v.u.value[j], v.inverse.value[j]};
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

// Let a block march over its planes; `visit(i, j, voxels, ahead)` is called for every voxel of the volume, the j-th of
// those that start at i.
template <class Visit>
__device__ __forceinline__ void march(const Problem &p, int nz, int ny, int nx, int planes, Visit visit)
{
    __shared__ Known sheet[2][TILE_Y + 1][(TILE_X + 1) * WIDTH];
    const int tx = threadIdx.x, ty = threadIdx.y, x0 = blockIdx.x * TILE_X, y0 = blockIdx.y * TILE_Y;
    const int k = ty * TILE_X + tx, n_chunks = (nz + planes - 1) / planes, first = blockIdx.z % n_chunks * planes;
    const int last = first + planes < nz ? first + planes : nz;
    const int ex = k < TILE_X ? k : TILE_X, ey = k < TILE_X ? TILE_Y : k - TILE_X;  // beside the tile
    const int64 plane = (int64)ny * nx;
    const int x = (x0 + tx) * WIDTH, y = y0 + ty, edge_x = (x0 + ex) * WIDTH, edge_y = y0 + ey;
    const bool inside = x < nx && y < ny, aside = y + 1 < ny, at_edge = k < TILE_X + TILE_Y && edge_x < nx && edge_y < ny;
    Path mine = {}, edge = {};
    if (inside)
        mine = path(p, x, y, first, nz, ny, nx);
    if (at_edge)
        edge = path(p, edge_x, edge_y, first, nz, ny, nx);
    for (int z = first, buffer = 0; z < last; ++z, buffer ^= 1) {
        show(&sheet[buffer][ty][tx * WIDTH], mine.here);
        if (at_edge)
            show(&sheet[buffer][ey][ex * WIDTH], edge.here);
        Raw after = {}, edge_after = {};
        if (inside && z + 1 < last && z + 2 < nz)
            after = read(p, mine, mine.i + 2 * plane);
        if (at_edge && z + 2 < last)
            edge_after = read(p, edge, edge.i + 2 * plane);
        const Voxels below = z + 1 < nz ? made(p, mine, mine.next, mine.here.pz) : mine.here;
        __syncthreads();  // one a plane is enough: the next is written to the other buffer
#pragma unroll
        for (int j = 0; inside && j < WIDTH; ++j) {
            const int at = tx * WIDTH + j;
            const Known here{mine.here.u.value[j], mine.here.inverse.value[j]};
            const Known beside = either(aside, sheet[buffer][ty + 1][at], here);
            const Known right = either(x + j + 1 < nx, sheet[buffer][ty][at + 1], here);
            visit(mine.i, j, mine.here, ahead(here, Known{below.u.value[j], below.inverse.value[j]}, beside, right));
        }
        mine = Path{mine.i + plane, mine.front, mine.left, below, after};
        edge = Path{edge.i + plane, edge.front, edge.left, made(p, edge, edge.next, edge.here.pz), edge_after};
    }
}

// spare = dual - step grad(primal(dual)) projected on balls, the step `relaxation` times the safe one; the dual of a channel without weight stays as it is.
// noisy, inverse (channel, z, y, x), weight (channel,), dual, spare (channel, 3, z, y, x)
extern "C" __global__ void __launch_bounds__(TILE_X * TILE_Y, FITTING)
ascend(const float *__restrict__ noisy, const float *__restrict__ inverse, const float *__restrict__ weight,
       const dual_t *__restrict__ local, const dual_t *__restrict__ dual, dual_t *__restrict__ spare, int nz, int ny,
       int nx, int planes, int anisotropic, float relaxation)
{
    const int64 voxels = (int64)nz * ny * nx;
    const Problem p = problem(noisy, inverse, weight, local, dual, channel_of(nz, planes), voxels);
    dual_t *out = spare + 3 * (p.noisy - noisy);
    Pack<dual_t> stored[3];
    Pack<float> radius;
    march(p, nz, ny, nx, planes, [&](int64 i, int j, const Voxels &v, const Ahead &a) {
        if (j == 0)
            radius = weights_at(p.local + i);
        const Vector here{v.pz.value[j], v.py.value[j], v.px.value[j]}, slope{a.dz, a.dy, a.dx};
        const float tau = dual_step(p.weight, v.inverse.value[j], a.largest, relaxation);
        const Stored moved = ascended(here, slope, tau, radius.value[j], anisotropic);
        stored[0].value[j] = moved.z;
        stored[1].value[j] = moved.y;
        stored[2].value[j] = moved.x;
        if (j == WIDTH - 1)
            for (int component = 0; component < 3; ++component)
                packed(out + i + component * voxels) = stored[component];
    });
}

// out = primal(dual); partial (3, channel, chunk and y, x): sums over z of local |grad out|, of -<grad out, dual> and of
// (out - noisy)^2 / inverse
extern "C" __global__ void __launch_bounds__(TILE_X * TILE_Y, FITTING - 1)
finish(const float *__restrict__ noisy, const float *__restrict__ inverse, const float *__restrict__ weight,
       const dual_t *__restrict__ local, const dual_t *__restrict__ dual, float *__restrict__ out,
       double *__restrict__ partial, int nz, int ny, int nx, int planes, int anisotropic)
{
    const int x = (blockIdx.x * TILE_X + threadIdx.x) * WIDTH, y = blockIdx.y * TILE_Y + threadIdx.y;
    const Problem p = problem(noisy, inverse, weight, local, dual, channel_of(nz, planes), (int64)nz * ny * nx);
    float *target = out + (p.noisy - noisy);
    double sum[3][WIDTH] = {};  // variation, pairing, distance
    Pack<float> weights;
    march(p, nz, ny, nx, planes, [&](int64 i, int j, const Voxels &v, const Ahead &a) {
        if (j == 0)
            weights = weights_at(p.local + i);
        const Vector here{v.pz.value[j], v.py.value[j], v.px.value[j]}, slope{a.dz, a.dy, a.dx};
        sum[0][j] += (double)(weights.value[j] * norm(slope.z, slope.y, slope.x, anisotropic));
        sum[1][j] += paired(slope, here);
        sum[2][j] += (double)moved_by(v.u.value[j], v.noisy.value[j], v.inverse.value[j]);
        if (j == 0)
            packed(target + i) = v.u;
    });
    if (x >= nx || y >= ny)
        return;
    const int64 n = (int64)ny * nx, place = blockIdx.z * n + (int64)y * nx + x;
    for (int s = 0; s < 3; ++s)
        for (int j = 0; j < WIDTH; ++j)
            partial[place + s * gridDim.z * n + j] = sum[s][j];
}
