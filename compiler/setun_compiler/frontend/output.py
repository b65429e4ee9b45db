"""The last layer: raw sums with the scale and bias that give the model's floats back."""

from dataclasses import replace
from typing import Any

import numpy as np

from setun_compiler.frontend.builder import Builder
from setun_compiler.frontend.errors import ModelError, printable
from setun_compiler.frontend.graph import Array, Graph, producers
from setun_compiler.frontend.grid import Integers
from setun_compiler.frontend.linear import make_linear, natural
from setun_compiler.frontend.mirror import first_sign
from setun_compiler.frontend.tensors import Linear, Mapped, Tensor, synthetic
from setun_compiler.frontend.windows import Geometry
from setun_compiler.network import Feature, Output, Raw

#: operators behind the last layer that change no ranking of a sample's outputs, or only read it off
LEFT_TO_THE_HOST = ("Softmax", "LogSoftmax", "Hardmax", "ArgMax")


def leave_ranking_to_the_host(graph: Graph) -> Graph:
    """Take Softmax and its kind off the end: the hardware's outputs are what goes into it."""
    made_by = producers(graph.nodes)
    node = made_by.get(graph.output.name)
    if node is None or node.domain or node.op not in LEFT_TO_THE_HOST or not node.inputs:
        return graph
    note = f"{node} at the end is left to the host; outputs are what goes into it"
    output = replace(graph.output, name=node.inputs[0], shape=None)
    return graph.replace(output=output, notes=(*graph.notes, note))


def finish(graph: Graph, builder: Builder, tensor: Tensor) -> Output:
    """Add the layer that makes the model's output.

    Raises
    ------
    ModelError
        When the output is neither sums times a scale per channel nor a step function of them, or its elements are
        not in a feature map's order.
    """
    source = tensor.source
    assert isinstance(source, Mapped)
    shape = tensor.index.shape
    name = graph.output.name
    if shape[0] != 1 or len(shape) < 2 or (graph.output.shape is not None and not _fits(graph.output.shape, shape)):
        raise ModelError(
            f"output {printable(name)} does not have the shape it declares: the model computes {list(shape)}"
        )
    order = tensor.index.ravel()
    form = tensor.value.affine(source.groups) if isinstance(source, Linear) else None
    if form is None:
        settled = builder.settle(tensor, builder.precision.residual_bits)
        ones = np.ones((source.groups, 1, 1, 1), np.int64)
        identity = make_linear(
            builder.unique("output"), synthetic("output", name), settled, ones, Geometry(kernel=(1, 1)), source.groups
        )
        source, form = identity, (settled.scale.copy(), settled.offset.copy())
    assert isinstance(source, Linear)
    scale, bias = form
    if not (np.isfinite(scale).all() and np.isfinite(bias).all()):
        raise ModelError(f"{tensor.value.where}: the model's output is not finite")
    weights, low, high = source.weights, source.low, source.high
    # the expression's leaf is sign times the sum; without pooling the sums themselves may change sign
    scale = scale * source.sign
    if source.pool is None:
        sign = np.where(scale == 0, first_sign(weights), np.sign(scale)).astype(np.int64)
        weights, scale = weights * sign[:, None, None, None], scale * sign
        low, high = np.where(sign > 0, low, -high), np.where(sign > 0, high, -low)
    if not np.array_equal(order, natural(source).ravel()):
        source, weights, scale, bias, low, high = _selected(name, source, order, weights, scale, bias, low, high)
    channels, rows, cols = source.shape
    target = Feature(
        name=source.name, channels=channels, rows=rows, cols=cols, low=int(low.min()), high=int(high.max())
    )
    builder.leave(replace(source, weights=weights), target, Raw(scale=scale, bias=bias))
    return Output(name=name, feature=target.name, shape=shape[1:])


def _fits(declared: tuple[int | None, ...], computed: tuple[int, ...]) -> bool:
    if len(declared) != len(computed):
        return False
    return all(extent is None or extent == real for extent, real in zip(declared, computed, strict=True))


def _selected(
    name: str,
    source: Linear,
    order: Integers,
    weights: Integers,
    *numbers: Array,
) -> tuple[Any, ...]:
    """The layer with its channels in the output's order, when it has one row and one column."""
    if source.shape[1:] != (1, 1) or source.convolution_groups != 1 or (order < 0).any():
        raise ModelError(f"output {printable(name)}: its elements are not in the order channels, rows, columns")
    return replace(source, shape=(order.size, 1, 1)), weights[order], *(part[order] for part in numbers)
