// Total variation: its value, one iteration of dual projected gradient, and the volume that a dual field stands for.
//
// Forward differences with a zero difference at the last plane of each axis; a channel's dual field is (3, z, y, x), its
// components along z, y and x, zero on the last plane of their axis. Kernels and signs are those of kernels/numba/tv.py.
//
// A thread marches along z over `planes` voxels of one (y, x). It keeps the value of its own next voxel, which becomes
// the present one, and recomputes the neighbours at y + 1 and x + 1 from duals that other threads of the block read too:
// 24 loads from L1 for 8 floats from device memory, cheaper than a pass that writes the primal volume and reads it again.
// Neighbours are addressed with steps that are 0 at a border: no load of a voxel waits behind a branch.
//
// Device memory traffic per voxel, with D = 12 bytes of dual (6: half duals):
//   ascend 8 + 2 D = 32 bytes (20), total_variation 4, finish 12 + D = 24 (18);
//   starting a chunk of 32 planes adds about 4 % to what is read, L2 carries about 1.3 times as much.

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

// A thread's column of voxels and the steps to its neighbours, 0 where there is none.
struct Walk {
    int64 i, plane, voxels;  // first voxel's index in a channel; index step along z; voxels of a channel
    int left, right, front, aside;  // x - 1, x + 1, y - 1, y + 1
    int channel, first, last, nz;  // planes from first up to, but without, last
};

__device__ __forceinline__ Walk walk(int nz, int ny, int nx, int planes)
{
    const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    const int n_chunks = (nz + planes - 1) / planes, chunk = blockIdx.z % n_chunks;
    Walk w;
    w.nz = nz;
    w.channel = blockIdx.z / n_chunks;
    w.first = chunk * planes;
    w.last = x >= nx || y >= ny ? w.first : (w.first + planes < nz ? w.first + planes : nz);
    w.plane = (int64)ny * nx;
    w.voxels = nz * w.plane;
    w.i = w.first * w.plane + (int64)y * nx + x;
    w.left = x > 0 ? 1 : 0;
    w.right = x + 1 < nx ? 1 : 0;
    w.front = y > 0 ? nx : 0;
    w.aside = y + 1 < ny ? nx : 0;
    return w;
}

// Where a thread's partial sum goes: (channel, chunk and y, x), a plane for every blockIdx.z
__device__ __forceinline__ int64 place(const Walk &w) { return blockIdx.z * w.plane + w.i - w.first * w.plane; }

__device__ __forceinline__ float norm(float z, float y, float x, int anisotropic)
{
    return anisotropic ? fabsf(z) + fabsf(y) + fabsf(x) : sqrtf(fmaf(z, z, fmaf(y, y, x * x)));
}

// partial (channel, chunk and y, x): sums over z of the gradient's norm
extern "C" __global__ void __launch_bounds__(512)
total_variation(const float *__restrict__ volume, double *__restrict__ partial, int nz, int ny, int nx, int planes,
                int anisotropic)
{
    const Walk w = walk(nz, ny, nx, planes);
    if (w.first == w.last)
        return;
    const float *at = volume + w.channel * w.voxels + w.i;
    float here = *at;
    double sum = 0.0;
#pragma unroll 4
    for (int z = w.first; z < w.last; ++z) {
        const float beside = at[w.aside], right = at[w.right];
        at += z + 1 < nz ? w.plane : 0;
        const float below = *at;
        sum += (double)norm(below - here, beside - here, right - here, anisotropic);
        here = below;
    }
    partial[place(w)] = sum;
}

// One channel of the problem: noisy and inverse of its first voxel, and the three components of its dual field.
struct Problem {
    const float *noisy, *inverse;
    const dual_t *pz, *py, *px;
    float weight;
};

__device__ __forceinline__ Problem problem(const float *noisy, const float *inverse, const float *weight,
                                           const dual_t *dual, const Walk &w)
{
    const dual_t *p = dual + 3 * w.channel * w.voxels;
    const int64 offset = w.channel * w.voxels;
    return Problem{noisy + offset, inverse + offset, p, p + w.voxels, p + 2 * w.voxels, weight[w.channel]};
}

// p[i] less the value one step before it, which is left out where the step is 0
__device__ __forceinline__ float backward(const dual_t *__restrict__ p, int64 i, int64 step)
{
    const float before = load(p + i - step);
    return load(p + i) - (step ? before : 0.0f);
}

// max(0, noisy - weight inverse L(p)) at voxel i; above, front, left: steps to its neighbours at z - 1, y - 1, x - 1
__device__ __forceinline__ float primal(const Problem &p, int64 i, int64 above, int front, int left)
{
    const float l = backward(p.pz, i, above) + backward(p.py, i, front) + backward(p.px, i, left);
    return fmaxf(0.0f, fmaf(-p.weight * p.inverse[i], l, p.noisy[i]));
}

// The primal volume's forward differences at voxel i, and its value one plane below
struct Ahead {
    float dz, dy, dx, below;
};

