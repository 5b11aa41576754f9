// The end of a prox of total variation in one pass: two iterations of dual projected gradient, and the volume that the
// dual then stands for. The same bits as `ascend` twice and `finish` (tv.cu), with less than half of their traffic.
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
// and `finish` take 88; (32 / 27)^2 = 1.4 times as many voxels are made as there are, and read, then from L2 or L1 mostly.

#ifndef TILE_X
#define TILE_X 16
#endif
#ifndef TILE_Y
#define TILE_Y 32
#endif
#define LOW 2
#define HIGH 3
#define WIDE (TILE_X * WIDTH)
#define OWN_X ((WIDE - LOW - HIGH) / WIDTH * WIDTH)
#define OWN_Y (TILE_Y - LOW - HIGH)

typedef float Sheet[TILE_Y][WIDE];

struct __align__(16) Sheets {
    Sheet u0, inverse, py1, px1, u1, py2, px2, u2;
};

// Where a thread stands in its tile and in the volume. What is outside the tile is replaced by the thread's own values, in
// the margin alone; what is outside the volume by what the border asks for.
struct Place {
    int row, column, next_row, next_column, last_row, last_column;  // of its values, and of its neighbours'
    bool front, left, back, right;                                  // are there voxels at y - 1, x - 1, y + 1, x + WIDTH?
};

__device__ __forceinline__ Place place_of(int x, int y, int ny, int nx)
{
    const int row = threadIdx.y, column = threadIdx.x * WIDTH;
    Place p;
    p.row = row;
    p.column = column;
    p.next_row = row + 1 < TILE_Y ? row + 1 : row;
    p.next_column = column + WIDTH < WIDE ? column + WIDTH : column;
    p.last_row = row > 0 ? row - 1 : row;
    p.last_column = column > 0 ? column - 1 : column;
    p.front = y > 0;
    p.left = x > 0;
    p.back = y + 1 < ny;
    p.right = x + WIDTH < nx;
    return p;
}

// WIDTH vectors of the dual field or of differences, by component
struct Field {
    Pack<float> z, y, x;
};

__device__ __forceinline__ Vector at(const Field &f, int j) { return Vector{f.z.value[j], f.y.value[j], f.x.value[j]}; }

__device__ __forceinline__ void show(Sheet &sheet, const Place &p, const Pack<float> &values)
{
    packed(&sheet[p.row][p.column]) = values;
}

// The values at x + 1
__device__ __forceinline__ Pack<float> to_the_right(const Sheet &sheet, const Place &p, const Pack<float> &here)
{
    Pack<float> right;
#pragma unroll
    for (int j = 0; j + 1 < WIDTH; ++j)
        right.value[j] = here.value[j + 1];
    const float beyond = sheet[p.row][p.next_column];
    right.value[WIDTH - 1] = p.right ? beyond : here.value[WIDTH - 1];
    return right;
}

// The values at y + 1
__device__ __forceinline__ Pack<float> behind(const Sheet &sheet, const Place &p, const Pack<float> &here)
{
    Pack<float> back = packed(&sheet[p.next_row][p.column]);
#pragma unroll
    for (int j = 0; j < WIDTH; ++j)
        back.value[j] = p.back ? back.value[j] : here.value[j];
    return back;
}

// Forward differences of a plane that all have shown; below: the next one, or the same at the volume's end
__device__ __forceinline__ Field differences(const Sheet &sheet, const Place &p, const Pack<float> &here,
                                             const Pack<float> &below)
{
    const Pack<float> back = behind(sheet, p, here), right = to_the_right(sheet, p, here);
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
    const Pack<float> back = behind(sheet, p, here), right = to_the_right(sheet, p, here);
    Pack<float> tau;
#pragma unroll
    for (int j = 0; j < WIDTH; ++j)
        tau.value[j] = dual_step(weight, here.value[j], fmaxf(below.value[j], fmaxf(back.value[j], right.value[j])));
    return tau;
}

