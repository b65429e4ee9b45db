"""Layer descriptors: 128-byte records the sequencer executes, defined once for software and hardware.

A descriptor is 32 little-endian 32-bit words. Word 0 holds the opcode and the format version, word 31 a check
word that makes the exclusive or of all 32 words equal to :data:`CHECK`. ``docs/descriptors.md`` explains each
field; the tables below are their only definition, and the hardware's layouts are made from them.
"""

import struct
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import ClassVar, NamedTuple, Self

from setun_hw.errors import SetunError

#: format version, checked by hardware and software
VERSION = 3
#: exclusive or of a good descriptor's 32 words
CHECK = 0x53455455
#: bytes of a descriptor
SIZE = 128
WORDS = SIZE // 4
#: word addresses have 24 bits
ADDRESS_MASK = (1 << 24) - 1


class DescriptorError(SetunError):
    """A field that does not fit, or bytes that are no descriptor."""


class Opcode(IntEnum):
    """What a descriptor asks for."""

    END = 0  #: the program is complete once all engines are idle
    LOAD_WEIGHTS = 1  #: external memory to weight memory
    LOAD_PARAMETERS = 2  #: external memory to parameter memory
    LOAD_ACTIVATIONS = 3  #: external memory to activation banks
    STORE_ACTIVATIONS = 4  #: activation banks to external memory
    COMPUTE = 5  #: one layer, or one band of it
    LOAD_RESIDUAL = 6  #: external memory to residual memories
    STORE_RESIDUAL = 7  #: residual memories to external memory
    SET_POST = 8  #: fixed-point settings of the COMPUTEs that follow


class Region(IntEnum):
    """Which base register an external offset counts from."""

    PROGRAM = 0
    INPUT = 1
    OUTPUT = 2
    SCRATCH = 3


class Mode(IntEnum):
    """What post-processing makes of an accumulator."""

    THRESHOLD = 0  #: code of the number of thresholds reached
    RAW = 1  #: the accumulator itself, in two-bit planes, most significant first
    DIGITS = 2  #: the fixed-point result as digits, most significant first
    NONE = 3  #: nothing goes to the banks


class Field(NamedTuple):
    """Where a field lies: 32-bit word, lowest bit, width; two's complement if ``signed``."""

    word: int
    low: int
    bits: int
    signed: bool = False


@dataclass(frozen=True, kw_only=True)
class _Record:
    """Packing shared by all kinds of descriptor."""

    LAYOUT: ClassVar[dict[str, Field]]
    #: fields that follow from the others: products the hardware would otherwise have to form; no constructor takes them
    DERIVED: ClassVar[frozenset[str]] = frozenset()
    opcode: Opcode

    def __post_init__(self) -> None:
        for name, field in self.LAYOUT.items():
            value = int(getattr(self, name))
            low = -(1 << field.bits - 1) if field.signed else 0
            high = low + (1 << field.bits) - 1
            if not low <= value <= high:
                raise DescriptorError(f"descriptor field {name} must be between {low} and {high}, not {value}")

    def pack(self) -> bytes:
        """The 128 bytes, check word included."""
        words = [0] * WORDS
        words[0] = int(self.opcode) | VERSION << 8
        for name, field in self.LAYOUT.items():
            words[field.word] |= (int(getattr(self, name)) & (1 << field.bits) - 1) << field.low
        words[-1] = CHECK
        for word in words[:-1]:
            words[-1] ^= word
        return struct.pack("<32I", *words)

    @classmethod
    def _from_words(cls, words: tuple[int, ...], opcode: Opcode) -> Self:
        values = {}
        for name, field in cls.LAYOUT.items():
            value = words[field.word] >> field.low & (1 << field.bits) - 1
            if field.signed and value >> field.bits - 1:
                value -= 1 << field.bits
            values[name] = value
        derived = {name: values.pop(name) for name in cls.DERIVED}
        record = cls(opcode=opcode, **values)
        for name, value in derived.items():
            if value != getattr(record, name):
                raise DescriptorError(f"descriptor field {name} must be {getattr(record, name)}, not {value}")
        return record


@dataclass(frozen=True, kw_only=True)
class End(_Record):
    """Last descriptor of a program."""

    LAYOUT = {}
    opcode: Opcode = Opcode.END


@dataclass(frozen=True, kw_only=True)
class Transfer(_Record):
    """Moves words between external memory and an on-chip memory (opcodes LOAD_* and STORE_*)."""

    LAYOUT = {
        "after": Field(1, 0, 32),
        "region": Field(0, 16, 2),
        "packed": Field(0, 18, 1),
        "lines": Field(0, 19, 1),
        "offset": Field(2, 0, 32),
        "words": Field(3, 0, 32),
        "base": Field(4, 0, 24),
        "rows": Field(5, 0, 16),
        "strip_rows": Field(5, 16, 16),
        "row_words": Field(6, 0, 24),
        "beats": Field(7, 0, 32),
    }
    #: starts once this many channel groups have been completed since the program started
    after: int = 0
    region: int = Region.PROGRAM
    #: 1: 5 trits in 8 bits (LOAD_WEIGHTS only)
    packed: int = 0
    #: activations and residuals only; 1: each word is a line, the words of all banks at one address; ``rows`` and
    #: ``strip_rows`` are 1 then
    lines: int = 0
    #: bytes from the region's base; a multiple of the AXI beat
    offset: int = 0
    #: words (or lines) to move; for activations and residuals rows*row_words
    words: int = 0
    #: first on-chip word
    base: int = 0
    #: activations and residuals only: feature-map rows
    rows: int = 0
    #: activations and residuals only: rows of a strip; row r lives in bank r // strip_rows
    strip_rows: int = 0
    #: activations and residuals only: words of a row; each row starts on a new beat outside
    row_words: int = 0
    #: AXI beats those words take outside (``setun_hw.external.transfer_beats``): spares the hardware a multiplication
    beats: int = 0


