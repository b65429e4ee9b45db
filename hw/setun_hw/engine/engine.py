"""The compute engine: everything between the descriptor queue and the activation banks."""

from amaranth import Cat, Module, Mux, ResetInserter, Signal, Value
from amaranth.hdl import Elaboratable
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from setun_hw.config import Config
from setun_hw.descriptor import Mode
from setun_hw.engine.array import Array
from setun_hw.engine.banks import Banks
from setun_hw.engine.delay import delayed
from setun_hw.engine.drain import DrainControl, ends_layout
from setun_hw.engine.fixed_point import FixedPoint
from setun_hw.engine.layout import (
    ERROR_LAYOUT,
    RECORD_LAYOUT,
    STEP_LAYOUT,
    compute_layout,
    load_layout,
    parameter_write_layout,
    residual_load_layout,
    residual_store_layout,
    store_layout,
    weight_write_layout,
)
from setun_hw.engine.memories import LEVELS, ParameterMemory, WeightMemory
from setun_hw.engine.post import StripPost, codes_layout
from setun_hw.engine.queue import DescriptorQueue
from setun_hw.engine.recorder import Recorder
from setun_hw.engine.sequencer import Sequencer
from setun_hw.error_codes import ErrorCode
from setun_hw.timing import AFFINE


def residual_members(config: Config) -> dict[str, wiring.Member]:
    """The engine's members for residual transfers; none without ``affine``."""
    if not config.affine:
        return {}
    return {
        "residual_load": In(stream.Signature(residual_load_layout(config))),
        "residual_store": In(stream.Signature(residual_store_layout(config))),
        "residual_stored": Out(data.ArrayLayout(config.residual_word_bits, config.strips)),
    }


