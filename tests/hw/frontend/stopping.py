"""Programs that must stop with a code and an index, and the good one that must run afterwards."""

import random
from collections.abc import Callable, Sequence

from amaranth.sim import SimulatorContext

from setun_hw.config import Config
from setun_hw.descriptor import Descriptor, End, Opcode, Region, Transfer
from setun_hw.error_codes import ErrorCode
from tests.hw.frontend.bench import BASES, LIST, Bench, complete

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
