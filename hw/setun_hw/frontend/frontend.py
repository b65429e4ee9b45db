"""The front end: carries out a program's descriptors one after the other."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, enum, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from setun_hw.config import Config
from setun_hw.descriptor import Opcode, Region
from setun_hw.engine.layout import ERROR_LAYOUT, POST_LAYOUT
from setun_hw.error_codes import ErrorCode
from setun_hw.frontend.axi import MasterSignature
from setun_hw.frontend.check import DescriptorCheck
from setun_hw.frontend.fetch import Fetch
from setun_hw.frontend.ports import STATUS_LAYOUT, engine_members, settings_layout
from setun_hw.frontend.records import FRONT_LAYOUT, OPCODE_BITS
from setun_hw.frontend.transfers import Transfers
from setun_hw.frontend.watchdog import Watchdog


class State(enum.Enum, shape=unsigned(3)):  # type: ignore[call-arg]
    """What the front end does."""

    IDLE = 0
    BEGIN = 1  # clears the engine
    FETCH = 2
    DECODE = 3  # the descriptor is there, and is checked
    ACT = 4  # waits until it can be carried out
    RUN = 5  # a transfer runs
    DRAIN = 6  # stopped: waits until the bus is quiet


class FrontEnd(wiring.Component):
    """Fetches descriptors, checks them, moves words and hands COMPUTE descriptors to the engine.

    Cycles are those of docs/machine.md; cycle 0 is the second after the one with ``start``. Whatever goes wrong stops
    the program, clears the engine and brings the bus to rest; ``reset`` does the same and forgets the outcome.

    Members
    -------
    start, reset : ``In(1)``          for one cycle; ``start`` is ignored unless idle
    settings : ``In(settings_layout(config))``
    status : ``Out(STATUS_LAYOUT)``
    front : ``Out(FRONT_LAYOUT)``     counters of a descriptor that was carried out here
    push : ``Out(1)``                 descriptor ``status.index`` is handed to the engine
    running : ``In(32)``              index of the COMPUTE that the engine is at
    axi : ``Out(MasterSignature(config))``
    descriptor ... error : the engine's members, the other way round
    """

    start: Signal
    reset: Signal
    settings: "data.View[data.StructLayout]"
    status: "data.View[data.StructLayout]"
    front: "data.View[data.StructLayout]"
    push: Signal
    running: Signal
    axi: Any
    descriptor: stream.Interface
    transfers_done: Signal
    groups_done: Signal
    idle: Signal
    clear: Signal
    load: stream.Interface
    store: stream.Interface
    residual_load: stream.Interface
    residual_store: stream.Interface
    residual_stored: "data.View[data.ArrayLayout]"
    stored: "data.View[data.ArrayLayout]"
    weight_write: "data.View[data.StructLayout]"
    parameter_write: "data.View[data.StructLayout]"
    now: Signal
    error: "data.View[data.StructLayout]"

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "reset": In(1),
                "settings": In(settings_layout(config)),
                "status": Out(STATUS_LAYOUT),
                "front": Out(FRONT_LAYOUT),
                "push": Out(1),
                "running": In(32),
                "axi": Out(MasterSignature(config)),
                **engine_members(config),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, status = self.config, self.status
        state = Signal(State)
        drain, quiet, begin_fetch = state == State.DRAIN, Signal(), Signal()
        m.submodules.fetch = fetch = Fetch(config)
        m.submodules.check = check = DescriptorCheck(config)
        m.submodules.transfers = transfers = Transfers(config)
        m.submodules.watchdog = watchdog = Watchdog()
        transfer = fetch.transfer
        connect(m, transfers.burst, fetch.burst)
        connect(m, transfers.fetched, fetch.beats)
        connect(m, transfers.load, flipped(self.load))
        connect(m, transfers.store, flipped(self.store))
        post_set = Signal()
        if config.affine:
            connect(m, transfers.residual_load, flipped(self.residual_load))
            connect(m, transfers.residual_store, flipped(self.residual_store))
            m.d.comb += transfers.residual_stored.eq(self.residual_stored)
        connect(m, transfers.axi, flipped(self.axi))
        m.d.comb += [
            fetch.address.eq(self.settings.bases[Region.PROGRAM] + self.settings.list),
            fetch.first.eq(state == State.BEGIN),
            fetch.begin.eq(begin_fetch),
            fetch.clear.eq(drain & quiet),
            check.sound.eq(fetch.sound),
            check.version.eq(fetch.version),
            check.opcode.eq(fetch.opcode),
            check.transfer.eq(transfer),
            check.affine_fields.eq(fetch.affine_fields),
            transfers.fetching.eq(fetch.active),
            transfers.opcode.eq(fetch.opcode),
            transfers.transfer.eq(transfer),
            transfers.base.eq(self.settings.bases[transfer.region]),
            transfers.prepare.eq(state == State.DECODE),
            transfers.drain.eq(drain),
            transfers.stored.eq(self.stored),
            quiet.eq(transfers.quiet),
            self.descriptor.payload.eq(fetch.compute),
            self.weight_write.eq(transfers.weight_write),
            self.parameter_write.eq(transfers.parameter_write),
            self.clear.eq(drain | (state == State.BEGIN)),
            self.transfers_done.eq(status.transfers),
            self.now.eq(status.cycles),
            status.groups.eq(self.groups_done),
            status.busy.eq(state != State.IDLE),
            status.draining.eq(drain),
        ]

        if config.affine:
            # The settings go with every COMPUTE behind them.
            post = Signal(POST_LAYOUT)
            with m.If(post_set):
                m.d.sync += post.eq(fetch.post)
            with m.Elif(state == State.BEGIN):
                m.d.sync += post.eq(0)
            m.d.comb += [self.descriptor.payload[name].eq(post[name]) for name in POST_LAYOUT.members]

        # Carrying out.
        begun = Signal(32)  # the descriptor's ``start``
        wait_compute = Signal(32)
        fault = Signal(ERROR_LAYOUT)
        complete = (state == State.RUN) & transfers.done
        finish = Signal()  # END is reached
        go = transfers.start
        m.d.sync += fault.eq(check.error)
        with m.If(status.busy & ~drain):
            m.d.sync += status.cycles.eq(status.cycles + 1)
        with m.Switch(state):
            with m.Case(State.IDLE), m.If(self.start):
                m.d.sync += [state.eq(State.BEGIN), status.done.eq(0), status.error.eq(0), status.code.eq(0)]
            with m.Case(State.BEGIN):
                m.d.comb += begin_fetch.eq(1)
                m.d.sync += [status.cycles.eq(0), status.transfers.eq(0), status.index.eq(0), status.error_index.eq(0)]
                m.d.sync += [begun.eq(0), state.eq(State.FETCH)]
            with m.Case(State.FETCH):
                m.d.sync += wait_compute.eq(0)
                with m.If(fetch.done):
                    m.d.sync += state.eq(State.DECODE)
            with m.Case(State.DECODE):
                m.d.sync += state.eq(State.ACT)
            with m.Case(State.ACT):
                m.d.sync += wait_compute.eq(wait_compute + 1)
                with m.If(fetch.opcode == Opcode.COMPUTE):
                    m.d.comb += self.descriptor.valid.eq(~fault.valid)
                    m.d.comb += self.push.eq(self.descriptor.valid & self.descriptor.ready)
                with m.Elif(fetch.opcode == Opcode.END):
                    m.d.comb += finish.eq(self.idle & ~fault.valid)
                with m.Elif((fetch.opcode == Opcode.SET_POST) & int(config.affine)):
                    m.d.comb += post_set.eq(~fault.valid)
                with m.Else():
                    m.d.comb += go.eq((self.groups_done >= transfer.after) & ~fault.valid)
                with m.If(go):
                    m.d.sync += state.eq(State.RUN)
        with m.If(self.push | complete | post_set):
            m.d.comb += begin_fetch.eq(1)
            m.d.sync += [state.eq(State.FETCH), status.index.eq(status.index + 1), begun.eq(status.cycles + 1)]
        with m.If(complete):
            m.d.sync += status.transfers.eq(status.transfers + 1)
        with m.If(go):
            # What was counted stands; the count of this cycle would be one too many.
            m.d.sync += wait_compute.eq(wait_compute)

        self._record(m, fetch, transfers, complete | post_set, finish, begun, wait_compute)
        moves = Cat(
            self.axi.arvalid & self.axi.arready,
            self.axi.rvalid & self.axi.rready,
            self.axi.awvalid & self.axi.awready,
            self.axi.wvalid & self.axi.wready,
            self.axi.bvalid & self.axi.bready,
            self.load.valid & self.load.ready,
            # The array is under way as long as it writes to the banks now and then.
            ~self.load.ready,
            self.push,
        )
        if config.affine:
            # Or works on the residual memories: a wide window is read for long before anything is written.
            port = self.residual_load
            moves = Cat(moves, port.valid & port.ready, ~port.ready, ~self.residual_store.ready)
        m.d.comb += [
            watchdog.limit.eq(self.settings.watchdog),
            watchdog.enable.eq(status.busy & ~drain),
            watchdog.moves.eq(moves.any()),
        ]

        # Stopping: the engine's descriptor is the older one, so its errors come first.
        own = Signal(ERROR_LAYOUT)
        sources = (
            ((state == State.FETCH) & fetch.failed, ErrorCode.AXI_READ),
            ((state == State.ACT) & fault.valid, fault.code),
            (transfers.error.valid, transfers.error.code),
            (watchdog.barks, ErrorCode.TIMEOUT),
        )
        for cause, code in reversed(sources):
            with m.If(cause):
                m.d.comb += [own.valid.eq(1), own.code.eq(code)]
        forget = Signal()
        with m.If((own.valid | self.error.valid) & status.busy & ~drain & (state != State.BEGIN)):
            m.d.comb += begin_fetch.eq(0)
            m.d.sync += [
                state.eq(State.DRAIN),
                status.error.eq(1),
                status.code.eq(Mux(self.error.valid, self.error.code, own.code)),
                status.error_index.eq(Mux(self.error.valid, self.running, status.index)),
            ]
        with m.Elif(finish):
            m.d.sync += [state.eq(State.IDLE), status.done.eq(1), status.cycles.eq(status.cycles)]
        with m.If(drain & quiet):
            m.d.sync += [state.eq(State.IDLE), forget.eq(0)]
            with m.If(forget):
                m.d.sync += [status.done.eq(0), status.error.eq(0), status.code.eq(0), status.error_index.eq(0)]
        with m.If(self.reset):
            m.d.comb += begin_fetch.eq(0)
            m.d.sync += [state.eq(State.DRAIN), forget.eq(1)]
        return m

    def _record(
        self,
        m: Module,
        fetch: Fetch,
        transfers: Transfers,
        complete: Value,
        finish: Value,
        begun: Value,
        wait_compute: Value,
    ) -> None:
        """Offers a descriptor's counters in the cycle after its last one that counts."""
        front, counts = self.front, transfers.counts
        ended, index, start, waited = (Signal(32, name=f"record_{n}") for n in ("end", "index", "start", "waited"))
        opcode = Signal(OPCODE_BITS)
        m.d.sync += [
            front.valid.eq(complete | finish),
            ended.eq(self.status.cycles + complete),
            index.eq(self.status.index),
            start.eq(begun),
            waited.eq(wait_compute),
            opcode.eq(fetch.opcode),
        ]
        m.d.comb += [
            front.index.eq(index),
            front.opcode.eq(opcode),
            front.start.eq(start),
            front.end.eq(ended),
            front.wait_compute.eq(waited),
        ]
        with m.If((opcode != Opcode.END) & (opcode != Opcode.SET_POST)):
            m.d.comb += [
                front.beats.eq(fetch.transfer.beats),
                front.words.eq(counts.words),
                front.wait_memory.eq(counts.wait_memory),
                front.wait_port.eq(counts.wait_port),
            ]