class Engine(wiring.Component):
    """Carries out COMPUTE descriptors, as docs/machine.md says and in the cycles it says.

    After an error no further step issues and nothing more is written until ``clear``.

    Members
    -------
    descriptor : ``In(stream.Signature(compute_layout(config)))``  queued; one pushed in cycle t can be taken from
    cycle t+1 on
    transfers_done : ``In(32)``   transfers complete; grows by at most one a cycle
    groups_done : ``Out(32)``     channel groups complete
    idle : ``Out(1)``             the queue is empty and the array idle
    clear : ``In(1)``             back to the state after reset; memories keep their words
    load : ``In(stream.Signature(load_layout(config)))``    writes words; ready when post-processing does not write
    store : ``In(stream.Signature(store_layout(config)))``  reads words; always ready; keeps a step from issuing
    stored : ``Out(ArrayLayout(2*N, P))``  words of that bank and those behind it, ``STORE_LATENCY`` cycles later
    residual_load, residual_store, residual_stored : the same for residual words, with ``affine`` only; both give way to
        post-processing
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
    stored: "data.View[data.ArrayLayout]"
    residual_load: stream.Interface
    residual_store: stream.Interface
    residual_stored: "data.View[data.ArrayLayout]"
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
                "stored": Out(data.ArrayLayout(config.word_bits, config.strips)),
                "weight_write": In(weight_write_layout(config)),
                "parameter_write": In(parameter_write_layout(config)),
                "now": In(32),
                "record": Out(RECORD_LAYOUT),
                "error": Out(ERROR_LAYOUT),
                **residual_members(config),
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
        ends = Signal(ends_layout(config))
        m.d.comb += [
            sequencer.available.eq(queue.available),
            queue.take.eq(sequencer.take),
            sequencer.descriptor.eq(queue.current),
            sequencer.transfers_done.eq(self.transfers_done),
            sequencer.store.eq(self.store.valid),
            sequencer.stop.eq(self.error.valid),
            sequencer.finished.eq(ends.last_group_done),
            drain.descriptor.eq(queue.current),
            drain.start.eq(sequencer.start),
            recorder.now.eq(self.now),
            recorder.take.eq(sequencer.take),
            recorder.issue.eq(sequencer.step.valid),
            recorder.waits.eq(sequencer.waits),
            recorder.write.eq(ends.write.enable),
            recorder.finished.eq(ends.last_group_done),
            self.record.eq(recorder.record),
            self.idle.eq(sequencer.idle),
            self.store.ready.eq(1),
        ]
        m.d.sync += self.groups_done.eq(self.groups_done + ends.group_done)
        with m.If(~self.error.valid):
            with m.If(sequencer.error.valid):
                m.d.sync += self.error.eq(sequencer.error)
            with m.Elif(ends.out_of_range):
                m.d.sync += [self.error.valid.eq(1), self.error.code.eq(ErrorCode.OUT_OF_RANGE)]

        self._datapath(m, sequencer, drain, ends, queue.current)
        return ResetInserter(self.clear)(m)

    def _datapath(
        self,
        m: Module,
        sequencer: Sequencer,
        drain: DrainControl,
        ends: "data.View[data.StructLayout]",
        descriptor: "data.View[data.StructLayout]",
    ) -> None:
        config = self.config
        m.submodules.banks = banks = Banks(config)
        m.submodules.weights = weights = WeightMemory(config)
        m.submodules.parameters = parameters = ParameterMemory(config, LEVELS)
        m.submodules.array = array = Array(config)
        connect(m, flipped(self.load), banks.load)
        # thresholds and codes: the word to read, and two cycles later the digit of the codes
        levels = Signal(
            data.StructLayout({"read": 1, "address": drain.parameter_address.shape(), "digit": drain.digit.shape()})
        )
        store = self.store
        array_reads = sequencer.step.valid & ~descriptor.no_array if config.affine else sequencer.step.valid
        m.d.comb += [
            banks.read.enable.eq(array_reads | store.valid),
            banks.read.address.eq(Mux(store.valid, store.payload.address, sequencer.address)),
            banks.read.bank.eq(Mux(store.valid, store.payload.bank, sequencer.bank)),
            banks.read.inside.eq(sequencer.inside | store.valid.replicate(config.strips)),
            banks.read.pad.eq(sequencer.pad),
            self.stored.eq(banks.digits),
            weights.read.eq(array_reads),
            weights.address.eq(sequencer.weight_address),
            weights.write.eq(self.weight_write),
            parameters.read.eq(levels.read),
            parameters.address.eq(levels.address),
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

        threshold_bits = config.thresholds * config.accumulator_width
        channels = [parameters.word.word_select(c, len(parameters.word) // config.post) for c in range(config.post)]
        thresholds = Cat(word[:threshold_bits] for word in channels)
        codes = Signal(codes_layout(config), reset_less=True)
        code_bits = 2 * config.code_digits
        for channel, word in enumerate(channels):
            for level in range(config.thresholds + 1):
                low = threshold_bits + level * code_bits
                m.d.sync += codes[channel][level].eq(word[low : low + code_bits].word_select(levels.digit, 2))
        posts = [StripPost(config) for _ in range(config.strips)]
        for p, post in enumerate(posts):
            m.submodules[f"post{p}"] = post
            m.d.comb += [
                post.values.eq(array.values[p]),
                post.fetch_chunk.eq(drain.fetch_chunk),
                post.pool.eq(drain.pool),
                post.thresholds.eq(thresholds),
                post.digit.eq(drain.digit),
                post.planes.eq(descriptor.mode != Mode.THRESHOLD),
                post.codes.eq(codes),
            ]
        m.d.comb += [
            banks.write.enable.eq(ends.write.enable),
            banks.write.address.eq(ends.write.address),
            banks.write.place.eq(ends.write.place),
        ]
        if not config.affine:
            m.d.comb += [levels.read.eq(drain.fetches), levels.address.eq(drain.parameter_address)]
            m.d.comb += levels.digit.eq(drain.digit)
            m.d.comb += [ends[name].eq(getattr(drain, name)) for name in ends.shape().members]
            m.d.comb += [banks.write.digits[p].eq(post.digits) for p, post in enumerate(posts)]
            return
        self._fixed_point(m, sequencer, drain, ends, array, posts, banks, levels, thresholds, descriptor)

    def _fixed_point(
        self,
        m: Module,
        sequencer: Sequencer,
        drain: DrainControl,
        ends: "data.View[data.StructLayout]",
        array: Array,
        posts: list[StripPost],
        banks: Banks,
        levels: "data.View[data.StructLayout]",
        thresholds: Value,
        descriptor: "data.View[data.StructLayout]",
    ) -> None:
        """Results go through the fixed-point stages, or wait as long: all layers write at the same distance."""
        m.submodules.fixed_point = fixed = FixedPoint(self.config)
        connect(m, flipped(self.residual_load), fixed.load)
        connect(m, flipped(self.residual_store), fixed.store)
        late = {
            name: delayed(m, Value.cast(getattr(drain, name)), AFFINE, f"late_{name}") for name in ends.shape().members
        }
        m.d.comb += [
            fixed.descriptor.eq(descriptor),
            fixed.start.eq(sequencer.start),
            fixed.pool.eq(drain.pool),
            fixed.pool_step.eq(drain.pool_step),
            fixed.fetches.eq(drain.fetches),
            fixed.parameter_address.eq(drain.parameter_address),
            fixed.digit.eq(drain.digit),
            fixed.parameter_write.eq(self.parameter_write),
            fixed.chunks.eq(Cat(post.chunk for post in posts)),
            fixed.thresholds.eq(thresholds),
            fixed.stop.eq(late["out_of_range"]),
            self.residual_stored.eq(fixed.stored),
            levels.read.eq(Mux(descriptor.affine, fixed.late_fetches, drain.fetches)),
            levels.address.eq(Mux(descriptor.affine, fixed.late_address, drain.parameter_address)),
            levels.digit.eq(Mux(descriptor.affine, fixed.late_digit, drain.digit)),
            *(ends[name].eq(value) for name, value in late.items()),
            ends.out_of_range.eq(late["out_of_range"] | fixed.out_of_range),
        ]
        if self.config.two_scale:
            m.d.comb += fixed.second_values.eq(array.second_values)
        with m.If(fixed.stopped):
            m.d.comb += [ends.write.enable.eq(0), ends.group_done.eq(0), ends.last_group_done.eq(0)]
        for p, post in enumerate(posts):
            waited = delayed(m, post.digits, AFFINE, f"digits{p}", reset_less=True)
            m.d.comb += [
                post.affine.eq(descriptor.affine),
                post.result.eq(fixed.results[p]),
                banks.write.digits[p].eq(Mux(descriptor.affine, post.digits, waited)),
            ]
