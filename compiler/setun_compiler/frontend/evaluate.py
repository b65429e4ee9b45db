"""Runs the float graph itself, one sample at a time, in plain NumPy: for ranges, and for comparison."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from setun_compiler.frontend.elementwise import ELEMENTWISE, Inputs, aligned, present
from setun_compiler.frontend.errors import ModelError
from setun_compiler.frontend.fold import FOLDED
from setun_compiler.frontend.graph import Array, Graph, Node
from setun_compiler.frontend.layout import LAYOUT, axes_of
from setun_compiler.frontend.windows import Geometry, geometry


@dataclass
class Ranges:
    """Smallest and largest element of every value over some samples; of row means too, for global averages."""

    limits: dict[str, tuple[float, float]] = field(default_factory=dict)
    row_means: dict[str, tuple[float, float]] = field(default_factory=dict)

    def add(self, name: str, value: Array) -> None:
        """Widen the ranges of a value."""
        if value.dtype.kind not in "fiu" or not value.size:
            return
        _widen(self.limits, name, value)
        if value.ndim == 4:
            _widen(self.row_means, name, value.mean(axis=3))


def _widen(limits: dict[str, tuple[float, float]], name: str, value: Array) -> None:
    low, high = float(value.min()), float(value.max())
    before = limits.get(name, (low, high))
    limits[name] = min(low, before[0]), max(high, before[1])


def measure(graph: Graph, samples: Array) -> Ranges:
    """Ranges of every value of the graph over float samples (samples, *shape of one)."""
    ranges = Ranges()
    for sample in samples:
        for name, value in run(graph, sample[None]):
            ranges.add(name, value)
    return ranges


def run(graph: Graph, sample: Array) -> Iterator[tuple[str, Array]]:
    """Every value the graph computes from one sample (with its batch axis of 1), in order, the input first.

    Raises
    ------
    ModelError
        When the sample or a node does not fit.
    """
    known: dict[str, Array] = dict(graph.constants)
    known[graph.input.name] = sample.astype(graph.input.dtype)
    uses = Counter(name for node in graph.nodes for name in node.inputs)
    uses[graph.output.name] += 1
    depends = {graph.input.name}
    yield graph.input.name, known[graph.input.name]
    for node in graph.nodes:
        results = _apply(node, tuple(known[name] if name else None for name in node.inputs))
        for name, result in zip(node.outputs, results, strict=False):
            known[name] = result
            if depends & set(node.inputs):
                depends.add(name)
                yield name, result
        for name in node.inputs:
            uses[name] -= 1
            if not uses[name]:
                known.pop(name, None)


def outputs(graph: Graph, samples: Array) -> Array:
    """The graph's output for float samples, (samples, *shape of one)."""
    found = []
    for sample in samples:
        last = {graph.input.name: sample[None]}
        for name, value in run(graph, sample[None]):
            if name == graph.output.name:
                last[name] = value
        found.append(last[graph.output.name])
    return np.concatenate(found)


def _apply(node: Node, x: Inputs) -> list[Array]:
    with np.errstate(all="ignore"):
        if (node.domain, node.op) in ELEMENTWISE:
            shapes = [value.shape for value in x if value is not None]
            shape = np.broadcast_shapes(*shapes[:1]) if shapes else ()
            arguments = tuple(aligned(node, x, shape, index) for index in range(len(x)))
            result = np.asarray(ELEMENTWISE[node.domain, node.op](node, arguments))
            first = x[0]
            wide = result.dtype == np.float64 and first is not None and first.dtype != np.float64
            return [result.astype(np.float32) if wide else result]
        if node.op in LAYOUT:
            return LAYOUT[node.op](node, x)
        if node.op in _RUN:
            return [_RUN[node.op](node, x)]
        return FOLDED[node.op](node, x)


