"""Performance counters of a COMPUTE descriptor."""

from amaranth import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from setun_hw.engine.layout import RECORD_LAYOUT
from setun_hw.engine.sequencer import WAITS_LAYOUT


class Recorder(wiring.Component):
    """Counts from the cycle a descriptor is taken to the one in which the array is idle again.

    Members
    -------
    now : ``In(32)``                  the cycle's number
    take : ``In(1)``                  a descriptor is taken
    issue : ``In(1)``, waits : ``In(WAITS_LAYOUT)``, write : ``In(1)``   what happens in this cycle
    finished : ``In(1)``              the array is idle from the next cycle on
    record : ``Out(RECORD_LAYOUT)``   valid in that cycle
    """

    now: Signal
    take: Signal
    issue: Signal
    waits: "data.View[data.StructLayout]"
    write: Signal
    finished: Signal
    record: "data.View[data.StructLayout]"

    def __init__(self) -> None:
        super().__init__(
            {
                "now": In(32),
                "take": In(1),
                "issue": In(1),
                "waits": In(WAITS_LAYOUT),
                "write": In(1),
                "finished": In(1),
                "record": Out(RECORD_LAYOUT),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        events = {
            "steps": self.issue,
            "wait_load": self.waits.load,
            "wait_drain": self.waits.drain,
            "wait_store": self.waits.store,
            "words": self.write,
        }
        counters = {name: Signal(32, name=name) for name in ("start", *events)}
        valid = Signal()
        m.d.sync += valid.eq(self.finished)
        m.d.comb += [self.record.valid.eq(valid), self.record.end.eq(self.now)]
        m.d.comb += [self.record[name].eq(counter) for name, counter in counters.items()]
        with m.If(self.take):
            m.d.sync += [counters[name].eq(0) for name in events]
            m.d.sync += counters["start"].eq(self.now)
        with m.Else():
            m.d.sync += [counters[name].eq(counters[name] + event) for name, event in events.items()]
        return m
