"""The loops of a layer, all in one: which of them goes on after each step."""

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from setun_hw.config import Config
from setun_hw.engine.layout import ADVANCE_LAYOUT, LOOPS, compute_layout

#: field that holds the number of iterations of a loop
LIMITS = {
    "block": "blocks",
    "kernel_col": "kernel_cols",
    "kernel_row": "kernel_rows",
    "pool_col": "pool_cols",
    "pool_row": "pool_rows",
    "col": "out_cols",
    "row": "out_rows",
    "group": "groups",
}

#: what is known of a step, all from registers
POSITION_LAYOUT = data.StructLayout(
    {
        "advance": ADVANCE_LAYOUT,
        "pixel": 1,  # last step of a convolution pixel
        "layer": 1,  # last step of all
        "last_pool_col": 1,
        "last_pool_row": 1,
        "last_col": 1,
        "last_row": 1,
        "last_group": 1,
        "digit": 4,  # index of the activation digit
        "second": 1,  # of the two passes that ``two_scale`` makes
        "next_digit": 1,  # the next significance begins with the next activation digit
    }
)


class LoopNest(wiring.Component):
    """Counts through all loops of a descriptor.

    Which loop goes on after a step is worked out in the step before, so that everything that depends on it starts from
    registers.

    Members
    -------
    descriptor : ``In(compute_layout(config))``   valid from the cycle of ``start`` on; counts are at least 1
    start : ``In(1)``                     the first step is the current one from the next cycle on
    step : ``In(1)``                      so is the step after the current one
    position : ``Out(POSITION_LAYOUT)``   the current step
    """

    descriptor: "data.View[data.StructLayout]"
    start: Signal
    step: Signal
    position: "data.View[data.StructLayout]"

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {"descriptor": In(compute_layout(config)), "start": In(1), "step": In(1), "position": Out(POSITION_LAYOUT)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        position = self.position
        last = {loop: self._counted(m, loop) for loop in LIMITS}
        last["scale"] = self._scales(m)
        last["digit"], last["significance"] = self._digits(m)
        with m.If(self.start | self.step):
            inner = Cat()
            for loop in LOOPS:
                m.d.sync += position.advance[loop].eq(inner.all() & ~last[loop])
                inner = Cat(inner, last[loop])
                if loop == "significance":
                    m.d.sync += position.pixel.eq(inner.all())
            m.d.sync += position.layer.eq(inner.all())
            m.d.sync += [
                position[f"last_{loop}"].eq(last[loop]) for loop in ("pool_col", "pool_row", "col", "row", "group")
            ]
        return m

    def _restarts(self, loop: str) -> Value:
        """A loop around goes on."""
        return Cat(self.position.advance[outer] for outer in LOOPS[LOOPS.index(loop) + 1 :]).any()

    def _counted(self, m: Module, loop: str) -> Value:
        """A loop of a fixed number of iterations; whether the next step is in its last one."""
        limit = self.descriptor[LIMITS[loop]]
        remaining = Signal(limit.shape(), name=f"{loop}_remaining")  # iterations, this one included
        last, last_but_one, single = (Signal(name=f"{loop}_{name}") for name in ("last", "last_but_one", "single"))
        goes_on = self.position.advance[loop]
        m.d.sync += single.eq(limit == 1)
        following = Mux(self.start, limit == 1, Mux(goes_on, last_but_one, Mux(self._restarts(loop), single, last)))
        with m.If(self.start | (self.step & self._restarts(loop))):
            m.d.sync += [remaining.eq(limit), last_but_one.eq(limit == 2)]
        with m.Elif(self.step & goes_on):
            m.d.sync += [remaining.eq(remaining - 1), last_but_one.eq(remaining == 3)]
        with m.If(self.start | self.step):
            m.d.sync += last.eq(following)
        return following

    def _scales(self, m: Module) -> Value:
        """Whether the next step is in the last pass with its digits: there are two with ``two_scale``."""
        if not self.config.two_scale:
            return Const(1, 1)
        goes_on, second = self.position.advance.scale, self.position.second
        following = Mux(self.start | self._restarts("scale"), 0, second | goes_on)
        with m.If(self.start | self.step):
            m.d.sync += second.eq(following)
        return following | ~self.descriptor.two_scale

    def _digits(self, m: Module) -> tuple[Value, Value]:
        """Pairs of activation digit i and weight digit j, most significant first; within a significance with rising i.

        Returns whether the next step's pair is the last of its significance, and the last of all.
        """
        d, advance = self.descriptor, self.position.advance
        names = ("digit_i", "digit_j", "digit_first_i", "digit_first_j")
        i, j, first_i, first_j = now = [Signal(4, name=name) for name in names]
        next_i, next_j, next_first_i, next_first_j = following = [Signal(4, name=f"next_{name}") for name in names]
        highest_i, highest_j = (d.in_digits - 1)[:4], (d.weight_digits - 1)[:4]
        with m.If(self.start | self._restarts("significance")):
            m.d.comb += [signal.eq(0) for signal in following]
        with m.Elif(advance.significance):
            m.d.comb += [
                next_first_i.eq(first_i + self.position.next_digit),
                next_first_j.eq(first_j + ~self.position.next_digit),
                next_i.eq(next_first_i),
                next_j.eq(next_first_j),
            ]
        with m.Elif(advance.digit):
            m.d.comb += [next_i.eq(i + 1), next_j.eq(j - 1), next_first_i.eq(first_i), next_first_j.eq(first_j)]
        with m.Else():
            m.d.comb += [signal.eq(held) for signal, held in zip(following, now, strict=True)]
        with m.If(self.start | self.step):
            m.d.sync += [signal.eq(value) for signal, value in zip(now, following, strict=True)]
            m.d.sync += [self.position.digit.eq(next_i), self.position.next_digit.eq(next_first_j == highest_j)]
        return (next_i == highest_i) | (next_j == 0), (next_i == highest_i) & (next_j == highest_j)
