// The end of a prox of total variation in one pass: two iterations of dual projected gradient, and the volume that the
// dual then stands for; or the two iterations alone. The same bits as `ascend` twice and `finish` (tv.cu), with less than
// half of their traffic.
//
// A block marches along z with a tile of TILE_Y rows of WIDE columns, a thread for WIDTH neighbouring columns. Two ascents
// and the differences of the result reach LOW voxels back and HIGH ahead: what a tile makes inside that margin is its own,
// the margin is made again by its neighbours. At plane z of the march a thread makes
//
//   the primal value u0 at z of the dual that is given, and so the dual once ascended at z - 1;
//   the primal value u1 at z - 1 of that one, and so the dual twice ascended at z - 2, which is written;
//   the primal value u2 at z - 2, which is written, and what the plane z - 3 adds to the sums.
//
// So a thread keeps two planes of each, in registers. What neighbours need lies in eight sheets of shared memory. Two
// barriers a plane part who writes a sheet from who reads it: the three steps above follow each other with a barrier
// after the first and the second; a sheet is written a step before or after the one in which it is read, never in it.
//
// Device memory traffic per voxel, with D = 12 bytes of dual (6: half duals): 12 + 2 D = 36 bytes (24), where `ascend` twice
// and `finish` take 88, and without the end 8 + 2 D = 32 instead of 64; local weights add 4 (2); (32 / 27)^2 = 1.4 times as many voxels are made as there are, and read, then from L2 or L1 mostly.

#ifndef TILE_X
#define TILE_X 16
#endif
#ifndef TILE_Y
#define TILE_Y 32
#endif
#ifndef PLANES
#define PLANES 32  // of a partial sum
#endif
#define RELAXATION 1.75f  // of all iterations here: that of kernels/interface.py
#define LOW 2
#define HIGH 3
#define WIDE (TILE_X * WIDTH)
#define OWN_X ((WIDE - LOW - HIGH) / WIDTH * WIDTH)
#define OWN_Y (TILE_Y - LOW - HIGH)

#define NOTHING (TILE_Y * WIDE)  // a place of a sheet that holds 0

struct __align__(16) Sheet {
    float value[(TILE_Y + 1) * WIDE];  // a row more, of zeros
};

struct Sheets {
    Sheet u0, inverse, py1, px1, u1, py2, px2, u2;
};

// Where a thread's values lie in a sheet, and what stands for its neighbours at y + 1, x + WIDTH, y - 1 and x - 1: at the
// volume's end itself, before its beginning nothing. Where the tile ends but not the volume it is itself, in the margin alone.
struct Place {
    int own, back, right, front, left;
};

__device__ __forceinline__ Place place_of(int x, int y, int ny, int nx)
{
    const int row = threadIdx.y, column = threadIdx.x * WIDTH, own = row * WIDE + column;
    Place p;
    p.own = own;
    p.back = y + 1 < ny && row + 1 < TILE_Y ? own + WIDE : own;
    p.right = x + WIDTH < nx && column + WIDTH < WIDE ? own + WIDTH : own + WIDTH - 1;
    p.front = y > 0 ? (row > 0 ? own - WIDE : own) : NOTHING;
    p.left = x > 0 ? (column > 0 ? own - 1 : own) : NOTHING;
    return p;
}

__device__ __forceinline__ Pack<float> seen(const Sheet &sheet, int place) { return packed(&sheet.value[place]); }

// WIDTH vectors of the dual field or of differences, by component
struct Field {
    Pack<float> z, y, x;
};

__device__ __forceinline__ Vector at(const Field &f, int j) { return Vector{f.z.value[j], f.y.value[j], f.x.value[j]}; }

__device__ __forceinline__ void show(Sheet &sheet, const Place &p, const Pack<float> &values)
{
    packed(&sheet.value[p.own]) = values;
}

// The values at x + 1
__device__ __forceinline__ Pack<float> to_the_right(const Sheet &sheet, const Place &p, const Pack<float> &here)
{
    Pack<float> right;
#pragma unroll
    for (int j = 0; j + 1 < WIDTH; ++j)
        right.value[j] = here.value[j + 1];
    right.value[WIDTH - 1] = sheet.value[p.right];
    return right;
}

