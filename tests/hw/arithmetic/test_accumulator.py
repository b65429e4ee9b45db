"""The accumulator against integers: every control, Horner's rule on many digits, wrap-around."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from setun_hw.arithmetic import Accumulator
from setun_hw.codec import decode_accumulator, encode_number, sum_limits, sum_width
from setun_hw.config import Config, Encoding
from tests.hw.arithmetic.bench import ENCODINGS, config, simulate

Step = tuple[int, bool, bool, bool]


def run(c: Config, steps: list[Step]) -> list[int]:
    """Values after each step of (sum, clear, scale, enable)."""
    accumulator = Accumulator(c)
    values = []

    async def bench(ctx: Any) -> None:
        for total, clear, scale, enable in steps:
            ctx.set(accumulator.sum, encode_number(c.encoding, total, sum_width(c)))
            ctx.set(accumulator.clear, clear)
            ctx.set(accumulator.scale, scale)
            ctx.set(accumulator.enable, enable)
            await ctx.tick()
            values.append(decode_accumulator(c, ctx.get(accumulator.value)))

    simulate(accumulator, bench, clocked=True)
    return values


def expected(c: Config, steps: list[Step]) -> list[int]:
    """The same in unbounded integers, wrapped into the accumulator's range."""
    span = 3**c.accumulator_trits if c.encoding is Encoding.TERNARY else 1 << c.accumulator_bits
    low = -((span - 1) // 2) if c.encoding is Encoding.TERNARY else -(span // 2)
    value, values = 0, []
    for total, clear, scale, enable in steps:
        if enable:
            value = ((0 if clear else c.encoding.radix * value if scale else value) + total - low) % span + low
        values.append(value)
    return values


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_sequence_worked_out_by_hand(encoding: Encoding) -> None:
    steps = [
        (3, True, False, True),
        (-1, False, False, True),
        (4, False, True, False),
        (4, False, True, True),
        (1, True, True, True),
    ]
    assert run(config(encoding), steps) == [3, 2, 2, 2 * encoding.radix + 4, 1]


@settings(max_examples=15, deadline=None)
@given(data=st.data(), encoding=st.sampled_from(ENCODINGS), lanes=st.sampled_from([1, 2, 5, 16]))
def test_any_sequence(data: st.DataObject, encoding: Encoding, lanes: int) -> None:
    c = config(encoding, lanes=lanes, accumulator_bits=7)
    step = st.tuples(st.integers(*sum_limits(c)), *[st.booleans()] * 3)
    steps = data.draw(st.lists(step, min_size=1, max_size=40))
    assert run(c, steps) == expected(c, steps)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_horner_rule_on_the_digits_of_eight_bits(encoding: Encoding) -> None:
    digits = 4 if encoding is Encoding.BINARY2 else 6
    c = config(encoding, lanes=16, accumulator_bits=16)
    rows = np.random.default_rng(5).integers(encoding.lowest, 2, (6, digits, 16))
    rows[0], rows[1] = encoding.lowest, encoding.highest
    weights = np.ones((6, 16), int)
    weights[3:] = -1
    sums = (rows * weights[:, None]).sum(axis=2)
    steps = [(int(total), d == 0, True, True) for row in sums for d, total in enumerate(row)]
    powers = encoding.radix ** np.arange(digits)[::-1]
    values = ((rows * powers[None, :, None]).sum(axis=1) * weights).sum(axis=1)
    assert run(c, steps)[digits - 1 :: digits] == values.tolist()


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("bits", [6, 20, 32])
def test_the_largest_sums_a_program_may_reach(encoding: Encoding, bits: int) -> None:
    c = config(encoding, lanes=4, accumulator_bits=bits)
    for sign in (1, -1):
        target, digits = sign * c.accumulator_limit, []
        while target:
            digit = (target + 1) % c.encoding.radix - 1
            digits.append(digit)
            target = (target - digit) // c.encoding.radix
        steps = [(digit, index == 0, True, True) for index, digit in enumerate(reversed(digits))]
        assert run(c, steps)[-1] == sign * c.accumulator_limit


def test_a_sum_wider_than_the_accumulator_wraps() -> None:
    for encoding in ENCODINGS:
        c = config(encoding, lanes=200, accumulator_bits=6)
        steps = [(total, True, False, True) for total in (200, -200, 40, -33)]
        assert run(c, steps) == expected(c, steps)
