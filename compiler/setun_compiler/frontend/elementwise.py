"""Operators that work on each element by itself: one NumPy function each, for constants and for chains alike.

A function takes the node and its inputs as arrays that broadcast by NumPy's rules (``aligned`` has seen to that) and
keeps their types: constants stay float32 as exporters computed them, chains are evaluated in float64.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from setun_compiler.frontend import smooth
from setun_compiler.frontend.errors import ModelError
from setun_compiler.frontend.graph import Array, Node

Inputs = tuple[Array | None, ...]
Function = Callable[[Node, Inputs], Array]

#: ONNX's numbers for element types, as Cast's ``to`` gives them
CAST_TYPES: dict[int, str] = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 9: "bool", 10: "float16",
    11: "float64", 12: "uint32", 13: "uint64", 16: "bfloat16",
}  # fmt: skip


def present(node: Node, inputs: Inputs, index: int) -> Array:
    """Input ``index``, which the operator cannot do without."""
    if index >= len(inputs) or (value := inputs[index]) is None:
        raise ModelError(f"{node} lacks its input {index}")
    return value


def _optional(inputs: Inputs, index: int) -> Array | None:
    return inputs[index] if index < len(inputs) else None


def _unary(function: Callable[[Array], Array]) -> Function:
    return lambda node, x: function(present(node, x, 0))


def _binary(function: Callable[[Array, Array], Array]) -> Function:
    return lambda node, x: function(present(node, x, 0), present(node, x, 1))


def _variadic(function: Callable[[Array, Array], Array]) -> Function:
    def apply(node: Node, x: Inputs) -> Array:
        result = present(node, x, 0)
        for index in range(1, len(x)):
            result = function(result, present(node, x, index))
        return result

    return apply


def _float(x: Array) -> Array:
    """Integers as float64, floats as they are."""
    return x if x.dtype.kind == "f" else x.astype(np.float64)


def _smooth(function: Callable[[Array], Array]) -> Function:
    return lambda node, x: function(_float(present(node, x, 0)))


def _gelu(node: Node, x: Inputs) -> Array:
    function = smooth.gelu_tanh if node.text("approximate", "none") == "tanh" else smooth.gelu
    return function(_float(present(node, x, 0)))


def _div(a: Array, b: Array) -> Array:
    if a.dtype.kind == "f" or b.dtype.kind == "f":
        return np.divide(a, b)
    if not np.all(b):
        raise ModelError("division of an integer by zero")
    quotient = np.trunc(np.true_divide(a, b))  # toward zero; exact below 2^53, far beyond any shape or code
    return quotient.astype(np.int64)


def _pow(a: Array, b: Array) -> Array:
    return np.power(_float(a), b).astype(a.dtype)


def _mod(node: Node, x: Inputs) -> Array:
    a, b = present(node, x, 0), present(node, x, 1)
    return np.fmod(a, b) if node.integer("fmod", 0) else np.mod(a, b)


def _mean(node: Node, x: Inputs) -> Array:
    return _variadic(np.add)(node, x) / len(x)


def _clip(node: Node, x: Inputs) -> Array:
    value = present(node, x, 0)
    low, high = _optional(x, 1), _optional(x, 2)
    if "min" in node.attributes:
        low = np.asarray(node.number("min", 0), value.dtype)
    if "max" in node.attributes:
        high = np.asarray(node.number("max", 0), value.dtype)
    value = value if low is None else np.maximum(value, low)
    return value if high is None else np.minimum(value, high)


def _elu(node: Node, x: Inputs) -> Array:
    value = present(node, x, 0)
    return np.where(value > 0, value, node.number("alpha", 1.0) * np.expm1(np.minimum(value, 0)))


def _selu(node: Node, x: Inputs) -> Array:
    value = present(node, x, 0)
    alpha, gamma = node.number("alpha", 1.67326319217681884765625), node.number("gamma", 1.05070102214813232421875)
    return gamma * np.where(value > 0, value, alpha * np.expm1(np.minimum(value, 0)))


def _leaky(node: Node, x: Inputs) -> Array:
    value = present(node, x, 0)
    return np.where(value < 0, node.number("alpha", 0.01) * value, value)


def _prelu(node: Node, x: Inputs) -> Array:
    value = present(node, x, 0)
    return np.where(value < 0, present(node, x, 1) * value, value)


def _hard_sigmoid(node: Node, x: Inputs) -> Array:
    line = np.multiply(present(node, x, 0), node.number("alpha", 0.2)) + node.number("beta", 0.5)
    return np.minimum(np.maximum(line, 0.0), 1.0)


def _hard_swish(x: Array) -> Array:
    return x * np.clip(x / 6 + 0.5, 0, 1)


def _thresholded(node: Node, x: Inputs) -> Array:
    value = present(node, x, 0)
    return np.where(value > node.number("alpha", 1.0), value, np.zeros_like(value))


def _shrink(node: Node, x: Inputs) -> Array:
    value = present(node, x, 0)
    bias, limit = node.number("bias", 0.0), node.number("lambd", 0.5)
    return np.where(value < -limit, value + bias, np.where(value > limit, value - bias, np.zeros_like(value)))


def _where(node: Node, x: Inputs) -> Array:
    return np.where(present(node, x, 0).astype(bool), present(node, x, 1), present(node, x, 2))


def _cast_to(node: Node, value: Array, target: str) -> Array:
    if target == "bool":
        return np.not_equal(value, 0)
    if target in ("float16", "bfloat16", "float32", "float64"):
        # chains stay in float64; constants that were float32 stay so
        return value if value.dtype.kind == "f" else value.astype(np.float32)
    if value.dtype.kind == "f":
        value = np.trunc(value)
        if not np.isfinite(value).all() or (np.abs(value) >= 2.0**63).any():
            raise ModelError(f"{node} casts a value to {target} that does not fit")
    bounds = np.iinfo(target)
    if value.size and (value.min() < bounds.min or value.max() > bounds.max):
        raise ModelError(f"{node} casts a value to {target} that does not fit")
    return value.astype(target)


def _cast(node: Node, x: Inputs) -> Array:
    target = CAST_TYPES.get(node.integer("to", 0))
    if target is None:
        raise ModelError(f"{node} casts to an element type that is not supported")
    return _cast_to(node, present(node, x, 0), target)


def _cast_like(node: Node, x: Inputs) -> Array:
    return _cast_to(node, present(node, x, 0), present(node, x, 1).dtype.name)


def _batch_norm(node: Node, x: Inputs) -> Array:
    """Multiplies by 1/sqrt(variance + epsilon) and never divides by a variance, which may be 0 (dead channels)."""
    value, gamma, beta, mean, variance = (present(node, x, index) for index in range(5))
    if node.integer("training_mode", 0):
        raise ModelError(f"{node} is in training mode: export the model in evaluation mode")
    gain = gamma.astype(np.float64) / np.sqrt(variance.astype(np.float64) + node.number("epsilon", 1e-5))
    return (value - mean.astype(np.float64)) * gain + beta


def integer_range(dtype: np.dtype[Any]) -> tuple[int, int]:
    """Smallest and largest value of an integer type."""
    bounds = np.iinfo(dtype)
    return int(bounds.min), int(bounds.max)


def quantize_range(node: Node, zero: Array | None) -> tuple[int, int]:
    """Range QuantizeLinear saturates to: that of its zero point's type, of ``output_dtype``, or uint8."""
    if zero is not None:
        if zero.dtype.kind not in "iu":
            raise ModelError(f"{node}: only integer zero points are supported")
        return integer_range(zero.dtype)
    target = CAST_TYPES.get(node.integer("output_dtype", 2) or 2, "")
    if target not in ("uint8", "int8", "uint16", "int16"):
        raise ModelError(f"{node} quantises to an element type that is not supported")
    return integer_range(np.dtype(target))


