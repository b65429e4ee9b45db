"""Where in the activation banks each step reads, and which strips read padding."""

from amaranth import Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from setun_hw.config import Config
from setun_hw.engine.layout import ADVANCE_LAYOUT, compute_layout, index_bits
from setun_hw.engine.loops import follow_loops, select

#: bits of a column, beside the map too: two windows of 255 positions 255 columns apart overshoot a map of 65535
COLUMN_BITS = 19


class ActivationWalk(wiring.Component):
    """Address, strip shift and padding of the current step.

    Addresses, rows and columns are kept for every loop that moves them, so one addition gives the next step's. A row is
    held as row within the strip and strip shift; a step is never longer than a strip, so one conditional subtraction
    keeps it there.

    Members
    -------
    descriptor : ``In(compute_layout(config))``  valid from the cycle of ``start`` on
    start : ``In(1)``                    go to the first step
    step : ``In(1)``                     go to the next step
    advance : ``In(ADVANCE_LAYOUT)``     the loop that goes on then
    next_digit : ``In(1)``               the next significance begins with the next activation digit
    address : ``Out``                    in every bank; modulo twice the power of two that holds a bank's words
    bank : ``Out``                       bank that strip 0 reads (strip p reads the p-th after it, modulo P)
    inside : ``Out(P)``                  strips whose position lies in the map; the others read padding
    """

    descriptor: "data.View[data.StructLayout]"
    start: Signal
    step: Signal
    advance: "data.View[data.StructLayout]"
    next_digit: Signal
    address: Signal
    bank: Signal
    inside: Signal

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "descriptor": In(compute_layout(config)),
                "start": In(1),
                "step": In(1),
                "advance": In(ADVANCE_LAYOUT),
                "next_digit": In(1),
                "address": Out((config.activation_words - 1).bit_length() + 1),
                "bank": Out(index_bits(config.strips)),
                "inside": Out(config.strips),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        row, shift, wraps = self._rows(m)
        column = self._columns(m)
        self._addresses(m, wraps)
        self._padding(m, row, shift, column)
        return m

    def _follow(self, m: Module, registers: dict[str, Signal], moved: Value, first: Value) -> None:
        follow_loops(m, registers, moved=moved, first=first, start=self.start, step=self.step, advance=self.advance)

    def _rows(self, m: Module) -> tuple[Signal, Signal, dict[str, Value]]:
        """Row within the strip, strip shift; whether the next row of each row loop lies in the next strip."""
        d, advance, strips = self.descriptor, self.advance, self.config.strips
        steps = {"kernel_row": d.kernel_row_step, "pool_row": d.pool_row_step, "row": d.row_step}
        shift_shape = range(-1, strips + 1)  # P stands for every shift that reaches past the last bank
        rows = {loop: Signal(16, name=f"{loop}_row") for loop in steps}
        shifts = {loop: Signal(shift_shape, name=f"{loop}_shift") for loop in steps}
        headroom = {loop: Signal(signed(17), name=f"{loop}_headroom") for loop in steps}
        m.d.sync += [headroom[loop].eq(d.in_strip_rows - steps[loop]) for loop in steps]

        # Whether a loop's next row leaves the strip is known before it is known which loop goes on.
        excess = {loop: Signal(signed(18), name=f"{loop}_excess") for loop in steps}
        m.d.comb += [excess[loop].eq(rows[loop] - headroom[loop]) for loop in steps]
        wraps = {loop: excess[loop] >= 0 for loop in steps}
        new_row, new_shift = Signal(16), Signal(shift_shape)
        m.d.comb += [
            new_row.eq(
                select((advance[loop], Mux(wraps[loop], excess[loop], rows[loop] + steps[loop])[:16]) for loop in steps)
            ),
            new_shift.eq(
                select((advance[loop], shifts[loop] + (wraps[loop] & (shifts[loop] != strips))) for loop in steps)
            ),
        ]
        above = d.pad_top > 0
        self._follow(m, rows, new_row, (Mux(above, d.in_strip_rows, 0) - d.pad_top)[:16])
        self._follow(m, shifts, new_shift, Mux(above, -1, 0))
        return rows["kernel_row"], shifts["kernel_row"], wraps

    def _columns(self, m: Module) -> Signal:
        """Column of the current step."""
        d, advance = self.descriptor, self.advance
        steps = {"kernel_col": d.kernel_col_step, "pool_col": d.pool_col_step, "col": d.col_step}
        columns = {loop: Signal(signed(COLUMN_BITS), name=f"{loop}_column") for loop in steps}
        new = Signal(signed(COLUMN_BITS))
        old = select((advance[loop], columns[loop]) for loop in steps)
        m.d.comb += new.eq(old + select((advance[loop], steps[loop]) for loop in steps))
        self._follow(m, columns, new, -d.pad_left)
        return columns["kernel_col"]

    def _addresses(self, m: Module, wraps: dict[str, Value]) -> None:
        d, advance, bits = self.descriptor, self.advance, len(self.address)
        # What the descriptor alone decides is registered before the first step can issue.
        product = Value.cast(0)  # in_digits has few bits
        for k in range(4):
            product = product + Mux(d.in_digits[k], d.group_block_step << k, 0)
        group_words = Signal(bits)
        m.d.sync += group_words.eq(product)
        strides: dict[str, Value] = {
            "block": d.in_digits,
            "kernel_col": d.kernel_col_words,
            "kernel_row": d.kernel_row_words,
            "digit": Value.cast(1),
            "significance": self.next_digit,
            "pool_col": d.pool_col_words,
            "pool_row": d.pool_row_words,
            "col": d.col_words,
            "row": d.row_words,
            "group": group_words,
        }
        # Both outcomes of a row's step are ready before it is known which holds.
        wrapped = {loop: Signal(bits, name=f"{loop}_wrapped") for loop in wraps}
        m.d.sync += [stride.eq(strides[loop] - d.strip_words) for loop, stride in wrapped.items()]
        addresses = {loop: Signal(bits, name=f"{loop}_address") for loop in strides}
        old, onward, across = Signal(bits), Signal(bits), Signal(bits)
        m.d.comb += [
            old.eq(select((advance[loop], addresses[loop]) for loop in strides)),
            onward.eq(old + select((advance[loop], strides[loop][:bits]) for loop in strides)),
            across.eq(old + select((advance[loop], stride) for loop, stride in wrapped.items())),
        ]
        moved = Mux(select((advance[loop], leaves) for loop, leaves in wraps.items()), across, onward)
        self._follow(m, addresses, moved, d.in_start[:bits])
        m.d.comb += self.address.eq(addresses["block"])

    def _padding(self, m: Module, row: Signal, shift: Signal, column: Signal) -> None:
        d, strips = self.descriptor, self.config.strips
        in_last = row < d.in_last_rows
        in_row = (column >= 0) & (column < d.in_cols)
        m.d.comb += self.bank.eq(Mux(shift < 0, strips - 1, shift))
        for p in range(strips):
            bank = shift + p
            held = (bank < d.in_full_strips) | ((bank == d.in_full_strips) & in_last)
            m.d.comb += self.inside[p].eq(in_row & Mux(d.batch, (shift == 0) & in_last, (bank >= 0) & held))
