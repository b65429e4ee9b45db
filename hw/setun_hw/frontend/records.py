"""Memory of the performance counters."""

from typing import Any

from amaranth import C, Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import data, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from setun_hw.config import Config
from setun_hw.descriptor import Opcode
from setun_hw.engine.layout import RECORD_LAYOUT, index_bits

#: words of a record before the opcode, in the order of docs/machine.md
WORDS = 7
#: bits that hold every opcode
OPCODE_BITS = max(Opcode).bit_length()
#: counters of a descriptor that the front end carried out; ``valid`` for one cycle
FRONT_LAYOUT = data.StructLayout(
    {
        "valid": 1,
        "index": 32,
        "opcode": OPCODE_BITS,
        "start": 32,
        "end": 32,
        "beats": 32,
        "wait_compute": 32,
        "wait_memory": 32,
        "wait_port": 32,
        "words": 32,
    }
)


class Records(wiring.Component):
    """Keeps the counters of the first ``counter_records`` descriptors of a program.

    Members
    -------
    front : ``In(FRONT_LAYOUT)``       of a transfer or END
    compute : ``In(RECORD_LAYOUT)``    of a COMPUTE; they end in the order in which they were pushed
    push : ``In(1)``, index : ``In(32)``   descriptor ``index`` is handed to the engine
    running : ``Out(32)``              index of the oldest COMPUTE that has not ended
    clear : ``In(1)``                  no COMPUTE is under way
    record, word : ``In``              which word to read; ``data`` holds it a cycle later
    data : ``Out(32)``
    """

    front: "data.View[data.StructLayout]"
    compute: "data.View[data.StructLayout]"
    push: Signal
    index: Signal
    running: Signal
    clear: Signal
    record: Signal
    word: Signal
    data: Signal

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "front": In(FRONT_LAYOUT),
                "compute": In(RECORD_LAYOUT),
                "push": In(1),
                "index": In(32),
                "running": Out(32),
                "clear": In(1),
                "record": In(index_bits(config.counter_records)),
                "word": In(3),
                "data": Out(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count = self.config.counter_records
        # Those in the queue, the one in the array, and one more while the array's last record is being taken over.
        m.submodules.under_way = under_way = ResetInserter(self.clear)(
            SyncFIFO(width=32, depth=self.config.queue_depth + 2)
        )
        m.d.comb += [
            under_way.w_data.eq(self.index),
            under_way.w_en.eq(self.push),
            under_way.r_en.eq(self.compute.valid),
            self.running.eq(under_way.r_data),
        ]

        opcode_bits = OPCODE_BITS if self.config.affine else int(Opcode.COMPUTE).bit_length()
        m.submodules.memory = memory = Memory(shape=32 * WORDS + opcode_bits, depth=count, init=[])
        write: Any = memory.write_port()
        read = memory.read_port()
        front, compute = self.front, self.compute
        # The engine's record waits when both come in the same cycle; its next one is many cycles away.
        late, late_index, late_bits = Signal(), Signal(32), Signal(32 * WORDS)
        compute_bits = Cat(
            compute.start,
            compute.end,
            compute.steps,
            compute.wait_load,
            compute.wait_drain,
            compute.wait_store,
            compute.words,
        )
        front_bits = Cat(
            front.start, front.end, front.beats, front.wait_compute, front.wait_memory, front.wait_port, front.words
        )
        m.d.sync += late.eq(compute.valid | late & front.valid)
        with m.If(compute.valid):
            m.d.sync += [late_index.eq(under_way.r_data), late_bits.eq(compute_bits)]
        index, compute_opcode = Mux(front.valid, front.index, late_index), C(Opcode.COMPUTE, OPCODE_BITS)
        m.d.comb += [
            write.addr.eq(index),
            write.en.eq((front.valid | late) & (index < count)),
            write.data.eq(Mux(front.valid, Cat(front_bits, front.opcode), Cat(late_bits, compute_opcode))),
            read.addr.eq(self.record),
            read.en.eq(1),
        ]
        word = Signal(3)
        m.d.sync += word.eq(self.word)
        padded = Signal(32 * (WORDS + 1))
        m.d.comb += [padded.eq(read.data), self.data.eq(padded.word_select(word, 32))]
        return m
