"""A small faithful construction of every kind of network in docs/networks.md, with samples of its input.

All of them fit the configurations of :mod:`tests.verify`, so that they run on the Verilog without builds of their own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from tests.networks.graphs import Graph

SAMPLES = 24
CLASSES = 5


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A model and samples for it."""

    model: onnx.ModelProto
    samples: NDArray[np.float32]
    #: mean error of the outputs against the float model, over their largest magnitude; 0: every output is equal
    error: float = 0.0
    #: needs fixed-point post-processing (``affine``)
    fixed_point: bool = True


def pixels(*shape: int) -> NDArray[np.float32]:
    """Samples of 8 bits in 0..1."""
    return (np.random.default_rng(1).integers(0, 256, (SAMPLES, *shape)) / 255).astype(np.float32)


# -- ternary weights ------------------------------------------------------------------------------
def twn(*, quantised: bool) -> Kind:
    """Ternary weights, batch-norm and ReLU; activations float, or uint8 with a scale of their own."""
    g = Graph(3, 8, 8, seed=1)
    y = "x"
    for channels, inputs, spread in ((8, 3, 0.8), (12, 8, 2.0)):
        y = g.norm(g.conv(y, g.trits(channels, inputs, 3, 3, scale=0.37), pads=[1] * 4), channels, spread)
        y = g.add("MaxPool", g.add("Relu", y), kernel_shape=[2, 2], strides=[2, 2])
        y = g.quantised(y, 0.015) if quantised else y
    y = g.linear(g.add("Flatten", y), g.trits(CLASSES, 48, scale=0.2), g.normal(CLASSES))
    return Kind(model=g.model(y), samples=pixels(3, 8, 8), error=0.003)


def ttq_relu() -> Kind:
    """Two scales in the middle, the first and the last layer float, as in the paper."""
    g = Graph(3, 8, 8, seed=2)
    y = g.add("Relu", g.norm(g.conv("x", g.normal(8, 3, 3, 3), pads=[1] * 4), 8, 1.0))
    y = g.add("Relu", g.norm(g.conv(y, g.two_scales(8, 8, 3, 3), strides=[2, 2], pads=[1] * 4), 8, 3.0))
    y = g.linear(g.add("Flatten", y), g.normal(CLASSES, 128), g.normal(CLASSES))
    return Kind(model=g.model(y), samples=pixels(3, 8, 8), error=0.003)


def ttq_ternary_bias() -> Kind:
    """Two scales for weights and biases alike (+Wp, 0, -Wn), ternary activations."""
    g = Graph(3, 8, 8, seed=3)
    y = "x"
    for inputs in (3, 8):
        bias = g.constant(g.two_scales(8, 1).ravel() * np.resize([1, 0], 8))
        y = g.add("Conv", y, g.constant(g.two_scales(8, inputs, 3, 3)), bias, pads=[1] * 4)
        y = g.ternary(y, low=-0.4, high=0.9)
    y = g.linear(g.add("Flatten", y), g.trits(CLASSES, 512))
    return Kind(model=g.model(y), samples=pixels(3, 8, 8), error=0.001)


# -- first and last layers ------------------------------------------------------------------------
def float_ends() -> Kind:
    """Float weights in the first and the last layer, a ternary layer between them."""
    g = Graph(3, 8, 8, seed=4)
    y = g.add("Relu", g.norm(g.conv("x", g.normal(8, 3, 3, 3), pads=[1] * 4), 8, 1.0))
    y = g.ternary(g.norm(g.conv(y, g.trits(8, 8, 3, 3), strides=[2, 2], pads=[1] * 4), 8, 6.0))
    y = g.linear(g.add("Flatten", y), g.normal(CLASSES, 128), g.normal(CLASSES))
    return Kind(model=g.model(y), samples=pixels(3, 8, 8), error=0.02)


