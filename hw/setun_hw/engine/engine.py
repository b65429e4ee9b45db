"""The compute engine: everything between the descriptor queue and the activation banks."""

from amaranth import Cat, Module, Mux, ResetInserter, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from setun_hw.config import Config
from setun_hw.descriptor import Mode
from setun_hw.engine.array import Array
from setun_hw.engine.banks import Banks
from setun_hw.engine.drain import DrainControl
from setun_hw.engine.layout import (
    ERROR_LAYOUT,
    RECORD_LAYOUT,
    STEP_LAYOUT,
    compute_layout,
    load_layout,
    parameter_write_layout,
    store_layout,
    weight_write_layout,
)
from setun_hw.engine.memories import ParameterMemory, WeightMemory
from setun_hw.engine.post import StripPost, codes_layout
from setun_hw.engine.queue import DescriptorQueue
from setun_hw.engine.recorder import Recorder
from setun_hw.engine.sequencer import Sequencer
from setun_hw.error_codes import ErrorCode


class Engine(wiring.Component):
    """Carries out COMPUTE descriptors, as docs/machine.md says and in the cycles it says.

    After an error no further step issues and nothing more is written until ``clear``.

    Members
    -------
    descriptor : ``In(stream.Signature(compute_layout(config)))``  queued; one pushed in cycle t can be taken from cycle t+1 on
    transfers_done : ``In(32)``   transfers complete; grows by at most one a cycle
    groups_done : ``Out(32)``     channel groups complete
    idle : ``Out(1)``             the queue is empty and the array idle
    clear : ``In(1)``             back to the state after reset; memories keep their words
    load : ``In(stream.Signature(load_layout(config)))``    writes a word; ready when post-processing does not write
    store : ``In(stream.Signature(store_layout(config)))``  reads a word; always ready; keeps a step from issuing
    stored : ``Out(2*N)``         that word, ``STORE_LATENCY`` cycles later
    weight_write : ``In(weight_write_layout(config))``        a slice of a weight word
    parameter_write : ``In(parameter_write_layout(config))``  a parameter word
    now : ``In(32)``              the cycle's number, for ``record``
    record : ``Out(RECORD_LAYOUT)``  counters of a descriptor, valid in the cycle of its ``end``
    error : ``Out(ERROR_LAYOUT)``    the first error, from the cycle after it until ``clear``
    """

    descriptor: stream.Interface
    transfers_done: Signal
    groups_done: Signal
    idle: Signal
    clear: Signal
    load: stream.Interface
    store: stream.Interface
    stored: Signal
    weight_write: "data.View[data.StructLayout]"
    parameter_write: "data.View[data.StructLayout]"
    now: Signal
    record: "data.View[data.StructLayout]"
    error: "data.View[data.StructLayout]"

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "descriptor": In(stream.Signature(compute_layout(config))),
                "transfers_done": In(32),
                "groups_done": Out(32),
                "idle": Out(1),
                "clear": In(1),
                "load": In(stream.Signature(load_layout(config))),
                "store": In(stream.Signature(store_layout(config))),
                "stored": Out(config.word_bits),
                "weight_write": In(weight_write_layout(config)),
                "parameter_write": In(parameter_write_layout(config)),
                "now": In(32),
                "record": Out(RECORD_LAYOUT),
                "error": Out(ERROR_LAYOUT),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        config = self.config
        m.submodules.queue = queue = DescriptorQueue(config)
        m.submodules.sequencer = sequencer = Sequencer(config)
        m.submodules.drain = drain = DrainControl(config)
        m.submodules.recorder = recorder = Recorder()
        connect(m, flipped(self.descriptor), queue.i)
        m.d.comb += [
            sequencer.available.eq(queue.available),
            queue.take.eq(sequencer.take),
            sequencer.descriptor.eq(queue.current),
            sequencer.transfers_done.eq(self.transfers_done),
            sequencer.store.eq(self.store.valid),
            sequencer.stop.eq(self.error.valid),
            sequencer.finished.eq(drain.last_group_done),
            drain.descriptor.eq(queue.current),
            drain.start.eq(sequencer.start),
            recorder.now.eq(self.now),
            recorder.take.eq(sequencer.take),
            recorder.issue.eq(sequencer.step.valid),
            recorder.waits.eq(sequencer.waits),
            recorder.write.eq(drain.write.enable),
            recorder.finished.eq(drain.last_group_done),
            self.record.eq(recorder.record),
            self.idle.eq(sequencer.idle),
            self.store.ready.eq(1),
        ]
        m.d.sync += self.groups_done.eq(self.groups_done + drain.group_done)
        with m.If(~self.error.valid):
            with m.If(sequencer.error.valid):
                m.d.sync += self.error.eq(sequencer.error)
            with m.Elif(drain.out_of_range):
                m.d.sync += [self.error.valid.eq(1), self.error.code.eq(ErrorCode.OUT_OF_RANGE)]

        self._datapath(m, sequencer, drain, queue.current)
        return ResetInserter(self.clear)(m)

    def _datapath(
        self, m: Module, sequencer: Sequencer, drain: DrainControl, descriptor: "data.View[data.StructLayout]"
    ) -> None:
        config = self.config
        m.submodules.banks = banks = Banks(config)
        m.submodules.weights = weights = WeightMemory(config)
        m.submodules.parameters = parameters = ParameterMemory(config)
        m.submodules.array = array = Array(config)
        connect(m, flipped(self.load), banks.load)
        store = self.store
        m.d.comb += [
            banks.read.address.eq(Mux(store.valid, store.payload.address, sequencer.address)),
            banks.read.bank.eq(Mux(store.valid, store.payload.bank, sequencer.bank)),
            banks.read.inside.eq(sequencer.inside | store.valid.replicate(config.strips)),
            banks.read.pad.eq(sequencer.pad),
            self.stored.eq(banks.digits[0]),
            weights.address.eq(sequencer.weight_address),
            weights.write.eq(self.weight_write),
            parameters.address.eq(drain.parameter_address),
            parameters.write.eq(self.parameter_write),
        ]

        # A step's digits and weights arrive two cycles after it issued.
        read, arrived = Signal(STEP_LAYOUT), Signal(STEP_LAYOUT)
        m.d.sync += [read.eq(sequencer.step), arrived.eq(read)]
        m.d.comb += [
            array.step.eq(arrived),
            array.digits.eq(banks.digits),
            array.weights.eq(weights.word),
            drain.accumulates.eq(array.accumulates),
        ]

        bits = config.channel_parameter_bits
        threshold_bits = config.thresholds * config.accumulator_width
        channels = [parameters.word.word_select(channel, bits) for channel in range(config.post)]
        codes = Signal(codes_layout(config), reset_less=True)
        code_bits = 2 * config.code_digits
        for channel, word in enumerate(channels):
            for level in range(config.thresholds + 1):
                low = threshold_bits + level * code_bits
                m.d.sync += codes[channel][level].eq(word[low : low + code_bits].word_select(drain.digit, 2))
        for p in range(config.strips):
            m.submodules[f"post{p}"] = post = StripPost(config)
            m.d.comb += [
                post.values.eq(array.values[p]),
                post.fetch_chunk.eq(drain.fetch_chunk),
                post.pool.eq(drain.pool),
                post.thresholds.eq(Cat(word[:threshold_bits] for word in channels)),
                post.digit.eq(drain.digit),
                post.raw.eq(descriptor.mode == Mode.RAW),
                post.codes.eq(codes),
                banks.write.digits[p].eq(post.digits),
            ]
        m.d.comb += [
            banks.write.enable.eq(drain.write.enable),
            banks.write.address.eq(drain.write.address),
            banks.write.place.eq(drain.write.place),
        ]
