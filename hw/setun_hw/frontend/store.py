"""Stores: words on chip to beats of external memory."""

from amaranth import Cat, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from setun_hw.config import Config
from setun_hw.engine.layout import ERROR_LAYOUT, TRANSFER_LAYOUT, residual_store_layout, store_layout
from setun_hw.error_codes import ErrorCode
from setun_hw.external import map_sharing, map_word_bits
from setun_hw.frontend.load import COUNTS_LAYOUT
from setun_hw.frontend.walk import Walk
from setun_hw.timing import STORE_ENTRIES, STORE_LATENCY


class Storer(wiring.Component):
    """Carries out STORE_ACTIVATIONS, or STORE_RESIDUAL if it is made for ``residual`` words; of words or of ``lines``.

    After ``start`` in cycle t it reads words from cycle t+1 on, as docs/machine.md says. Words share a beat, lowest
    first, the rest of it 0; or a word takes several beats, lowest bits first.

    Members
    -------
    transfer : ``In(TRANSFER_LAYOUT)``   the descriptor; ``prepare`` in the cycle before ``start`` or earlier
    prepare, start, clear : ``In(1)``    ``clear`` forgets everything
    freeze : ``In(1)``                   reads no further word, and drops those on their way
    answered : ``In(1)``                 every burst announced has its response after this cycle
    active : ``Out(1)``
    done : ``Out(1)``                    the last response arrives in this cycle
    counts : ``Out(COUNTS_LAYOUT)``      complete in the cycle after ``done``
    error : ``Out(ERROR_LAYOUT)``        ``done`` does not count then
    store : ``Out(stream.Signature(store_layout(config), always_ready=True))``, or with ``residual``
        ``Out(stream.Signature(residual_store_layout(config)))``: those words may have to wait
    stored : ``In``                      the word (line) read ``STORE_LATENCY`` cycles ago
    beats : ``Out(stream.Signature(axi_data_bits))``
    """

    transfer: "data.View[data.StructLayout]"
    prepare: Signal
    start: Signal
    clear: Signal
    freeze: Signal
    answered: Signal
    active: Signal
    done: Signal
    counts: "data.View[data.StructLayout]"
    error: "data.View[data.StructLayout]"
    store: stream.Interface
    stored: Signal
    beats: stream.Interface

    def __init__(self, config: Config, *, residual: bool = False, lines: bool = False) -> None:
        self.config, self.residual = config, residual
        self.sharing = map_sharing(config, residual=residual, lines=lines)
        self.word_bits = map_word_bits(config, residual=residual, lines=lines)
        place = residual_store_layout(config) if residual else store_layout(config)
        super().__init__(
            {
                "transfer": In(TRANSFER_LAYOUT),
                "prepare": In(1),
                "start": In(1),
                "clear": In(1),
                "freeze": In(1),
                "answered": In(1),
                "active": Out(1),
                "done": Out(1),
                "counts": Out(COUNTS_LAYOUT),
                "error": Out(ERROR_LAYOUT),
                "store": Out(stream.Signature(place, always_ready=not residual)),
                "stored": In(self.word_bits),
                "beats": Out(stream.Signature(config.axi_data_bits)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, transfer, sharing = self.config, self.transfer, self.sharing
        m.submodules.walk = walk = Walk(config)
        m.d.comb += [
            walk.load.eq(self.prepare),
            walk.base.eq(transfer.base),
            walk.rows.eq(transfer.rows),
            walk.strip_rows.eq(transfer.strip_rows),
            walk.row_words.eq(transfer.row_words),
        ]

        # Reading: a word a cycle, while there is room for the entry it belongs to.
        reading = Signal()
        slot = Signal(range(max(2, sharing.words)))
        used = Signal(range(STORE_ENTRIES + 1))
        depth = config.residual_words if self.residual else config.activation_words
        outside = (walk.address >= depth) | (walk.bank >= config.strips)
        completes = (slot == sharing.words - 1) | walk.end_of_row
        released = Signal()
        read: Value = self.store.valid
        if self.residual:
            read = self.store.valid & self.store.ready
            with m.If(self.store.valid & ~self.store.ready):
                m.d.sync += self.counts.wait_port.eq(self.counts.wait_port + 1)
        m.d.comb += [
            self.store.valid.eq(reading & ((slot != 0) | (used != STORE_ENTRIES)) & ~outside & ~self.freeze),
            self.store.p.bank.eq(walk.bank),
            self.store.p.address.eq(walk.address),
            walk.step.eq(read),
        ]
        m.d.sync += used.eq(used + (read & (slot == 0)) - released)
        with m.If(read):
            m.d.sync += [slot.eq(Mux(completes, 0, slot + 1)), self.counts.words.eq(self.counts.words + 1)]
            with m.If(walk.end):
                m.d.sync += reading.eq(0)

        # On their way: whether a word arrives, and whether it completes its entry.
        arrives, last = Signal(STORE_LATENCY), Signal(STORE_LATENCY)
        m.d.sync += [arrives.eq(Cat(read, arrives[:-1])), last.eq(Cat(completes, last[:-1]))]
        entry = self._gather(m, arrives[-1], last[-1])
        m.submodules.entries = entries = ResetInserter(self.clear)(SyncFIFO(width=len(entry), depth=STORE_ENTRIES))
        m.d.comb += [entries.w_data.eq(entry), entries.w_en.eq(arrives[-1] & last[-1] & ~self.freeze)]

        # Writing: the beats of the oldest entry.
        left = Signal(32)
        given = self.beats.valid & self.beats.ready
        piece = Signal(range(max(2, sharing.beats)))
        whole = Signal(sharing.beats * config.axi_data_bits)
        m.d.comb += [
            whole.eq(entries.r_data),
            self.beats.valid.eq(entries.r_rdy),
            self.beats.payload.eq(whole.word_select(piece, config.axi_data_bits) if sharing.beats > 1 else whole),
            released.eq(given & (piece == sharing.beats - 1)),
            entries.r_en.eq(released),
        ]
        with m.If(given):
            m.d.sync += [left.eq(left - 1), piece.eq(Mux(released, 0, piece + 1))]
        with m.If(self.beats.valid & ~self.beats.ready):
            m.d.sync += self.counts.wait_memory.eq(self.counts.wait_memory + 1)

        m.d.comb += self.done.eq(self.active & (left == 0) & self.answered)
        with m.If(self.start):
            m.d.sync += [self.active.eq(1), reading.eq(1), left.eq(transfer.beats), self.counts.eq(0)]
        with m.If(self.done):
            m.d.sync += self.active.eq(0)
        with m.If(self.clear):
            m.d.sync += [
                self.active.eq(0),
                reading.eq(0),
                slot.eq(0),
                used.eq(0),
                piece.eq(0),
                arrives.eq(0),
            ]

        with m.If(reading & outside):
            m.d.comb += [self.error.valid.eq(1), self.error.code.eq(ErrorCode.OUT_OF_RANGE)]
        # The descriptor's counts contradict each other: nothing left to write but beats owed, or the other way round.
        with m.Elif(self.active & ((left == 0) & (reading | (used != 0)) | (left != 0) & ~reading & (used == 0))):
            m.d.comb += [self.error.valid.eq(1), self.error.code.eq(ErrorCode.BAD_FIELD)]
        with m.Elif(self.done & (self.counts.words != transfer.words)):
            m.d.comb += [self.error.valid.eq(1), self.error.code.eq(ErrorCode.BAD_FIELD)]
        return m

    def _gather(self, m: Module, arrives: Value, last: Value) -> Value:
        """The entry as it is with the word that arrives now; what it has not reached yet is 0."""
        words = self.sharing.words
        if words == 1:
            return self.stored
        slot = Signal(range(words))
        held = [Signal(self.word_bits, name=f"held_{k}") for k in range(words)]
        entry = [Signal(self.word_bits, name=f"entry_{k}") for k in range(words)]
        for k in range(words):
            before = Mux(slot > k, held[k], 0) if k < words - 1 else 0
            m.d.comb += entry[k].eq(Mux(slot == k, self.stored, before))
        with m.If(arrives):
            m.d.sync += [*(now.eq(new) for now, new in zip(held, entry, strict=True)), slot.eq(Mux(last, 0, slot + 1))]
        with m.If(self.clear):
            m.d.sync += slot.eq(0)
        return Cat(entry)