def _conv(node: Node, x: Inputs) -> Array:
    value, weight = present(node, x, 0), present(node, x, 1)
    shape = geometry(node, weight.shape[2:], value.shape[2:])
    flat = value.reshape(*value.shape[:2], *(1, *value.shape[2:])[-2:])
    kernel = weight.reshape(*weight.shape[:2], *shape.kernel)
    windows = _windows(flat, shape, 0.0)
    groups = node.integer("group", 1)
    count = kernel.shape[0] // groups
    rows, cols = windows.shape[2:4]
    parts = []
    for group in range(groups):
        mine = windows[0, group * kernel.shape[1] : (group + 1) * kernel.shape[1]].transpose(0, 3, 4, 1, 2)
        matrix = kernel[group * count : (group + 1) * count].reshape(count, -1)
        parts.append(matrix @ mine.reshape(matrix.shape[1], rows * cols))
    result = np.concatenate(parts).reshape(1, -1, rows, cols)
    if len(x) > 2 and x[2] is not None:
        result = result + x[2][:, None, None]
    return result[:, :, 0] if value.ndim == 3 else result


def _windows(x: Array, shape: Geometry, fill: float) -> Array:
    """(batch, channels, rows, cols, kernel rows, kernel cols)."""
    top, left, bottom, right = shape.padding
    padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=fill)
    span = tuple(d * (k - 1) + 1 for d, k in zip(shape.dilation, shape.kernel, strict=True))
    windows = np.lib.stride_tricks.sliding_window_view(padded, span, axis=(2, 3))
    return np.asarray(
        windows[:, :, :: shape.stride[0], :: shape.stride[1], :: shape.dilation[0], :: shape.dilation[1]]
    )


def _pool(node: Node, x: Inputs) -> Array:
    value = present(node, x, 0)
    if node.integer("ceil_mode", 0):
        raise ModelError(f"{node}: ceil_mode is not supported when the float model is run for comparison")
    shape = geometry(node, node.integers("kernel_shape", ()), value.shape[2:])
    flat = value.reshape(*value.shape[:2], *(1, *value.shape[2:])[-2:])
    result: Array
    if node.op == "MaxPool":
        result = _windows(flat, shape, -np.inf).max(axis=(4, 5))
    else:
        result = _windows(flat, shape, 0.0).mean(axis=(4, 5))
        if any(shape.padding) and not node.integer("count_include_pad", 0):
            result = result / _windows(np.ones_like(flat), shape, 0.0).mean(axis=(4, 5))
    result = np.asarray(result, value.dtype)
    return result[:, :, 0] if value.ndim == 3 else result


def _global(node: Node, x: Inputs) -> Array:
    value = present(node, x, 0)
    function = np.max if node.op == "GlobalMaxPool" else np.mean
    return np.asarray(function(value, axis=tuple(range(2, value.ndim)), keepdims=True), value.dtype)


def gemm(node: Node, x: Inputs) -> Array:
    """Gemm of floats."""
    a, b = present(node, x, 0), present(node, x, 1)
    a = a.T if node.integer("transA", 0) else a
    b = b.T if node.integer("transB", 0) else b
    result: Array = (a @ b) * np.float32(node.number("alpha", 1.0))
    if len(x) > 2 and x[2] is not None:
        result = result + x[2] * np.float32(node.number("beta", 1.0))
    return np.asarray(result, a.dtype)


def _reduce_axes(node: Node, x: Inputs) -> Array:
    value = present(node, x, 0)
    function = np.max if node.op == "ReduceMax" else np.mean
    axes = axes_of(node, x, value.ndim)
    return np.asarray(function(value, axis=axes, keepdims=bool(node.integer("keepdims", 1))), value.dtype)


_RUN = {
    "Conv": _conv, "MaxPool": _pool, "AveragePool": _pool, "GlobalAveragePool": _global, "GlobalMaxPool": _global,
    "Gemm": gemm, "MatMul": lambda node, x: present(node, x, 0) @ present(node, x, 1),
    "ReduceMean": _reduce_axes, "ReduceMax": _reduce_axes,
}  # fmt: skip