// Forward differences of a plane that all have shown; below: the next one, or the same at the volume's end
__device__ __forceinline__ Field differences(const Sheet &sheet, const Place &p, const Pack<float> &here,
                                             const Pack<float> &below)
{
    const Pack<float> back = seen(sheet, p.back), right = to_the_right(sheet, p, here);
    Field d;
#pragma unroll
    for (int j = 0; j < WIDTH; ++j) {
        d.z.value[j] = below.value[j] - here.value[j];
        d.y.value[j] = back.value[j] - here.value[j];
        d.x.value[j] = right.value[j] - here.value[j];
    }
    return d;
}

__device__ __forceinline__ Pack<float> dual_steps(const Sheet &sheet, const Place &p, const Pack<float> &here,
                                                  const Pack<float> &below, float weight)
{
    const Pack<float> back = seen(sheet, p.back), right = to_the_right(sheet, p, here);
    Pack<float> tau;
#pragma unroll
    for (int j = 0; j < WIDTH; ++j)
        tau.value[j] =
            dual_step(weight, here.value[j], fmaxf(below.value[j], fmaxf(back.value[j], right.value[j])), RELAXATION);
    return tau;
}

// before_y, before_x: the dual's components one step back, p_x of the first alone
__device__ __forceinline__ Pack<float> primals(const Pack<float> &noisy, const Pack<float> &inverse, float weight,
                                               const Field &dual, const Pack<float> &above, const Pack<float> &before_y,
                                               float before_x)
{
    Pack<float> u;
#pragma unroll
    for (int j = 0; j < WIDTH; ++j) {
        const Vector before{above.value[j], before_y.value[j], j ? dual.x.value[j ? j - 1 : 0] : before_x};
        u.value[j] = primal(noisy.value[j], inverse.value[j], weight, at(dual, j), before);
    }
    return u;
}

__device__ __forceinline__ Field ascended(const Field &dual, const Field &slope, const Pack<float> &tau,
                                          const Pack<float> &radius, bool anisotropic)
{
    Field moved;
#pragma unroll
    for (int j = 0; j < WIDTH; ++j) {
        const Stored s = ascended(at(dual, j), at(slope, j), tau.value[j], radius.value[j], anisotropic);
        moved.z.value[j] = load(&s.z);
        moved.y.value[j] = load(&s.y);
        moved.x.value[j] = load(&s.x);
    }
    return moved;
}

// What a plane is made of, as it comes from memory, with the dual's components one step back
struct Raw {
    Pack<float> noisy, inverse;
    Pack<dual_t> pz, py, px, before_y;
    dual_t before_x;
};

__device__ __forceinline__ Pack<float> loaded(const Pack<dual_t> &values)
{
    Pack<float> as_float;
#pragma unroll
    for (int j = 0; j < WIDTH; ++j)
        as_float.value[j] = load(&values.value[j]);
    return as_float;
}

// One channel; a place in it fits 32 bits
struct Problem {
    const float *noisy, *inverse;
    const dual_t *local, *pz, *py, *px;
    float weight;
    int nz, plane;
};

__device__ __forceinline__ Raw read(const Problem &p, int i, int front, int left)
{
    return Raw{packed(p.noisy + i), packed(p.inverse + i), packed(p.pz + i), packed(p.py + i), packed(p.px + i),
               packed(p.py + (i - front)), p.px[i - left]};
}

__device__ __forceinline__ void write(dual_t *at, const Pack<float> &values)
{
    Pack<dual_t> stored;
#pragma unroll
    for (int j = 0; j < WIDTH; ++j)
        store(&stored.value[j], values.value[j], true);  // exact: it is what was stored before
    packed(at) = stored;
}

// WIDTH sums over z of one chunk of planes, as `finish` makes them
struct Sums {
    double value[WIDTH];
};

// Write the sums of a chunk that is complete, and begin the next one
__device__ __forceinline__ void flush(Sums &sums, double *partial)
{
#pragma unroll
    for (int j = 0; j < WIDTH; ++j) {
        partial[j] = sums.value[j];
        sums.value[j] = 0.0;
    }
}

// What a block writes: to the channel's new dual and volume, and to a column's partial sums, `stride` apart
struct Target {
    dual_t *pz, *py, *px;
    float *out;
    double *partial;
    int64 stride;
};