@dataclass(frozen=True, kw_only=True)
class Compute(_Record):
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


@dataclass(frozen=True, kw_only=True)
class Post(_Record):
    """Fixed-point settings (opcode SET_POST): they hold for the COMPUTEs after it, until the next one.

    Addresses are words of the residual memories. See ``docs/machine.md``.
    """

    LAYOUT = {
        "shift": Field(0, 16, 5),
        "shift1": Field(0, 21, 5),
        "low": Field(1, 0, 16, True),
        "high": Field(1, 16, 16, True),
        "res_base": Field(2, 0, 24),
        "res_rows": Field(2, 24, 8),
        "res_row_stride": Field(3, 0, 24),
        "res_cols": Field(3, 24, 8),
        "res_col_stride": Field(4, 0, 16),
        "res_chunks": Field(4, 16, 16),
        "res_first": Field(5, 0, 16),
        "res_row_step": Field(5, 16, 8),
        "res_col_step": Field(5, 24, 8),
        "res_end": Field(6, 0, 24),
        "res_out_base": Field(7, 0, 24),
        "res_out_row_stride": Field(8, 0, 24),
        "res_out_col_stride": Field(9, 0, 16),
        "res_out_end": Field(10, 0, 24),
        "res_row_words": Field(11, 0, 24),
        "res_col_words": Field(12, 0, 24),
        "res_window": Field(13, 0, 16),
    }
    DERIVED = frozenset({"res_row_words", "res_col_words", "res_window"})
    #: bits dropped, rounding half up, behind the first multiplication, and behind the second
    shift: int = 0
    shift1: int = 0
    #: smallest and largest result, inside ``residual_bits``
    low: int = 0
    high: int = 0

    #: first word of the residual operand
    res_base: int = 0
    #: rows and columns of the window that is summed
    res_rows: int = 1
    res_cols: int = 1
    #: words of a row, and of a pixel, of the operand
    res_row_stride: int = 1
    res_col_stride: int = 1
    #: chunks of W channels after which the operand's channels begin again
    res_chunks: int = 1
    #: chunk of the operand that the first group's first chunk meets
    res_first: int = 0
    #: rows and columns of the operand from one output pixel's window to the next's
    res_row_step: int = 1
    res_col_step: int = 1
    #: one past the last word of the operand: reads beyond stop the program
    res_end: int = 0

    #: first word of the output in the residual memory
    res_out_base: int = 0
    #: words of an output row, and of an output pixel
    res_out_row_stride: int = 1
    res_out_col_stride: int = 1
    #: one past the last word of that output: writes beyond stop the program
    res_out_end: int = 0

    opcode: Opcode = Opcode.SET_POST

    @property
    def res_row_words(self) -> int:
        """Words from one output row's windows to the next's."""
        return self.res_row_step * self.res_row_stride & ADDRESS_MASK

    @property
    def res_col_words(self) -> int:
        """Words from one output column's window to the next's."""
        return self.res_col_step * self.res_col_stride & ADDRESS_MASK

    @property
    def res_window(self) -> int:
        """Words of a window."""
        return self.res_rows * self.res_cols


Descriptor = End | Transfer | Compute | Post

KINDS: dict[Opcode, type[End] | type[Transfer] | type[Compute] | type[Post]] = {
    Opcode.END: End,
    Opcode.LOAD_WEIGHTS: Transfer,
    Opcode.LOAD_PARAMETERS: Transfer,
    Opcode.LOAD_ACTIVATIONS: Transfer,
    Opcode.STORE_ACTIVATIONS: Transfer,
    Opcode.COMPUTE: Compute,
    Opcode.LOAD_RESIDUAL: Transfer,
    Opcode.STORE_RESIDUAL: Transfer,
    Opcode.SET_POST: Post,
}


def unpack(data: bytes) -> Descriptor:
    """Read one descriptor back.

    Raises
    ------
    DescriptorError
        On a wrong size, check word, version or opcode, or a derived field that contradicts the others.
    """
    if len(data) != SIZE:
        raise DescriptorError(f"a descriptor has {SIZE} bytes, not {len(data)}")
    words = struct.unpack("<32I", data)
    check = 0
    for word in words:
        check ^= word
    if check != CHECK:
        raise DescriptorError("descriptor check word is wrong")
    if words[0] >> 8 & 0xFF != VERSION:
        raise DescriptorError(f"descriptor version must be {VERSION}, not {words[0] >> 8 & 0xFF}")
    try:
        opcode = Opcode(words[0] & 0xFF)
    except ValueError:
        raise DescriptorError(f"unknown descriptor opcode {words[0] & 0xFF}") from None
    return KINDS[opcode]._from_words(words, opcode)


def fields_of(kind: type[_Record]) -> list[str]:
    """Names of a kind's fields in the order of their definition (for tables in docs and reports)."""
    return [field.name for field in fields(kind) if field.name != "opcode"]