__device__ __forceinline__ Ahead look_ahead(const Problem &p, const Walk &w, int64 i, int z, float here)
{
    const int64 above = z > 0 ? w.plane : 0, down = z + 1 < w.nz ? w.plane : 0;
    const float beside = primal(p, i + w.aside, above, w.aside, w.left);
    const float right = primal(p, i + w.right, above, w.front, w.right);
    Ahead a;
    a.below = primal(p, i + down, down, w.front, w.left);
    a.dz = down ? a.below - here : 0.0f;
    a.dy = w.aside ? beside - here : 0.0f;
    a.dx = w.right ? right - here : 0.0f;
    return a;
}

// 1.75 / (6 weight (inverse here + the largest of those ahead)): 1.75 times the block form of Pock and Chambolle's
// diagonal preconditioner (ICCV 2011, lemma 2). At the volume's end the voxel itself stands for the one ahead.
__device__ __forceinline__ float dual_step(const Problem &p, const Walk &w, int64 i, int z)
{
    const int64 down = z + 1 < w.nz ? w.plane : 0;
    const float largest = fmaxf(p.inverse[i + down], fmaxf(p.inverse[i + w.aside], p.inverse[i + w.right]));
    return 1.75f / (6.0f * p.weight * (p.inverse[i] + largest));
}

__device__ __forceinline__ float clamp(float value) { return fminf(1.0f, fmaxf(-1.0f, value)); }

__device__ __forceinline__ void copy_dual(const Problem &p, const Walk &w, dual_t *out)
{
    for (int64 i = w.i; i < w.i + (w.last - w.first) * w.plane; i += w.plane) {
        out[i] = p.pz[i];
        out[i + w.voxels] = p.py[i];
        out[i + 2 * w.voxels] = p.px[i];
    }
}

// spare = dual - step grad(primal(dual)) projected on unit balls; the dual of a channel without weight is copied.
// noisy, inverse (channel, z, y, x), weight (channel,), dual, spare (channel, 3, z, y, x)
extern "C" __global__ void __launch_bounds__(512)
ascend(const float *__restrict__ noisy, const float *__restrict__ inverse, const float *__restrict__ weight,
       const dual_t *__restrict__ dual, dual_t *__restrict__ spare, int nz, int ny, int nx, int planes, int anisotropic)
{
    const Walk w = walk(nz, ny, nx, planes);
    if (w.first == w.last)
        return;
    const Problem p = problem(noisy, inverse, weight, dual, w);
    dual_t *out = spare + 3 * w.channel * w.voxels;
    if (p.weight == 0.0f) {
        copy_dual(p, w, out);
        return;
    }
    int64 i = w.i;
    float here = primal(p, i, w.first > 0 ? w.plane : 0, w.front, w.left);
    for (int z = w.first; z < w.last; ++z, i += w.plane) {
        const Ahead a = look_ahead(p, w, i, z, here);
        const float tau = dual_step(p, w, i, z);
        float rz = fmaf(-tau, a.dz, load(p.pz + i)), ry = fmaf(-tau, a.dy, load(p.py + i));
        float rx = fmaf(-tau, a.dx, load(p.px + i));
        const float square = fmaf(rz, rz, fmaf(ry, ry, rx * rx));
        const float shrink = square > 1.0f ? rsqrtf(square) : 1.0f;
        const bool short_of_one = anisotropic || square < 0.998f;
        rz = anisotropic ? clamp(rz) : rz * shrink;
        ry = anisotropic ? clamp(ry) : ry * shrink;
        rx = anisotropic ? clamp(rx) : rx * shrink;
        store(out + i, rz, short_of_one);
        store(out + i + w.voxels, ry, short_of_one);
        store(out + i + 2 * w.voxels, rx, short_of_one);
        here = a.below;
    }
}

// out = primal(dual); partial (3, channel, chunk and y, x): sums over z of |grad out|, of -<grad out, dual> and of
// (out - noisy)^2 / inverse
extern "C" __global__ void __launch_bounds__(512)
finish(const float *__restrict__ noisy, const float *__restrict__ inverse, const float *__restrict__ weight,
       const dual_t *__restrict__ dual, float *__restrict__ out, double *__restrict__ partial, int nz, int ny,
       int nx, int planes, int anisotropic)
{
    const Walk w = walk(nz, ny, nx, planes);
    if (w.first == w.last)
        return;
    const Problem p = problem(noisy, inverse, weight, dual, w);
    float *target = out + w.channel * w.voxels;
    int64 i = w.i;
    float here = primal(p, i, w.first > 0 ? w.plane : 0, w.front, w.left);
    double variation = 0.0, pairing = 0.0, moved = 0.0;
    for (int z = w.first; z < w.last; ++z, i += w.plane) {
        target[i] = here;
        const float move = here - p.noisy[i];
        moved += (double)(move * move / p.inverse[i]);
        const Ahead a = look_ahead(p, w, i, z, here);
        variation += (double)norm(a.dz, a.dy, a.dx, anisotropic);
        pairing -= (double)fmaf(a.dz, load(p.pz + i), fmaf(a.dy, load(p.py + i), a.dx * load(p.px + i)));
        here = a.below;
    }
    partial[place(w)] = variation;
    partial[place(w) + gridDim.z * w.plane] = pairing;
    partial[place(w) + 2 * gridDim.z * w.plane] = moved;
}
