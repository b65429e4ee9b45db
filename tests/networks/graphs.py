"""ONNX graphs written down in few words: nodes are added in order, constants and names come by themselves."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Array = NDArray[Any]


class Graph:
    """A model of one input ``x`` under construction; methods give the name of what they add."""

    def __init__(self, *shape: int, seed: int = 0) -> None:
        self.shape = shape
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, Array] = {}

    def constant(self, value: Any, dtype: type = np.float32) -> str:
        """An initializer."""
        name = f"c{len(self.constants)}"
        self.constants[name] = np.asarray(value, dtype)
        return name

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """A node with one output."""
        name = f"{op.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name, **attributes))
        return name

    def model(self, output: str) -> onnx.ModelProto:
        """The whole model, of which ``output`` is the output."""
        graph = helper.make_graph(
            self.nodes,
            "kind",
            [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", *self.shape])],
            [helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None)],
            [numpy_helper.from_array(value, name) for name, value in self.constants.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    # -- numbers ------------------------------------------------------------------------------
    def trits(self, *shape: int, scale: float = 1.0) -> Array:
        """Random ternary weights, none of whose output channels is all zero."""
        values = self.random.integers(-1, 2, shape).astype(np.float32)
        values.reshape(shape[0], -1)[:, 0] = 1
        return values * np.float32(scale)

    def two_scales(self, *shape: int) -> Array:
        """TTQ weights: +Wp, 0, -Wn, one pair for the layer."""
        trits = self.trits(*shape)
        return np.where(trits > 0, 0.7123, np.where(trits < 0, -0.4051, 0)).astype(np.float32)

    def normal(self, *shape: int, mean: float = 0.0, spread: float = 0.3) -> Array:
        """Random reals."""
        return self.random.normal(mean, spread, shape).astype(np.float32)

    # -- layers -------------------------------------------------------------------------------
    def conv(self, x: str, weights: Array, **attributes: Any) -> str:
        """A convolution without bias."""
        return self.add("Conv", x, self.constant(weights), **attributes)

    def linear(self, x: str, weights: Array, bias: Array | None = None) -> str:
        """A fully connected layer, weights (out, in)."""
        biases = [] if bias is None else [self.constant(bias)]
        return self.add("Gemm", x, self.constant(weights), *biases, transB=1)

    def norm(self, x: str, channels: int, spread: float) -> str:
        """Batch-norm of sums that spread so far; one gain in four is negative."""
        gain = self.normal(channels, mean=1) * np.where(np.arange(channels) % 4 == 1, -1, 1)
        parts = [gain, self.normal(channels), self.normal(channels), np.full(channels, spread**2)]
        return self.add("BatchNormalization", x, *map(self.constant, parts))

    def rprelu(self, x: str, channels: int) -> str:
        """RPReLU with slopes of both signs."""
        slope = self.normal(channels, 1, 1, mean=0.1, spread=0.4)
        bent = self.add("PRelu", self.add("Sub", x, self.constant(self.normal(channels, 1, 1))), self.constant(slope))
        return self.add("Add", bent, self.constant(self.normal(channels, 1, 1)))

    def ternary(self, x: str, low: Any = -0.5, high: Any = 0.4) -> str:
        """Trit with asymmetric thresholds."""
        above = self.add("Cast", self.add("Greater", x, self.constant(high)), to=1)
        below = self.add("Cast", self.add("Less", x, self.constant(low)), to=1)
        return self.add("Sub", above, below)

    def quantised(self, x: str, scale: float, dtype: type = np.uint8, zero: int = 0) -> str:
        """8 bits: QuantizeLinear and DequantizeLinear."""
        step, null = self.constant(scale), self.constant(zero, dtype)
        return self.add("DequantizeLinear", self.add("QuantizeLinear", x, step, null), step, null)

    def pooled(self, x: str, channels: int, classes: int) -> str:
        """Global average and a fully connected layer."""
        flat = self.add("Flatten", self.add("GlobalAveragePool", x))
        return self.linear(flat, self.trits(classes, channels, scale=0.1), self.normal(classes))