// March from `first` to `last`; column: a thread's place in a plane. Without `finishes` the third step is left out. Local
// weights are read where they are used, up to three times, for want of registers; a cache holds so few planes.
template <bool anisotropic, bool finishes>
__device__ __forceinline__ void march(const Problem &problem, const Target &target, Sheets &sheets, const Place &p, int column,
                                      int front, int left, bool own, int first, int last)
{
    const int nz = problem.nz, plane = problem.plane, start = first > LOW ? first - LOW : 0;
    const int end = last + HIGH < nz ? last + HIGH : nz;  // of the planes that are read
    const float w = problem.weight;
    int i = start * plane + column;
    Field given = {}, once = {}, twice = {};           // at z - 1, z - 2, z - 3
    Pack<float> u0 = {}, u1 = {}, u2 = {}, tau = {};  // at z - 1, z - 2, z - 3, z - 2
    Pack<float> noisy1 = {}, noisy2 = {}, inverse1 = {}, inverse2 = {};
    Sums variation = {}, pairing = {}, distance = {};
    if (start > 0)
        given.z = loaded(packed(problem.pz + (i - plane)));
    Raw next = read(problem, i, front, left);
    for (int z = start; z < last + HIGH; ++z, i += plane) {
        const Raw raw = next;
        if (z + 1 < end)
            next = read(problem, i + plane, front, left);

        const Field dual0{loaded(raw.pz), loaded(raw.py), loaded(raw.px)};
        const Pack<float> noisy0 = raw.noisy;
        Pack<float> inverse0 = inverse1, v0 = u0;  // at the volume's end the voxel itself stands for the one below
        if (z < nz) {
            Pack<float> before_y = {};
            if (front)
                before_y = loaded(raw.before_y);
            inverse0 = raw.inverse;
            v0 = primals(noisy0, inverse0, w, dual0, given.z, before_y, left ? load(&raw.before_x) : 0.0f);
        }
        const Pack<float> tau1 = dual_steps(sheets.inverse, p, inverse1, inverse0, w);
        Field dual1 = {};
        if (z > start)
            dual1 = ascended(given, differences(sheets.u0, p, u0, v0), tau1,
                             weights_at(problem.local + (z - 1 < nz ? i - plane : column)), anisotropic);
        show(sheets.py1, p, dual1.y);
        show(sheets.px1, p, dual1.x);
        __syncthreads();

        Pack<float> v1 = u1;
        if (z - 1 < nz)
            v1 = primals(noisy1, inverse1, w, dual1, once.z, seen(sheets.py1, p.front), sheets.px1.value[p.left]);
        Field dual2 = {};
        if (z - 1 > start)
            dual2 = ascended(once, differences(sheets.u1, p, u1, v1), tau,
                             weights_at(problem.local + (z - 2 < nz ? i - 2 * plane : column)), anisotropic);
        show(sheets.py2, p, dual2.y);
        show(sheets.px2, p, dual2.x);
        show(sheets.u0, p, v0);
        show(sheets.inverse, p, inverse0);
        if (finishes)
            show(sheets.u2, p, u2);
        const int done = i - 2 * plane;
        const bool writes = own && z - 2 >= first && z - 2 < last;
        if (writes) {
            write(target.pz + done, dual2.z);
            write(target.py + done, dual2.y);
            write(target.px + done, dual2.x);
        }
        __syncthreads();

        show(sheets.u1, p, v1);
        if (finishes) {
            Pack<float> v2 = u2;
            if (z - 2 < nz)
                v2 = primals(noisy2, inverse2, w, dual2, twice.z, seen(sheets.py2, p.front), sheets.px2.value[p.left]);
            const Field slope = differences(sheets.u2, p, u2, v2);
            if (writes) {
                packed(target.out + done) = v2;
#pragma unroll
                for (int j = 0; j < WIDTH; ++j)
                    distance.value[j] += (double)moved_by(v2.value[j], noisy2.value[j], inverse2.value[j]);
                if ((z - 1) % PLANES == 0 || z - 1 == last)
                    flush(distance, target.partial + 2 * target.stride + (z - 2) / PLANES * plane);
            }
            if (own && z - 3 >= first) {
                const Pack<float> weight = weights_at(problem.local + (i - 3 * plane));
#pragma unroll
                for (int j = 0; j < WIDTH; ++j) {
                    const Vector d = at(slope, j);
                    variation.value[j] += (double)(weight.value[j] * norm(d.z, d.y, d.x, anisotropic));
                    pairing.value[j] += paired(d, at(twice, j));
                }
                if ((z - 2) % PLANES == 0 || z - 2 == last) {
                    flush(variation, target.partial + (z - 3) / PLANES * plane);
                    flush(pairing, target.partial + target.stride + (z - 3) / PLANES * plane);
                }
            }
            u2 = v2;
        }
        given = dual0;
        once = dual1;
        twice = dual2;
        u0 = v0;
        u1 = v1;
        tau = tau1;
        noisy2 = noisy1;
        noisy1 = noisy0;
        inverse2 = inverse1;
        inverse1 = inverse0;
    }
}

