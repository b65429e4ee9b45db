"""Linear operators: Conv, Gemm, MatMul and averages become integer convolutions of a settled feature."""

import math
from dataclasses import dataclass, field, replace

import numpy as np

from setun_compiler.frontend.answers import view
from setun_compiler.frontend.builder import Builder
from setun_compiler.frontend.errors import ModelError, printable
from setun_compiler.frontend.expression import Expression
from setun_compiler.frontend.fixed_point import sums_range
from setun_compiler.frontend.graph import Array, Node
from setun_compiler.frontend.grid import Floats, Integers
from setun_compiler.frontend.inputs import InputReader
from setun_compiler.frontend.layout import FEATURE_LIMIT, sized
from setun_compiler.frontend.tensors import Average, Collection, Input, Linear, Mapped, Real, Settled, Tensor, scaled
from setun_compiler.frontend.weights import FloatLayers, IntegerWeights, recognise
from setun_compiler.frontend.windows import Geometry, Padding, geometry

#: how far from an integer the code of the real 0 may lie
CLOSE = 1e-3

def natural(source: Mapped | Collection) -> Integers:
    """Positions of a map in their own order, (channels, rows, cols).

    Raises
    ------
    ModelError
        When the map has more elements than :data:`FEATURE_LIMIT`.
    """
    if (count := math.prod(source.shape)) > FEATURE_LIMIT:
        raise ModelError(
            f"layer {printable(source.name)} would make {count} elements, more than the {FEATURE_LIMIT} of one sample"
        )
    return np.arange(count).reshape(source.shape)


