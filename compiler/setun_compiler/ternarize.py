"""Post-training ternarization of a float ONNX model after the papers' formulas.

Only weights change: the model keeps its operators, so its accuracy can be measured before and after with the same code.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from setun_compiler.frontend.errors import ModelError, printable
from setun_compiler.frontend.evaluate import outputs
from setun_compiler.frontend.read import prepared

Floats = NDArray[np.float64]
Method = Literal["twn", "ttq", "asymmetric", "uniform"]

#: operators that have weights, and which input holds them
WEIGHTS = {"Conv": 1, "Gemm": 1, "MatMul": 1}


@dataclass(frozen=True, kw_only=True)
class Ternarized:
    """One layer that was changed."""

    layer: str
    weights: int
    zeros: float  #: share of weights that are 0
    error: float  #: root of the mean squared change, over the root of the mean square of the weights


@dataclass(frozen=True, kw_only=True)
class Result:
    """The model and what was done to it."""

    model: onnx.ModelProto
    layers: tuple[Ternarized, ...]
    kept: tuple[str, ...]  #: names of the layers whose weights are as they were


def twn(rows: Floats) -> Floats:
    """TWN (Li et al. 2016, eq. 3-6), per output channel: delta = 0.7 E|W|, alpha = mean of |W| above delta."""
    delta = 0.7 * np.abs(rows).mean(axis=1, keepdims=True)
    marks = np.abs(rows) > delta
    result: Floats = np.sign(rows) * marks * _mean(np.abs(rows), marks)
    return result


def ttq(rows: Floats, share: float = 0.05) -> Floats:
    """TTQ (Zhu et al. 2017, eq. 6-8): threshold 0.05 max|W| of the layer; +Wp and -Wn per layer, here not learned but
    the means of the weights they stand for, which is what the paper starts from."""
    delta = share * np.abs(rows).max()
    plus, minus = rows > delta, rows < -delta
    wp = rows[plus].mean() if plus.any() else 0.0
    wn = -rows[minus].mean() if minus.any() else 0.0
    return np.asarray(plus * wp - minus * wn, np.float64)


def asymmetric(rows: Floats) -> Floats:
    """Two thresholds and two scales per output channel: each sign's weights are treated as TWN treats all."""
    result = np.zeros_like(rows)
    for sign in (1.0, -1.0):
        side = np.maximum(sign * rows, 0)
        shown = side > 0
        marks = side > 0.7 * _mean(side, shown)
        result += sign * marks * _mean(side, marks)
    return result


def uniform(rows: Floats) -> Floats:
    """Thresholds at mean +- 0.43 standard deviations of each output channel.

    They give the three values equal shares of a normal distribution; the scale is the least-squares one, since there is
    no batch-norm to retrain.
    """
    mean, spread = rows.mean(axis=1, keepdims=True), rows.std(axis=1, keepdims=True)
    trits = (rows > mean + 0.43 * spread).astype(np.float64) - (rows < mean - 0.43 * spread)
    count = np.maximum(np.abs(trits).sum(axis=1, keepdims=True), 1)
    return np.asarray(trits * (trits * rows).sum(axis=1, keepdims=True) / count, np.float64)


#: what each method makes of weights (output channels, everything else)
METHODS: dict[str, Callable[[Floats], Floats]] = {"twn": twn, "ttq": ttq, "asymmetric": asymmetric, "uniform": uniform}


def _mean(values: Floats, marks: NDArray[np.bool_]) -> Floats:
    """(rows, 1) mean of the marked values of each row; 0 where there are none."""
    count = np.maximum(marks.sum(axis=1, keepdims=True), 1)
    return np.asarray((values * marks).sum(axis=1, keepdims=True) / count, np.float64)


def ternarize(
    path: str | Path, method: Method = "twn", layers: tuple[str, ...] = (), *, keep_ends: bool = True
) -> Result:
    """A copy of a float model whose weights are ternary times a scale (two for ``ttq`` and ``asymmetric``).

    ``layers`` are names of Conv, Gemm and MatMul nodes (or of their first outputs); without any, all of them are taken
    but, with ``keep_ends``, the first and the last.

    Raises
    ------
    ModelError
        On an unknown method or layer, or a layer whose weights are not a float constant of its own.
    """
    if method not in METHODS:
        raise ModelError(f"unknown method {method!r}: choose one of {', '.join(METHODS)}")
    prepared(path)  # refuses damaged and hostile files before protobuf reads them again
    model = onnx.load(str(path))
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    nodes = [
        node for node in model.graph.node
        if node.op_type in WEIGHTS and not node.domain and any(name in constants for name in node.input[:2])
    ]  # fmt: skip
    names = [node.name or node.output[0] for node in nodes]
    chosen = _chosen(names, layers, keep_ends)
    done = []
    for node, name in zip(nodes, names, strict=True):
        if name in chosen:
            done.append(_change(model, node, name, METHODS[method], constants))
    return Result(model=model, layers=tuple(done), kept=tuple(name for name in names if name not in chosen))


def _chosen(names: list[str], layers: tuple[str, ...], keep_ends: bool) -> set[str]:
    unknown = [name for name in layers if name not in names]
    if unknown:
        known = ", ".join(printable(name) for name in names[:12]) or "none"
        raise ModelError(f"no layer {printable(unknown[0])} with constant weights; there are {known}")
    if layers:
        return set(layers)
    return set(names[1:-1] if keep_ends else names)


def _change(
    model: onnx.ModelProto,
    node: onnx.NodeProto,
    name: str,
    function: Callable[[Floats], Floats],
    constants: dict[str, onnx.TensorProto],
) -> Ternarized:
    place = 1 if node.input[1] in constants else 0
    tensor = constants[node.input[place]]
    shared = sum(list(other.input).count(tensor.name) for other in model.graph.node) > 1
    weights = numpy_helper.to_array(tensor)
    if shared or weights.dtype.kind != "f" or weights.ndim < 2:
        reason = "shared with another node" if shared else "not a float matrix or kernel"
        raise ModelError(f"layer {printable(name)}: its weights are {reason}")
    transposed = _inputs_first(node, place)
    rows = np.swapaxes(weights, 0, 1) if transposed else weights
    real = rows.reshape(rows.shape[0], -1).astype(np.float64)
    made = function(real)
    new = made.reshape(rows.shape)
    new = np.swapaxes(new, 0, 1) if transposed else new
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(new, weights.dtype), tensor.name))
    size = float(np.sqrt(np.mean(real**2))) or 1.0
    return Ternarized(
        layer=name, weights=real.size, zeros=float((made == 0).mean()),
        error=float(np.sqrt(np.mean((made - real) ** 2))) / size,
    )  # fmt: skip


def _inputs_first(node: onnx.NodeProto, place: int) -> bool:
    """Whether a matrix has its inputs along the first axis."""
    if node.op_type == "Conv":
        return False
    flag = "transB" if place == 1 else "transA"
    turned = any(attribute.name == flag and attribute.i for attribute in node.attribute)
    return (place == 1) != turned


def accuracy(path: str | Path, x: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Share of samples whose label is the float model's largest output; evaluated in plain NumPy.

    Raises
    ------
    ModelError
        When samples and labels do not fit each other or the model.
    """
    if len(x) != len(labels) or not len(x):
        raise ModelError(f"{len(x)} samples and {len(labels)} labels: there must be as many, and at least one")
    graph, _ = prepared(path)
    return float((outputs(graph, x).reshape(len(x), -1).argmax(axis=1) == labels).mean())
