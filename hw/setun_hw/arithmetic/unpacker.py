"""Decoder of five trits in eight bits (the code of :mod:`setun_hw.packing`)."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from setun_hw.library import ModuleLibrary, Shared
from setun_hw.packing import TRITS


class Unpacker(Shared, wiring.Component):
    """Trits of a packed byte, combinational.

    A byte that is no code word gives trits all the same, never the code that does not occur.

    Members
    -------
    byte : ``In(8)``
    trits : ``Out(10)``  five trits on two rails, the first lowest
    """

    byte: Signal
    trits: Signal

    clocked = False

    def __init__(self) -> None:
        super().__init__({"byte": In(8), "trits": Out(2 * TRITS)})

    @property
    def module_name(self) -> str:
        """One for all."""
        return "setun_unpacker"

    def pins(self) -> tuple[dict[str, Signal], dict[str, Signal]]:
        """Inputs and outputs by name."""
        return {"byte": self.byte}, {"trits": self.trits}

    def build(self, library: ModuleLibrary | None = None) -> Module:
        """Some fifteen functions of four inputs."""
        m = Module()
        a, x = self.byte[0:2], self.byte[5:8]
        escape, u, full = Signal(), Signal(3), Signal()
        m.d.comb += escape.eq(self.byte[2:5].all())
        # where u is 7, x takes its place: each bit is a function of four
        m.d.comb += u.eq(self.byte[2:5] & (x | (~escape).replicate(3)))
        m.d.comb += full.eq(a.all())
        first = Mux(full, Cat(u[0] & ~u[1], u[1] & ~u[0]), a)
        ones = u[0] & u[1]
        second = Mux(full, Cat(~u[2], u[2]), u[0:2] & (~ones).replicate(2))
        third = Mux(full, 0b10, Cat(u[2] & ~ones, ones))
        pair = x[0] & x[1]
        fourth = Mux(pair, Cat(~x[2], x[2]), x[0:2]) & (~escape).replicate(2)
        fifth = Mux(escape, 0b10, Cat(x[2] & ~pair, pair))
        m.d.comb += self.trits.eq(Cat(first, second, third, fourth, fifth))
        return m
