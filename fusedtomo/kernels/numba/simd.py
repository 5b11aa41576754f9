"""Sixteen floats at a time in numba: a vector type for kernels whose loops its compiler leaves scalar.

LLVM gives up on loops that touch many arrays, for it cannot tell that they do not overlap; with `load`, arithmetic and
`store` it need not ask. Code written with the operators below takes scalars too, for the ends of rows. Nothing
here is fast-math: results do not depend on how, or in which process, a kernel was compiled.
"""

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models, register_default
from numba.extending import intrinsic, overload
from numba.np.arrayobj import make_array

from fusedtomo.kernels.numba.jit import Number

Definition = tuple[Any, Callable[..., ir.Value]]  # an intrinsic's signature, and what emits its code

LANES = 16
PAIR_LANES = 64  # floats that one call of add_pairs adds up: four registers of AVX-512, eight of AVX2
_FLOAT, _INT, _INDEX = ir.FloatType(), ir.IntType(64), ir.IntType(32)
_VECTOR = ir.VectorType(_FLOAT, LANES)
_UNDEFINED = ir.Constant(_VECTOR, ir.Undefined)


class Vector(types.Type):
    """Sixteen float32 values."""

    def __init__(self) -> None:
        super().__init__(name="Float32x16")


VECTOR = Vector()


@register_default(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: types.Type) -> None:
        super().__init__(dmm, fe_type, _VECTOR)


def _shuffled(builder: ir.IRBuilder, one: ir.Value, other: ir.Value, lanes: list[int]) -> ir.Value:
    return builder.shuffle_vector(one, other, ir.Constant(ir.VectorType(_INDEX, LANES), lanes))


def _pointer(builder: ir.IRBuilder, data: ir.Value, x: ir.Value) -> ir.Value:
    return builder.bitcast(builder.gep(data, [x]), _VECTOR.as_pointer())


def _splat(builder: ir.IRBuilder, scalar: ir.Value) -> ir.Value:
    return _shuffled(builder, builder.insert_element(_UNDEFINED, scalar, _INDEX(0)), _UNDEFINED, [0] * LANES)


def _named(builder: ir.IRBuilder, name: str, *args: ir.Value) -> ir.Value:
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * len(args))
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}f32"), args)


@intrinsic
def load(typingctx: Any, row: types.Type, x: types.Type) -> Definition:
    """row[x : x + 16] of a flat contiguous float32 array; not checked."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Sequence[ir.Value]) -> ir.Value:
        data = make_array(signature.args[0])(context, builder, args[0]).data
        return builder.load(_pointer(builder, data, args[1]), align=4)

    return VECTOR(row, types.intp), emit


@intrinsic
def store(typingctx: Any, row: types.Type, x: types.Type, value: types.Type) -> Definition:
    """row[x : x + 16] = value; not checked."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Sequence[ir.Value]) -> ir.Value:
        data = make_array(signature.args[0])(context, builder, args[0]).data
        builder.store(args[2], _pointer(builder, data, args[1]), align=4)
        return context.get_dummy_value()

    return types.void(row, types.intp, VECTOR), emit


@intrinsic
def splat(typingctx: Any, scalar: types.Type) -> Definition:
    """Sixteen times the same."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Sequence[ir.Value]) -> ir.Value:
        return _splat(builder, args[0])

    return VECTOR(types.float32), emit


@intrinsic
def following(typingctx: Any, vector: types.Type) -> Definition:
    """Every lane's right neighbour, the last its own: what `load(row, x + 1)` is where a row ends with this vector."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Sequence[ir.Value]) -> ir.Value:
        return _shuffled(builder, args[0], _UNDEFINED, [*range(1, LANES), LANES - 1])

    return VECTOR(VECTOR), emit


@intrinsic
def preceding(typingctx: Any, vector: types.Type) -> Definition:
    """Every lane's left neighbour, the first zero: what `load(row, x - 1)` is where a row of zero boundary starts."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Sequence[ir.Value]) -> ir.Value:
        return _shuffled(builder, args[0], ir.Constant(_VECTOR, [0.0] * LANES), [LANES, *range(LANES - 1)])

    return VECTOR(VECTOR), emit


def _operation(n_args: int, make: Callable[..., ir.Value]) -> Callable[..., Any]:
    """An intrinsic of one or two vectors; `make(builder, *vectors)` emits it."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Sequence[ir.Value]) -> ir.Value:
        return make(builder, *args)

    def one(typingctx: Any, a: types.Type) -> Definition:
        return VECTOR(VECTOR), emit

    def two(typingctx: Any, a: types.Type, b: types.Type) -> Definition:
        return VECTOR(VECTOR, VECTOR), emit

    return intrinsic(one if n_args == 1 else two)


