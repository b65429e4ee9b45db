"""Walks through the on-chip words of a transfer."""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from setun_hw.config import Config


class Walk(wiring.Component):
    """Counts through rows of words, from strip to strip.

    Row r lies in bank ``r // strip_rows``; the rows of a bank follow each other from ``base`` on. What is loaded in
    cycle c is shown from cycle c+1 on, what follows a step one cycle after it.

    Members
    -------
    load : ``In(1)``, base, rows, strip_rows, row_words : ``In``   counts are not 0
    step : ``In(1)``      go on to the next word
    bank, address : ``Out``   of the current word; ``bank`` may run past the last one
    end_of_row, end : ``Out(1)``   the current word is the last of its row, of them all
    """

    load: Signal
    base: Signal
    rows: Signal
    strip_rows: Signal
    row_words: Signal
    step: Signal
    bank: Signal
    address: Signal
    end_of_row: Signal
    end: Signal

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "load": In(1),
                "base": In(24),
                "rows": In(16),
                "strip_rows": In(16),
                "row_words": In(25),
                "step": In(1),
                "bank": Out(range(config.strips + 1)),
                "address": Out(25),
                "end_of_row": Out(1),
                "end": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # Each counts what is left after the current one.
        words, rows, strip = Signal(25), Signal(16), Signal(16)
        first, row_words, strip_rows = Signal(24), Signal(25), Signal(16)
        m.d.comb += [self.end_of_row.eq(words == 0), self.end.eq(self.end_of_row & (rows == 0))]
        with m.If(self.load):
            m.d.sync += [
                first.eq(self.base),
                row_words.eq(self.row_words - 1),
                strip_rows.eq(self.strip_rows - 1),
                words.eq(self.row_words - 1),
                rows.eq(self.rows - 1),
                strip.eq(self.strip_rows - 1),
                self.bank.eq(0),
                self.address.eq(self.base),
            ]
        with m.Elif(self.step):
            next_strip = self.end_of_row & (strip == 0)
            m.d.sync += [
                words.eq(Mux(self.end_of_row, row_words, words - 1)),
                self.address.eq(Mux(next_strip, first, self.address + 1)),
            ]
            with m.If(self.end_of_row):
                m.d.sync += [rows.eq(rows - 1), strip.eq(Mux(strip == 0, strip_rows, strip - 1))]
            with m.If(next_strip & (self.bank != self.config.strips)):
                m.d.sync += self.bank.eq(self.bank + 1)
        return m
