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
def bits(_typing: Any, codes: Any, bit: Any, m: Any) -> Any:
    """Bit ``bit`` of each of VECTOR codes from ``m`` on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        vector = ir.VectorType(context.get_data_type(signature.args[0].dtype), VECTOR)
        x = load(builder, builder.gep(array.data, [arguments[2]]), vector)
        one = builder.and_(builder.lshr(x, splat(builder, x.type, arguments[1])), ir.Constant(x.type, [1] * VECTOR))
        return builder.bitcast(builder.trunc(one, ir.VectorType(ir.IntType(1), VECTOR)), ir.IntType(VECTOR))

    return types.uint32(codes, types.int64, types.intp), generate


def load(builder: Any, place: Any, vector: Any) -> Any:
    """The vector that begins at an element's place."""
    return builder.load(builder.bitcast(place, vector.as_pointer()), align=vector.element.width // 8)


def store(builder: Any, value: Any, place: Any) -> None:
    """Put a vector at an element's place and those behind it."""
    builder.store(value, builder.bitcast(place, value.type.as_pointer()), align=value.type.element.width // 8)


def larger(builder: Any, x: Any, y: Any) -> Any:
    """The larger of two signed numbers, element by element."""
    return builder.select(builder.icmp_signed(">", x, y), x, y)


def splat(builder: Any, vector: Any, value: Any) -> Any:
    """A vector of one integer, cut to its elements."""
    if vector.element.width < value.type.width:
        value = builder.trunc(value, vector.element)
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    lanes = ir.Constant(ir.VectorType(ir.IntType(32), VECTOR), [0] * VECTOR)
    return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), lanes)
