"""COMPUTE descriptors that wait for the array, and the one it works on."""

from amaranth import Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from setun_hw.config import Config
from setun_hw.engine.layout import UNCHECKED, compute_layout, index_bits


class DescriptorQueue(wiring.Component):
    """Holds up to ``queue_depth`` descriptors in order.

    A descriptor pushed in cycle t can be taken from cycle t+1 on. It keeps its place up to and including the cycle
    in which it is taken. ``current`` is the descriptor taken last, from the cycle after until the next is taken.

    Members
    -------
    i : ``In(stream.Signature(compute_layout(config)))``
    available : ``Out(1)``            one can be taken
    take : ``In(1)``                  take it; only while ``available``
    current : ``Out(compute_layout(config))``
    """

    i: stream.Interface
    available: Signal
    take: Signal
    current: "data.View[data.StructLayout]"

    def __init__(self, config: Config) -> None:
        self.depth = config.queue_depth
        super().__init__(
            {
                "i": In(stream.Signature(compute_layout(config))),
                "available": Out(1),
                "take": In(1),
                "current": Out(compute_layout(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # The memory's read register is the register of the current descriptor.
        m.submodules.memory = memory = Memory(
            shape=unsigned(self.i.payload.shape().size), depth=self.depth, init=[], attrs=UNCHECKED
        )
        write, read = memory.write_port(), memory.read_port()
        waiting = Signal(range(self.depth + 1))
        head, tail = Signal(index_bits(self.depth)), Signal(index_bits(self.depth))
        push = self.i.valid & self.i.ready
        m.d.comb += [
            self.i.ready.eq(waiting != self.depth),
            self.available.eq(waiting != 0),
            write.addr.eq(tail),
            write.data.eq(self.i.payload),
            write.en.eq(push),
            read.addr.eq(head),
            read.en.eq(self.take),
            self.current.eq(read.data),
        ]
        m.d.sync += waiting.eq(waiting + push - self.take)
        for pointer, moves in ((head, self.take), (tail, push)):
            with m.If(moves):
                last = pointer == self.depth - 1
                with m.If(last):
                    m.d.sync += pointer.eq(0)
                with m.Else():
                    m.d.sync += pointer.eq(pointer + 1)
        return m
