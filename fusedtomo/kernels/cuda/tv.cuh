// What all kernels of total variation compute at a voxel, so that all of them give the same bits.
//
// Every product that is added to something is an explicit fmaf: the compiler has nothing left to contract, here one way
// and there another.

#ifdef FUSEDTOMO_HALF_DUALS
typedef half_bits dual_t;  // of a dual field, and of local weights
#else
typedef float dual_t;
#endif

// Local weights of WIDTH neighbouring voxels; without them all are 1, which costs nothing, and no array is read.
__device__ __forceinline__ Pack<float> weights_at(const dual_t *local)
{
    Pack<float> weights;
#ifdef FUSEDTOMO_LOCAL_WEIGHTS
    const Pack<dual_t> stored = packed(local);
#pragma unroll
    for (int j = 0; j < WIDTH; ++j)
        weights.value[j] = load(&stored.value[j]);
#else
    (void)local;
#pragma unroll
    for (int j = 0; j < WIDTH; ++j)
        weights.value[j] = 1.0f;
#endif
    return weights;
}

// A projected component. `inside`: the voxel's vector is well inside its ball and may be rounded to nearest; on the
// sphere, half precision rounds toward zero so that no vector leaves the ball.
__device__ __forceinline__ void store(float *at, float value, bool) { *at = value; }
__device__ __forceinline__ void store(half_bits *at, float value, bool inside)
{
    *at = inside ? to_half(value) : to_half_toward_zero(value);
}

__device__ __forceinline__ float norm(float z, float y, float x, bool anisotropic)
{
    return anisotropic ? fabsf(z) + fabsf(y) + fabsf(x) : root(fmaf(z, z, fmaf(y, y, x * x)));
}

// A voxel's vector of the dual field, or of differences; as it is stored
struct Vector {
    float z, y, x;
};

struct Stored {
    dual_t z, y, x;
};

// max(0, noisy - weight inverse L(p)) at a voxel; before: p's components one step back along their axes, 0 at the first
__device__ __forceinline__ float primal(float noisy, float inverse, float weight, const Vector &p, const Vector &before)
{
    const float l = (p.z - before.z) + (p.y - before.y) + (p.x - before.x);
    return fmaxf(0.0f, fmaf(-weight * inverse, l, noisy));
}

// relaxation / (6 weight (inverse here + the largest of those ahead)): so many times the block form of Pock and
// Chambolle's diagonal preconditioner (ICCV 2011, lemma 2); 0 where there is no weight
__device__ __forceinline__ float dual_step(float weight, float inverse, float largest, float relaxation)
{
    return weight > 0.0f ? quotient(relaxation, 6.0f * weight * (inverse + largest)) : 0.0f;
}

__device__ __forceinline__ float clamp(float value, float most) { return fminf(most, fmaxf(-most, value)); }

// p - tau slope, projected on the ball whose radius is the voxel's local weight
__device__ __forceinline__ Stored ascended(const Vector &p, const Vector &slope, float tau, float radius,
                                           bool anisotropic)
{
    float z = fmaf(-tau, slope.z, p.z), y = fmaf(-tau, slope.y, p.y), x = fmaf(-tau, slope.x, p.x);
    const float square = fmaf(z, z, fmaf(y, y, x * x)), most = radius * radius;
    const float shrink = square > most ? radius * rsqrtf(square) : 1.0f;
    const bool inside = anisotropic || square < 0.998f * most;
    z = anisotropic ? clamp(z, radius) : z * shrink;
    y = anisotropic ? clamp(y, radius) : y * shrink;
    x = anisotropic ? clamp(x, radius) : x * shrink;
    Stored moved;
    store(&moved.z, z, inside);
    store(&moved.y, y, inside);
    store(&moved.x, x, inside);
    return moved;
}

// What a voxel adds to the pairing -<grad u, p>, and to (u - noisy)^2 / inverse
__device__ __forceinline__ double paired(const Vector &slope, const Vector &p)
{
    return -(double)fmaf(slope.z, p.z, fmaf(slope.y, p.y, slope.x * p.x));
}

__device__ __forceinline__ float moved_by(float u, float noisy, float inverse)
{
    const float move = u - noisy;
    return quotient(move * move, inverse);
}
