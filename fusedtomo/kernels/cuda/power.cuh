// Powers as kernels/numba/simd.py computes them, to 3e-7, in fewer instructions than powf, and the contrast's derivative.

// The exponent e and log2 of the mantissa m in [sqrt(1/2), sqrt(2)) of a = 2^e m
struct Log2 {
    float whole, fraction;
};

__device__ __forceinline__ Log2 split_log2(float a)
{
    const int root_half = 0x3f3504f3, bits = float_bits(a) - root_half;
    const float mantissa = float_of_bits((bits & 0x7fffff) + root_half);
    const float t = quotient(mantissa - 1.0f, mantissa + 1.0f), s = t * t;
    float series = 0.32059890f;  // 2 / (9 ln 2), and the coefficients of lower powers
    series = fmaf(series, s, 0.41219858f);
    series = fmaf(series, s, 0.57707802f);
    series = fmaf(series, s, 0.96179669f);
    series = fmaf(series, s, 2.8853901f);
    return Log2{(float)(bits >> 23), t * series};
}

// base^exponent for base >= 0: 2^(g e + g log2 m), its whole part taken off before anything is rounded. 0^exponent is 0, NaN
// stays NaN; the exponents 0, 1 and 2 are exact.
__device__ __forceinline__ float power(float base, float exponent)
{
    if (exponent == 2.0f)
        return base * base;
    if (exponent == 1.0f)
        return base;
    if (exponent == 0.0f)
        return 1.0f;
    const Log2 log2 = split_log2(base);
    const float fraction = exponent * log2.fraction;
    const float shift = fmaxf(rintf(fmaf(exponent, log2.whole, fraction)), -126.0f);
    const float rest = fmaf(exponent, log2.whole, -shift) + fraction;
    float series = 1.5252734e-5f;  // ln(2)^7 / 7!, and the coefficients of lower powers
    series = fmaf(series, rest, 1.5403530e-4f);
    series = fmaf(series, rest, 1.3333558e-3f);
    series = fmaf(series, rest, 9.6181291e-3f);
    series = fmaf(series, rest, 5.5504109e-2f);
    series = fmaf(series, rest, 2.4022651e-1f);
    series = fmaf(series, rest, 6.9314718e-1f);
    series = fmaf(series, rest, 1.0f);
    const float result = base < 7.5231638e-37f ? 0.0f : series * float_of_bits(((int)shift + 127) << 23);  // 2^-120
    return result + (base - base);
}

// gamma zeta^gamma max(x, least)^(gamma - 1) cotangent; scale: gamma zeta^gamma
__device__ __forceinline__ float pulled_back(float x, float scale, float gamma, float least, float cotangent)
{
    return scale * power(fmaxf(x, least), gamma - 1.0f) * cotangent;
}
