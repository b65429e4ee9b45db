"""Fixed-point descriptors that must stop the engine, and words that stay as they are then."""

import random
from typing import Any

from amaranth.sim import Simulator, SimulatorContext

from setun_hw.descriptor import Compute, Mode, Post
from setun_hw.engine import Engine
from setun_hw.error_codes import ErrorCode
from setun_hw.timing import STORE_LATENCY
from tests.hw.engine.bench import fields_of, fill, payload, residual_word
from tests.hw.engine.fixed_layers import fixed_memories, random_residuals
from tests.hw.engine.layers import random_banks
from tests.hw.engine.test_fixed_point import FIXED

CONFIG = FIXED.replace(activation_words=20, weight_words=4, parameter_words=8, residual_words=30, two_scale=False)
GOOD = {
    "affine": 1, "residual": 1, "residual_write": 1, "mode": Mode.DIGITS, "out_digits": 6, "out_cols": 2,
    "out_col_stride": 6, "out_end": 12, "in_cols": 2, "in_base": 15, "in_end": 17,
}  # fmt: skip
SETTINGS = {
    "low": -364, "high": 364, "res_rows": 2, "res_row_stride": 2, "res_end": 4, "res_out_base": 10, "res_out_end": 12,
}  # fmt: skip

BAD_FIELDS: dict[str, dict[str, int]] = {
    "unknown mode": {"mode": 4},
    "raw sums": {"mode": Mode.RAW},
    "digits of sums": {"affine": 0, "residual": 0, "residual_write": 0},
    "no digits of sums": {"affine": 0, "residual": 0, "residual_write": 0, "mode": Mode.NONE, "out_digits": 1},
    "no array for sums": {"affine": 0, "residual": 0, "residual_write": 0, "mode": Mode.THRESHOLD, "no_array": 1},
    "residual of sums": {"affine": 0, "residual_write": 0, "mode": Mode.THRESHOLD, "out_digits": 1},
    "residual words of sums": {"affine": 0, "residual": 0, "mode": Mode.THRESHOLD, "out_digits": 1},
    "two scales without a second accumulator": {"two_scale": 1},
    "a residual behind, but none": {"residual": 0, "residual_after": 1},
    "the largest residual, but in front": {"residual_max": 1},
    "windows of sums that share a pixel": {
        "affine": 0, "residual": 0, "residual_write": 0, "mode": Mode.THRESHOLD, "pool_carry": 1, "out_digits": 1,
    },
    "more digits than numbers have": {"out_digits": CONFIG.value_digits + 1},
    "more digits than codes have": {"mode": Mode.THRESHOLD, "out_digits": CONFIG.code_digits + 1},
    "digits for nobody": {"mode": Mode.NONE},
    "low above high": {"low": 5, "high": 4},
    "low below all residuals": {"low": -513},
    "high above all residuals": {"high": 512},
    "low below the digits": {"low": -365},
    "high above the digits": {"high": 365},
    "no rows": {"res_rows": 0},
    "no columns": {"res_cols": 0},
    "no chunks": {"res_chunks": 0},
    "first chunk beyond the operand's": {"res_first": 1},
}
OUT_OF_RANGE: dict[str, dict[str, int]] = {
    "read past the tensor": {"res_end": 3},
    "read past the memory": {"res_base": 27, "res_end": 100},
    "window row past every address": {"res_row_stride": (1 << 24) - 1},
    "column past every address": {"res_col_stride": (1 << 16) - 1, "res_end": 1 << 23},
    "write past the tensor": {"res_out_end": 11},
    "write past the memory": {"res_out_base": 29, "res_out_end": 100},
    "write past every address": {"res_out_base": 1 << 23, "res_out_end": (1 << 24) - 1},
    "written column past every address": {"res_out_col_stride": (1 << 16) - 9},
    "digits past the tensor": {"out_end": 11},
}
CASES = [(ErrorCode.BAD_FIELD, case) for case in BAD_FIELDS.items()] + [
    (ErrorCode.OUT_OF_RANGE, case) for case in OUT_OF_RANGE.items()
]


def test_bad_descriptors_stop_with_a_code_and_write_nothing_outside() -> None:
    rng = random.Random(1)
    residuals = random_residuals(CONFIG, rng)
    engine = Engine(CONFIG)
    dut: Any = engine

    async def give(ctx: SimulatorContext, changes: dict[str, int]) -> None:
        d, post = (
            kind(**{**good, **{name: value for name, value in changes.items() if name in kind.LAYOUT}})
            for kind, good in ((Compute, GOOD), (Post, SETTINGS))
        )
        assert set(changes) <= {*fields_of(d), *fields_of(post)}
        ctx.set(dut.descriptor.valid, 1)
        ctx.set(dut.descriptor.payload, payload(CONFIG, d, post))
        await ctx.tick()
        ctx.set(dut.descriptor.valid, 0)

    async def bench(ctx: SimulatorContext) -> None:
        await fill(ctx, engine, random_banks(CONFIG, rng), fixed_memories(CONFIG, rng, 4), residuals)
        for code, (name, changes) in CASES:
            await give(ctx, changes)
            cycles = 0
            while not ctx.get(dut.error.valid):
                assert not ctx.get(dut.record.valid), name
                assert cycles < 100, f"{name}: no error"
                cycles += 1
                await ctx.tick()
            assert ctx.get(dut.error.code) == code, name
            for _ in range(40):
                assert not ctx.get(dut.idle), name
                assert not ctx.get(dut.record.valid), name
                await ctx.tick()
            assert ctx.get(dut.groups_done) == 0, name
            ctx.set(dut.clear, 1)
            await ctx.tick()
            ctx.set(dut.clear, 0)
            assert ctx.get(dut.idle), name
            assert not ctx.get(dut.error.valid), name
        ctx.set(dut.residual_store.valid, 1)
        for bank in range(CONFIG.strips):
            for address in range(CONFIG.residual_words + STORE_LATENCY):
                ctx.set(dut.residual_store.payload, {"bank": bank, "address": min(address, CONFIG.residual_words - 1)})
                read = address - STORE_LATENCY
                if read >= 0 and read not in (10, 11, 29):
                    assert ctx.get(dut.residual_stored[0]) == residual_word(CONFIG, residuals[bank][read]), (bank, read)
                await ctx.tick()
        await give(ctx, {})
        for _ in range(100):
            if ctx.get(dut.record.valid):
                break
            await ctx.tick()
        assert ctx.get(dut.record.words) == 12
        assert not ctx.get(dut.error.valid)

    simulator = Simulator(engine)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
