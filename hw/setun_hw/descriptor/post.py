"""The descriptor of fixed-point settings."""

from dataclasses import dataclass

from setun_hw.descriptor.record import ADDRESS_MASK, Field, Opcode, Record


@dataclass(frozen=True, kw_only=True)
class Post(Record):
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