def _scale(node: Node, x: Inputs) -> Array:
    scale = present(node, x, 1)
    if not (np.isfinite(scale) & (scale > 0)).all():
        raise ModelError(f"{node}: its scale must be positive and finite")
    return scale


def _quantize(node: Node, x: Inputs) -> Array:
    zero = _optional(x, 2)
    low, high = quantize_range(node, zero)
    codes = np.rint(present(node, x, 0) / _scale(node, x))
    return np.clip(codes + (0 if zero is None else zero.astype(np.int64)), low, high).astype(np.int64)


def _dequantize(node: Node, x: Inputs) -> Array:
    value, zero = present(node, x, 0), _optional(x, 2)
    centred = value.astype(np.int64) - (0 if zero is None else zero.astype(np.int64))
    return centred * present(node, x, 1)


ROUNDINGS: dict[str, Callable[[Array], Array]] = {
    "ROUND": np.rint, "HALF_EVEN": np.rint, "FLOOR": np.floor, "CEIL": np.ceil,
    "DOWN": np.trunc, "ROUND_TO_ZERO": np.trunc, "UP": lambda x: np.sign(x) * np.ceil(np.abs(x)),
    "HALF_UP": lambda x: np.sign(x) * np.floor(np.abs(x) + 0.5),
    "HALF_DOWN": lambda x: np.sign(x) * np.ceil(np.abs(x) - 0.5),
}  # fmt: skip


