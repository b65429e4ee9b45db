"""The back end's own picture of a program: what each pass reads and the next one finds filled in."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from setun_compiler.layout import ceil_div
from setun_compiler.network import Affine, Floats, Integers, Network, Pool, Residual
from setun_compiler.program import Unfold
from setun_hw.config import Config
from setun_hw.descriptor import Mode
from setun_hw.errors import SetunError
from setun_hw.external import Sharing, map_sharing


class CompileError(SetunError):
    """A network that a configuration cannot run; the text names the layer and what it needs."""


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """A feature map as stored: in digit planes of words of N channels (integers minus ``shift``), or, for a fixed-point
    feature, in words of W elements of the residual memories."""

    name: str
    channels: int  #: places for channels, gaps between the parts of a feature filled piece by piece included
    rows: int
    cols: int
    digits: int  #: digit planes, or planes of raw accumulators; 1 in the residual memories
    shift: int  #: what was subtracted from the network's integers
    low: int  #: smallest and largest stored value
    high: int
    blocks: int  #: words of one digit plane of a pixel
    raw: bool = False
    residual: bool = False  #: lies in the residual memories
    #: place of each of the feature's channels where they do not simply follow each other
    places: Integers | None = None
    #: some of it is written by no layer and must hold zeros from the beginning
    blank: bool = False

    @property
    def col_words(self) -> int:
        """Words of a pixel."""
        return self.blocks * self.digits

    @property
    def row_words(self) -> int:
        """Words of a row."""
        return self.cols * self.col_words

    def sharing(self, config: Config) -> Sharing:
        """How its words share out over beats."""
        return map_sharing(config, residual=self.residual)

    def row_bytes(self, config: Config, *, lines: bool = False) -> int:
        """Bytes of a row (of a row of lines) in external memory, whole beats."""
        return self.run_bytes(config, self.row_words, lines=lines)

    def run_bytes(self, config: Config, words: int, *, lines: bool = False) -> int:
        """Bytes of a run of words (or lines) in external memory, whole beats."""
        return map_sharing(config, residual=self.residual, lines=lines).run(words) * config.axi_data_bits // 8

    def row_cycles(self, config: Config) -> int:
        """Cycles to move a row: a beat or a word each, whichever are more."""
        return max(self.sharing(config).run(self.row_words), self.row_words)


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
    source: str | None  #: None where nothing is convolved
    target: str | None
    #: (out channels, in channels / conv_groups, kernel rows, kernel cols); a single 0 for each channel without source
    weights: Integers
    conv_groups: int
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, int, int, int]  #: top, left, bottom, right
    pad_value: int  #: stored
    pool: Pool
    thresholds: Integers | None  #: (channels, T) of stored sums, or of an affine's results; None without codes
    codes: Integers | None  #: (channels, T+1), stored
    scale: Floats  #: raw results: the model's floats are sum*scale + bias
    bias: Floats
    weight_digits: int
    macs: int
    rows: int = 1  #: of what it makes
    cols: int = 1
    at: tuple[int, int, int] = (0, 0, 0)  #: block, row and column of ``target`` where that begins
    affine: Affine | None = None  #: of stored sums
    fixed: str | None = None  #: what gets the affine's results in the residual memories
    operand: Residual | None = None
    two_scale: bool = False
    #: columns of pooling windows share a pixel with the next, which is not computed again
    carry: bool = False
    #: the operand is the largest of its window, and the result the larger of the two
    largest: bool = False
    bound: int = 0  #: largest |sum|, intermediate sums of several digits included
    low: Integers | None = None  #: (channels,) smallest and largest final sum
    high: Integers | None = None
    segments: tuple[Segment, ...] = ()

    @property
    def mode(self) -> Mode:
        """What goes to the banks."""
        if self.target is None:
            return Mode.NONE
        if self.thresholds is not None:
            return Mode.THRESHOLD
        return Mode.RAW if self.affine is None else Mode.DIGITS

    @property
    def reads(self) -> tuple[str, ...]:
        """Tensors it reads."""
        operand = (self.operand.source,) if self.operand is not None else ()
        return (self.source, *operand) if self.source is not None else operand

    @property
    def writes(self) -> tuple[str, ...]:
        """Tensors it writes."""
        return tuple(name for name in (self.target, self.fixed) if name is not None)

    def overwrites_operand(self, tensors: "Tensors") -> bool:
        """Whether its fixed-point result may take its operand's place: a word is read once, for the one it becomes."""
        if self.fixed is None or self.operand is None:
            return False
        made, read, window = tensors[self.fixed], tensors[self.operand.source], self.operand
        identity = (window.rows, window.cols, window.row_step, window.col_step) == (1, 1, 1, 1)
        return identity and (made.channels, made.rows, made.cols) == (read.channels, read.rows, read.cols)

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

    def steps_per_conv_pixel(self, tensors: "Tensors", segment: Segment) -> int:
        """Array cycles of one convolution pixel of one channel group."""
        if self.source is None:
            return 1
        passes = tensors[self.source].digits * self.weight_digits * (2 if self.two_scale else 1)
        return passes * self.kernel[0] * self.kernel[1] * segment.blocks

    def chunk_cycles(self, tensors: "Tensors") -> int:
        """Cycles that post-processing spends on each chunk of a convolution pixel."""
        digits = tensors[self.target].digits if self.target is not None else 1
        return digits + (self.operand.rows * self.operand.cols - 1 if self.operand is not None else 0)

    def cycles_per_pixel(self, tensors: "Tensors", config: Config) -> int:
        """Array cycles of one output pixel, all channel groups, waiting for the drain included."""
        each, last = config.chunks, ceil_div(self.channels, config.post) % config.chunks or config.chunks
        groups = ceil_div(self.channels, config.rows)
        total, drain = 0, self.chunk_cycles(tensors)
        for segment in self.segments:
            steps = self.steps_per_conv_pixel(tensors, segment)
            ends = segment.first_group + segment.groups == groups
            total += (segment.groups - ends) * max(steps, each * drain) + ends * max(steps, last * drain)
        return self.pool.rows * self.pool.cols * total

    def words_per_pixel(self, tensors: "Tensors", config: Config) -> int:
        """Cycles in which words of one output pixel go to the banks, all channel groups."""
        return tensors[self.target].digits * ceil_div(self.channels, config.post) if self.target is not None else 0

    def ideal_steps(self, tensors: "Tensors") -> int:
        """Steps of one output pixel, all channel groups, if nothing ever waits."""
        pooled = self.pool.rows * self.pool.cols
        return pooled * sum(s.groups * self.steps_per_conv_pixel(tensors, s) for s in self.segments)

    def group_words(self, segment: Segment) -> int:
        """Weight words of one channel group."""
        if self.source is None:
            return 0
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
    first_row: int  #: of the tensor; of each of its strips, where it holds a part of every strip
    rows: int
    #: holds just what one Run works on, of every strip
    part: bool = False
    first_col: int = 0
    cols: int | None = None  #: all where nothing else is said

    def row_words(self, tensors: "Tensors") -> int:
        """Words from one of its rows to the next."""
        tensor = tensors[self.tensor]
        return (self.cols or tensor.cols) * tensor.col_words


