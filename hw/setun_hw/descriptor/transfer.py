"""Descriptors that move words, and the one that ends a program."""

from dataclasses import dataclass
from enum import IntEnum

from setun_hw.descriptor.record import Field, Opcode, Record


class Region(IntEnum):
    """Which base register an external offset counts from."""

    PROGRAM = 0
    INPUT = 1
    OUTPUT = 2
    SCRATCH = 3


@dataclass(frozen=True, kw_only=True)
class End(Record):
    """Last descriptor of a program."""

    LAYOUT = {}
    opcode: Opcode = Opcode.END


@dataclass(frozen=True, kw_only=True)
class Transfer(Record):
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