_add = _operation(2, lambda builder, a, b: builder.fadd(a, b))
_subtract = _operation(2, lambda builder, a, b: builder.fsub(a, b))
_multiply = _operation(2, lambda builder, a, b: builder.fmul(a, b))
_divide = _operation(2, lambda builder, a, b: builder.fdiv(a, b))
_maximum = _operation(2, lambda builder, a, b: builder.select(builder.fcmp_ordered(">", b, a), b, a))
_magnitude = _operation(1, lambda builder, a: _named(builder, "fabs", a))
_root = _operation(1, lambda builder, a: _named(builder, "sqrt", a))


_LOG2_SERIES = [2 / (np.log(2) * k) for k in (1, 3, 5, 7, 9)]  # log2 m = t (c0 + c1 t^2 + ...), t = (m - 1) / (m + 1)
_EXP2_SERIES = [np.log(2) ** k / math.factorial(k) for k in range(8)]
_ROOT_HALF = 0x3F3504F3  # the bits of sqrt(1/2)
_INTEGERS = ir.VectorType(_INDEX, LANES)


def _float(value: float) -> ir.Value:
    return ir.Constant(_VECTOR, [float(np.float32(value))] * LANES)


def _integer(value: int) -> ir.Value:
    return ir.Constant(_INTEGERS, [value] * LANES)