template <bool finishes>
__device__ __forceinline__ void prox_of(const float *noisy, const float *inverse, const float *weight, const dual_t *local,
                                        const dual_t *dual, dual_t *spare, float *out, double *partial, Sheets &sheets,
                                        int nz, int ny, int nx, int planes, int anisotropic)
{
    const int marches = (nz + planes - 1) / planes, channel = blockIdx.z / marches, first = blockIdx.z % marches * planes;
    const int last = first + planes < nz ? first + planes : nz, chunks = (nz + PLANES - 1) / PLANES, plane = ny * nx;
    const int column = threadIdx.x * WIDTH, row = threadIdx.y;
    const int x = (int)(blockIdx.x * OWN_X) - LOW + column, y = (int)(blockIdx.y * OWN_Y) - LOW + row;
    const bool own = x >= 0 && x < nx && y >= 0 && y < ny && column >= LOW && column < LOW + OWN_X && row >= LOW &&
                     row < LOW + OWN_Y;
    // a thread outside the volume does what one at its border does, and writes nothing
    const int near_x = x < 0 ? 0 : (x < nx ? x : nx - WIDTH), near_y = y < 0 ? 0 : (y < ny ? y : ny - 1);
    const int place = near_y * nx + near_x, front = near_y > 0 ? nx : 0, left = near_x > 0 ? 1 : 0;
    const int64 voxels = (int64)nz * plane, offset = channel * voxels;
    const dual_t *p = dual + 3 * offset;
    dual_t *q = spare + 3 * offset;
    const Problem problem{noisy + offset, inverse + offset, local + offset,   p, p + voxels,
                          p + 2 * voxels, weight[channel],  nz, plane};
    const Target target{q, q + voxels, q + 2 * voxels, out + offset, partial + (int64)channel * chunks * plane + place,
                        (int64)(gridDim.z / marches) * chunks * plane};
    for (int k = row * TILE_X + threadIdx.x; k < WIDE; k += TILE_X * TILE_Y)
        sheets.py1.value[NOTHING + k] = sheets.px1.value[NOTHING + k] = sheets.py2.value[NOTHING + k] =
            sheets.px2.value[NOTHING + k] = 0.0f;
    const Place at = place_of(near_x, near_y, ny, nx);
    if (anisotropic)
        march<true, finishes>(problem, target, sheets, at, place, front, left, own, first, last);
    else
        march<false, finishes>(problem, target, sheets, at, place, front, left, own, first, last);
}

// Two ascents from dual into spare, out = primal(spare), and partial as `finish` writes it for chunks of PLANES; planes: those
// of a block, a multiple of PLANES.
// noisy, inverse, local, out (channel, z, y, x), weight (channel,), dual, spare (channel, 3, z, y, x)
extern "C" __global__ void __launch_bounds__(TILE_X * TILE_Y, 1)
prox(const float *__restrict__ noisy, const float *__restrict__ inverse, const float *__restrict__ weight,
     const dual_t *__restrict__ local, const dual_t *__restrict__ dual, dual_t *__restrict__ spare,
     float *__restrict__ out, double *__restrict__ partial, int nz, int ny, int nx, int planes, int anisotropic)
{
    __shared__ Sheets sheets;
    prox_of<true>(noisy, inverse, weight, local, dual, spare, out, partial, sheets, nz, ny, nx, planes, anisotropic);
}

// Two ascents alone
extern "C" __global__ void __launch_bounds__(TILE_X * TILE_Y, 1)
ascend_twice(const float *__restrict__ noisy, const float *__restrict__ inverse, const float *__restrict__ weight,
             const dual_t *__restrict__ local, const dual_t *__restrict__ dual, dual_t *__restrict__ spare, int nz,
             int ny, int nx, int planes, int anisotropic)
{
    __shared__ Sheets sheets;
    prox_of<false>(noisy, inverse, weight, local, dual, spare, nullptr, nullptr, sheets, nz, ny, nx, planes, anisotropic);
}
