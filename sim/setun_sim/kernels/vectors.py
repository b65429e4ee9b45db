"""Vector code by hand: the steps on VECTOR channels at a time that no compiler finds by itself."""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from setun_sim.kernels.names import VECTOR


@intrinsic
def popcount(_typing: Any, x: types.Integer) -> Any:
    """Ones of an unsigned integer, in its own type."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return x(x), generate


@intrinsic
def reached(_typing: Any, numbers: Any, limits: Any, m: Any) -> Any:
    """Bits that tell which of VECTOR numbers from ``m`` on reach their limits, both of one type."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x, limit = (elements(context, builder, signature, arguments, n, 2) for n in (0, 1))
        return builder.bitcast(builder.icmp_signed(">=", x, limit), ir.IntType(VECTOR))

    return types.uint32(numbers, limits, types.intp), generate


@intrinsic
def bits(_typing: Any, codes: Any, bit: Any, m: Any) -> Any:
    """Bit ``bit`` of each of VECTOR codes from ``m`` on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        x = elements(context, builder, signature, arguments, 0, 2)
        one = builder.and_(builder.lshr(x, splat(builder, x.type, arguments[1])), ir.Constant(x.type, [1] * VECTOR))
        return builder.bitcast(builder.trunc(one, ir.VectorType(ir.IntType(1), VECTOR)), ir.IntType(VECTOR))

    return types.uint32(codes, types.int64, types.intp), generate


def elements(context: Any, builder: Any, signature: Any, arguments: Any, n: int, m: int) -> Any:
    """The VECTOR elements of argument ``n`` from argument ``m`` on."""
    array = context.make_array(signature.args[n])(context, builder, arguments[n])
    vector = ir.VectorType(context.get_data_type(signature.args[n].dtype), VECTOR)
    place = builder.bitcast(builder.gep(array.data, [arguments[m]]), vector.as_pointer())
    return builder.load(place, align=signature.args[n].dtype.bitwidth // 8)


def splat(builder: Any, vector: Any, value: Any) -> Any:
    """A vector of one integer, cut to its elements."""
    if vector.element.width < value.type.width:
        value = builder.trunc(value, vector.element)
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), VECTOR), [0] * VECTOR)
    return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), lanes)
