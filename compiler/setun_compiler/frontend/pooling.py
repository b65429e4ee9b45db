"""Pooling: a maximum rides on the convolution before it where that is the same thing, else it is a layer."""

from dataclasses import dataclass, replace

import numpy as np

from setun_compiler.frontend import steps
from setun_compiler.frontend.answers import as_real
from setun_compiler.frontend.errors import ModelError
from setun_compiler.frontend.expression import Expression
from setun_compiler.frontend.graph import Node
from setun_compiler.frontend.grid import Integers
from setun_compiler.frontend.linear import LinearOperators, make_linear, natural
from setun_compiler.frontend.lines import find_lines, spread, values
from setun_compiler.frontend.mirror import first_sign
from setun_compiler.frontend.tensors import Linear, Mapped, Real, Tensor, leaf_range, scaled
from setun_compiler.frontend.windows import Geometry, geometry
from setun_compiler.network import Pool

#: bits of fixed point that 8 trits hold: a back end that cannot pool past a map's edges does it in a layer of its own
APART_BITS = 12


@dataclass
class Pooling:
    """Makes sources out of pooling nodes."""

    operators: LinearOperators

    def maximum(self, node: Node, tensor: Tensor, kernel: tuple[int, ...] | None) -> Tensor:
        """MaxPool; without a kernel, the maximum of the whole map (GlobalMaxPool)."""
        shape = self._shape(node, tensor, kernel)
        if shape.dilation != (1, 1):
            raise ModelError(f"{node}: dilated pooling is not supported")
        source, planes = tensor.source, _planes(node, tensor)
        pool = Pool(
            rows=shape.kernel[0], cols=shape.kernel[1], row_stride=shape.stride[0], col_stride=shape.stride[1],
            padding=shape.padding,
        )  # fmt: skip
        if isinstance(source, Linear) and source.pool is None and not any(shape.padding):
            sign = self._orientation(tensor, source)
            if sign is not None and np.array_equal(planes, natural(source)):
                rows, cols = shape.out(source.shape[1], source.shape[2])
                pooled = replace(
                    source, weights=source.weights * sign[:, None, None, None], sign=source.sign * sign, pool=pool,
                    low=np.where(sign > 0, source.low, -source.high), high=np.where(sign > 0, source.high, -source.low),
                    shape=(source.groups, rows, cols), average=None,
                )  # fmt: skip
                return _as_tensor(pooled, tensor, tensor)
        if isinstance(source, Mapped) and np.array_equal(planes, natural(source)):
            bent = self._bent(tensor, source, shape, pool)
            if bent is not None:
                return bent
        return self._separate(node, tensor, planes, shape, pool)

    def _orientation(self, tensor: Tensor, source: Linear) -> Integers | None:
        """The sign each channel's sums need so that pooling them is pooling the chain's results; None if none does."""
        form = tensor.value.affine(source.groups)
        if form is not None:
            direction = np.sign(form[0]).astype(np.int64)
        else:
            direction = steps.trend(tensor.value, source.low, source.high, source.sign)
        if (direction == 2).any():
            return None
        return np.where(direction == 0, first_sign(source.weights), direction)

    def _bent(self, tensor: Tensor, source: Mapped, shape: Geometry, pool: Pool) -> Tensor | None:
        """The maximum of a chain of one or two lines, taken behind the affine step of the chain's own layer."""
        if source.pool is not None or (isinstance(source, Real) and (source.operand is not None or source.bent)):
            return None
        if self.operators.builder.demanded(source) or self.operators.builder.is_few(tensor):
            return None
        if any(shape.padding) and self.operators.builder.precision.residual_bits > APART_BITS:
            return None
        low, high = leaf_range(source)
        seen = values(tensor.value, spread(low, high))
        try:
            find_lines(tensor.value, low, high, float(seen.min()), float(seen.max()))
        except ModelError:
            return None
        rows, cols = shape.out(source.shape[1], source.shape[2])
        pooled = replace(
            as_real(source), bent=tensor.value, pool=pool, shape=(source.groups, rows, cols), low=seen.min(axis=1),
            high=seen.max(axis=1),
        )  # fmt: skip
        return _as_tensor(pooled, tensor, replace(tensor, value=Expression()))

    def _separate(self, node: Node, tensor: Tensor, planes: Integers, shape: Geometry, pool: Pool) -> Tensor:
        """A layer of its own: each channel passes through unchanged (a weight of 1) and is pooled."""
        settled = self.operators.settle(tensor, planes, padded=False)
        if isinstance(tensor.source, Mapped) and not np.array_equal(planes, natural(tensor.source)):
            raise ModelError(f"{node}: its input is not in the order channels, rows, columns")
        if (settled.scale < 0).any():
            raise ModelError(f"{node}: the maximum of an input whose integers fall as it rises is not supported")
        ones = np.ones((settled.feature.channels, 1, 1, 1), np.int64)
        identity = Geometry(kernel=(1, 1), padding=shape.padding)
        name = self.operators.builder.unique(node.name or node.outputs[0])
        # padding must lose every comparison, so it reads as the lowest code
        linear = make_linear(
            name, node, settled, ones, identity, settled.feature.channels, pad_value=settled.feature.low
        )
        rows, cols = shape.out(settled.feature.rows, settled.feature.cols)
        linear = replace(linear, pool=replace(pool, padding=(0, 0, 0, 0)), shape=(linear.groups, rows, cols))
        value = scaled(name, settled.scale, settled.offset)
        return _as_tensor(linear, tensor, replace(tensor, value=value))

    def average(self, node: Node, tensor: Tensor, kernel: tuple[int, ...] | None) -> Tensor:
        """AveragePool; without a kernel, the mean of the whole map."""
        shape = self._shape(node, tensor, kernel)
        if any(shape.padding) and not node.integer("count_include_pad", 0):
            raise ModelError(
                f"{node}: averages that leave padding out divide by different counts, which is not supported"
            )
        if shape.dilation != (1, 1):
            raise ModelError(f"{node}: dilated pooling is not supported")
        linear, value = self.operators.average(node, tensor, shape, _planes(node, tensor))
        return _as_tensor(linear, tensor, replace(tensor, value=value))

    def _shape(self, node: Node, tensor: Tensor, kernel: tuple[int, ...] | None) -> Geometry:
        extent = tensor.index.shape[2:]
        if tensor.index.ndim not in (3, 4) or tensor.index.shape[0] != 1:
            raise ModelError(
                f"{node}: only maps of one or two dimensions can be pooled, not shape {list(tensor.index.shape)}"
            )
        if kernel is None:
            kernel = extent
            return Geometry(kernel=(1, *kernel) if len(kernel) == 1 else kernel)  # type: ignore[arg-type]
        shape = geometry(node, kernel, extent)
        if any(pad >= size for pad, size in zip(shape.padding, shape.kernel * 2, strict=True)):
            raise ModelError(f"{node}: padding must be smaller than the window")
        rows, cols = (1, *extent)[-2:]
        if not node.integer("ceil_mode", 0):
            return shape
        top, left, bottom, right = shape.padding
        more_rows = _ceiling(rows + top + bottom, shape.kernel[0], shape.stride[0], rows + top)
        more_cols = _ceiling(cols + left + right, shape.kernel[1], shape.stride[1], cols + left)
        if (more_rows or more_cols) and node.op == "AveragePool":
            raise ModelError(f"{node}: averages over windows that reach past the map (ceil_mode) are not supported")
        return replace(shape, padding=(top, left, bottom + more_rows, right + more_cols))


def _ceiling(extent: int, kernel: int, stride: int, begin_limit: int) -> int:
    """Rows (columns) the last, partial window reaches past the map, when it begins inside it."""
    rest = (extent - kernel) % stride
    if extent < kernel or rest == 0 or extent - kernel - rest + stride >= begin_limit:
        return 0
    return stride - rest


def _planes(node: Node, tensor: Tensor) -> Integers:
    index = tensor.index
    if (index < 0).any():
        raise ModelError(f"{node}: pooling after a Pad node is not supported")
    return index.reshape(index.shape[1], *(1, *index.shape[2:])[-2:])


def _as_tensor(linear: Mapped, before: Tensor, valued: Tensor) -> Tensor:
    positions = natural(linear)
    index = positions[None, :, 0] if before.index.ndim == 3 else positions[None]
    return Tensor(source=linear, value=valued.value, index=index)
