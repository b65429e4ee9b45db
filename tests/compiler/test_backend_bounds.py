"""Proved extremes of the accumulator, intermediate sums included."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from setun_compiler import CompileError, compile_network
from setun_compiler.backend.choose_digits import choose_digits
from setun_compiler.backend.plan import Plan
from setun_compiler.backend.prove_bounds import prove_bounds, sum_ranges, weight_counts
from setun_compiler.digits import to_digits
from setun_hw.config import Config, Encoding
from tests.compiler.small_network import network

CONFIG = Config(name="test", rows=4, lanes=4, strips=2, post=2, accumulator_bits=16)


def test_extremes_of_one_digit_are_the_sums_of_magnitudes() -> None:
    weights = np.array([[[[1, -1, 0]], [[1, 1, 1]]], [[[0, 0, 0]], [[0, 0, -1]]]])
    plan = choose_digits(Plan(network=network(weights, (2, 1, 3)), config=CONFIG, batch=False))
    low, high, worst = sum_ranges(plan.ops[0], plan.tensors["x"], Encoding.TERNARY)
    assert (low.tolist(), high.tolist(), worst.tolist()) == ([-5, -1], [5, 1], [5, 1])


def test_truncated_number_may_exceed_the_final_sum() -> None:
    """x = 5 = (1, -1, -1) in trits: after one digit 1, then 3 and 3-1 = 2, then 6 and 6-1 = 5."""
    plan = choose_digits(
        Plan(network=network(np.ones((1, 1, 1, 1), int), (1, 1, 1), low=5, high=5), config=CONFIG, batch=False)
    )
    assert plan.tensors["x"].digits == 1  # 5 alone needs no such digits: the shift takes it
    tensor = plan.tensors["x"].__class__(**{**vars(plan.tensors["x"]), "digits": 3, "shift": 0, "low": 5, "high": 5})
    low, high, worst = sum_ranges(plan.ops[0], tensor, Encoding.TERNARY)
    assert (low.tolist(), high.tolist(), worst.tolist()) == ([0], [5], [6])


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(Encoding), st.integers(0, 1 << 30), st.integers(1, 3), st.integers(1, 2))
def test_no_walk_of_the_loops_leaves_the_bound(
    encoding: Encoding, seed: int, in_digits: int, weight_digits: int
) -> None:
    """The machine's loop, product by product, on extreme and random operands."""
    random = np.random.default_rng(seed)
    low, high = encoding.digit_range(in_digits)
    w_low, w_high = encoding.digit_range(weight_digits)
    weights = random.integers(w_low, w_high + 1, (1, 5, 1, 1))
    weights[0, 0] = random.choice([w_low, w_high])  # so that the weights do take that many digits
    plan = prove_bounds(
        choose_digits(
            Plan(
                network=network(weights, (5, 1, 1), low=low, high=high),
                config=CONFIG.replace(encoding=encoding, accumulator_bits=30),
                batch=False,
            )
        )
    )
    assert plan.ops[0].weight_digits == weight_digits
    for _ in range(20):
        x = random.choice([low, high, 0], 5) if random.integers(2) else random.integers(low, high + 1, 5)
        planes, w = (
            to_digits(x, in_digits, encoding).astype(int),
            to_digits(weights[0, :, 0, 0], weight_digits, encoding).astype(int),
        )
        acc, largest = 0, 0
        for s in range(in_digits + weight_digits - 1):
            acc *= encoding.radix
            for i in range(max(0, s - weight_digits + 1), min(s, in_digits - 1) + 1):
                for k in range(5):
                    acc += planes[i, k] * w[s - i, k]
                    largest = max(largest, abs(acc))
        assert acc == int((weights[0, :, 0, 0] * x).sum())
        assert largest <= plan.ops[0].bound


def test_counts_of_weights() -> None:
    values, counts = weight_counts(np.array([[3, -1, 3], [0, 0, -1]]))
    assert values.tolist() == [-1, 0, 3]
    assert counts.tolist() == [[1, 0, 2], [1, 2, 0]]


@pytest.mark.parametrize("encoding", Encoding)
def test_accumulator_just_wide_enough_is_taken_and_one_bit_less_refused(encoding: Encoding) -> None:
    """2 * 15 = 30 products of +-1 reach 30 = 2^5 - 2: six bits hold it; 31 need seven."""
    config = CONFIG.replace(accumulator_bits=6, encoding=encoding, thresholds=2)
    fits = np.ones((1, 30, 1, 1), int)
    compile_network(network(fits, (30, 1, 1)), config)
    channels = np.concatenate([np.zeros((1, 31, 1, 1), int), np.ones((1, 31, 1, 1), int)])
    text = (
        "^layer 'layer': sums of channel 1 reach 31, which takes accumulator_bits 7, but configuration 'test' has 6;"
        " 'tiny' has 18$"
    )
    with pytest.raises(CompileError, match=text):
        compile_network(network(channels, (31, 1, 1)), config)
