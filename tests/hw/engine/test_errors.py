"""Descriptors that must stop the engine, and what it does not do then."""

import random
from typing import Any

import pytest
from amaranth.sim import Simulator, SimulatorContext

from setun_hw.descriptor import Compute, Mode
from setun_hw.engine import Engine
from setun_hw.error_codes import ErrorCode
from setun_hw.timing import STORE_LATENCY
from tests.hw.engine.bench import fill, payload, word_of
from tests.hw.engine.layers import random_banks, random_memories
from tests.hw.engine.reference import run
from tests.hw.engine.test_engine import BASE

GOOD = Compute(
    in_cols=3,
    in_strip_rows=2,
    in_row_stride=3,
    in_full_strips=2,
    out_rows=2,
    out_cols=3,
    out_row_stride=3,
    out_base=40,
    out_end=46,
    in_end=6,
    kernel_rows=2,
    kernel_cols=2,
    weight_plane=4,
    pad_top=1,
)
FIELDS = {name: getattr(GOOD, name) for name in GOOD.LAYOUT if name not in GOOD.DERIVED}

ZEROS = (
    "groups",
    "in_digits",
    "weight_digits",
    "blocks",
    "kernel_rows",
    "kernel_cols",
    "pool_rows",
    "pool_cols",
    "out_rows",
    "out_cols",
    "out_digits",
    "chunks",
    "last_chunks",
    "in_strip_rows",
)
BAD_FIELDS: dict[str, dict[str, int]] = {f"{name} 0": {name: 0} for name in ZEROS} | {
    "unknown mode": {"mode": 2},
    "more activation digits than pad digits": {"in_digits": 9},
    "more digits than a code": {"out_digits": BASE.code_digits + 1},
    "more planes than an accumulator": {"mode": Mode.RAW, "out_digits": BASE.raw_digits + 1},
    "more chunks than rows": {"chunks": BASE.chunks + 1},
    "more chunks than rows in the last group": {"last_chunks": BASE.chunks + 1},
    "more strips than banks": {"in_full_strips": 3},
    "rows beyond the last bank": {"in_last_rows": 1},
    "kernel row step longer than a strip": {"kernel_row_step": 3},
    "pool row step longer than a strip": {"pool_rows": 2, "pool_row_step": 3},
    "row step longer than a strip": {"row_step": 3},
    "padding higher than a strip": {"pad_top": 3},
    "rows left out, a whole strip of them": {"pad_top": -2},
    "groups further apart than their ring": {"groups": 2, "weight_ring": 3, "weight_group_step": 4},
}
OUT_OF_RANGE: dict[str, dict[str, int]] = {
    "write past the tensor": {"out_end": 45},
    "write past the memory": {"out_base": 97, "out_end": 1000},
    "write past every address": {"out_base": 1 << 23, "out_end": (1 << 24) - 1},
    "row stride that would wrap around": {"out_row_stride": (1 << 24) - 40},
    "column stride that would wrap around": {"out_col_stride": (1 << 16) - 40},
    "read past the tensor": {"in_end": 5},
    "read past the memory": {"in_base": 96, "in_end": 1000},
    "weights past the memory": {"weight_base": BASE.weight_words - 3},
}
CASES = [(ErrorCode.BAD_FIELD, changes) for changes in BAD_FIELDS.values()] + [
    (ErrorCode.OUT_OF_RANGE, changes) for changes in OUT_OF_RANGE.values()
]


async def give(ctx: SimulatorContext, engine: Any, d: Compute) -> None:
    """Push a descriptor."""
    ctx.set(engine.descriptor.valid, 1)
    ctx.set(engine.descriptor.payload, payload(BASE, d))
    await ctx.tick()
    ctx.set(engine.descriptor.valid, 0)


def test_bad_descriptors_stop_with_a_code_write_nothing_outside_and_clear_recovers() -> None:
    rng = random.Random(1)
    banks, memories = random_banks(BASE, rng), random_memories(BASE, rng, 4)
    good = [[list(codes) for codes in bank] for bank in banks]
    run(BASE, GOOD, good, memories, start=0, transfers_done=lambda cycle: 0, stored=lambda cycle: False)
    engine = Engine(BASE)
    dut: Any = engine

    async def words(ctx: SimulatorContext) -> list[list[int]]:
        """Both banks."""
        found = []
        ctx.set(dut.store.valid, 1)
        for bank in range(BASE.strips):
            values = []
            for address in range(BASE.activation_words + STORE_LATENCY):
                ctx.set(dut.store.payload, {"bank": bank, "address": min(address, BASE.activation_words - 1)})
                values.append(ctx.get(dut.stored[0]))
                await ctx.tick()
            found.append(values[STORE_LATENCY:])
        ctx.set(dut.store.valid, 0)
        return found

    async def bench(ctx: SimulatorContext) -> None:
        await fill(ctx, engine, banks, memories)
        for code, changes in CASES:
            d = Compute(**{**FIELDS, **changes})
            await give(ctx, dut, d)
            cycles = 0
            while not ctx.get(dut.error.valid):
                assert not ctx.get(dut.idle), changes
                assert cycles < 100, f"{changes}: no error"
                cycles += 1
                await ctx.tick()
            assert ctx.get(dut.error.code) == code, changes
            await give(ctx, dut, GOOD)
            for _ in range(30):
                assert not ctx.get(dut.idle), changes
                assert not ctx.get(dut.record.valid), changes
                await ctx.tick()
            assert ctx.get(dut.groups_done) == 0, changes
            ctx.set(dut.clear, 1)
            await ctx.tick()
            ctx.set(dut.clear, 0)
            assert ctx.get(dut.idle), changes
            assert not ctx.get(dut.error.valid), changes
        # Everything but the tensor's own words, and where another one was asked for, is as before.
        found = await words(ctx)
        written = {*range(GOOD.out_base, GOOD.out_end), 97, 98, 99}
        for bank in range(BASE.strips):
            for address, codes in enumerate(banks[bank]):
                assert found[bank][address] == word_of(codes) or address in written, (bank, address)
        await give(ctx, dut, GOOD)
        while not ctx.get(dut.record.valid):
            await ctx.tick()
        found = await words(ctx)
        for bank in range(BASE.strips):
            for address in range(GOOD.out_base, GOOD.out_end):
                assert found[bank][address] & 3 == good[bank][address][0], (bank, address)

    simulator = Simulator(engine)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


@pytest.mark.parametrize(
    "changes",
    [
        {"kernel_rows": 1, "kernel_row_step": 200},
        {"pool_row_step": 200},
        {"out_rows": 1, "row_step": 200},
        {"weight_ring": 1, "weight_group_step": 9},
        {"pad_top": 2},
        {"pad_top": -1},
    ],
)
def test_steps_that_are_never_taken_may_have_any_length(changes: dict[str, int]) -> None:
    engine = Engine(BASE)
    dut: Any = engine

    async def bench(ctx: SimulatorContext) -> None:
        await give(ctx, dut, Compute(**{**FIELDS, **changes}))
        while not ctx.get(dut.record.valid):
            assert not ctx.get(dut.error.valid)
            await ctx.tick()

    simulator = Simulator(engine)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
