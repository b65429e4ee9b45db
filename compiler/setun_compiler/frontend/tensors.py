"""What is known of a value that depends on the input: where its numbers come from and what was done to them."""

from dataclasses import dataclass

import numpy as np

from setun_compiler.frontend.errors import ModelError
from setun_compiler.frontend.expression import Expression
from setun_compiler.frontend.graph import Array, Node, Value
from setun_compiler.frontend.grid import Floats, Integers
from setun_compiler.network import Feature, Pool


@dataclass(frozen=True, kw_only=True, eq=False)
class Input:
    """The model's input; each element of a sample is a group of its own."""

    value: Value
    shape: tuple[int, ...]  #: of one sample

    @property
    def groups(self) -> int:
        """Elements of a sample."""
        return int(np.prod(self.shape, dtype=np.int64))

    def group_of(self, index: Integers) -> Integers:
        """The group of each position."""
        return index


@dataclass(frozen=True, kw_only=True)
class Average:
    """That a linear layer is an average: windows of a kernel, without padding, each channel by itself."""

    kernel: tuple[int, int]
    stride: tuple[int, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Linear:
    """A linear operator's integer sums, perhaps pooled; it becomes a layer once it is known what follows.

    An expression's leaf is ``sign`` times the sum.
    """

    name: str
    source: Feature
    weights: Integers  #: (out channels, in channels / groups, kernel rows, kernel cols), sign already applied
    shape: tuple[int, int, int]  #: channels, rows and columns, after pooling
    low: Integers  #: (channels,) smallest and largest sum
    high: Integers
    sign: Integers
    convolution_groups: int = 1
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    pad_value: int = 0
    pool: Pool | None = None
    average: Average | None = None

    @property
    def groups(self) -> int:
        """Output channels."""
        return self.shape[0]

    def group_of(self, index: Integers) -> Integers:
        """The channel of each position in the map."""
        return index // (self.shape[1] * self.shape[2])


@dataclass(frozen=True, kw_only=True)
class Stored:
    """A fixed-point feature in residual memory: real = scale*integer."""

    feature: Feature
    scale: float


@dataclass(frozen=True, kw_only=True)
class Operand:
    """What a layer adds out of residual memory: gain[c] times the sum of a window of reals, channels repeated."""

    stored: Stored
    gain: Floats  #: (channels of the result,)
    rows: int = 1
    cols: int = 1
    row_step: int = 1
    col_step: int = 1

    @property
    def limits(self) -> tuple[Floats, Floats]:
        """(channels,) smallest and largest real value."""
        ends = np.outer((self.stored.feature.low, self.stored.feature.high), self.factor) * self.rows * self.cols
        return ends.min(axis=0), ends.max(axis=0)

    @property
    def factor(self) -> Floats:
        """(channels,) real value of one unit of the window's integer sum."""
        return self.gain * self.stored.scale


@dataclass(frozen=True, kw_only=True, eq=False)
class Real:
    """Real numbers that need fixed point before anything can follow; it becomes a layer with an affine step.

    z = gain*S + gain2*A + bias (+ operand), with S and A the sums with w and |w|; the leaf is z, or with ``bent`` and
    ``pool`` the pooled maximum of bent(z), to which a late operand (``after``) is added last.
    """

    name: str
    shape: tuple[int, int, int]  #: channels, rows and columns, after pooling
    linear: Linear | None
    gain: Floats  #: (channels,)
    gain2: Floats
    bias: Floats
    low: Floats  #: (channels,) smallest and largest leaf, proved
    high: Floats
    operand: Operand | None = None
    after: bool = False
    bent: Expression | None = None
    pool: Pool | None = None

    @property
    def groups(self) -> int:
        """Channels."""
        return self.shape[0]

    def group_of(self, index: Integers) -> Integers:
        """The channel of each position in the map."""
        return index // (self.shape[1] * self.shape[2])

    @property
    def is_view(self) -> bool:
        """Whether it is nothing but a window of a stored feature."""
        return self.linear is None and self.bent is None


@dataclass(frozen=True, kw_only=True, eq=False)
class Collection:
    """Branches one behind the other along the channels (Concat); the leaf of a channel is its branch's value."""

    name: str
    shape: tuple[int, int, int]  #: channels, rows and columns
    parts: "tuple[Tensor, ...]"
    channels: tuple[int, ...]  #: of each part

    @property
    def groups(self) -> int:
        """Channels."""
        return self.shape[0]

    def group_of(self, index: Integers) -> Integers:
        """The channel of each position in the map."""
        return index // (self.shape[1] * self.shape[2])

    def of_parts(self, value: Expression) -> "list[Tensor]":
        """The parts with a chain on the collection applied to each."""
        found, start = [], 0
        for part, count in zip(self.parts, self.channels, strict=True):
            chain = value.sliced(start, start + count, self.groups).rebased_leaf(part.value)
            found.append(Tensor(source=part.source, value=chain, index=part.index))
            start += count
        return found


Mapped = Linear | Real
Source = Input | Linear | Real | Collection


def leaf_range(source: Mapped) -> tuple[Floats, Floats]:
    """(channels,) smallest and largest leaf of a chain on the source."""
    if isinstance(source, Linear):
        ends = np.stack((source.low * source.sign, source.high * source.sign)).astype(np.float64)
        return ends.min(axis=0), ends.max(axis=0)
    return source.low, source.high


@dataclass(frozen=True, kw_only=True, eq=False)
class Tensor:
    """Real numbers computed from a source: ``value`` of the source's number at position ``index``.

    ``index`` has the tensor's own shape, the batch taken as 1; -1 is a zero put there by a Pad node.
    """

    source: Source
    value: Expression
    index: Integers


@dataclass(frozen=True, kw_only=True)
class Settled:
    """A feature of integers and what they mean: real[c] = scale[c]*code + offset[c]."""

    feature: Feature
    scale: Floats  #: (channels,)
    offset: Floats

    @property
    def uniform(self) -> bool:
        """Whether all channels share scale and offset."""
        return bool((self.scale == self.scale[0]).all() and (self.offset == self.offset[0]).all())


def synthetic(op: str, name: str) -> Node:
    """A node for arithmetic the compiler adds itself."""
    return Node(op=op, name=name, inputs=(), outputs=(), attributes={})


def scaled(name: str, scale: Floats, offset: Floats, divisor: int = 1) -> Expression:
    """leaf*scale/divisor + offset per channel; the division is kept apart so that exact ties stay exact."""
    value = Expression(node=synthetic("Mul", name), arguments=(Expression(), scale[:, None]))
    if divisor != 1:
        value = Expression(node=synthetic("Div", name), arguments=(value, np.full((1, 1), float(divisor))))
    return Expression(node=synthetic("Add", name), arguments=(value, offset[:, None])) if offset.any() else value


def per_group(node: Node, constant: Array, source: Source, index: Integers) -> Array:
    """A constant that is broadcast against a tensor, as one number per group: shape (groups, 1) or (1, 1).

    Raises
    ------
    ModelError
        When it differs within a channel.
    """
    if constant.size == 1:
        return constant.reshape(1, 1)
    flat = np.broadcast_to(constant, index.shape).ravel()
    if (flat == flat[0]).all():
        return flat[:1].reshape(1, 1)
    groups = source.group_of(index.ravel())
    result = np.full(source.groups, flat[0])
    result[groups] = flat
    differs = result[groups] != flat
    if differs.any():
        raise ModelError(f"{node}: its constant differs within channel {int(groups[differs.argmax()])}")
    return result[:, None]