def quant_range(node: Node, bits: Array) -> tuple[int, int]:
    """Integer range of a QONNX ``Quant`` node (qonnx ``int_quant``: narrow drops one value, signed or not)."""
    if bits.size != 1 or float(bits.ravel()[0]) not in range(1, 33):
        raise ModelError(f"{node}: the bit width must be one whole number from 1 to 32")
    width = int(bits.ravel()[0])
    narrow = 1 if node.integer("narrow", 0) else 0
    if node.integer("signed", 1):
        return -(1 << (width - 1)) + narrow, (1 << (width - 1)) - 1
    return 0, (1 << width) - 1 - narrow


def _quant(node: Node, x: Inputs) -> Array:
    value, zero, bits = (present(node, x, index) for index in (0, 2, 3))
    scale = _scale(node, x)
    low, high = quant_range(node, bits)
    codes = value / scale + zero
    if (low, high) in ((-1, 0), (0, 0)) and node.integer("signed", 1):  # one signed bit means -1 and +1
        codes = np.where(codes >= 0, 1.0, -1.0).astype(codes.dtype)
    else:
        rounding = ROUNDINGS.get(node.text("rounding_mode", "ROUND").upper())
        if rounding is None:
            raise ModelError(f"{node}: the rounding mode is not supported")
        codes = rounding(np.clip(codes, low, high))
    return (codes - zero) * scale


def _bipolar(node: Node, x: Inputs) -> Array:
    value = present(node, x, 0)
    return np.where(value >= 0, 1.0, -1.0).astype(value.dtype) * present(node, x, 1)


def _logical(function: Callable[[Array, Array], Array]) -> Function:
    return lambda node, x: function(present(node, x, 0).astype(bool), present(node, x, 1).astype(bool))