def _polynomial(builder: ir.IRBuilder, x: ir.Value, coefficients: Sequence[float]) -> ir.Value:
    total = _float(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total = _named(builder, "fma", total, x, _float(coefficient))
    return total


def _split_log2(builder: ir.IRBuilder, a: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Exponent e (a whole number) and log2 of the mantissa m in [sqrt(1/2), sqrt(2)), with a = 2^e m."""
    bits = builder.sub(builder.bitcast(a, _INTEGERS), _integer(_ROOT_HALF))
    exponent = builder.sitofp(builder.ashr(bits, _integer(23)), _VECTOR)
    mantissa = builder.bitcast(builder.add(builder.and_(bits, _integer(0x7FFFFF)), _integer(_ROOT_HALF)), _VECTOR)
    t = builder.fdiv(builder.fsub(mantissa, _float(1)), builder.fadd(mantissa, _float(1)))
    return exponent, builder.fmul(t, _polynomial(builder, builder.fmul(t, t), _LOG2_SERIES))


def _emit_logarithm(builder: ir.IRBuilder, a: ir.Value) -> ir.Value:
    exponent, fraction = _split_log2(builder, a)
    return builder.fmul(builder.fadd(exponent, fraction), _float(np.log(2)))


def _emit_power(builder: ir.IRBuilder, a: ir.Value, exponent: ir.Value) -> ir.Value:
    """2^(g e + g log2 m), the whole part of the exponent taken off before anything is rounded."""
    whole, fraction = _split_log2(builder, a)
    fraction = builder.fmul(exponent, fraction)
    shift = _named(builder, "rint", _named(builder, "fma", exponent, whole, fraction))
    shift = builder.select(builder.fcmp_ordered("<", shift, _float(-126)), _float(-126), shift)
    rest = builder.fadd(_named(builder, "fma", exponent, whole, builder.fneg(shift)), fraction)
    scale = builder.shl(builder.add(builder.fptosi(shift, _INTEGERS), _integer(127)), _integer(23))
    result = builder.fmul(_polynomial(builder, rest, _EXP2_SERIES), builder.bitcast(scale, _VECTOR))
    result = builder.select(builder.fcmp_ordered("<", a, _float(2**-120)), _float(0), result)
    return builder.fadd(result, builder.fsub(a, a))


_logarithm = _operation(1, _emit_logarithm)
_power = _operation(2, _emit_power)


@intrinsic
def _first(typingctx: Any, vector: types.Type) -> Definition:
    """The first lane."""

    def emit(context: Any, builder: ir.IRBuilder, signature: Any, args: Sequence[ir.Value]) -> ir.Value:
        return builder.extract_element(args[0], _INDEX(0))

    return types.float32(VECTOR), emit


def maximum(a: Number, b: Number) -> Number:
    """The larger of two scalars or vectors; a where they are equal or either is NaN."""


def magnitude(a: Number) -> Number:
    """|a|, of a scalar or a vector."""


def root(a: Number) -> Number:
    """The square root of a scalar or a vector."""


def logarithm(a: Number) -> Number:
    """The natural logarithm of scalars or vectors > 0, to 2e-7 of max(1, |log a|); nonsense elsewhere."""


def power(a: Number, exponent: Number) -> Number:
    """a^exponent for a >= 0, of a scalar or a vector, to 3e-7; 0^exponent is 0, and NaN and infinity give NaN."""


# numba wants the arguments of an overload to look like those of its lambdas: without types
@overload(maximum)
def _overload_maximum(a, b):
    return (lambda a, b: _maximum(a, b)) if a == VECTOR else (lambda a, b: b if b > a else a)


@overload(magnitude)
def _overload_magnitude(a):
    return (lambda a: _magnitude(a)) if a == VECTOR else (lambda a: abs(a))


@overload(root)
def _overload_root(a):
    return (lambda a: _root(a)) if a == VECTOR else (lambda a: np.sqrt(a))


@overload(logarithm)
def _overload_logarithm(a):
    return (lambda a: _logarithm(a)) if a == VECTOR else (lambda a: _first(_logarithm(splat(a))))


@overload(power)
def _overload_power(a, exponent):
    if a == VECTOR:
        return lambda a, exponent: _power(a, exponent)
    return lambda a, exponent: _first(_power(splat(a), splat(exponent)))


@overload(operator.add)
def _overload_add(a, b):
    return (lambda a, b: _add(a, b)) if a == VECTOR and b == VECTOR else None


@overload(operator.sub)
def _overload_sub(a, b):
    return (lambda a, b: _subtract(a, b)) if a == VECTOR and b == VECTOR else None


@overload(operator.mul)
def _overload_mul(a, b):
    return (lambda a, b: _multiply(a, b)) if a == VECTOR and b == VECTOR else None


@overload(operator.truediv)
def _overload_truediv(a, b):
    return (lambda a, b: _divide(a, b)) if a == VECTOR and b == VECTOR else None


@intrinsic
def add_pairs(
    typingctx: Any,
    rows: types.Type,
    row_floats: types.Type,
    offsets: types.Type,
    w0: types.Type,
    w1: types.Type,
    first: types.Type,
    last: types.Type,
    stride: types.Type,
    out: types.Type,
    start: types.Type,
) -> Definition:
    """out[start:start + 64] += sum_i w0[i] rows[offsets[i]:][:64] + w1[i] (the same, row_floats further on).

    rows, out: float32, flat; offsets: int32, w0, w1: float32, flat, of which the entries i = stride k with
    k = first, ..., last - 1 count. The sum stays in registers; numba's own loops would load and store it for every
    pair. Nothing is checked.
    """
    n = types.intp
    return types.void(rows, n, offsets, w0, w1, n, n, n, out, n), _emit_add_pairs


def _emit_add_pairs(context: Any, builder: ir.IRBuilder, signature: Any, args: Sequence[ir.Value]) -> ir.Value:
    rows, row_floats, offsets, w0, w1, first, last, stride, out, start = (
        make_array(kind)(context, builder, value).data if isinstance(kind, types.Array) else value
        for kind, value in zip(signature.args, args, strict=True)
    )
    places = [builder.add(start, _INT(k)) for k in range(0, PAIR_LANES, LANES)]
    sums = [builder.alloca(_VECTOR) for _ in places]  # LLVM makes registers of them
    for place, total in zip(places, sums, strict=True):
        builder.store(builder.load(_pointer(builder, out, place), align=4), total)
    with cgutils.for_range_slice(builder, first, last, _INT(1)) as (k, _):
        i = builder.mul(k, stride)
        near = builder.gep(rows, [builder.sext(builder.load(builder.gep(offsets, [i])), _INT)])
        for weight, row in ((w0, near), (w1, builder.gep(near, [row_floats]))):
            _add_scaled(builder, _splat(builder, builder.load(builder.gep(weight, [i]))), row, sums)
    for place, total in zip(places, sums, strict=True):
        builder.store(builder.load(total), _pointer(builder, out, place), align=4)
    return context.get_dummy_value()


def _add_scaled(builder: ir.IRBuilder, weight: ir.Value, row: ir.Value, sums: Sequence[ir.Value]) -> None:
    for k, total in enumerate(sums):
        part = builder.load(_pointer(builder, row, _INT(k * LANES)), align=4)
        builder.store(_named(builder, "fma", weight, part, builder.load(total)), total)
