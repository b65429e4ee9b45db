"""Whatever goes wrong stops with a code and an index, leaves the bus at rest, and the next program runs."""

import random
from collections.abc import Callable, Sequence

import pytest
from amaranth.sim import SimulatorContext

from setun_hw.config import Config
from setun_hw.descriptor import SIZE, VERSION, Compute, Descriptor, End, Opcode, Post, Region, Transfer
from setun_hw.error_codes import ErrorCode
from setun_hw.frontend.axi import SLVERR
from tests.hw.frontend.bench import BASES, LIST, RECORD, Bench, complete

CONFIG = Config(
    name="stops",
    rows=4,
    lanes=8,
    strips=2,
    post=2,
    thresholds=2,
    code_digits=1,
    activation_words=64,
    weight_words=16,
    parameter_words=16,
    axi_data_bits=32,
    counter_records=16,
)
AFFINE = CONFIG.replace(affine=True, residual_words=48)
STORES = (Opcode.STORE_ACTIVATIONS, Opcode.STORE_RESIDUAL)
INPUT = {"region": Region.INPUT}
GOOD: list[Descriptor] = [
    complete(CONFIG, Transfer(opcode=Opcode.LOAD_ACTIVATIONS, words=12, rows=3, row_words=4, strip_rows=2, **INPUT)),
    complete(
        CONFIG,
        Transfer(opcode=Opcode.STORE_ACTIVATIONS, words=12, rows=3, row_words=4, strip_rows=2, region=Region.OUTPUT),
    ),
    End(),
]
#: where the program that must run afterwards lies
AGAIN = 0x800


def transfer(opcode: Opcode = Opcode.LOAD_ACTIVATIONS, **changes: int) -> Transfer:
    """A good transfer, spoilt by ``changes`` after its beats were counted."""
    fields: dict[str, int] = {"words": 4, "region": Region.INPUT}
    if opcode not in (Opcode.LOAD_WEIGHTS, Opcode.LOAD_PARAMETERS):
        fields |= {"words": 12, "rows": 3, "row_words": 4, "strip_rows": 2}
        fields["region"] = Region.OUTPUT if opcode in STORES else Region.INPUT
    good = complete(CONFIG, Transfer(opcode=opcode, **fields))
    return Transfer(opcode=opcode, **{**{name: getattr(good, name) for name in Transfer.LAYOUT}, **changes})


def raw(descriptor: Descriptor, word: int, value: int, *, mend: bool) -> bytes:
    """A descriptor with one word exchanged, and the check word made right again or not."""
    data = bytearray(descriptor.pack())
    old = int.from_bytes(data[4 * word : 4 * word + 4], "little")
    data[4 * word : 4 * word + 4] = value.to_bytes(4, "little")
    if mend:
        check = int.from_bytes(data[-4:], "little") ^ old ^ value
        data[-4:] = check.to_bytes(4, "little")
    return bytes(data)