@dataclass
class LinearOperators:
    """Makes Linear sources out of nodes."""

    builder: Builder
    reader: InputReader
    float_layers: FloatLayers = "quantise"
    #: features of collections, by source and chain, and what keeps their sources alive
    collected: dict[tuple[int, int], Settled] = field(default_factory=dict)
    kept: list[Collection] = field(default_factory=list)

    def conv(self, node: Node, tensor: Tensor, weight: Array, bias: Array | None) -> Tensor:
        """Conv with constant weights."""
        index = tensor.index
        if weight.ndim != index.ndim or index.ndim not in (3, 4) or index.shape[0] != 1 or not weight.size:
            raise ModelError(
                f"{node}: weights of shape {list(weight.shape)} do not fit data of shape {list(index.shape)}; "
                "only 1-D and 2-D convolutions of one image are supported"
            )
        kernel = weight.shape[2:]
        if "kernel_shape" in node.attributes and node.integers("kernel_shape", ()) != kernel:
            raise ModelError(f"{node}: kernel_shape differs from its weights' shape {list(weight.shape)}")
        shape = geometry(node, kernel, index.shape[2:])
        groups = node.integer("group", 1)
        if groups < 1 or weight.shape[0] % groups or weight.shape[1] * groups != index.shape[1]:
            raise ModelError(
                f"{node}: weights of shape {list(weight.shape)} in {groups} groups do not fit {index.shape[1]} channels"
            )
        planes = index.reshape(index.shape[1], *((1,) if index.ndim == 3 else ()), *index.shape[2:])
        planes, extra = _without_border(node, planes)
        shape = Geometry(
            kernel=shape.kernel, stride=shape.stride, dilation=shape.dilation,
            padding=(
                shape.padding[0] + extra[0], shape.padding[1] + extra[1],
                shape.padding[2] + extra[2], shape.padding[3] + extra[3],
            ),
        )  # fmt: skip
        flat = weight.reshape(*weight.shape[:2], *shape.kernel)
        result, value = self._conv(node, tensor, planes, flat, _bias(node, bias, weight.shape[0]), groups, shape)
        out = natural(result)
        return Tensor(source=result, value=value, index=out[None, :, 0] if index.ndim == 3 else out[None])

    def _conv(
        self, node: Node, tensor: Tensor, planes: Integers, weight: Array, bias: Floats, groups: int, shape: Geometry
    ) -> tuple[Mapped, Expression]:
        source = tensor.source
        if isinstance(source, Real) and is_whole_mean(source) and shape.kernel == (1, 1) and groups == 1:
            taken = np.flatnonzero(planes[:, 0, 0] >= 0)
            found = self.row_means(node, source, tensor.value, planes[taken, 0, 0], weight[:, taken, 0, 0], bias)
            if found is not None:
                return found
        if isinstance(source, Linear) and source.average and _in_order(source, planes):
            form = tensor.value.affine(source.groups)
            if form is not None and shape.kernel == (1, 1) and not any(shape.padding):
                average = source.average
                wide = np.broadcast_to(weight, (*weight.shape[:2], *average.kernel))
                stride = (average.stride[0] * shape.stride[0], average.stride[1] * shape.stride[1])
                # the offset of an average enters once, not once per element of its window
                settled = Settled(
                    feature=source.source, scale=form[0], offset=form[1] / (average.kernel[0] * average.kernel[1])
                )
                return self.convolve(node, settled, wide, bias, groups, Geometry(kernel=average.kernel, stride=stride))
        settled = self.settle(tensor, planes, padded=any(shape.padding))
        if not isinstance(source, Input) and not _in_order(source, planes):
            weight = _spread(node, source, planes, weight, groups)
        return self.convolve(node, settled, weight, bias, groups, shape)

    def settle(self, tensor: Tensor, planes: Integers, *, padded: bool) -> Settled:
        """The feature a tensor becomes; ``planes`` is the order in which an input is read."""
        if isinstance(tensor.source, Input):
            return self.reader.settle(tensor.value, planes, padded)
        if isinstance(tensor.source, Collection):
            return self.collected[id(tensor.source), tensor.value.serial]
        return self.builder.settle(tensor)

    def dense(self, node: Node, tensor: Tensor, rows: Integers, weight: Array, bias: Floats) -> Tensor:
        """rows (1 or positions, K) times weight (M, K): a fully connected layer, or one for each position."""
        if rows.shape[0] > 1:
            return self._each_position(node, tensor, rows, weight, bias)
        source, positions = tensor.source, rows[0]
        taken = positions >= 0
        if isinstance(source, Input) and (step := _step_of(source, positions)) is not None:
            settled, crop = self._step(tensor, step)
            codes = self._recognised(node, settled, weight, np.arange(positions.size))
            constant = bias + weight.astype(np.float64) @ settled.offset
            codes = replace(codes, codes=codes.codes[:, :, None, None])
            linear, value = self._finish(node, settled, codes, constant, Geometry(kernel=(1, 1), padding=crop))
            return Tensor(source=linear, value=value, index=np.arange(weight.shape[0])[None])
        if isinstance(source, Input):
            everything = np.arange(source.groups).reshape(-1, 1, 1)
            settled = self.settle(tensor, everything, padded=False)
            shape = (source.groups, 1, 1)
        elif isinstance(source, Real) and is_whole_mean(source):
            found = self.row_means(node, source, tensor.value, positions[taken], weight[:, taken], bias)
            if found is not None:
                return Tensor(source=found[0], value=found[1], index=np.arange(weight.shape[0])[None])
            settled, shape = self.settle(tensor, natural(source), padded=False), source.shape
        elif isinstance(source, Linear) and source.average and (form := tensor.value.affine(source.groups)) is not None:
            return self._after_average(node, source, form, positions, weight, bias)
        else:
            settled = self.settle(tensor, natural(source), padded=False)
            shape = source.shape
        codes = self._recognised(node, settled, weight[:, taken], source.group_of(positions[taken]))
        spread = np.zeros((weight.shape[0], int(np.prod(shape))), np.int64)
        np.add.at(spread.T, positions[taken], codes.codes.T)
        constant = bias + weight[:, taken].astype(np.float64) @ settled.offset[source.group_of(positions[taken])]
        linear, value = self._finish(
            node, settled, replace(codes, codes=spread.reshape(-1, *shape)), constant, Geometry(kernel=shape[1:])
        )
        return Tensor(source=linear, value=value, index=np.arange(weight.shape[0])[None])

    def _after_average(
        self, node: Node, source: Linear, form: tuple[Floats, Floats], positions: Integers, weight: Array, bias: Floats
    ) -> Tensor:
        """A fully connected layer on averages: each weight stands for every element of its window."""
        average = source.average
        assert average is not None
        taken = positions >= 0
        group = source.group_of(positions[taken])
        settled = Settled(feature=source.source, scale=form[0], offset=form[1])
        codes = self._recognised(node, settled, weight[:, taken], group)
        feature = source.source
        spread = np.zeros((weight.shape[0], *feature.shape), np.int64)
        _, rows, cols = source.shape
        for column, position in enumerate(positions[taken]):
            y, x = divmod(int(position) % (rows * cols), cols)
            top, left = y * average.stride[0], x * average.stride[1]
            window = spread[:, group[column], top : top + average.kernel[0], left : left + average.kernel[1]]
            window += codes.codes[:, column, None, None]
        constant = bias + weight[:, taken].astype(np.float64) @ form[1][group]
        shape = Geometry(kernel=(feature.rows, feature.cols))
        linear, value = self._finish(node, settled, replace(codes, codes=spread), constant, shape)
        return Tensor(source=linear, value=value, index=np.arange(weight.shape[0])[None])

    def _step(self, tensor: Tensor, step: int) -> tuple[Settled, Padding]:
        """One step of an input sequence: the sequence as one row of a map, and what to crop of it."""
        source = tensor.source
        assert isinstance(source, Input)
        steps, features = source.shape
        planes = np.arange(steps * features).reshape(steps, features).T.reshape(features, 1, steps)
        return self.settle(tensor, planes, padded=False), (0, -step, 0, step + 1 - steps)

    def copied(self, node: Node, tensor: Tensor) -> Tensor:
        """A copy of a tensor made by an identity layer; of the input, perhaps one step of a sequence."""
        source = tensor.source
        if isinstance(source, Input) and (step := _step_of(source, tensor.index.ravel())) is not None:
            settled, crop = self._step(tensor, step)
            return self._identity(node, tensor, settled, Geometry(kernel=(1, 1), padding=crop))
        shape = (1, 1) if tensor.index.ndim == 2 else (1, *tensor.index.shape[2:])[-2:]
        return self.identity(node, tensor, tensor.index.reshape(tensor.index.shape[1], *shape))

    def row_means(
        self, node: Node, source: Real, value: Expression, positions: Integers, weight: Array, bias: Floats
    ) -> tuple[Mapped, Expression] | None:
        """A fully connected layer on a stored feature's means: a layer without weights takes each row's, then a column
        of equal weights adds the rows up, wherever they lie. None when the chain between is not affine."""
        form = value.affine(source.groups)
        if form is None:
            return None
        assert source.operand is not None
        stored = source.operand.stored
        rows = view(self.builder.unique(f"{source.name}.rows"), stored, source.groups, 1, stored.feature.cols)
        whole = Expression()
        self.builder.name_rows(rows, whole, stored)
        settled = self.builder.settle(Tensor(source=rows, value=whole, index=natural(rows)))
        count = stored.feature.rows
        settled = replace(settled, scale=settled.scale * form[0] / count, offset=settled.offset)
        codes = self._recognised(node, settled, weight, positions)
        spread = np.zeros((weight.shape[0], *rows.shape), np.int64)
        spread[:, positions] = codes.codes[:, :, None, None]
        constant = bias + weight.astype(np.float64) @ form[1][positions]
        return self._finish(node, settled, replace(codes, codes=spread), constant, Geometry(kernel=(count, 1)))

    def _each_position(self, node: Node, tensor: Tensor, rows: Integers, weight: Array, bias: Floats) -> Tensor:
        """The same weights at each position: a convolution with a kernel of one."""
        source = tensor.source
        shape: tuple[int, int, int] = (rows.shape[1], 1, rows.shape[0]) if isinstance(source, Input) else source.shape
        size = shape[1] * shape[2]
        place = np.arange(rows.shape[0]) if isinstance(source, Input) else rows[:, 0]
        if isinstance(source, Mapped):
            expected = np.arange(shape[0])[None, :] * size + place[:, None]
            if rows.shape != (size, shape[0]) or not np.array_equal(rows, expected) or np.unique(place).size != size:
                raise ModelError(f"{node}: reads its input in an order that is not one vector of channels per position")
        planes = rows.T.reshape(shape) if isinstance(source, Input) else natural(source)
        settled = self.settle(tensor, planes, padded=False)
        linear, value = self.convolve(node, settled, weight[:, :, None, None], bias, 1, Geometry(kernel=(1, 1)))
        return Tensor(source=linear, value=value, index=place[:, None] + np.arange(weight.shape[0])[None, :] * size)

    def convolve(
        self, node: Node, settled: Settled, weight: Array, bias: Floats, groups: int, shape: Geometry
    ) -> tuple[Mapped, Expression]:
        """A convolution of a settled feature with real weights (out, in/groups, rows, cols)."""
        out_channels, in_channels = weight.shape[:2]
        channel = (np.arange(out_channels) // (out_channels // groups))[:, None] * in_channels + np.arange(in_channels)
        real = weight.astype(np.float64)
        if (settled.scale == settled.scale[0]).all():
            codes = self._scaled(recognise(weight, str(node), self.float_layers), settled.scale[0])
        else:
            real_scale = settled.scale[channel][:, :, None, None]
            codes = self._scaled(recognise(real * real_scale, str(node), self.float_layers), 1.0)
        constant = bias + (real.sum(axis=(2, 3)) * settled.offset[channel]).sum(axis=1)
        return self._finish(node, settled, codes, constant, shape, groups)

    def _recognised(self, node: Node, settled: Settled, weight: Array, group: Integers) -> IntegerWeights:
        """Codes of a matrix (M, K) and the scale of its sums, when column k reads channel ``group[k]``."""
        if (settled.scale == settled.scale[0]).all():
            return self._scaled(recognise(weight, str(node), self.float_layers), settled.scale[0])
        real = weight.astype(np.float64) * settled.scale[group]
        return self._scaled(recognise(real, str(node), self.float_layers), 1.0)

    def _scaled(self, codes: IntegerWeights, scale: float) -> IntegerWeights:
        """The codes with their scales times the input's."""
        self.builder.note(codes.note)
        second = None if codes.second is None else codes.second * scale
        return replace(codes, scale=codes.scale * scale, second=second)

    def _finish(
        self, node: Node, settled: Settled, codes: IntegerWeights, constant: Floats, shape: Geometry, groups: int = 1
    ) -> tuple[Mapped, Expression]:
        if not np.isfinite(constant).all():
            raise ModelError(
                f"{node}: the bias of output channel {int((~np.isfinite(constant)).argmax())} is not a finite number"
            )
        name = self.builder.unique(node.name or node.outputs[0])
        linear = make_linear(name, node, settled, codes.codes, shape, groups)
        if codes.second is None:
            return linear, scaled(linear.name, codes.scale, constant)
        real = Real(
            name=name, shape=linear.shape, linear=linear, gain=codes.scale, gain2=codes.second, bias=constant,
            low=constant, high=constant,
        )  # fmt: skip
        low, high = sums_range(real)
        return replace(real, low=low, high=high), Expression()

    def identity(self, node: Node, tensor: Tensor, planes: Integers) -> Tensor:
        """A layer that passes a tensor through unchanged, each channel with a weight of 1."""
        return self._identity(node, tensor, self.settle(tensor, planes, padded=False), Geometry(kernel=(1, 1)))

    def _identity(self, node: Node, tensor: Tensor, settled: Settled, shape: Geometry) -> Tensor:
        ones = np.ones((settled.feature.channels, 1, 1, 1), np.int64)
        name = self.builder.unique(f"{node.name or node.outputs[0]}.copy")
        linear = make_linear(name, node, settled, ones, shape, settled.feature.channels)
        index = natural(linear).reshape(tensor.index.shape)
        return Tensor(source=linear, value=scaled(name, settled.scale, settled.offset), index=index)

    def average(self, node: Node, tensor: Tensor, shape: Geometry, planes: Integers) -> tuple[Mapped, Expression]:
        """The mean of each window of each channel."""
        source = tensor.source
        if isinstance(source, Mapped) and not any(shape.padding) and not self.builder.is_few(tensor):
            if not _in_order(source, planes):
                raise ModelError(f"{node}: its input is not in the order channels, rows, columns")
            name = self.builder.unique(node.name or node.outputs[0])
            stored = self.builder.store(tensor)
            return view(name, stored, source.groups, *shape.kernel, shape.stride), Expression()
        settled = self.settle(tensor, planes, padded=any(shape.padding))
        if isinstance(source, Mapped) and not _in_order(source, planes):
            raise ModelError(f"{node}: its input is not in the order channels, rows, columns")
        ones = np.ones(sized(node, (planes.shape[0], 1, *shape.kernel), FEATURE_LIMIT), np.int64)
        name = self.builder.unique(node.name or node.outputs[0])
        linear = make_linear(name, node, settled, ones, shape, planes.shape[0])
        if not any(shape.padding):
            linear = replace(linear, average=Average(kernel=shape.kernel, stride=shape.stride))
        return linear, scaled(name, settled.scale, settled.offset, shape.kernel[0] * shape.kernel[1])


def _step_of(source: Input, positions: Integers) -> int | None:
    """Which step of an input sequence (steps, features) the positions are, if they are all of one."""
    if len(source.shape) != 2 or source.shape[0] < 2 or positions.size != source.shape[1]:
        return None
    step = int(positions[0]) // positions.size
    return step if np.array_equal(positions, step * positions.size + np.arange(positions.size)) else None


def is_whole_mean(source: Real) -> bool:
    """Whether a source is the mean of a whole stored map."""
    operand = source.operand
    if operand is None or not source.is_view:
        return False
    feature = operand.stored.feature
    whole = (operand.rows, operand.cols) == (feature.rows, feature.cols)
    return whole and bool(np.allclose(operand.gain, 1 / (operand.rows * operand.cols)))


def make_linear(
    name: str,
    node: Node,
    settled: Settled,
    codes: Integers,
    shape: Geometry,
    groups: int,
    *,
    pad_value: int | None = None,
) -> Linear:
    """The sums of a convolution with integer weights, their range proved from weights and input range."""
    feature = settled.feature
    rows, cols = shape.out(feature.rows, feature.cols)
    if rows < 1 or cols < 1:
        raise ModelError(f"{node}: its kernel does not fit a map of {feature.rows}x{feature.cols}")
    if codes.shape[1] * groups != feature.channels:
        raise ModelError(
            f"{node}: weights for {codes.shape[1] * groups} channels, but its input has {feature.channels}"
        )
    low, high = feature.low, feature.high
    if max(shape.padding) > 0:
        pad_value = _zero_code(node, settled) if pad_value is None else pad_value
        low, high = min(low, pad_value), max(high, pad_value)
    positive = np.maximum(codes, 0).sum(axis=(1, 2, 3))
    negative = np.minimum(codes, 0).sum(axis=(1, 2, 3))
    return Linear(
        name=name, source=feature, weights=codes, shape=(codes.shape[0], rows, cols),
        low=positive * low + negative * high, high=positive * high + negative * low,
        sign=np.ones(codes.shape[0], np.int64), convolution_groups=groups, stride=shape.stride,
        dilation=shape.dilation, padding=shape.padding, pad_value=pad_value or 0,
    )  # fmt: skip


def _zero_code(node: Node, settled: Settled) -> int:
    """The code that stands for the real 0, which padding must have."""
    codes = -settled.offset / settled.scale
    code = round(float(codes[0]))
    if not settled.uniform or abs(codes[0] - code) > CLOSE:
        raise ModelError(f"{node}: pads with 0, which is not one of the values its input's integers can stand for")
    return code


def _bias(node: Node, bias: Array | None, channels: int) -> Floats:
    if bias is None:
        return np.zeros(channels)
    if bias.size not in (1, channels) or bias.ndim > 1:
        raise ModelError(f"{node}: a bias of shape {list(bias.shape)} does not fit {channels} output channels")
    return np.broadcast_to(bias.astype(np.float64).reshape(-1), channels).copy()


def _in_order(source: Mapped | Collection, planes: Integers) -> bool:
    return planes.shape == source.shape and np.array_equal(planes, natural(source))


def _without_border(node: Node, planes: Integers) -> tuple[Integers, Padding]:
    """The map without the zeros a Pad node put around it, and how many there were: top, left, bottom, right."""
    inside = planes >= 0
    if inside.all():
        return planes, (0, 0, 0, 0)
    rows, cols = np.flatnonzero(inside.any(axis=(0, 2))), np.flatnonzero(inside.any(axis=(0, 1)))
    if not rows.size:
        raise ModelError(f"{node}: its input is nothing but padding")
    core = planes[:, rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    if (core < 0).any():
        raise ModelError(f"{node}: its input is padded in a way that is not a border around the map")
    return core, (int(rows[0]), int(cols[0]), planes.shape[1] - 1 - int(rows[-1]), planes.shape[2] - 1 - int(cols[-1]))


def _spread(node: Node, source: Mapped | Collection, planes: Integers, weight: Array, groups: int) -> Array:
    """Weights for all of a map's channels, when a convolution reads some of them, or in another order."""
    size = source.shape[1] * source.shape[2]
    channel = planes[:, 0, 0] // size
    expected = channel[:, None, None] * size + np.arange(size).reshape(source.shape[1:])
    if groups != 1 or planes.shape[1:] != source.shape[1:] or not np.array_equal(planes, expected):
        raise ModelError(f"{node}: its input is not in the order channels, rows, columns")
    if np.unique(channel).size != channel.size:
        raise ModelError(f"{node}: reads a channel of its input twice")
    wide = np.zeros((weight.shape[0], source.shape[0], *weight.shape[2:]), weight.dtype)
    wide[:, channel] = weight
    return wide
