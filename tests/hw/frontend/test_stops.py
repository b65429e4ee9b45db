"""Whatever goes wrong stops with a code and an index, leaves the bus at rest, and the next program runs."""

import random

import pytest
from amaranth.sim import SimulatorContext

from setun_hw.descriptor import SIZE, Compute, End, Opcode, Post, Region
from setun_hw.error_codes import ErrorCode
from setun_hw.frontend.axi import SLVERR
from tests.hw.frontend.bench import BASES, LIST, RECORD, Bench, complete
from tests.hw.frontend.stopping import AFFINE, CONFIG, GOOD, finish, stop, transfer


@pytest.mark.parametrize(
    "opcode", [Opcode.LOAD_WEIGHTS, Opcode.LOAD_PARAMETERS, Opcode.LOAD_ACTIVATIONS, Opcode.LOAD_RESIDUAL]
)
def test_errors_of_reads(opcode: Opcode) -> None:
    def prepare(bench: Bench) -> None:
        bench.memory.errors[BASES[Region.INPUT] + 8] = SLVERR

    config = AFFINE if opcode is Opcode.LOAD_RESIDUAL else CONFIG
    stop([GOOD[1], transfer(opcode), End()], ErrorCode.AXI_READ, 1, prepare=prepare, config=config)


def test_errors_of_descriptor_reads() -> None:
    def prepare(bench: Bench) -> None:
        bench.memory.errors[BASES[Region.PROGRAM] + LIST + SIZE + 4] = SLVERR | 1

    stop([GOOD[0], GOOD[2]], ErrorCode.AXI_READ, 1, prepare=prepare)


def test_errors_of_writes() -> None:
    def prepare(bench: Bench) -> None:
        bench.memory.errors[BASES[Region.OUTPUT] + 4] = SLVERR

    stop(GOOD, ErrorCode.AXI_WRITE, 1, prepare=prepare)
    residual = [Post(), transfer(Opcode.STORE_RESIDUAL), End()]
    stop(residual, ErrorCode.AXI_WRITE, 1, prepare=prepare, config=AFFINE)


@pytest.mark.parametrize("ragged", [None, 1])
@pytest.mark.parametrize("at", [3, 60, 61, 94, 96, 97, 105, 110, 122, 123])
def test_a_memory_that_falls_silent_is_not_awaited_for_ever(at: int, ragged: int | None) -> None:
    """``at`` counts beats before it does; whatever was begun comes to its end once memory answers again."""
    long = {"words": 60, "rows": 2, "row_words": 30, "strip_rows": 1}
    program = [
        complete(CONFIG, transfer(**long)),
        complete(CONFIG, transfer(Opcode.STORE_ACTIVATIONS, **long)),
        *GOOD,
    ]
    bench = Bench(CONFIG, latency=4, ragged=None if ragged is None else random.Random(ragged))
    bench.program(program)
    bench.memory.fill(BASES[Region.INPUT], bytes(range(256)))

    async def process(ctx: SimulatorContext) -> None:
        status, memory = bench.dut.status, bench.memory
        await bench.start(ctx, watchdog=40)
        while len(memory.taken) + len(memory.given) < at:
            await bench.cycle(ctx)
        memory.silent = True
        if at % 2:  # on one side only: addresses and data are still taken
            memory.silent = False
            memory.latency = 10**6
        silent = bench.now
        for _ in range(400):
            if ctx.get(status.error):
                break
            await bench.cycle(ctx)
        assert ErrorCode(ctx.get(status.code)) is ErrorCode.TIMEOUT
        assert 40 <= bench.now - silent < 400
        memory.silent, memory.latency = False, 4
        memory.hurry()
        strobed = memory.strobed
        await bench.until_idle(ctx)
        # What is written while draining is without strobes, but for a beat that was already on offer.
        assert memory.strobed - strobed <= 1
        assert memory.quiet
        await finish(ctx, bench)

    bench.simulate(process)


def test_a_dependency_that_never_comes_true_is_a_timeout() -> None:
    def prepare(bench: Bench) -> None:
        bench.groups_limit = 3

    stop([GOOD[0], transfer(after=4), End()], ErrorCode.TIMEOUT, 1, prepare=prepare, watchdog=200)


@pytest.mark.parametrize("wanted", [Opcode.LOAD_RESIDUAL, Opcode.STORE_RESIDUAL])
def test_post_processing_at_the_residual_memories_is_progress(wanted: Opcode) -> None:
    bench = Bench(AFFINE, latency=2)
    # The port that the transfer waits for; the other one is free.
    line = "residual_write" if wanted is Opcode.LOAD_RESIDUAL else "residual_read"
    bench.around.known[line] = [0] * 400 + [1] * 1000
    bench.program([transfer(wanted), End()])

    async def process(ctx: SimulatorContext) -> None:
        await bench.start(ctx, watchdog=50)
        await bench.until_idle(ctx)
        await bench.cycle(ctx)
        assert ctx.get(bench.dut.status.done)

    bench.simulate(process)
    assert bench.records[0][RECORD.index("wait_port")] > 300


def test_start_while_busy_is_ignored() -> None:
    bench = Bench(CONFIG, latency=6)
    bench.program(GOOD)
    trace = bench.reference(GOOD)

    async def process(ctx: SimulatorContext) -> None:
        await bench.start(ctx)
        ctx.set(bench.dut.start, 1)
        for _ in range(30):
            await bench.cycle(ctx)
        ctx.set(bench.dut.start, 0)
        await bench.until_idle(ctx)
        assert ctx.get(bench.dut.status.cycles) == trace.end

    bench.simulate(process)
    assert bench.memory.reads == trace.reads


def test_errors_of_the_engine_name_its_own_descriptor() -> None:
    bench = Bench(CONFIG, latency=6)
    bench.program([Compute(), Compute(), *GOOD])

    async def process(ctx: SimulatorContext) -> None:
        dut = bench.dut
        await bench.start(ctx)
        while not bench.pushes[1:]:
            await bench.cycle(ctx)
        ctx.set(dut.running, 0)
        ctx.set(dut.error, {"valid": 1, "code": ErrorCode.OUT_OF_RANGE})
        await bench.cycle(ctx)
        ctx.set(dut.error, {"valid": 0, "code": 0})
        assert ctx.get(dut.clear)
        await bench.until_idle(ctx)
        assert (ErrorCode(ctx.get(dut.status.code)), ctx.get(dut.status.error_index)) == (ErrorCode.OUT_OF_RANGE, 0)
        await finish(ctx, bench)

    bench.simulate(process)
