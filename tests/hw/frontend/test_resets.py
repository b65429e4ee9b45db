"""A soft reset always recovers, at whatever moment, and never breaks what it promised the bus."""

import random

import pytest
from amaranth.sim import SimulatorContext

from setun_hw.descriptor import SIZE, End, Opcode, Post, Region
from tests.hw.frontend.bench import BASES, Bench, complete
from tests.hw.frontend.stopping import AFFINE, CONFIG, GOOD, finish, transfer


@pytest.mark.parametrize("ragged", [None, 5])
@pytest.mark.parametrize("at", [1, 34, 38, 41, 44, 60, 100, 138, 142, 145, 147, 150, 163, 175])
def test_soft_reset_in_the_midst_of_residual_transfers(at: int, ragged: int | None) -> None:
    long = {"words": 60, "rows": 2, "row_words": 30, "strip_rows": 1}
    program = [
        complete(AFFINE, transfer(Opcode.LOAD_RESIDUAL, **long)),
        complete(AFFINE, transfer(Opcode.STORE_RESIDUAL, **long)),
        Post(shift=3),
        *GOOD,
    ]
    # The residual memories' ports are free now and then only, the rest of the surroundings is calm.
    bench = Bench(AFFINE, latency=6, ragged=None if ragged is None else random.Random(ragged))
    rng = random.Random(at)
    for line in ("residual_write", "residual_read"):
        bench.around.known[line] = [rng.randrange(2) for _ in range(3000)]
    bench.program(program)
    bench.memory.fill(BASES[Region.INPUT], bytes(range(256)))

    async def process(ctx: SimulatorContext) -> None:
        dut = bench.dut
        await bench.start(ctx)
        for _ in range(at):
            await bench.cycle(ctx)
        ctx.set(dut.reset, 1)
        await bench.cycle(ctx)
        ctx.set(dut.reset, 0)
        assert ctx.get(dut.status.draining)
        await bench.until_idle(ctx, limit=200)
        assert bench.memory.quiet
        await finish(ctx, bench)

    bench.simulate(process)


@pytest.mark.parametrize("ragged", [None, 5])
@pytest.mark.parametrize("at", [1, 20, 33, 41, 45, 70, 104, 107, 110, 147, 148, 150, 152, 160, 161, 205, 209, 211, 214])
def test_soft_reset_in_the_midst_of_anything(at: int, ragged: int | None) -> None:
    long = {"words": 60, "rows": 2, "row_words": 30, "strip_rows": 1}
    program = [
        complete(CONFIG, transfer(**long)),
        complete(CONFIG, transfer(Opcode.STORE_ACTIVATIONS, **long)),
        *GOOD,
    ]
    bench = Bench(CONFIG, latency=6, ragged=None if ragged is None else random.Random(ragged))
    bench.program(program)
    bench.memory.fill(BASES[Region.INPUT], bytes(range(256)))

    async def process(ctx: SimulatorContext) -> None:
        dut = bench.dut
        await bench.start(ctx)
        for _ in range(at):
            await bench.cycle(ctx)
        ctx.set(dut.reset, 1)
        await bench.cycle(ctx)
        ctx.set(dut.reset, 0)
        assert ctx.get(dut.status.draining)
        assert ctx.get(dut.clear)
        await bench.until_idle(ctx, limit=200)
        assert bench.memory.quiet
        assert (ctx.get(dut.status.done), ctx.get(dut.status.error), ctx.get(dut.status.code)) == (0, 0, 0)
        await finish(ctx, bench)

    bench.simulate(process)


def test_words_on_their_way_at_a_reset_do_not_disturb_the_bus() -> None:
    store = complete(CONFIG, transfer(Opcode.STORE_ACTIVATIONS))
    bench = Bench(CONFIG)
    bench.program([store, End()])

    async def process(ctx: SimulatorContext) -> None:
        for after in range(6):  # cycles from the first read to the reset
            await bench.start(ctx)
            seen = len(bench.read)
            while len(bench.read) == seen:
                await bench.cycle(ctx)
            for _ in range(after):
                await bench.cycle(ctx)
            bench.memory.slow = True  # beats are not taken: what is offered must stay as it is
            ctx.set(bench.dut.reset, 1)
            await bench.cycle(ctx)
            ctx.set(bench.dut.reset, 0)
            for _ in range(8):
                await bench.cycle(ctx)
            bench.memory.slow = False
            await bench.until_idle(ctx, limit=100)
            assert bench.memory.quiet
        await finish(ctx, bench)

    bench.simulate(process)


@pytest.mark.parametrize("channel", ["ar", "aw", "w"])
def test_what_was_offered_before_a_reset_stays_offered(channel: str) -> None:
    program = [complete(CONFIG, transfer(Opcode.STORE_ACTIVATIONS)), End()]
    bench = Bench(CONFIG, latency=3)
    bench.program(program)

    async def process(ctx: SimulatorContext) -> None:
        dut, memory = bench.dut, bench.memory
        await bench.start(ctx)
        while channel != "ar" and len(memory.taken) < SIZE // 4:
            await bench.cycle(ctx)
        if channel == "w":
            memory.latency = 100  # no response, so that it is not over too soon
            while not memory.given:
                await bench.cycle(ctx)
        memory.silent = True
        for _ in range(10):
            await bench.cycle(ctx)
        assert ctx.get(getattr(dut.axi, f"{channel}valid"))
        ctx.set(dut.reset, 1)
        await bench.cycle(ctx)
        ctx.set(dut.reset, 0)
        for _ in range(10):  # the memory's side sees to it that nothing changes
            await bench.cycle(ctx)
            assert ctx.get(getattr(dut.axi, f"{channel}valid"))
        assert ctx.get(dut.status.draining)
        assert channel != "w" or ctx.get(dut.axi.wstrb)
        memory.silent, memory.latency = False, 3
        memory.hurry()
        await bench.until_idle(ctx, limit=100)
        assert memory.quiet
        assert memory.strobed == {"ar": 0, "aw": 1, "w": 2}[channel]
        await finish(ctx, bench)

    bench.simulate(process)
