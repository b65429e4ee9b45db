"""Branches joined along the channels: one feature that several layers fill, each its own channels."""

import numpy as np

from setun_compiler.frontend.errors import ModelError
from setun_compiler.frontend.fold import concatenate
from setun_compiler.frontend.graph import Array, Node
from setun_compiler.frontend.grid import Integers
from setun_compiler.frontend.linear import LinearOperators
from setun_compiler.frontend.tensors import Collection, Input, Mapped, Settled, Tensor
from setun_compiler.network import Feature

#: how much scales of branches may differ to count as the same
SAME = 1e-9


def concat(node: Node, inputs: tuple[Tensor | Array | None, ...], operators: LinearOperators) -> Tensor:
    """Tensors of different sources along the channel axis; constants must be zeros.

    Raises
    ------
    ModelError
        Naming the node, when the axis or a part's order is another.
    """
    parts: list[Tensor] = []
    index: list[Integers] = []
    start, extent = 0, (1, 1)
    for value in inputs:
        if not isinstance(value, Tensor):
            if value is None or np.any(value):
                raise ModelError(f"{node}: joins a branch with a constant that is not 0")
            index.append(np.full(value.shape, -1))
            continue
        flat = _flat(value)
        for part in flat:
            axis = node.integer("axis", 0) % max(part.index.ndim, 1)
            if axis != 1 or part.index.shape[0] != 1:
                raise ModelError(f"{node}: branches can be joined along the channels only, axis 1 of a batch of 1")
            if not isinstance(part.source, Input) and not _whole(part):
                raise ModelError(f"{node}: joins a branch that is not a whole feature in its own order")
            parts.append(part)
            extent = (1, *part.index.shape[2:])[-2:] if part.index.ndim > 2 else (1, 1)
            index.append(start + np.arange(part.index.size).reshape(part.index.shape))
            start += part.index.size
    channels = tuple(part.index.shape[1] for part in parts)
    source = Collection(
        name=operators.builder.unique(node.name or node.outputs[0]), parts=tuple(parts), channels=channels,
        shape=(sum(channels), extent[0], extent[1]),
    )  # fmt: skip
    return Tensor(source=source, value=parts[0].value.leaf, index=concatenate(node, index))


def _flat(tensor: Tensor) -> list[Tensor]:
    """A collection's parts, if it is whole; else the tensor itself."""
    source = tensor.source
    whole = isinstance(source, Collection) and np.array_equal(tensor.index.ravel(), np.arange(tensor.index.size))
    return source.of_parts(tensor.value) if isinstance(source, Collection) and whole else [tensor]


def _whole(part: Tensor) -> bool:
    channels, rows, cols = part.source.shape
    natural = np.arange(channels * rows * cols)
    return part.index.shape[1] == channels and np.array_equal(part.index.ravel(), natural)


def collect(node: Node, tensor: Tensor, operators: LinearOperators) -> Settled | None:
    """One feature of all parts; None when their integers do not mean the same."""
    source, builder = tensor.source, operators.builder
    assert isinstance(source, Collection)
    key = (id(source), tensor.value.serial)
    if key in operators.collected:
        return operators.collected[key]
    before = builder.snapshot()
    settled = []
    for part in source.of_parts(tensor.value):
        demanded = not isinstance(part.source, Input) and builder.demanded(part.source)
        if isinstance(part.source, Input) or demanded:
            part = operators.copied(node, part)
        settled.append(builder.settle(part))
    first = settled[0]
    same = all(
        np.allclose(found.scale, first.scale[0], rtol=SAME, atol=0)
        and np.allclose(found.offset, first.offset[0], rtol=0, atol=SAME * first.scale[0])
        for found in settled
    )
    if not same:
        builder.restore(before)
        return None
    channels, rows, cols = source.shape
    feature = builder.add_feature(
        Feature(
            name=source.name, channels=channels, rows=rows, cols=cols,
            low=min(0, *(found.feature.low for found in settled)),
            high=max(0, *(found.feature.high for found in settled)),
        )
    )  # fmt: skip
    start = 0
    for found, count in zip(settled, source.channels, strict=True):
        builder.move(found, feature, (start, 0, 0))
        start += count
    scale, offset = np.full(channels, first.scale[0]), np.full(channels, first.offset[0])
    operators.collected[key] = Settled(feature=feature, scale=scale, offset=offset)
    operators.kept.append(source)
    return operators.collected[key]


def mapped_parts(tensor: Tensor) -> list[Tensor] | None:
    """The parts of a whole collection, to do the same with each; None for any other tensor."""
    if not isinstance(tensor.source, Collection):
        return None
    parts = _flat(tensor)
    return parts if all(isinstance(part.source, Mapped) for part in parts) else None