@dataclass(frozen=True, kw_only=True)
class Fetch:
    """Fill a buffer from external memory, or with what nothing written yet reads as."""

    buffer: Buffer
    blank: bool = False
    lines: bool = False  #: the words of all banks at once: the buffer's rows are rows of every strip


@dataclass(frozen=True, kw_only=True)
class Keep:
    """Copy a buffer to external memory."""

    buffer: Buffer
    lines: bool = False


@dataclass(frozen=True, kw_only=True)
class Run:
    """Compute one segment of an op, from one buffer into another."""

    op: int
    segment: int
    source: Buffer | None
    target: Buffer | None
    operand: Buffer | None = None
    fixed: Buffer | None = None
    out_rows: int  #: of each strip
    out_first: int = 0  #: row of each strip where they begin
    row_step: int
    pad_top: int
    first_col: int = 0
    cols: int | None = None  #: all where nothing else is said
    #: rows of the source's strips it depends on, as (first, end), where these are not all of them
    read: tuple[tuple[int, int], ...] = ()
    #: what it does where that is not the op itself, with the op's weights and parameters
    variant: Op | None = None


Step = Fetch | Keep | Run

Tensors = dict[str, Tensor]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A network on its way to descriptors."""

    network: Network
    config: Config
    batch: bool
    rounds: int = 1  #: times that a run goes through the network
    tensors: Tensors = field(default_factory=dict)
    ops: tuple[Op, ...] = ()
    unfold: Unfold | None = None
    steps: tuple[Step, ...] = ()
    cycles: float = 0  #: estimate for the steps, transfers not overlapped; for choosing between plans
    halo: int = 0  #: rows of the strip above that come with each strip of an input in lines

    @property
    def images(self) -> int:
        """Inputs of one round."""
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


def run_buffers(run: Run) -> tuple[Buffer, ...]:
    """All buffers a run touches."""
    return tuple(b for b in (run.source, run.operand, run.target, run.fixed) if b is not None)


def spread_channels(weights: Integers, places: Integers, size: int) -> Integers:
    """Weights (out, in, kh, kw) for inputs whose channels lie at ``places`` among ``size``."""
    wide = np.zeros((weights.shape[0], size, *weights.shape[2:]), np.int64)
    wide[:, places] = weights
    return wide
