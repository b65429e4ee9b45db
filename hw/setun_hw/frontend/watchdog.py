"""Bounds every wait."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Watchdog(wiring.Component):
    """Barks when nothing has moved for ``limit`` cycles in a row.

    Members
    -------
    limit : ``In(32)``    0: never
    enable : ``In(1)``    something is awaited
    moves : ``In(1)``     something happened in this cycle
    barks : ``Out(1)``
    """

    limit: Signal
    enable: Signal
    moves: Signal
    barks: Signal

    def __init__(self) -> None:
        super().__init__({"limit": In(32), "enable": In(1), "moves": In(1), "barks": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        still = Signal(32)
        with m.If(self.moves | ~self.enable | self.barks):
            m.d.sync += [still.eq(0), self.barks.eq(0)]
        with m.Else():
            m.d.sync += [still.eq(still + 1), self.barks.eq((self.limit != 0) & (still >= self.limit))]
        return m
