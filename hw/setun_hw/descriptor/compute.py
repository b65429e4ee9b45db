"""The descriptor of a layer, or of a band of it."""

from dataclasses import dataclass
from enum import IntEnum

from setun_hw.descriptor.record import ADDRESS_MASK, Field, Opcode, Record


class Mode(IntEnum):
    """What post-processing makes of an accumulator."""

    THRESHOLD = 0  #: code of the number of thresholds reached
    RAW = 1  #: the accumulator itself, in two-bit planes, most significant first
    DIGITS = 2  #: the fixed-point result as digits, most significant first
    NONE = 3  #: nothing goes to the banks


@dataclass(frozen=True, kw_only=True)
class Compute(Record):
    """One layer (or band): accumulate, post-process, write. See ``docs/machine.md``."""

    LAYOUT = {
        "mode": Field(0, 16, 4),
        "batch": Field(0, 20, 1),
        "affine": Field(0, 21, 1),
        "two_scale": Field(0, 22, 1),
        "no_array": Field(0, 23, 1),
        "residual": Field(0, 24, 1),
        "residual_after": Field(0, 25, 1),
        "residual_write": Field(0, 26, 1),
        "pool_carry": Field(0, 27, 1),
        "residual_max": Field(0, 28, 1),
        "after": Field(1, 0, 32),
        "after_step": Field(2, 0, 16),
        "groups": Field(2, 16, 16),
        "in_base": Field(3, 0, 24),
        "in_digits": Field(3, 24, 4),
        "weight_digits": Field(3, 28, 4),
        "in_row_stride": Field(4, 0, 24),
        "in_full_strips": Field(4, 24, 8),
        "in_col_stride": Field(5, 0, 16),
        "in_cols": Field(5, 16, 16),
        "in_strip_rows": Field(6, 0, 16),
        "in_last_rows": Field(6, 16, 16),
        "pad_digits": Field(7, 0, 16),
        "blocks": Field(7, 16, 16),
        "group_block_step": Field(8, 0, 16),
        "kernel_rows": Field(8, 16, 8),
        "kernel_cols": Field(8, 24, 8),
        "kernel_row_step": Field(9, 0, 8),
        "kernel_col_step": Field(9, 8, 8),
        "pool_rows": Field(9, 16, 8),
        "pool_cols": Field(9, 24, 8),
        "pool_row_step": Field(10, 0, 8),
        "pool_col_step": Field(10, 8, 8),
        "row_step": Field(10, 16, 8),
        "col_step": Field(10, 24, 8),
        "pad_top": Field(11, 0, 16, True),
        "pad_left": Field(11, 16, 16, True),
        "weight_base": Field(12, 0, 24),
        "weight_group_step": Field(13, 0, 24),
        "weight_ring": Field(14, 0, 24),
        "weight_plane": Field(15, 0, 24),
        "parameter_base": Field(16, 0, 24),
        "out_rows": Field(17, 0, 16),
        "out_cols": Field(17, 16, 16),
        "out_base": Field(18, 0, 24),
        "out_digits": Field(18, 24, 8),
        "out_row_stride": Field(19, 0, 24),
        "chunks": Field(19, 24, 8),
        "out_col_stride": Field(20, 0, 16),
        "last_chunks": Field(20, 16, 8),
        "out_end": Field(21, 0, 24),
        "in_end": Field(22, 0, 24),
        "in_start": Field(23, 0, 24),
        "strip_words": Field(24, 0, 24),
        "kernel_row_words": Field(25, 0, 24),
        "kernel_col_words": Field(26, 0, 24),
        "pool_row_words": Field(27, 0, 24),
        "pool_col_words": Field(28, 0, 24),
        "row_words": Field(29, 0, 24),
        "col_words": Field(30, 0, 24),
    }
    DERIVED = frozenset({
        "in_start", "strip_words", "row_words", "col_words",
        "kernel_row_words", "kernel_col_words", "pool_row_words", "pool_col_words",
    })
    mode: int = Mode.THRESHOLD
    #: 1: every strip holds an image of its own, so nothing is read from a neighbour
    batch: int = 0
    #: 1: fixed-point post-processing, with the settings of the last SET_POST
    affine: int = 0
    #: 1: every pass is done a second time with |w| into a second accumulator (with ``affine`` only; weights are
    #: single trits)
    two_scale: int = 0
    #: 1: the accumulators count as 0 and neither banks nor weights are read (with ``affine`` only)
    no_array: int = 0
    #: 1: sums over windows of the residual memory are the second operand (with ``affine`` only)
    residual: int = 0
    #: 1: that operand is added behind the two slopes, not before them (with ``affine`` only)
    residual_after: int = 0
    #: 1: the fixed-point result goes to the residual memory (with ``affine`` only)
    residual_write: int = 0
    #: 1: the last pixel of a pooling window also counts for the next window of its row (with ``affine`` only)
    pool_carry: int = 0
    #: 1: that operand is the largest of its window, not the sum, and the result the larger of the two (with
    #: ``residual_after`` only)
    residual_max: int = 0
    #: group g starts once ``after + g*after_step`` transfers are complete since the program started
    after: int = 0
    after_step: int = 0
    #: channel groups of M output channels
    groups: int = 1

    #: first word of the input tensor, the same in every bank
    in_base: int = 0
    #: digits of an input element; digit planes lie most significant first
    in_digits: int = 1
    #: digits of a weight
    weight_digits: int = 1
    #: words of an input row
    in_row_stride: int = 1
    #: words of an input pixel
    in_col_stride: int = 1
    in_cols: int = 1
    #: rows of a strip; the rows held are in_full_strips*in_strip_rows + in_last_rows
    in_strip_rows: int = 1
    in_full_strips: int = 1
    in_last_rows: int = 0
    #: what positions outside the map read as: two bits a digit plane, plane 0 at bit 0
    pad_digits: int = 0
    #: words of one digit plane that a channel group reads at each kernel position
    blocks: int = 1
    #: by how many blocks the first block moves from group to group (grouped convolution)
    group_block_step: int = 0

    kernel_rows: int = 1
    kernel_cols: int = 1
    #: dilation
    kernel_row_step: int = 1
    kernel_col_step: int = 1
    #: max-pooling window, in convolution outputs
    pool_rows: int = 1
    pool_cols: int = 1
    #: convolution stride, between the pixels of a pooling window
    pool_row_step: int = 1
    pool_col_step: int = 1
    #: input rows and columns from one output pixel to the next (convolution stride x pooling stride)
    row_step: int = 1
    col_step: int = 1
    #: rows and columns of padding before the map
    pad_top: int = 0
    pad_left: int = 0

    weight_base: int = 0
    #: words from one group's weights to the next's, modulo weight_ring
    weight_group_step: int = 0
    weight_ring: int = 0
    #: words of one weight-digit plane: kernel_rows*kernel_cols*blocks
    weight_plane: int = 1
    #: first parameter word; each group takes M/W
    parameter_base: int = 0

    #: output rows of a strip
    out_rows: int = 1
    out_cols: int = 1
    out_base: int = 0
    #: digit planes written for each channel
    out_digits: int = 1
    out_row_stride: int = 1
    out_col_stride: int = 1
    #: chunks of W channels in a group, and in the last group
    chunks: int = 1
    last_chunks: int = 1
    #: one past the last word of the output tensor: writes beyond stop the program
    out_end: int = 0
    #: one past the last word of the input tensor: reads beyond stop the program
    in_end: int = 0

    opcode: Opcode = Opcode.COMPUTE

    # Word addresses and strides modulo 2^24, so that the sequencer only ever adds.
    @property
    def in_start(self) -> int:
        """Word of the first kernel position of the first output, wherever padding makes it lie."""
        row = -self.pad_top % max(1, self.in_strip_rows)
        return (self.in_base + row * self.in_row_stride - self.pad_left * self.in_col_stride) & ADDRESS_MASK

    @property
    def strip_words(self) -> int:
        """Words from a strip's first row to one past its last."""
        return self.in_strip_rows * self.in_row_stride & ADDRESS_MASK

    @property
    def kernel_row_words(self) -> int:
        """Words from one kernel row to the next."""
        return self.kernel_row_step * self.in_row_stride & ADDRESS_MASK

    @property
    def kernel_col_words(self) -> int:
        """Words from one kernel column to the next."""
        return self.kernel_col_step * self.in_col_stride & ADDRESS_MASK

    @property
    def pool_row_words(self) -> int:
        """Words from one row of a pooling window to the next."""
        return self.pool_row_step * self.in_row_stride & ADDRESS_MASK

    @property
    def pool_col_words(self) -> int:
        """Words from one column of a pooling window to the next."""
        return self.pool_col_step * self.in_col_stride & ADDRESS_MASK

    @property
    def row_words(self) -> int:
        """Words from one output row's input to the next's."""
        return self.row_step * self.in_row_stride & ADDRESS_MASK

    @property
    def col_words(self) -> int:
        """Words from one output column's input to the next's."""
        return self.col_step * self.in_col_stride & ADDRESS_MASK
