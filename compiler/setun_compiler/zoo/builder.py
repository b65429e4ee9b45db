"""Writes ONNX graphs of ternary networks, operator by operator, the way exporters spell them."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[np.float32]

#: ONNX opset the graphs are written for
OPSET = 17


@dataclass(frozen=True)
class Value:
    """A tensor of the graph: its name, the shape of one sample, and the standard deviation its elements are expected
    to have."""

    name: str
    shape: tuple[int, ...]
    spread: float = 1.0

    @property
    def channels(self) -> int:
        """Elements along the first axis."""
        return self.shape[0]


@dataclass
class Builder:
    """Collects nodes and random parameters; every method adds one layer and returns its output.

    ``sparsity`` is the share of zero weights. Batch-norm statistics are set to what random inputs give, so that
    activations keep all three values through a deep network.
    """

    name: str
    sparsity: float
    seed: int
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        self._count = 0

    # -- plumbing -----------------------------------------------------------------------------
    def constant(self, name: str, value: Array) -> str:
        """Store an initializer and give its name."""
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def node(self, operator: str, inputs: list[str], label: str, **attributes: Any) -> str:
        """Append a node named ``label`` and give its output's name."""
        self.nodes.append(helper.make_node(operator, inputs, [label], name=label, **attributes))
        return label

    def label(self, kind: str) -> str:
        """A fresh name."""
        self._count += 1
        return f"{kind}_{self._count}"

    def ternary_weights(self, shape: tuple[int, ...]) -> Array:
        """Random trits times a positive scale for each output channel (TWN's alpha)."""
        trits = self.random.choice(
            [-1, 0, 1], size=shape, p=[(1 - self.sparsity) / 2, self.sparsity, (1 - self.sparsity) / 2]
        )
        if trits.size and not trits.any():
            trits.flat[0] = 1  # a layer of zeros would leave nothing for those behind it
        scale = self.random.uniform(0.02, 0.1, size=(shape[0],) + (1,) * (len(shape) - 1))
        return (trits * scale).astype(np.float32)

    # -- layers -------------------------------------------------------------------------------
    def conv(
        self, x: Value, channels: int, kernel: int, stride: int = 1, padding: int | None = None, groups: int = 1
    ) -> Value:
        """Ternary convolution without bias; padding defaults to half the kernel."""
        padding = kernel // 2 if padding is None else padding
        label = self.label("conv")
        weights = self.ternary_weights((channels, x.channels // groups, kernel, kernel))
        name = self.constant(f"{label}.weight", weights)
        self.node(
            "Conv",
            [x.name, name],
            label,
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[padding] * 4,
            group=groups,
        )
        rows, cols = ((size + 2 * padding - kernel) // stride + 1 for size in x.shape[1:])
        return Value(label, (channels, rows, cols), x.spread * float(np.sqrt((weights**2).sum() / channels)))

    def linear(self, x: Value, outputs: int, bias: bool = False) -> Value:
        """Ternary fully connected layer on a vector."""
        label = self.label("linear")
        weights = self.ternary_weights((outputs, x.channels))
        inputs = [x.name, self.constant(f"{label}.weight", weights)]
        if bias:
            inputs.append(self.constant(f"{label}.bias", self.random.normal(0, 0.1, outputs).astype(np.float32)))
        self.node("Gemm", inputs, label, transB=1)
        return Value(label, (outputs,), x.spread * float(np.sqrt((weights**2).sum() / outputs)))

    def batch_norm(self, x: Value) -> Value:
        """Eval-mode batch normalisation whose variance is the input's."""
        label = self.label("bn")
        channels = x.channels
        gain = self.random.normal(1, 0.2, channels) * self.random.choice([1, -1], channels, p=[0.9, 0.1])
        parameters = {
            "gain": gain,
            "shift": self.random.normal(0, 0.2, channels),
            "mean": self.random.normal(0, 0.1 * x.spread, channels),
            "var": x.spread**2 * self.random.uniform(0.7, 1.4, channels),
        }
        names = [self.constant(f"{label}.{key}", value.astype(np.float32)) for key, value in parameters.items()]
        self.node("BatchNormalization", [x.name, *names], label, epsilon=1e-5)
        return Value(label, x.shape)

    def ternary(self, x: Value) -> Value:
        """Activation -1, 0, +1 with a threshold of its own for each channel and side (asymmetric thresholds)."""
        label = self.label("ternary")
        shape = (x.channels,) + (1,) * (len(x.shape) - 1)
        high = self.constant(f"{label}.high", self.random.uniform(0.25, 0.75, shape).astype(np.float32))
        low = self.constant(f"{label}.low", self.random.uniform(-0.75, -0.25, shape).astype(np.float32))
        above = self.node(
            "Cast", [self.node("Greater", [x.name, high], f"{label}.above")], f"{label}.plus", to=TensorProto.FLOAT
        )
        below = self.node(
            "Cast", [self.node("Less", [x.name, low], f"{label}.below")], f"{label}.minus", to=TensorProto.FLOAT
        )
        self.node("Sub", [above, below], label)
        return Value(label, x.shape, 0.78)

    def quantize(self, x: Value, scale: float) -> Value:
        """Rounding to int8 with a static scale, and back (QuantizeLinear, DequantizeLinear)."""
        label = self.label("quantize")
        names = [self.constant(f"{label}.scale", np.array(scale, np.float32))]
        self.constants.append(numpy_helper.from_array(np.array(0, np.int8), f"{label}.zero"))
        names.append(f"{label}.zero")
        integers = self.node("QuantizeLinear", [x.name, *names], f"{label}.int8")
        self.node("DequantizeLinear", [integers, *names], label)
        return Value(label, x.shape, x.spread)

    def trits(self, x: Value) -> Value:
        """The nearest trit, for inputs that are trits already."""
        label = self.label("trits")
        bounds = [
            self.constant(f"{label}.{key}", np.array(value, np.float32)) for key, value in (("low", -1), ("high", 1))
        ]
        self.node("Round", [self.node("Clip", [x.name, *bounds], f"{label}.clip")], label)
        return Value(label, x.shape, 0.78)

    def rprelu(self, x: Value) -> Value:
        """PReLU(x - a) + b with a, b and slope for each channel; about one slope in seven is negative (ReActNet)."""
        label = self.label("rprelu")
        shape = (x.channels, 1, 1)
        a = self.constant(f"{label}.a", self.random.normal(0, 0.1, shape).astype(np.float32))
        b = self.constant(f"{label}.b", self.random.normal(0, 0.1, shape).astype(np.float32))
        slope = self.constant(f"{label}.slope", self.random.normal(0.25, 0.25, shape).astype(np.float32))
        shifted = self.node("Sub", [x.name, a], f"{label}.sub")
        bent = self.node("PRelu", [shifted, slope], f"{label}.prelu")
        self.node("Add", [bent, b], label)
        return Value(label, x.shape, x.spread * 0.8)

    def add(self, x: Value, y: Value) -> Value:
        """Residual addition."""
        return Value(
            self.node("Add", [x.name, y.name], self.label("add")), x.shape, float(np.hypot(x.spread, y.spread))
        )

    def concat(self, x: Value, y: Value) -> Value:
        """Concatenation of channels."""
        label = self.node("Concat", [x.name, y.name], self.label("concat"), axis=1)
        return Value(label, (x.channels + y.channels, *x.shape[1:]), x.spread)

    def max_pool(self, x: Value, kernel: int, stride: int, padding: int = 0) -> Value:
        """Max pooling."""
        return self._pool("MaxPool", x, kernel, stride, padding)

    def average_pool(self, x: Value, kernel: int, stride: int) -> Value:
        """Average pooling."""
        return self._pool("AveragePool", x, kernel, stride, 0)

    def _pool(self, operator: str, x: Value, kernel: int, stride: int, padding: int) -> Value:
        label = self.label(operator.lower())
        self.node(
            operator, [x.name], label, kernel_shape=[kernel, kernel], strides=[stride, stride], pads=[padding] * 4
        )
        rows, cols = ((size + 2 * padding - kernel) // stride + 1 for size in x.shape[1:])
        return Value(label, (x.channels, rows, cols), x.spread)

    def global_average(self, x: Value) -> Value:
        """Mean of the map, as a vector."""
        pooled = self.node("GlobalAveragePool", [x.name], self.label("gap"))
        return self.flatten(Value(pooled, (x.channels, 1, 1), x.spread / 2))

    def flatten(self, x: Value) -> Value:
        """One axis, channels first."""
        label = self.node("Flatten", [x.name], self.label("flatten"), axis=1)
        return Value(label, (int(np.prod(x.shape)),), x.spread)

    # -- end ----------------------------------------------------------------------------------
    def model(self, source: Value, result: Value) -> onnx.ModelProto:
        """The finished model, checked."""
        graph = helper.make_graph(
            self.nodes,
            self.name,
            [helper.make_tensor_value_info(source.name, TensorProto.FLOAT, ["batch", *source.shape])],
            [helper.make_tensor_value_info(result.name, TensorProto.FLOAT, ["batch", *result.shape])],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="setun")
        model.ir_version = 9
        onnx.checker.check_model(model)
        return model