def integer_ends() -> Kind:
    """8-bit weights and an 8-bit input with a zero point of 96: padding is the real 0, which is no code's lowest."""
    g = Graph(3, 8, 8, seed=5)
    y = g.quantised("x", 2 / 255, zero=96)
    for inputs, step in ((3, 0.004), (8, 0.011)):
        codes = g.constant(g.random.integers(-127, 128, (8, inputs, 3, 3)), np.int8)
        weights = g.add("DequantizeLinear", codes, g.constant(step))
        y = g.add("Conv", y, weights, pads=[1] * 4, strides=[inputs // 4 + 1] * 2)
        y = g.ternary(g.add("Sub", y, g.constant(0.1234)))
    y = g.linear(g.add("Flatten", y), g.trits(CLASSES, 8 * 9))
    return Kind(model=g.model(y), samples=2 * pixels(3, 8, 8) - np.float32(0.7), fixed_point=False)


# -- residual networks ----------------------------------------------------------------------------
def residual(shortcut: str) -> Kind:
    """Asymmetric thresholds, batch-norm, a real-valued shortcut, RPReLU with slopes of both signs, global average."""
    g = Graph(3, 8, 8, seed=6)
    real = g.rprelu(g.norm(g.conv("x", g.trits(8, 3, 3, 3), pads=[1] * 4), 8, 1.5), 8)
    trits = g.ternary(real)
    made = 16 if shortcut == "concat" else 8
    stride = [1, 1] if shortcut in ("identity", "pooled") else [2, 2]
    path = real
    if shortcut in ("average", "concat"):
        path = g.add("AveragePool", real, kernel_shape=[2, 2], strides=[2, 2])
    if shortcut == "concat":
        path = g.add("Concat", path, path, axis=1)
    if shortcut == "projection":
        path = g.norm(g.conv(trits, g.trits(8, 8, 1, 1), strides=stride), 8, 2.0)
    body = g.norm(g.conv(trits, g.trits(made, 8, 3, 3), pads=[1] * 4, strides=stride), made, 4.0)
    y = g.rprelu(g.add("Add", body, path), made)
    if shortcut == "pooled":
        y = g.add("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2])
    again = g.norm(g.conv(g.ternary(y), g.trits(made, made, 3, 3), pads=[1] * 4), made, 4.0)
    y = g.pooled(g.rprelu(g.add("Add", again, y), made), made, CLASSES)
    return Kind(model=g.model(y), samples=pixels(3, 8, 8), error=0.01)


# -- fewer or more levels -------------------------------------------------------------------------
def binary_weights() -> Kind:
    """BWN: weights +a, -a of each channel; ReLU."""
    g = Graph(3, 8, 8, seed=7)
    y = "x"
    for channels, inputs in ((8, 3), (8, 8)):
        signs = np.sign(g.normal(channels, inputs, 3, 3)) * g.normal(channels, 1, 1, 1, mean=0.5, spread=0.1)
        y = g.add("Relu", g.norm(g.conv(y, signs, pads=[1] * 4, strides=[2, 2]), channels, 2.0))
    y = g.linear(g.add("Flatten", y), np.sign(g.normal(CLASSES, 32)))
    return Kind(model=g.model(y), samples=pixels(3, 8, 8), error=0.003)


def xnor() -> Kind:
    """XNOR: binary weights with a scale for each channel, activations +1 from 0 on and -1 below it, padding 0."""
    g = Graph(3, 8, 8, seed=8)
    y = "x"
    for inputs in (3, 8):
        signs = np.sign(g.normal(8, inputs, 3, 3)) * g.normal(8, 1, 1, 1, mean=0.5, spread=0.1)
        y = g.norm(g.conv(y, signs, pads=[1] * 4, strides=[2, 2]), 8, 1.5)
        y = g.add("Where", g.add("GreaterOrEqual", y, g.constant(0)), g.constant(1), g.constant(-1))
    y = g.linear(g.add("Flatten", y), np.sign(g.normal(CLASSES, 32)))
    return Kind(model=g.model(y), samples=pixels(3, 8, 8), fixed_point=False)


def two_bits() -> Kind:
    """Ternary weights, activations of two bits: four levels 0..3, then four levels -2..1, each with a scale."""
    g = Graph(3, 8, 8, seed=9)
    y = "x"
    for inputs, low, high, step in ((3, 0, 3, 0.8), (8, -2, 1, 1.7)):
        y = g.norm(g.conv(y, g.trits(8, inputs, 3, 3), pads=[1] * 4, strides=[2, 2]), 8, 1.1)
        y = g.add("Round", g.add("Div", y, g.constant(step)))
        y = g.add("Mul", g.add("Clip", y, g.constant(low), g.constant(high)), g.constant(step))
    y = g.linear(g.add("Flatten", y), g.trits(CLASSES, 32))
    return Kind(model=g.model(y), samples=pixels(3, 8, 8), fixed_point=False)


# -- shapes ---------------------------------------------------------------------------------------
def convolution(kernel: tuple[int, int] = (3, 3), groups: int = 1, **attributes: Any) -> Kind:
    """Two convolutions of one shape on a map that is not square, ternary activations."""
    g = Graph(8, 9, 7, seed=10)
    y = "x"
    for _ in range(2):
        y = g.ternary(g.norm(g.conv(y, g.trits(8, 8 // groups, *kernel), group=groups, **attributes), 8, 4.0))
    return Kind(model=g.model(g.pooled(y, 8, CLASSES)), samples=pixels(8, 9, 7), fixed_point=False)


def separable() -> Kind:
    """Depthwise and pointwise convolutions in turn, as in MobileNet."""
    g = Graph(8, 8, 8, seed=11)
    y = "x"
    for stride in (1, 2):
        deep = g.conv(y, g.trits(8, 1, 3, 3), group=8, pads=[1] * 4, strides=[stride] * 2)
        y = g.ternary(g.conv(g.ternary(g.norm(deep, 8, 1.5)), g.trits(8, 8, 1, 1)), low=-1, high=2)
    y = g.linear(g.add("Flatten", y), g.trits(CLASSES, 128))
    return Kind(model=g.model(y), samples=pixels(8, 8, 8), fixed_point=False)


def temporal() -> Kind:
    """Causal 1-D convolutions with growing dilation: padded in front, or on both sides and cut behind (Chomp1d)."""
    g = Graph(4, 20, seed=12)
    y = "x"
    for layer, (inputs, dilation) in enumerate(((4, 1), (8, 2), (8, 4))):
        reach = 2 * dilation
        after = reach if layer == 1 else 0
        y = g.conv(y, g.trits(8, inputs, 3), pads=[reach, after], dilations=[dilation])
        if after:
            starts, ends, axes = (g.constant(value, np.int64) for value in ([0], [-after], [2]))
            y = g.add("Slice", y, starts, ends, axes)
        y = g.ternary(y, low=-1, high=1)
    last = g.add("Gather", y, g.constant(19, np.int64), axis=2)
    return Kind(model=g.model(g.linear(last, g.trits(CLASSES, 8))), samples=pixels(4, 20), fixed_point=False)


# -- sequences ------------------------------------------------------------------------------------
def recurrent(steps: int = 4) -> Kind:
    """h = ternary(Wx x + Wh h + b), unrolled: every step has the same weights."""
    g = Graph(steps, 6, seed=13)
    weights, bias = g.constant(0.5 * g.trits(8, 14)), g.constant(g.normal(8))
    state = g.constant(np.zeros((1, 8)))
    for step in range(steps):
        both = g.add("Concat", g.add("Gather", "x", g.constant(step, np.int64), axis=1), state, axis=1)
        state = g.ternary(g.add("Gemm", both, weights, bias, transB=1), low=-0.6)
    trits = np.random.default_rng(2).integers(-1, 2, (SAMPLES, steps, 6)).astype(np.float32)
    return Kind(model=g.model(g.linear(state, g.trits(CLASSES, 8))), samples=trits, fixed_point=False)


def bitnet() -> Kind:
    """BitNet b1.58: ternary weights with one scale, int8 activations whose scale is static."""
    g = Graph(40, seed=14)
    y = g.quantised("x", 1 / 100, np.int8)
    for out, inputs, step in ((56, 40, 0.004), (40, 56, 0.0015)):
        y = g.quantised(g.linear(y, g.trits(out, inputs, scale=0.043)), step, np.int8)
    y = g.linear(y, g.trits(CLASSES, 40, scale=0.05))
    samples = np.random.default_rng(3).normal(0, 0.4, (SAMPLES, 40)).astype(np.float32)
    return Kind(model=g.model(y), samples=samples, error=0.003)


KINDS: dict[str, Callable[[], Kind]] = {
    "twn-float": lambda: twn(quantised=False),
    "twn-uint8": lambda: twn(quantised=True),
    "ttq-relu": ttq_relu,
    "ttq-ternary-bias": ttq_ternary_bias,
    "float-ends": float_ends,
    "integer-ends": integer_ends,
    "residual-identity": lambda: residual("identity"),
    "residual-average": lambda: residual("average"),
    "residual-concat": lambda: residual("concat"),
    "residual-projection": lambda: residual("projection"),
    "residual-pooled": lambda: residual("pooled"),
    "binary-weights": binary_weights,
    "xnor": xnor,
    "two-bits": two_bits,
    "grouped": lambda: convolution(groups=2, pads=[1] * 4),
    "depthwise": lambda: convolution(groups=8, pads=[1] * 4),
    "separable": separable,
    "dilated": lambda: convolution(dilations=[2, 1], pads=[2, 1, 2, 1]),
    "asymmetric-padding": lambda: convolution(pads=[0, 2, 1, 0], strides=[2, 1]),
    "non-square": lambda: convolution(kernel=(1, 4), pads=[0, 1, 0, 2], strides=[1, 2]),
    "temporal": temporal,
    "recurrent": recurrent,
    "bitnet": bitnet,
}
