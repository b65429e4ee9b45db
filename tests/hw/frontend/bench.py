"""Drives the front end alone: memory on one side, a stand-in for the engine on the other."""

import random
from collections.abc import Sequence
from typing import Any

from amaranth.sim import Simulator, SimulatorContext

from setun_hw.config import Config
from setun_hw.descriptor import Descriptor, Opcode, Region, Transfer
from setun_hw.external import map_sharing, map_word_bits, parameter_sharing, transfer_beats, weight_sharing
from setun_hw.frontend.frontend import FrontEnd
from setun_hw.packing import pack
from setun_hw.timing import STORE_LATENCY
from tests.hw.frontend.memory import Memory
from tests.hw.frontend.reference import ALL, Reference, Surroundings, Trace

BASES = {Region.PROGRAM: 0x1000, Region.INPUT: 0x20000, Region.OUTPUT: 0x40000, Region.SCRATCH: 0x60000}
LIST = 0xE80
RECORD = ("start", "end", "beats", "wait_compute", "wait_memory", "wait_port", "words", "opcode")


def complete(config: Config, transfer: Transfer) -> Transfer:
    """The transfer with its number of beats."""
    fields = {name: getattr(transfer, name) for name in Transfer.LAYOUT}
    return Transfer(opcode=transfer.opcode, **{**fields, "beats": transfer_beats(config, transfer)})


class Around:
    """What the engine does in each cycle, decided once; -1 as ``seed``: nothing that keeps anyone waiting."""

    def __init__(self, seed: int) -> None:
        self.calm, self.rng = seed < 0, random.Random(seed)
        self.known: dict[str, list[int]] = {"groups": [0], "port": [], "room": [], "idle": []}
        self.known |= {"residual_write": [], "residual_read": []}

    def __call__(self, what: str, cycle: int) -> int:
        line = self.known[what]
        while len(line) <= cycle:
            if what == "groups":
                line.append(line[-1] + int(self.calm or self.rng.random() < 0.05))
            else:
                line.append(int(self.calm or self.rng.random() < 0.6))
        return line[cycle]

    def surroundings(self, latency: int, interval: int) -> Surroundings:
        """For the reference."""
        return Surroundings(
            latency=latency,
            interval=interval,
            groups=lambda c: self("groups", c),
            port=lambda c: bool(self("port", c)),
            room=lambda c: bool(self("room", c)),
            idle=lambda c: bool(self("idle", c)),
            residual_write=lambda c: bool(self("residual_write", c)),
            residual_read=lambda c: bool(self("residual_read", c)),
        )