ELEMENTWISE: dict[tuple[str, str], Function] = {
    ("", "Add"): _binary(np.add), ("", "Sub"): _binary(np.subtract), ("", "Mul"): _binary(np.multiply),
    ("", "Div"): _binary(_div), ("", "Pow"): _binary(_pow), ("", "Mod"): _mod,
    ("", "Min"): _variadic(np.minimum), ("", "Max"): _variadic(np.maximum),
    ("", "Sum"): _variadic(np.add), ("", "Mean"): _mean,
    ("", "Neg"): _unary(np.negative), ("", "Abs"): _unary(np.abs), ("", "Sign"): _unary(np.sign),
    ("", "Floor"): _unary(np.floor), ("", "Ceil"): _unary(np.ceil), ("", "Round"): _unary(np.rint),
    ("", "Sqrt"): _unary(np.sqrt), ("", "Exp"): _unary(np.exp), ("", "Log"): _unary(np.log),
    ("", "Reciprocal"): _unary(np.reciprocal), ("", "Tanh"): _unary(np.tanh), ("", "Sigmoid"): _smooth(smooth.sigmoid),
    ("", "Softplus"): _smooth(smooth.softplus), ("", "Softsign"): _smooth(smooth.softsign),
    ("", "Erf"): _smooth(smooth.erf), ("", "Gelu"): _gelu, ("", "Mish"): _smooth(smooth.mish),
    ("", "HardSigmoid"): _hard_sigmoid, ("", "HardSwish"): _unary(_hard_swish),
    ("", "Relu"): _unary(lambda x: np.maximum(x, 0)), ("", "LeakyRelu"): _leaky,
    ("", "PRelu"): _prelu, ("", "Elu"): _elu, ("", "Selu"): _selu,
    ("", "ThresholdedRelu"): _thresholded, ("", "Shrink"): _shrink, ("", "Clip"): _clip, ("", "Where"): _where,
    ("", "Greater"): _binary(np.greater), ("", "GreaterOrEqual"): _binary(np.greater_equal),
    ("", "Less"): _binary(np.less), ("", "LessOrEqual"): _binary(np.less_equal), ("", "Equal"): _binary(np.equal),
    ("", "Not"): _unary(lambda x: ~x.astype(bool)), ("", "And"): _logical(np.logical_and),
    ("", "Or"): _logical(np.logical_or), ("", "Xor"): _logical(np.logical_xor),
    ("", "Cast"): _cast, ("", "CastLike"): _cast_like, ("", "BatchNormalization"): _batch_norm,
    ("", "QuantizeLinear"): _quantize, ("", "DequantizeLinear"): _dequantize,
    ("qonnx", "Quant"): _quant, ("qonnx", "IntQuant"): _quant, ("qonnx", "BipolarQuant"): _bipolar,
}  # fmt: skip


#: fewest and most inputs of operators that do not have just one
_INPUTS: dict[str, tuple[int, int]] = {
    "Clip": (1, 3), "Where": (3, 3), "PRelu": (2, 2), "BatchNormalization": (5, 5), "CastLike": (2, 2),
    "QuantizeLinear": (2, 3), "DequantizeLinear": (2, 3), "Quant": (4, 4), "IntQuant": (4, 4), "BipolarQuant": (2, 2),
    **dict.fromkeys(("Min", "Max", "Sum", "Mean"), (1, 64)),
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Pow", "Mod", "And", "Or", "Xor", "Equal"), (2, 2)),
    **dict.fromkeys(("Greater", "GreaterOrEqual", "Less", "LessOrEqual"), (2, 2)),
}  # fmt: skip


def check_inputs(node: Node) -> None:
    """An elementwise node has as many inputs as its operator takes; those of Clip and zero points may be left out.

    Raises
    ------
    ModelError
        Naming the node.
    """
    least, most = _INPUTS.get(node.op, (1, 1))
    if not least <= len(node.inputs) <= most or not all(node.inputs[:least]):
        wanted = f"{least}" if least == most else f"{least} to {most}"
        raise ModelError(f"{node} must have {wanted} inputs, not {sum(map(bool, node.inputs))}")


def aligned(node: Node, inputs: tuple[Array | None, ...], shape: tuple[int, ...], index: int) -> Array | None:
    """Constant input ``index`` of an elementwise node, shaped so that it broadcasts against data of ``shape``.

    Raises
    ------
    ModelError
        When its shape fits no axis of the data.
    """
    value = inputs[index]
    if value is None or index == 0 or value.size == 1:
        return value if value is None or value.ndim <= len(shape) else value.reshape(())
    if node.op in ("QuantizeLinear", "DequantizeLinear", "BatchNormalization"):
        axis = 1 if node.op == "BatchNormalization" else node.integer("axis", 1)
        axis += len(shape) if axis < 0 else 0
        if (
            value.ndim != 1
            or not 0 <= axis < len(shape)
            or value.shape[0] != shape[axis]
            or node.integer("block_size", 0)
        ):
            raise ModelError(f"{node}: parameters of shape {list(value.shape)} do not fit data of shape {list(shape)}")
        return value.reshape((-1,) + (1,) * (len(shape) - axis - 1))
    return value
