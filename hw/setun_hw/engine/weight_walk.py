"""Which weight word each step multiplies with."""

from amaranth import Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from setun_hw.config import Config
from setun_hw.engine.layout import ADVANCE_LAYOUT, LOOPS, compute_layout
from setun_hw.engine.loops import follow_loops, select


class WeightWalk(wiring.Component):
    """Weight address of the current step.

    Within a pair of digits the words lie one behind the other in the order of the steps.

    Members
    -------
    descriptor : ``In(compute_layout(config))``  valid from the cycle of ``start`` on
    start : ``In(1)``                    go to the first step
    step : ``In(1)``                     go to the next step
    advance : ``In(ADVANCE_LAYOUT)``     the loop that goes on then
    next_digit : ``In(1)``               the next significance begins with the next activation digit
    address : ``Out``                    word of the weight memory; modulo twice the power of two that holds its words
    """

    descriptor: "data.View[data.StructLayout]"
    start: Signal
    step: Signal
    advance: "data.View[data.StructLayout]"
    next_digit: Signal
    address: Signal

    def __init__(self, config: Config) -> None:
        super().__init__(
            {
                "descriptor": In(compute_layout(config)),
                "start": In(1),
                "step": In(1),
                "advance": In(ADVANCE_LAYOUT),
                "next_digit": In(1),
                "address": Out((config.weight_words - 1).bit_length() + 1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        d, advance, bits = self.descriptor, self.advance, len(self.address)

        # A group's weights lie in a ring, at most one turn further than the last group's.
        offset, next_offset = Signal(24), Signal(24)
        turn, turned = Signal(signed(25)), Signal(signed(26))
        m.d.sync += turn.eq(d.weight_group_step - d.weight_ring)
        m.d.comb += [
            turned.eq(offset + turn),
            next_offset.eq(Mux(turned >= 0, turned, offset + d.weight_group_step)),
        ]
        with m.If(self.start):
            m.d.sync += offset.eq(0)
        with m.Elif(self.step & advance.group):
            m.d.sync += offset.eq(next_offset)

        # Kernel positions follow each other like blocks: for weights the three loops are one.
        merged: dict[str, Value] = {loop: advance[loop] for loop in LOOPS}
        merged["block"] = advance.block | advance.kernel_col | advance.kernel_row
        merged["kernel_col"] = merged["kernel_row"] = Const(0, 1)
        addresses = {loop: Signal(bits, name=f"{loop}_address") for loop in ("block", "digit", "significance", "group")}
        plane = d.weight_plane[:bits]
        stride = select(
            [
                (merged["block"], Const(1, bits)),
                (advance.digit, (-plane)[:bits]),  # the next activation digit meets the weight digit before
                (advance.significance & ~self.next_digit, plane),
            ]
        )
        old = select((merged[loop], addresses[loop]) for loop in ("block", "digit", "significance"))
        moved = Mux(advance.group, d.weight_base + next_offset, old + stride)[:bits]
        follow_loops(
            m, addresses, moved=moved, first=d.weight_base[:bits], start=self.start, step=self.step, advance=merged
        )
        m.d.comb += self.address.eq(addresses["block"])
        return m
