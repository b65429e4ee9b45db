"""Fixed-point post-processing of all strips, with the residual memories."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from setun_hw.config import Config
from setun_hw.engine.affine import OFFSETS, PIVOT, SLOPE, StripAffine, control_layout, parameters_layout
from setun_hw.engine.delay import delayed
from setun_hw.engine.drain import digit_bits, pool_layout
from setun_hw.engine.layout import (
    STEP_LAYOUT,
    compute_layout,
    index_bits,
    parameter_write_layout,
    residual_load_layout,
    residual_store_layout,
)
from setun_hw.engine.memories import ParameterMemory, parameter_places
from setun_hw.engine.post import result_layout, take_chunks, thresholds_layout
from setun_hw.engine.residual import ResidualMemories
from setun_hw.engine.residual_walk import ResidualOutWalk, ResidualReadWalk
from setun_hw.engine.serial import DigitConverter, DigitTables
from setun_hw.timing import AFFINE


class FixedPoint(wiring.Component):
    """From accumulators to ``out`` and back to the residual memories. Stage n is n cycles behind stage *pool* of the
    drain.

    Members
    -------
    descriptor : ``In(compute_layout(config))``  valid from the cycle of ``start`` on
    start : ``In(1)``
    pool, pool_step : ``In``                 stage 0, of :class:`~setun_hw.engine.drain.DrainControl`
    fetches : ``In(1)``, parameter_address : ``In``   stage -1
    digit : ``In``                           stage 1: index of the digit
    parameter_write : ``In(parameter_write_layout(config))``
    chunks : ``In(ArrayLayout(accumulator_width*W, P))``   stage 0: the chunk taken
    second_values : ``In``                   stage 0, with ``two_scale``: the second accumulators
    late_fetches : ``Out(1)``, late_address : ``Out``   stage 10: word whose thresholds are due two cycles later
    late_digit : ``Out``                     stage 12: index of the digit
    thresholds : ``In(thresholds_layout(config))``         stage 12
    results : ``Out(ArrayLayout(result_layout(config), P))``  stage 12
    stop : ``In(1)``                         stage 12: nothing more is written from the next stage on
    out_of_range : ``Out(1)``                a word outside the tensor or the memory; stops like ``stop``
    stopped : ``Out(1)``                     stage 13
    load, store, stored                      as of :class:`~setun_hw.engine.residual.ResidualMemories`
    """

    descriptor: "data.View[data.StructLayout]"
    start: Signal
    pool: "data.View[data.StructLayout]"
    pool_step: "data.View[data.StructLayout]"
    fetches: Signal
    parameter_address: Signal
    digit: Signal
    parameter_write: "data.View[data.StructLayout]"
    chunks: "data.View[data.ArrayLayout]"
    second_values: "data.View[data.ArrayLayout]"
    late_fetches: Signal
    late_address: Signal
    late_digit: Signal
    thresholds: "data.View[data.ArrayLayout]"
    results: "data.View[data.ArrayLayout]"
    stop: Signal
    out_of_range: Signal
    stopped: Signal
    load: stream.Interface
    store: stream.Interface
    stored: "data.View[data.ArrayLayout]"

    def __init__(self, config: Config) -> None:
        self.config = config
        values = data.ArrayLayout(data.ArrayLayout(config.accumulator_width, config.rows), config.strips)
        super().__init__(
            {
                "descriptor": In(compute_layout(config)),
                "start": In(1),
                "pool": In(pool_layout(config)),
                "pool_step": In(STEP_LAYOUT),
                "fetches": In(1),
                "parameter_address": In(index_bits(config.parameter_words)),
                "digit": In(digit_bits(config)),
                "parameter_write": In(parameter_write_layout(config)),
                "chunks": In(data.ArrayLayout(config.post * config.accumulator_width, config.strips)),
                **({"second_values": In(values)} if config.two_scale else {}),
                "late_fetches": Out(1),
                "late_address": Out(index_bits(config.parameter_words)),
                "late_digit": Out(digit_bits(config)),
                "thresholds": In(thresholds_layout(config)),
                "results": Out(data.ArrayLayout(result_layout(config), config.strips)),
                "stop": In(1),
                "out_of_range": Out(1),
                "stopped": Out(1),
                "load": In(stream.Signature(residual_load_layout(config))),
                "store": In(stream.Signature(residual_store_layout(config))),
                "stored": Out(data.ArrayLayout(config.residual_word_bits, config.strips)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, pool = self.config, self.pool
        control, parameters = self._control(m), self._parameters(m)
        m.submodules.memories = memories = ResidualMemories(config)
        connect(m, flipped(self.load), memories.load)
        connect(m, flipped(self.store), memories.store)
        m.d.comb += [
            self.stored.eq(memories.stored),
            self.late_fetches.eq(delayed(m, self.fetches, AFFINE, "fetches")),
            self.late_address.eq(delayed(m, self.parameter_address, AFFINE, "address")),
            self.late_digit.eq(delayed(m, self.digit, AFFINE, "digit")),
        ]
        leaves = delayed(m, control.leaves, 1, "leaves")
        tables = DigitTables(m, config, digits=self.descriptor.out_digits, digit=self.late_digit)
        outs: list[Value] = []
        for p in range(config.strips):
            m.submodules[f"strip{p}"] = strip = StripAffine(config)
            m.d.comb += [
                strip.control.eq(control),
                strip.parameters.eq(parameters),
                strip.values.eq(self.chunks[p]),
                strip.word.eq(memories.words[p]),
            ]
            if config.two_scale:
                m.d.comb += strip.second_values.eq(take_chunks(m, config, self.second_values[p], pool))
            outs.append(strip.out)
            for channel in range(config.post):
                out = strip.out.word_select(channel, config.residual_bits).as_signed()
                m.submodules[f"digits{p}_{channel}"] = converter = DigitConverter(config, tables, self.late_digit)
                m.d.comb += [
                    converter.value.eq(out),
                    converter.begins.eq(leaves),
                    converter.digit.eq(self.late_digit),
                    converter.power.eq(tables.power),
                    converter.offset.eq(tables.offset),
                    self.results[p].planes[channel].eq(converter.code),
                ]
                for t in range(config.thresholds):
                    threshold = self.thresholds[channel][t][: config.residual_bits + 1].as_signed()
                    m.d.comb += self.results[p].reached[channel][t].eq(out >= threshold)
        self._residual(m, memories, outs)
        return m

    def _control(self, m: Module) -> "data.View[data.StructLayout]":
        config, d, pool = self.config, self.descriptor, self.pool
        control = Signal(control_layout(config))
        settings = ("no_array", "residual", "residual_after", "residual_max", "shift", "shift1", "low", "high")
        fires = delayed(m, pool.fires, 10, "fires")
        place = delayed(m, Cat(pool.chunk, pool.first, pool.single, pool.carries), 9, "pool")
        m.d.comb += [
            control.takes.eq(pool.takes),
            control.window_begins.eq(delayed(m, pool.takes, 2, "window")),
            control.read_chunk.eq(place[: len(pool.chunk)]),
            control.fires.eq(fires),
            Cat(control.chunk, control.first, control.single, control.carries).eq(delayed(m, place, 1, "pool_now")),
            control.leaves.eq(delayed(m, fires, 1, "leaves_pool")),
            *(control[name].eq(d[name]) for name in settings),
            control.half.eq(Mux(d.residual_max, 0, self._half(m, d.shift, "half"))),
            control.share_shift.eq(Mux(d.residual_max, 0, d.shift)),
        ]
        return control

    def _half(self, m: Module, shift: Value, name: str) -> Signal:
        """Half of the unit that a shift keeps, or 0 where it drops nothing."""
        half = Signal(31, name=name)
        m.d.sync += half.eq((1 << shift) >> 1)
        return half

    def _parameters(self, m: Module) -> "data.View[data.StructLayout]":
        """Fixed-point parameters, each in the stage that uses it."""
        config = self.config
        places = parameter_places(config)
        words: dict[str, list[Value]] = {}
        for title, wanted, stage in (("slope", SLOPE, 3), ("pivot", PIVOT, 6), ("offsets", OFFSETS, 7)):
            names = [name for name in wanted if name in places]
            m.submodules[title] = memory = ParameterMemory(config, *names)
            m.d.comb += [
                memory.write.eq(self.parameter_write),
                memory.read.eq(delayed(m, self.fetches, stage - 1, f"{title}_fetches")),
                memory.address.eq(delayed(m, self.parameter_address, stage - 1, f"{title}_address")),
            ]
            low = 0
            for _ in range(config.post):
                for name in names:
                    bits = places[name][1] - places[name][0]
                    words.setdefault(name, []).append(memory.word[low : low + bits].as_signed())
                    low += bits
        result = Signal(parameters_layout(config))
        half = self._half(m, self.descriptor.shift, "half_b")
        half1 = self._half(m, self.descriptor.shift1, "half_b1")
        for channel in range(config.post):
            for name, values in words.items():
                value, parameter = values[channel], result[f"{name}_{channel}"]
                if name in ("b", *OFFSETS):
                    raised = Signal(parameter.shape(), name=f"{name}_{channel}", reset_less=True)
                    m.d.sync += raised.eq(value + (half if name == "b" else half1))
                    value = raised
                m.d.comb += parameter.eq(value)
        return result

    def _residual(self, m: Module, memories: ResidualMemories, outs: list[Value]) -> None:
        """Reads in stage 1, writes in stage 13; both are checked."""
        config, d, pool = self.config, self.descriptor, self.pool
        m.submodules.reads = reads = ResidualReadWalk(config)
        m.submodules.writes = writes = ResidualOutWalk(config)
        for walk in (reads, writes):
            m.d.comb += [
                walk.descriptor.eq(d), walk.start.eq(self.start), walk.step.eq(self.pool_step), walk.pool.eq(pool),
            ]  # fmt: skip
        read_address, read_enable = Signal.like(reads.address), Signal()
        m.d.sync += [read_address.eq(reads.address), read_enable.eq(pool.reads & d.residual)]
        bad_read = read_enable & ((read_address >= d.res_end) | (read_address >= config.residual_words))

        address = delayed(m, writes.address, 12, "out_address")
        due = delayed(m, pool.fires & pool.emit & d.residual_write, 12, "out_due")
        bad_write = due & ((address >= d.res_out_end) | (address >= config.residual_words))
        write = Signal(memories.write.shape(), reset_less=True)
        enable = Signal()
        m.d.comb += self.out_of_range.eq(bad_read | bad_write)
        with m.If(self.out_of_range | self.stop):
            m.d.sync += self.stopped.eq(1)
        m.d.sync += [enable.eq(due & ~bad_write), write.address.eq(address), write.words.eq(Cat(outs))]
        m.d.comb += [
            memories.read.enable.eq(read_enable),
            memories.read.address.eq(read_address),
            memories.write.eq(write),
            memories.write.enable.eq(enable & ~self.stopped),
        ]