class Bench:
    """One front end in Amaranth's simulator."""

    def __init__(
        self,
        config: Config,
        *,
        seed: int = -1,
        latency: int = 1,
        interval: int = 1,
        ragged: random.Random | None = None,
    ) -> None:
        self.config, self.around = config, Around(seed)
        self.dut: Any = FrontEnd(config)
        self.memory = Memory(self.dut.axi, config.axi_data_bits, latency=latency, interval=interval, rng=ragged)
        self.latency, self.interval = latency, interval
        self.banks = {
            (bank, address): random.Random(bank << 24 | address).getrandbits(config.word_bits)
            for bank in range(config.strips)
            for address in range(config.activation_words)
        }
        self.residuals = {
            (bank, address): random.Random(~(bank << 24 | address)).getrandbits(config.residual_word_bits)
            for bank in range(config.strips)
            for address in range(config.residual_words)
        }
        self.written: list[tuple[int, Opcode, int, int, int]] = []  # cycle, kind, bank, address, data (slice, data)
        self.read: list[tuple[int, int, int]] = []
        self.pushes: list[int] = []
        self.pushed: list[dict[str, int]] = []
        self.records: dict[int, list[int]] = {}
        self.groups_limit = 1 << 31
        self.now = 0
        self._driven: dict[int, int | list[int]] = {}
        self._asked: list[tuple[int, int] | None] = [None] * STORE_LATENCY
        self._residuals_asked: list[tuple[int, int] | None] = [None] * STORE_LATENCY

    def program(self, descriptors: Sequence[Descriptor], at: int = LIST) -> None:
        """Put a list of descriptors into memory."""
        self.memory.fill(BASES[Region.PROGRAM] + at, b"".join(d.pack() for d in descriptors))

    def reference(self, descriptors: Sequence[Descriptor]) -> Trace:
        """What should happen."""
        bases = [BASES[region] for region in Region]
        return Reference(self.config, self.around.surroundings(self.latency, self.interval), bases).run(
            descriptors, LIST
        )

    async def cycle(self, ctx: SimulatorContext) -> None:
        """One clock cycle."""
        dut, now = self.dut, self.now

        def drive(signal: Any, value: int | list[int]) -> None:
            if self._driven.get(id(signal)) != value:  # every change costs the simulator time
                self._driven[id(signal)] = value
                ctx.set(signal, value)

        self.memory.drive(drive)
        if now >= 0:
            drive(dut.groups_done, min(self.around("groups", now), self.groups_limit))
            drive(dut.load.ready, self.around("port", now))
            drive(dut.descriptor.ready, self.around("room", now))
            drive(dut.idle, self.around("idle", now))
            if self.config.affine:
                drive(dut.residual_load.ready, self.around("residual_write", now))
                drive(dut.residual_store.ready, self.around("residual_read", now))
        place = self._asked.pop(0)
        strips = self.config.strips
        drive(dut.stored, [self.banks[(place[0] + p) % strips, place[1]] if place else 0 for p in range(strips)])
        if self.config.affine:
            place = self._residuals_asked.pop(0)
            words = [self.residuals[p or place[0], place[1]] if place else 0 for p in range(strips)]
            drive(dut.residual_stored, words)
            self._sample_residuals(ctx, now)
        self._sample(ctx, now)
        self.memory.observe(ctx.get)
        await ctx.tick()
        self.now += 1

    def _sample(self, ctx: SimulatorContext, now: int) -> None:
        dut = self.dut
        if ctx.get(dut.load.valid) and ctx.get(dut.load.ready):
            p = dut.load.payload
            self.written.append((now, Opcode.LOAD_ACTIVATIONS, *self._loaded(ctx, p, self.config.word_bits)))
        if ctx.get(dut.parameter_write.enable):
            p = dut.parameter_write
            self.written.append((now, Opcode.LOAD_PARAMETERS, 0, ctx.get(p.address), ctx.get(p.data)))
        if ctx.get(dut.weight_write.enable):
            p = dut.weight_write
            self.written.append((now, Opcode.LOAD_WEIGHTS, ctx.get(p.slice), ctx.get(p.address), ctx.get(p.data)))
        place = None
        if ctx.get(dut.store.valid):
            place = (ctx.get(dut.store.payload.bank), ctx.get(dut.store.payload.address))
            self.read.append((now, *place))
        self._asked.append(place)
        if ctx.get(dut.push):
            self.pushes.append(now)
            names = list(dut.descriptor.payload.shape().members)
            self.pushed.append({name: ctx.get(dut.descriptor.payload[name]) for name in names})
        if ctx.get(dut.front.valid):
            self.records[ctx.get(dut.front.index)] = [ctx.get(getattr(dut.front, name)) for name in RECORD]

    def _loaded(self, ctx: SimulatorContext, payload: Any, bits: int) -> tuple[int, int, int]:
        """Bank, address and data of a word; ``ALL`` and all data of a line."""
        banks, words = ctx.get(payload.banks), [ctx.get(word) for word in payload.words]
        address = ctx.get(payload.address)
        if banks.bit_count() == 1:
            return banks.bit_length() - 1, address, words[banks.bit_length() - 1]
        assert banks == (1 << self.config.strips) - 1
        return ALL, address, sum(word << bits * p for p, word in enumerate(words))

    def _sample_residuals(self, ctx: SimulatorContext, now: int) -> None:
        load, store = self.dut.residual_load, self.dut.residual_store
        if ctx.get(load.valid) and ctx.get(load.ready):
            p = load.payload
            self.written.append((now, Opcode.LOAD_RESIDUAL, *self._loaded(ctx, p, self.config.residual_word_bits)))
        place = None
        if ctx.get(store.valid) and ctx.get(store.ready):
            place = (ctx.get(store.payload.bank), ctx.get(store.payload.address))
            self.read.append((now, *place))
        self._residuals_asked.append(place)

    async def start(self, ctx: SimulatorContext, *, watchdog: int = 0, at: int = LIST) -> None:
        """Settings, and the start; ``now`` is -2 in its cycle."""
        dut = self.dut
        for region in Region:
            ctx.set(dut.settings.bases[region], BASES[region])
        ctx.set(dut.settings.list, at)
        ctx.set(dut.settings.watchdog, watchdog)
        ctx.set(dut.start, 1)
        self.now = -2
        self.memory.cycle = -2
        await self.cycle(ctx)
        ctx.set(dut.start, 0)

    async def until_idle(self, ctx: SimulatorContext, limit: int = 20000) -> None:
        """Until the program has ended one way or the other."""
        for _ in range(limit):
            if not ctx.get(self.dut.status.busy):
                return
            await self.cycle(ctx)
        raise AssertionError(f"still busy after {limit} cycles")

    def simulate(self, process: Any) -> None:
        """Run a test bench."""
        simulator = Simulator(self.dut)
        simulator.add_clock(1e-6)
        simulator.add_testbench(process)
        simulator.run()


def random_bytes(size: int, seed: int) -> bytes:
    """Data to move."""
    return random.Random(seed).randbytes(size)


def packed_bytes(config: Config, words: int, seed: int) -> tuple[bytes, list[int]]:
    """Packed weight words: the bytes outside, and all rails of each word."""
    rng = random.Random(seed)
    data, rails = b"", []
    size = weight_sharing(config).beats * config.axi_data_bits // 8
    for _ in range(words):
        trits = [rng.choice((-1, 0, 1)) for _ in range(config.rows * config.lanes)]
        data += bytes(pack([*trits, *[0] * (size * 5 - len(trits))]))
        rails.append(sum((trit & 3 if trit >= 0 else 2) << 2 * k for k, trit in enumerate(trits)))
    return data, rails


def words_outside(config: Config, d: Transfer, data: bytes) -> list[int]:
    """The words of a transfer, cut from the bytes outside."""
    residual, lines = d.opcode in (Opcode.LOAD_RESIDUAL, Opcode.STORE_RESIDUAL), bool(d.lines)
    sharing, bits = {
        Opcode.LOAD_WEIGHTS: (weight_sharing(config), config.weight_word_bits),
        Opcode.LOAD_PARAMETERS: (parameter_sharing(config), config.parameter_word_bits),
    }.get(
        d.opcode,
        (map_sharing(config, residual=residual, lines=lines), map_word_bits(config, residual=residual, lines=lines)),
    )
    runs = [d.words] if d.opcode in (Opcode.LOAD_WEIGHTS, Opcode.LOAD_PARAMETERS) else [d.row_words] * d.rows
    size, at, result = config.axi_data_bits // 8, 0, []
    for run in runs:
        for k in range(run):
            beat = at + (k * sharing.beats if sharing.beats > 1 else k // sharing.words)
            whole = int.from_bytes(data[beat * size : (beat + sharing.beats) * size], "little")
            result.append(whole >> (k % sharing.words * bits) & (1 << bits) - 1)
        at += sharing.run(run)
    return result
