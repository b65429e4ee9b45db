"""Runs the loops of a COMPUTE descriptor: one step a cycle, unless something has to be waited for."""

from enum import Enum

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from setun_hw.config import Config
from setun_hw.engine.activation_walk import ActivationWalk
from setun_hw.engine.check import bad_field
from setun_hw.engine.gates import DrainGate, LoadGate
from setun_hw.engine.layout import ADVANCE_LAYOUT, COMPUTE_LAYOUT, ERROR_LAYOUT, STEP_LAYOUT
from setun_hw.engine.loops import DigitLoop, counted_loop
from setun_hw.engine.weight_walk import WeightWalk
from setun_hw.error_codes import ErrorCode


class State(Enum):
    """What the array does."""

    IDLE = 0  # takes a descriptor if there is one
    SETUP = 1  # the descriptor is there; is checked
    RUN = 2  # steps issue
    FINISH = 3  # the last group is on its way to the banks


WAITS_LAYOUT = data.StructLayout({"load": 1, "drain": 1, "store": 1})


class Sequencer(wiring.Component):
    """Issues the steps of one descriptor after the other.

    Members
    -------
    available : ``In(1)``, take : ``Out(1)``   the queue; ``descriptor`` is the one taken last
    descriptor : ``In(COMPUTE_LAYOUT)``
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
                "descriptor": In(COMPUTE_LAYOUT),
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
        d = self.descriptor
        issue, state = self.step.valid, Signal(State)
        done, group_begins = Signal(), Signal()
        advance = Signal(ADVANCE_LAYOUT)
        digits = self._loops(m, advance, done)

        m.submodules.load_gate = load_gate = LoadGate()
        m.submodules.drain_gate = drain_gate = DrainGate()
        m.d.comb += [
            load_gate.after.eq(d.after),
            load_gate.after_step.eq(d.after_step),
            load_gate.start.eq(self.start),
            load_gate.next_group.eq(issue & advance.group),
            load_gate.transfers_done.eq(self.transfers_done),
            drain_gate.chunks.eq(Mux(self.step.last_group, d.last_chunks, d.chunks)),
            drain_gate.digits.eq(d.out_digits),
            drain_gate.pixel.eq(issue & self.step.pixel),
        ]
        wants = (state == State.RUN) & ~self.stop
        wait_load = group_begins & ~load_gate.open
        wait_drain = self.step.pixel & ~drain_gate.open
        m.d.comb += [
            self.waits.load.eq(wants & wait_load),
            self.waits.drain.eq(wants & ~wait_load & wait_drain),
            self.waits.store.eq(wants & ~wait_load & ~wait_drain & self.store),
            issue.eq(wants & ~wait_load & ~wait_drain & ~self.store),
        ]
        with m.If(self.start | issue):
            m.d.sync += group_begins.eq(self.start | advance.group)

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
            with m.Case(State.RUN), m.If(issue & done):
                m.d.sync += state.eq(State.FINISH)
            with m.Case(State.FINISH), m.If(self.finished):
                m.d.sync += state.eq(State.IDLE)

        self._walks(m, advance, digits)
        self._errors(m)
        return m

    def _loops(self, m: Module, advance: "data.View[data.StructLayout]", done: Signal) -> DigitLoop:
        """All loops of the layer; drives ``step`` (without ``valid``), ``advance`` and ``done``."""
        d, step, start = self.descriptor, self.step, self.start
        goes_on = step.valid  # the current iteration of the loop at hand ends, and with it all loops inside

        def loop(name: str, limit: str) -> Signal:
            nonlocal goes_on
            last = counted_loop(m, name=name, limit=d[limit], start=start, step=goes_on)
            goes_on = goes_on & last
            return last

        last = {
            "block": loop("block", "blocks"),
            "kernel_col": loop("kernel_col", "kernel_cols"),
            "kernel_row": loop("kernel_row", "kernel_rows"),
        }
        digits = DigitLoop(m, in_digits=d.in_digits, weight_digits=d.weight_digits, start=start, step=goes_on)
        last |= {"digit": digits.last_of_significance, "significance": digits.last}
        goes_on = goes_on & digits.last
        last |= {
            "pool_col": loop("pool_col", "pool_cols"),
            "pool_row": loop("pool_row", "pool_rows"),
            "col": loop("col", "out_cols"),
            "row": loop("row", "out_rows"),
            "group": loop("group", "groups"),
        }

        inner = Cat()
        for name, is_last in last.items():
            m.d.comb += advance[name].eq(inner.all() & ~is_last)
            inner = Cat(inner, is_last)
            if name == "significance":
                m.d.comb += step.pixel.eq(inner.all())
        m.d.comb += [
            done.eq(inner.all()),
            step.emit.eq(last["pool_col"] & last["pool_row"]),
            step.last_col.eq(last["col"]),
            step.last_row.eq(last["row"]),
            step.last_group.eq(last["group"]),
        ]
        with m.If(start | step.valid):
            m.d.sync += [
                step.clear.eq(start | step.pixel),
                step.scale.eq(~start & advance.significance),
            ]
        with m.If(start | (step.valid & step.pixel)):
            m.d.sync += step.pool_first.eq(start | step.emit)
        return digits

    def _walks(self, m: Module, advance: "data.View[data.StructLayout]", digits: DigitLoop) -> None:
        d = self.descriptor
        m.submodules.activations, m.submodules.weights = self._activations, self._weights
        for walk in (self._activations, self._weights):
            m.d.comb += [
                walk.descriptor.eq(d),
                walk.start.eq(self.start),
                walk.step.eq(self.step.valid),
                walk.advance.eq(advance),
                walk.next_digit.eq(digits.next_digit),
            ]
        m.d.comb += [
            self.address.eq(self._activations.address),
            self.bank.eq(self._activations.bank),
            self.inside.eq(self._activations.inside),
            self.weight_address.eq(self._weights.address),
            self.pad.eq(d.pad_digits.word_select(digits.digit[:3], 2)),
        ]

    def _errors(self, m: Module) -> None:
        config, issue = self.config, self.step.valid
        over_activations, over_weights, reads = Signal(), Signal(), Signal()
        m.d.sync += [
            over_activations.eq((self.address >= self.descriptor.in_end) | (self.address >= config.activation_words)),
            over_weights.eq(issue & (self.weight_address >= config.weight_words)),
            reads.eq(issue & self.inside.any()),
        ]
        with m.If(self.start & bad_field(config, self.descriptor)):
            m.d.comb += [self.error.valid.eq(1), self.error.code.eq(ErrorCode.BAD_FIELD)]
        with m.Elif((over_activations & reads) | over_weights):
            m.d.comb += [self.error.valid.eq(1), self.error.code.eq(ErrorCode.OUT_OF_RANGE)]
