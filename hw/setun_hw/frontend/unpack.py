"""Takes beats apart into words."""

from amaranth import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from setun_hw.external import sharing


class Unpacker(wiring.Component):
    """Offers the words of a run of beats, lowest first.

    Holds one beat, or one word if that takes several. Words completed by a beat taken in cycle b are offered from
    cycle b+1 on; no beat is taken while words wait, except in the cycle in which the last of them leaves.

    Members
    -------
    i : ``In(stream.Signature(beat_bits))``
    o : ``Out(stream.Signature(word_bits))``
    end : ``In(1)``     the word offered is the last of its run: the rest of its beat is unused
    clear : ``In(1)``   forget everything
    """

    i: stream.Interface
    o: stream.Interface
    end: Signal
    clear: Signal

    def __init__(self, word_bits: int, beat_bits: int) -> None:
        self.sharing = sharing(word_bits, beat_bits)
        super().__init__(
            {
                "i": In(stream.Signature(beat_bits)),
                "o": Out(stream.Signature(word_bits)),
                "end": In(1),
                "clear": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        words, beats = self.sharing.words, self.sharing.beats
        word_bits, beat_bits = len(self.o.payload), len(self.i.payload)
        full, last = Signal(), Signal()
        taken, gone = self.i.valid & self.i.ready, self.o.valid & self.o.ready
        m.d.comb += [self.o.valid.eq(full), self.i.ready.eq(~full | self.o.ready & last)]

        if beats > 1:
            held = Signal(beats * beat_bits)
            piece = Signal(range(beats))
            m.d.comb += [last.eq(1), self.o.payload.eq(held)]
            with m.If(gone):
                m.d.sync += full.eq(0)
            with m.If(taken):
                m.d.sync += [held.eq(Cat(held[beat_bits:], self.i.payload)), piece.eq(piece + 1)]
                with m.If(piece == beats - 1):
                    m.d.sync += [piece.eq(0), full.eq(1)]
            with m.If(self.clear):
                m.d.sync += [piece.eq(0), full.eq(0)]
            return m

        held = Signal(words * word_bits)
        slot = Signal(range(max(2, words)))
        m.d.comb += [last.eq(self.end | (slot == words - 1)), self.o.payload.eq(held[:word_bits])]
        with m.If(gone):
            m.d.sync += [held.eq(held >> word_bits), slot.eq(slot + 1)]
            with m.If(last):
                m.d.sync += full.eq(0)
        with m.If(taken):
            m.d.sync += [held.eq(self.i.payload), slot.eq(0), full.eq(1)]
        with m.If(self.clear):
            m.d.sync += full.eq(0)
        return m