// before_y, before_x: the dual's components one step back, p_x of the first alone
__device__ __forceinline__ Pack<float> primals(const Pack<float> &noisy, const Pack<float> &inverse, float weight,
                                               const Field &dual, const Pack<float> &above, const Pack<float> &before_y,
                                               float before_x, const Place &p)
{
    Pack<float> u;
#pragma unroll
    for (int j = 0; j < WIDTH; ++j) {
        const Vector before{above.value[j], p.front ? before_y.value[j] : 0.0f,
                            j ? dual.x.value[j ? j - 1 : 0] : (p.left ? before_x : 0.0f)};
        u.value[j] = primal(noisy.value[j], inverse.value[j], weight, at(dual, j), before);
    }
    return u;
}

// A dual field that neighbours have shown
__device__ __forceinline__ Pack<float> primals(const Pack<float> &noisy, const Pack<float> &inverse, float weight,
                                               const Field &dual, const Pack<float> &above, const Sheet &py,
                                               const Sheet &px, const Place &p)
{
    return primals(noisy, inverse, weight, dual, above, packed(&py[p.last_row][p.column]), px[p.row][p.last_column], p);
}

__device__ __forceinline__ Field ascended(const Field &dual, const Field &slope, const Pack<float> &tau, int anisotropic)
{
    Field moved;
#pragma unroll
    for (int j = 0; j < WIDTH; ++j) {
        const Stored s = ascended(at(dual, j), at(slope, j), tau.value[j], anisotropic);
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

// One channel
struct Problem {
    const float *noisy, *inverse;
    const dual_t *dual;
    int64 voxels;
};

__device__ __forceinline__ Raw read(const Problem &p, int64 i, int front, int left)
{
    const dual_t *py = p.dual + p.voxels + i, *px = p.dual + 2 * p.voxels + i;
    return Raw{packed(p.noisy + i), packed(p.inverse + i), packed(p.dual + i), packed(py), packed(px), packed(py - front),
               px[-left]};
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

// Two ascents from dual into spare, out = primal(spare), and partial as `finish` writes it; march: planes of a block, a
// multiple of `planes`.
// noisy, inverse, out (channel, z, y, x), weight (channel,), dual, spare (channel, 3, z, y, x)
extern "C" __global__ void __launch_bounds__(TILE_X * TILE_Y, 1)
prox(const float *__restrict__ noisy, const float *__restrict__ inverse, const float *__restrict__ weight,
     const dual_t *__restrict__ dual, dual_t *__restrict__ spare, float *__restrict__ out, double *__restrict__ partial,
     int nz, int ny, int nx, int planes, int march, int anisotropic)
{
    __shared__ Sheets sheets;
    const int marches = (nz + march - 1) / march, channel = blockIdx.z / marches, first = blockIdx.z % marches * march;
    const int last = first + march < nz ? first + march : nz, start = first > LOW ? first - LOW : 0;
    const int end = last + HIGH < nz ? last + HIGH : nz;  // of the planes that are read
    const int x = (int)(blockIdx.x * OWN_X) - LOW + (int)threadIdx.x * WIDTH;
    const int y = (int)(blockIdx.y * OWN_Y) - LOW + (int)threadIdx.y;
    const bool own = x >= 0 && x < nx && y >= 0 && y < ny && threadIdx.x * WIDTH >= LOW && threadIdx.y >= LOW &&
                     threadIdx.x * WIDTH < LOW + OWN_X && threadIdx.y < LOW + OWN_Y;
    const int inside_x = x < 0 ? 0 : (x < nx ? x : nx - WIDTH), inside_y = y < 0 ? 0 : (y < ny ? y : ny - 1);
    const int front = inside_y > 0 ? nx : 0, left = inside_x > 0 ? 1 : 0, plane = ny * nx;
    const Place p = place_of(inside_x, inside_y, ny, nx);
    const int64 voxels = (int64)nz * plane, offset = channel * voxels;
    const Problem problem{noisy + offset, inverse + offset, dual + 3 * offset, voxels};
    const int64 column = (int64)inside_y * nx + inside_x;
    const int chunks = (nz + planes - 1) / planes;
    const int64 stride = (int64)(gridDim.z / marches) * chunks * plane;
    const float w = weight[channel];

    int64 i = (int64)start * plane + column;
    Field given = {}, once = {}, twice = {};             // at z - 1, z - 2, z - 3
    Pack<float> u0 = {}, u1 = {}, u2 = {}, tau = {};  // at z - 1, z - 2, z - 3, z - 2
    Pack<float> noisy1 = {}, noisy2 = {}, inverse1 = {}, inverse2 = {};
    Sums variation = {}, pairing = {}, distance = {};
    double *target = partial + (int64)channel * chunks * plane + column;
    if (start > 0)
        given.z = loaded(packed(problem.dual + i - plane));
    Raw next = read(problem, i, front, left);
    for (int z = start; z < last + HIGH; ++z, i += plane) {
        const Raw raw = next;
        if (z + 1 < end)
            next = read(problem, i + plane, front, left);

        const Field dual0{loaded(raw.pz), loaded(raw.py), loaded(raw.px)};
        const Pack<float> inverse0 = z < nz ? raw.inverse : inverse1, noisy0 = raw.noisy;
        const Pack<float> made0 = primals(noisy0, inverse0, w, dual0, given.z, loaded(raw.before_y), load(&raw.before_x), p);
        const Pack<float> v0 = z < nz ? made0 : u0;
        const Pack<float> tau1 = dual_steps(sheets.inverse, p, inverse1, inverse0, w);
        Field dual1 = {};
        if (z > start)
            dual1 = ascended(given, differences(sheets.u0, p, u0, v0), tau1, anisotropic);
        show(sheets.py1, p, dual1.y);
        show(sheets.px1, p, dual1.x);
        __syncthreads();

        const Pack<float> made1 = primals(noisy1, inverse1, w, dual1, once.z, sheets.py1, sheets.px1, p);
        const Pack<float> v1 = z - 1 < nz ? made1 : u1;
        Field dual2 = {};
        if (z - 1 > start)
            dual2 = ascended(once, differences(sheets.u1, p, u1, v1), tau, anisotropic);
        show(sheets.py2, p, dual2.y);
        show(sheets.px2, p, dual2.x);
        show(sheets.u0, p, v0);
        show(sheets.inverse, p, inverse0);
        show(sheets.u2, p, u2);
        if (own && z - 2 >= first && z - 2 < last) {
            dual_t *place = spare + 3 * offset + i - 2 * (int64)plane;
            write(place, dual2.z);
            write(place + voxels, dual2.y);
            write(place + 2 * voxels, dual2.x);
        }
        __syncthreads();

        const Pack<float> made2 = primals(noisy2, inverse2, w, dual2, twice.z, sheets.py2, sheets.px2, p);
        const Pack<float> v2 = z - 2 < nz ? made2 : u2;
        const Field slope = differences(sheets.u2, p, u2, v2);
        show(sheets.u1, p, v1);
        if (own && z - 2 >= first && z - 2 < last) {
            packed(out + offset + i - 2 * (int64)plane) = v2;
#pragma unroll
            for (int j = 0; j < WIDTH; ++j)
                distance.value[j] += (double)moved_by(v2.value[j], noisy2.value[j], inverse2.value[j]);
            if ((z - 1) % planes == 0 || z - 1 == last)
                flush(distance, target + 2 * stride + (z - 2) / planes * plane);
        }
        if (own && z - 3 >= first) {
#pragma unroll
            for (int j = 0; j < WIDTH; ++j) {
                variation.value[j] += (double)norm(slope.z.value[j], slope.y.value[j], slope.x.value[j], anisotropic);
                pairing.value[j] += paired(at(slope, j), at(twice, j));
            }
            if ((z - 2) % planes == 0 || z - 2 == last) {
                flush(variation, target + (z - 3) / planes * plane);
                flush(pairing, target + stride + (z - 3) / planes * plane);
            }
        }
        given = dual0;
        once = dual1;
        twice = dual2;
        u0 = v0;
        u1 = v1;
        u2 = v2;
        tau = tau1;
        noisy2 = noisy1;
        noisy1 = noisy0;
        inverse2 = inverse1;
        inverse1 = inverse0;
    }
}
