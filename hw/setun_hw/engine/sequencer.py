"""Runs the loops of a COMPUTE descriptor: one step a cycle, unless something has to be waited for."""

from enum import Enum

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from setun_hw.config import Config
from setun_hw.engine.activation_walk import ActivationWalk
from setun_hw.engine.check import bad_field
from setun_hw.engine.gates import DrainGate, LoadGate, drain_cycles
from setun_hw.engine.layout import ERROR_LAYOUT, STEP_LAYOUT, compute_layout
from setun_hw.engine.loop_nest import LoopNest
from setun_hw.engine.weight_walk import WeightWalk
from setun_hw.error_codes import ErrorCode


class State(Enum):
    """What the array does."""

    IDLE = 0  # takes a descriptor if there is one
    SETUP = 1  # the descriptor is there
    RUN = 2  # steps issue
    FINISH = 3  # the last group is on its way to the banks


WAITS_LAYOUT = data.StructLayout({"load": 1, "drain": 1, "store": 1})


class Sequencer(wiring.Component):
    """Issues the steps of one descriptor after the other.

    Members
    -------
    available : ``In(1)``, take : ``Out(1)``   the queue; ``descriptor`` is the one taken last
    descriptor : ``In(compute_layout(config))``
    transfers_done : ``In(32)``
    store : ``In(1)``             the banks are read for a store, so no step issues
    stop : ``In(1)``              no further step issues, and no descriptor is taken
    finished : ``In(1)``          the last word of the last group is being written
    start : ``Out(1)``            the cycle after a descriptor was taken
    idle : ``Out(1)``
    step : ``Out(STEP_LAYOUT)``   the step that issues in this cycle
    address, bank, inside, pad : ``Out``       what the step reads, see :class:`ActivationWalk`; digit of padding
    weight_address : ``Out``      what it multiplies with
    waits : ``Out(WAITS_LAYOUT)`` why a step does not issue in this cycle
    error : ``Out(ERROR_LAYOUT)`` valid in one cycle
    """

    available: Signal
    take: Signal
    descriptor: "data.View[data.StructLayout]"
    transfers_done: Signal
    store: Signal
    stop: Signal
    finished: Signal
    start: Signal
    idle: Signal
    step: "data.View[data.StructLayout]"
    address: Signal
    bank: Signal
    inside: Signal
    pad: Signal
    weight_address: Signal
    waits: "data.View[data.StructLayout]"
    error: "data.View[data.StructLayout]"

    def __init__(self, config: Config) -> None:
        self.config = config
        self._activations = ActivationWalk(config)
        self._weights = WeightWalk(config)
        super().__init__(
            {
                "available": In(1),
                "take": Out(1),
                "descriptor": In(compute_layout(config)),
                "transfers_done": In(32),
                "store": In(1),
                "stop": In(1),
                "finished": In(1),
                "start": Out(1),
                "idle": Out(1),
                "step": Out(STEP_LAYOUT),
                "address": Out(self._activations.address.shape()),
                "bank": Out(self._activations.bank.shape()),
                "inside": Out(config.strips),
                "pad": Out(2),
                "weight_address": Out(self._weights.address.shape()),
                "waits": Out(WAITS_LAYOUT),
                "error": Out(ERROR_LAYOUT),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, d = self.config, self.descriptor
        issue, state = self.step.valid, Signal(State)
        group_begins = Signal()
        m.submodules.loops = loops = LoopNest(config)
        position = loops.position
        advance = position.advance
        m.d.comb += [
            loops.descriptor.eq(d),
            loops.start.eq(self.start),
            loops.step.eq(issue),
            self.step.pixel.eq(position.pixel),
            self.step.emit.eq(position.last_pool_col & position.last_pool_row),
            self.step.last_col.eq(position.last_col),
            self.step.last_row.eq(position.last_row),
            self.step.last_group.eq(position.last_group),
        ]
        with m.If(self.start | issue):
            m.d.sync += [
                self.step.clear.eq(self.start | position.pixel),
                self.step.scale.eq(~self.start & advance.significance),
                group_begins.eq(self.start | advance.group),
            ]
        if config.two_scale:
            # The second pass begins as the first did.
            begins, clear, scale = Signal(), Signal(), Signal()
            m.d.comb += begins.eq(self.start | position.pixel | advance.significance | advance.digit)
            with m.If(self.start | (issue & begins)):
                m.d.sync += [clear.eq(self.start | position.pixel), scale.eq(~self.start & advance.significance)]
            with m.If(issue & advance.scale):
                m.d.sync += [self.step.clear.eq(clear), self.step.scale.eq(scale)]
            m.d.comb += self.step.second.eq(position.second)
        with m.If(self.start | (issue & position.pixel)):
            # Unless a pixel of this window counts for the next one.
            alone = (~d.pool_carry | self.step.last_col) if config.affine else 1
            m.d.sync += self.step.pool_first.eq(self.start | (self.step.emit & alone))

        m.submodules.load_gate = load_gate = LoadGate()
        chunk_cycles = drain_cycles(config, d)
        if config.affine:
            settled = Signal.like(chunk_cycles)  # the descriptor is there two cycles before the first step
            m.d.sync += settled.eq(chunk_cycles)
            chunk_cycles = settled
        m.submodules.drain_gate = drain_gate = DrainGate(len(chunk_cycles))
        m.d.comb += [
            load_gate.after.eq(d.after),
            load_gate.after_step.eq(d.after_step),
            load_gate.start.eq(self.start),
            load_gate.next_group.eq(issue & advance.group),
            load_gate.transfers_done.eq(self.transfers_done),
            drain_gate.chunks.eq(Mux(self.step.last_group, d.last_chunks, d.chunks)),
            drain_gate.cycles.eq(chunk_cycles),
            drain_gate.pixel.eq(issue & self.step.pixel),
        ]
        faulty = Signal()
        m.d.sync += faulty.eq(bad_field(self.config, d))  # in time for the first cycle in which a step could issue
        wants = (state == State.RUN) & ~self.stop & ~faulty
        wait_load = group_begins & ~load_gate.open
        wait_drain = self.step.pixel & ~drain_gate.open
        m.d.comb += [
            self.waits.load.eq(wants & wait_load),
            self.waits.drain.eq(wants & ~wait_load & wait_drain),
            self.waits.store.eq(wants & ~wait_load & ~wait_drain & self.store),
            issue.eq(wants & ~wait_load & ~wait_drain & ~self.store),
        ]
        m.d.comb += [
            self.idle.eq((state == State.IDLE) & ~self.available),
            self.take.eq((state == State.IDLE) & self.available & ~self.stop),
            self.start.eq(state == State.SETUP),
        ]
        with m.Switch(state):
            with m.Case(State.IDLE), m.If(self.take):
                m.d.sync += state.eq(State.SETUP)
            with m.Case(State.SETUP):
                m.d.sync += state.eq(State.RUN)
            with m.Case(State.RUN), m.If(issue & position.layer):
                m.d.sync += state.eq(State.FINISH)
            with m.Case(State.FINISH), m.If(self.finished):
                m.d.sync += state.eq(State.IDLE)

        self._walks(m, position)
        self._errors(m, (state == State.RUN) & faulty)
        return m

    def _walks(self, m: Module, position: "data.View[data.StructLayout]") -> None:
        d = self.descriptor
        m.submodules.activations, m.submodules.weights = self._activations, self._weights
        for walk in (self._activations, self._weights):
            m.d.comb += [
                walk.descriptor.eq(d),
                walk.start.eq(self.start),
                walk.step.eq(self.step.valid),
                walk.advance.eq(position.advance),
                walk.next_digit.eq(position.next_digit),
            ]
        m.d.comb += [
            self.address.eq(self._activations.address),
            self.bank.eq(self._activations.bank),
            self.inside.eq(self._activations.inside),
            self.weight_address.eq(self._weights.address),
            self.pad.eq(d.pad_digits.word_select(position.digit[:3], 2)),
        ]

    def _errors(self, m: Module, faulty: Value) -> None:
        config, issue = self.config, self.step.valid
        over_activations, over_weights, reads = Signal(), Signal(), Signal()
        m.d.sync += [
            over_activations.eq((self.address >= self.descriptor.in_end) | (self.address >= config.activation_words)),
            over_weights.eq(issue & (self.weight_address >= config.weight_words)),
            reads.eq(issue & self.inside.any()),
        ]
        if config.affine:
            with m.If(self.descriptor.no_array):
                m.d.sync += [over_weights.eq(0), reads.eq(0)]
        with m.If(faulty):
            m.d.comb += [self.error.valid.eq(1), self.error.code.eq(ErrorCode.BAD_FIELD)]
        with m.Elif((over_activations & reads) | over_weights):
            m.d.comb += [self.error.valid.eq(1), self.error.code.eq(ErrorCode.OUT_OF_RANGE)]
