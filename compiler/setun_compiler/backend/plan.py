"""The back end's own picture of a program: what each pass reads and the next one finds filled in."""

from dataclasses import dataclass, field, replace
from typing import Any

from setun_compiler.layout import ceil_div
from setun_compiler.network import Floats, Integers, Network, Pool
from setun_compiler.program import Unfold
from setun_hw.config import Config
from setun_hw.errors import SetunError
from setun_hw.external import activation_sharing


class CompileError(SetunError):
    """A network that a configuration cannot run; the text names the layer and what it needs."""


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """A feature map as stored: integers minus ``shift``, in digit planes, in words of N channels."""

    name: str
    channels: int
    rows: int
    cols: int
    digits: int  #: digit planes, or planes of raw accumulators
    shift: int  #: what was subtracted from the network's integers
    low: int  #: smallest and largest stored value
    high: int
    blocks: int  #: words of one digit plane of a pixel
    raw: bool = False

    @property
    def col_words(self) -> int:
        """Words of a pixel."""
        return self.blocks * self.digits

    @property
    def row_words(self) -> int:
        """Words of a row."""
        return self.cols * self.col_words

    def row_bytes(self, config: Config) -> int:
        """Bytes of a row in external memory, whole beats."""
        return activation_sharing(config).run(self.row_words) * config.axi_data_bits // 8

    def row_cycles(self, config: Config) -> int:
        """Cycles to move a row: a beat or a word each, whichever are more."""
        return max(activation_sharing(config).run(self.row_words), self.row_words)


@dataclass(frozen=True, kw_only=True)
class Segment:
    """The output channels one COMPUTE makes, and the blocks of input channels each of its groups reads."""

    first_group: int
    groups: int
    first_block: int
    blocks: int
    group_block_step: int


@dataclass(frozen=True, kw_only=True)
class Op:
    """A layer over stored integers: everything that depends on the encoding is settled."""

    name: str
    source: str
    target: str
    weights: Integers  #: (out channels, in channels / conv_groups, kernel rows, kernel cols)
    conv_groups: int
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, int, int, int]  #: top, left, bottom, right
    pad_value: int  #: stored
    pool: Pool
    thresholds: Integers | None  #: (channels, T) of stored sums; None for a raw result
    codes: Integers | None  #: (channels, T+1), stored
    scale: Floats  #: raw results: the model's floats are sum*scale + bias
    bias: Floats
    weight_digits: int
    macs: int
    bound: int = 0  #: largest |sum|, intermediate sums of several digits included
    low: Integers | None = None  #: (channels,) smallest and largest final sum
    high: Integers | None = None
    segments: tuple[Segment, ...] = ()

    @property
    def kernel(self) -> tuple[int, int]:
        """Kernel rows and columns."""
        return self.weights.shape[2], self.weights.shape[3]

    @property
    def pad_top(self) -> int:
        """Rows of padding before the map; negative where the map is cropped."""
        return self.padding[0]

    @property
    def row_step(self) -> int:
        """Input rows from one output row to the next."""
        return self.stride[0] * self.pool.row_stride

    @property
    def col_step(self) -> int:
        """Input columns from one output column to the next."""
        return self.stride[1] * self.pool.col_stride

    @property
    def reach(self) -> tuple[int, int, int]:
        """What a strip's height must not fall below: padding, steps between kernel rows and between pooled rows."""
        return (
            self.pad_top if self.pad_top >= 0 else 1 - self.pad_top,
            self.dilation[0] if self.kernel[0] > 1 else 1,
            self.stride[0] if self.pool.rows > 1 else 1,
        )

    @property
    def window_rows(self) -> int:
        """Input rows that one output row depends on."""
        return (self.pool.rows - 1) * self.stride[0] + (self.kernel[0] - 1) * self.dilation[0] + 1

    def steps_per_conv_pixel(self, source: Tensor, segment: Segment) -> int:
        """Array cycles of one convolution pixel of one channel group."""
        return source.digits * self.weight_digits * self.kernel[0] * self.kernel[1] * segment.blocks

    def cycles_per_pixel(self, source: Tensor, target: Tensor, config: Config) -> int:
        """Array cycles of one output pixel, all channel groups, waiting for the drain included."""
        total, pooled = 0, self.pool.rows * self.pool.cols
        drain = config.chunks * target.digits
        for segment in self.segments:
            steps = self.steps_per_conv_pixel(source, segment)
            total += segment.groups * max(pooled * steps, drain)
        return total

    def group_words(self, segment: Segment) -> int:
        """Weight words of one channel group."""
        return self.weight_digits * self.kernel[0] * self.kernel[1] * segment.blocks

    @property
    def channels(self) -> int:
        """Output channels."""
        return int(self.weights.shape[0])


@dataclass(frozen=True, kw_only=True)
class Buffer:
    """Where (part of) a tensor lies in the banks while some steps run."""

    tensor: str
    base: int
    words: int  #: reserved in each bank
    strip_rows: int
    first_row: int  #: of the tensor
    rows: int


@dataclass(frozen=True, kw_only=True)
class Fetch:
    """Fill a buffer from external memory."""

    buffer: Buffer


@dataclass(frozen=True, kw_only=True)
class Keep:
    """Copy a buffer to external memory."""

    buffer: Buffer


@dataclass(frozen=True, kw_only=True)
class Run:
    """Compute one segment of an op, from one buffer into another."""

    op: int
    segment: int
    source: Buffer
    target: Buffer
    out_rows: int  #: of each strip
    row_step: int
    pad_top: int


Step = Fetch | Keep | Run


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A network on its way to descriptors."""

    network: Network
    config: Config
    batch: bool
    tensors: dict[str, Tensor] = field(default_factory=dict)
    ops: tuple[Op, ...] = ()
    unfold: Unfold | None = None
    steps: tuple[Step, ...] = ()
    cycles: float = 0  #: estimate for the steps, transfers not overlapped; for choosing between plans

    @property
    def images(self) -> int:
        """Inputs of one run."""
        return self.config.strips if self.batch else 1

    @property
    def input(self) -> str:
        """Name of the feature that arrives."""
        return self.network.port.feature

    @property
    def output(self) -> str:
        """Name of the feature that leaves."""
        return self.network.output.feature

    def with_(self, **changes: Any) -> "Plan":
        """A copy with some fields changed."""
        return replace(self, **changes)


def blocks_of(channels: int, config: Config) -> int:
    """Words that hold one digit plane of ``channels`` channels."""
    return ceil_div(channels, config.lanes)