async def finish(ctx: SimulatorContext, bench: Bench) -> None:
    """The good program runs and moves its words."""
    bench.memory.errors.clear()
    bench.memory.silent = False
    bench.groups_limit = 1 << 31
    bench.program(GOOD, at=AGAIN)
    start, end = BASES[Region.OUTPUT], BASES[Region.OUTPUT] + 48
    for address in range(start, end):
        bench.memory.data.pop(address, None)
    bench.written.clear()
    await bench.start(ctx, at=AGAIN)
    await bench.until_idle(ctx)
    status = bench.dut.status
    assert (ctx.get(status.done), ctx.get(status.error), ctx.get(status.code)) == (1, 0, 0)
    assert len(bench.written) == 12
    words = [bench.banks[row // 2, row % 2 * 4 + k] for row in range(3) for k in range(4)]
    stored = bench.memory.bytes(start, 24)
    assert [int.from_bytes(stored[2 * k : 2 * k + 2], "little") for k in range(12)] == words
    assert bench.memory.quiet


def stop(
    program: Sequence[Descriptor | bytes],
    code: ErrorCode,
    index: int,
    *,
    prepare: Callable[[Bench], None] = lambda bench: None,
    watchdog: int = 0,
    ragged: int | None = None,
    latency: int = 5,
    config: Config = CONFIG,
) -> Bench:
    """Run a program that must stop so, then a good one."""
    bench = Bench(config, latency=latency, ragged=None if ragged is None else random.Random(ragged))
    data = b"".join(d if isinstance(d, bytes) else d.pack() for d in program)
    bench.memory.fill(BASES[Region.PROGRAM] + LIST, data)
    bench.memory.fill(BASES[Region.INPUT], bytes(range(256)) * 16)
    prepare(bench)

    async def process(ctx: SimulatorContext) -> None:
        status = bench.dut.status
        await bench.start(ctx, watchdog=watchdog)
        for _ in range(3000):
            if ctx.get(status.error):
                break
            await bench.cycle(ctx)
        assert ctx.get(status.error)
        bench.memory.silent = False
        await bench.until_idle(ctx)
        assert (ctx.get(status.done), ctx.get(status.error)) == (0, 1)
        assert (ErrorCode(ctx.get(status.code)), ctx.get(status.error_index)) == (code, index)
        assert bench.memory.quiet
        for _ in range(20):  # and stays at rest
            await bench.cycle(ctx)
        assert bench.memory.quiet
        for bank, address in [(bank, address) for _, bank, address in bench.read]:
            assert (bank, address) in bench.banks
        await finish(ctx, bench)

    bench.simulate(process)
    return bench


@pytest.mark.parametrize(
    ("spoilt", "code"),
    [
        (raw(GOOD[0], 9, 1, mend=False), ErrorCode.BAD_CHECK),
        (bytes(SIZE), ErrorCode.BAD_CHECK),
        (raw(GOOD[0], 0, int(Opcode.LOAD_ACTIVATIONS) | VERSION + 1 << 8, mend=True), ErrorCode.BAD_VERSION),
        (transfer(Opcode.LOAD_RESIDUAL), ErrorCode.BAD_OPCODE),
        (transfer(Opcode.STORE_RESIDUAL), ErrorCode.BAD_OPCODE),
        (Post(), ErrorCode.BAD_OPCODE),
        (raw(GOOD[0], 0, 255 | VERSION << 8, mend=True), ErrorCode.BAD_OPCODE),
        (Compute(affine=1), ErrorCode.BAD_FIELD),
        (Compute(residual_write=1), ErrorCode.BAD_FIELD),
        (transfer(rows=0), ErrorCode.BAD_FIELD),
        (transfer(strip_rows=0), ErrorCode.BAD_FIELD),
        (transfer(row_words=0), ErrorCode.BAD_FIELD),
        (transfer(words=0), ErrorCode.BAD_FIELD),
        (transfer(beats=0), ErrorCode.BAD_FIELD),
        (transfer(offset=2), ErrorCode.BAD_FIELD),
        (transfer(packed=1), ErrorCode.BAD_FIELD),
        (transfer(Opcode.LOAD_WEIGHTS, packed=1), ErrorCode.BAD_FIELD),
        (transfer(words=11), ErrorCode.BAD_FIELD),
        (transfer(beats=5), ErrorCode.BAD_FIELD),
        (transfer(beats=7), ErrorCode.BAD_FIELD),
        (transfer(beats=900), ErrorCode.BAD_FIELD),
        (transfer(Opcode.STORE_ACTIVATIONS, words=13), ErrorCode.BAD_FIELD),
        (transfer(Opcode.STORE_ACTIVATIONS, beats=5), ErrorCode.BAD_FIELD),
        (transfer(Opcode.STORE_ACTIVATIONS, beats=7), ErrorCode.BAD_FIELD),
        (transfer(Opcode.STORE_ACTIVATIONS, beats=900), ErrorCode.BAD_FIELD),
        (transfer(Opcode.LOAD_WEIGHTS, base=13), ErrorCode.OUT_OF_RANGE),
        (transfer(Opcode.LOAD_WEIGHTS, words=0xFFFFFFFF), ErrorCode.OUT_OF_RANGE),
        (transfer(Opcode.LOAD_PARAMETERS, base=16), ErrorCode.OUT_OF_RANGE),
        (transfer(base=61), ErrorCode.OUT_OF_RANGE),
        (transfer(base=57), ErrorCode.OUT_OF_RANGE),
        (transfer(strip_rows=1), ErrorCode.OUT_OF_RANGE),
        (transfer(lines=1), ErrorCode.BAD_FIELD),
        (transfer(Opcode.LOAD_WEIGHTS, lines=1), ErrorCode.BAD_FIELD),
        (Compute(residual_max=1), ErrorCode.BAD_FIELD),
        (Compute(pool_carry=1), ErrorCode.BAD_FIELD),
        (transfer(Opcode.STORE_ACTIVATIONS, base=57), ErrorCode.OUT_OF_RANGE),
        (transfer(Opcode.STORE_ACTIVATIONS, strip_rows=1), ErrorCode.OUT_OF_RANGE),
    ],
)
def test_malformed_descriptors(spoilt: Descriptor | bytes, code: ErrorCode) -> None:
    bench = stop([Compute(), spoilt, End()], code, 1)
    assert len(bench.pushes) == 1


@pytest.mark.parametrize("opcode", [Opcode.LOAD_RESIDUAL, Opcode.STORE_RESIDUAL])
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"rows": 0}, ErrorCode.BAD_FIELD),
        ({"strip_rows": 0}, ErrorCode.BAD_FIELD),
        ({"row_words": 0}, ErrorCode.BAD_FIELD),
        ({"packed": 1}, ErrorCode.BAD_FIELD),
        ({"offset": 2}, ErrorCode.BAD_FIELD),
        ({"words": 13}, ErrorCode.BAD_FIELD),
        ({"beats": 11}, ErrorCode.BAD_FIELD),
        ({"beats": 13}, ErrorCode.BAD_FIELD),
        ({"base": 45}, ErrorCode.OUT_OF_RANGE),
        ({"base": 41}, ErrorCode.OUT_OF_RANGE),
        ({"strip_rows": 1}, ErrorCode.OUT_OF_RANGE),
    ],
)
def test_malformed_residual_transfers(opcode: Opcode, changes: dict[str, int], code: ErrorCode) -> None:
    bench = stop([Post(), Compute(affine=1), transfer(opcode, **changes), End()], code, 2, config=AFFINE)
    assert len(bench.pushes) == 1
    places = {(bank, at) for _, kind, bank, at, _ in bench.written if kind == Opcode.LOAD_RESIDUAL}
    assert places <= set(bench.residuals)
    assert {(bank, at) for _, bank, at in bench.read[:-12]} <= set(bench.residuals)  # 12 are the good program's


def test_the_first_opcode_beyond_the_last() -> None:
    beyond = raw(GOOD[0], 0, max(Opcode) + 1 | VERSION << 8, mend=True)
    stop([Post(), beyond, End()], ErrorCode.BAD_OPCODE, 1, config=AFFINE)


def test_nothing_is_written_outside_the_memory() -> None:
    bench = stop([transfer(base=57), End()], ErrorCode.OUT_OF_RANGE, 0)
    assert all(at < CONFIG.activation_words for _, _, _, at, _ in bench.written)


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
