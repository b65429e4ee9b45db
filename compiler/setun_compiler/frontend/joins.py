"""Additions of two branches: one becomes the layer that adds, the other is kept in fixed point and added to it."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from setun_compiler.frontend.answers import as_real
from setun_compiler.frontend.errors import ModelError
from setun_compiler.frontend.expression import Expression
from setun_compiler.frontend.fixed_point import OutGrid, sums_range
from setun_compiler.frontend.graph import Node
from setun_compiler.frontend.grid import Floats, Integers
from setun_compiler.frontend.linear import LinearOperators, natural
from setun_compiler.frontend.lines import find_lines, spread, values
from setun_compiler.frontend.tensors import Input, Linear, Mapped, Operand, Real, Tensor, leaf_range


def join(
    node: Node, first: Tensor, second: Tensor, operators: LinearOperators, fresh: Callable[[Mapped], bool]
) -> Tensor:
    """The sum of two tensors of different sources; ``fresh`` tells whether nothing else reads a source.

    Raises
    ------
    ModelError
        Naming the node, when neither side can be the layer that adds.
    """
    if first.index.shape != second.index.shape:
        raise ModelError(f"{node}: adds branches of shapes {list(first.index.shape)} and {list(second.index.shape)}")
    first, second = (_mapped(node, tensor, operators) for tensor in (first, second))
    ways = [(first, second), (second, first)]
    # a branch that nothing else reads is added to where it is computed; of two such, the later one
    ways.sort(key=lambda way: (not fresh(_source(way[0])), not _is_affine(way[0])))
    for main, other in ways:
        made = _joined(node, main, other, operators)
        if made is not None:
            return made
    raise ModelError(
        f"{node}: adds two branches neither of which is a Conv, Gemm or MatMul followed by one or two straight lines"
    )


def _source(tensor: Tensor) -> Mapped:
    assert isinstance(tensor.source, Mapped)
    return tensor.source


def _mapped(node: Node, tensor: Tensor, operators: LinearOperators) -> Tensor:
    """The tensor itself; of the model's input, a copy made by an identity layer."""
    if not isinstance(tensor.source, Input):
        return tensor
    if tensor.index.ndim not in (3, 4) or (tensor.index < 0).any():
        raise ModelError(f"{node}: adds the model's input in a shape that is not a map")
    planes = tensor.index.reshape(tensor.index.shape[1], *(1, *tensor.index.shape[2:])[-2:])
    return operators.identity(node, tensor, planes)


def _is_affine(tensor: Tensor) -> bool:
    return tensor.value.affine(_source(tensor).groups) is not None


def _joined(node: Node, main: Tensor, other: Tensor, operators: LinearOperators) -> Tensor | None:
    """``main`` as the layer that adds ``other``; None when it cannot be."""
    source = _source(main)
    if isinstance(source, Real) and (source.operand is not None or source.bent is not None):
        return None
    if not np.array_equal(main.index.ravel(), np.arange(int(np.prod(source.shape)))):
        return None
    form = main.value.affine(source.groups)
    if form is None and not _has_lines(main):
        return None
    found = _operand(node, other, source.shape, operators)
    if found is None:
        return None
    operand, constant = found
    real = as_real(source)
    if form is not None and source.pool is None:
        real = replace(
            real, gain=real.gain * form[0], gain2=real.gain2 * form[0], bias=real.bias * form[0] + form[1] + constant,
            operand=operand,
        )  # fmt: skip
        low, high = sums_range(real)
    else:
        if source.pool is not None and _falls(main):
            return None
        low, high = leaf_range(source)
        seen = values(main.value, spread(low, high))
        offset = np.broadcast_to(constant, source.groups)
        low = seen.min(axis=1) + operand.limits[0] + offset
        high = seen.max(axis=1) + operand.limits[1] + offset
        real = replace(real, bent=_plus(main.value, offset), operand=operand, after=True)
    real = replace(real, name=operators.builder.unique(f"{source.name}.sum"), low=low, high=high)
    return Tensor(source=real, value=Expression(), index=main.index)


def _plus(value: Expression, offset: Floats) -> Expression:
    if not offset.any():
        return value
    node = Node(op="Add", name="offset", inputs=(), outputs=(), attributes={})
    return Expression(node=node, arguments=(value, offset[:, None]))


def _has_lines(tensor: Tensor) -> bool:
    low, high = leaf_range(_source(tensor))
    seen = values(tensor.value, spread(low, high))
    try:
        find_lines(tensor.value, low, high, float(seen.min()), float(seen.max()))
    except ModelError:
        return False
    return True


def _falls(tensor: Tensor) -> bool:
    source = _source(tensor)
    low, high = leaf_range(source)
    seen = values(tensor.value, spread(low, high))
    turned = seen * source.sign[:, None] if isinstance(source, Linear) else seen
    return bool((np.diff(turned, axis=1) < 0).any())


def _operand(
    node: Node, tensor: Tensor, shape: tuple[int, int, int], operators: LinearOperators
) -> tuple[Operand, Floats] | None:
    """The tensor as a residual operand, and a constant per channel to be added as well."""
    source = _source(tensor)
    places = _places(tensor.index, shape, source)
    if places is None:
        return None
    steps, shown = places
    groups = np.arange(shape[0]) % source.groups
    form = tensor.value.affine(source.groups)
    if isinstance(source, Real) and source.is_view and form is not None and source.operand is not None:
        inner = source.operand
        return (
            replace(
                inner, gain=np.where(shown, (inner.gain * form[0])[groups], 0.0),
                row_step=inner.row_step * steps[0], col_step=inner.col_step * steps[1],
            ),
            np.where(shown, form[1][groups], 0.0),
        )  # fmt: skip
    if form is None and not _has_lines(tensor):
        # codes are compared, not scaled: a layer that copies them writes them in fixed point as well
        whole = Tensor(source=source, value=tensor.value, index=natural(source))
        settled = operators.settle(whole, natural(source), padded=False)
        feature = settled.feature
        exact = not settled.offset.any() and max(-feature.low, feature.high) < 1 << 8
        out = OutGrid(scale=float(settled.scale[0]), low=feature.low, high=feature.high) if exact else None
        stored = operators.builder.store(operators.identity(node, whole, natural(source)), out)
    else:
        stored = operators.builder.store(tensor)
    gain = np.where(shown, 1.0, 0.0)
    return Operand(stored=stored, gain=gain, row_step=steps[0], col_step=steps[1]), np.zeros(shape[0])


def _places(
    index: Integers, shape: tuple[int, int, int], source: Mapped
) -> tuple[tuple[int, int], "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]"] | None:
    """The row and column steps with which a tensor reads its source, channels taken modulo, and which are not zeros."""
    planes = index.reshape(shape)
    shown = np.asarray((planes >= 0).all(axis=(1, 2)))
    if not shown.any() or (planes[~shown] >= 0).any():
        return None
    rows, cols = (-(-extent // size) for extent, size in zip(source.shape[1:], shape[1:], strict=True))
    expected = natural(source)[:, ::rows, ::cols]
    if expected.shape[1:] != shape[1:]:
        return None
    expected = expected[np.arange(shape[0]) % source.groups]
    return ((rows, cols), shown) if np.array_equal(planes[shown], expected[shown]) else None
