"""Digits, moved zero points, and what they do to thresholds, biases and padding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from setun_compiler import CompileError, compile_network
from setun_compiler.backend.check_program import descriptors
from setun_compiler.backend.choose_digits import choose_digits
from setun_compiler.backend.plan import Plan
from setun_compiler.digits import (
    digits_and_shift,
    from_digits,
    from_raw_planes,
    raw_planes_needed,
    to_codes,
    to_digits,
)
from setun_hw.config import Config, Encoding
from setun_hw.descriptor import Compute
from tests.compiler.small_network import network

CONFIG = Config(name="test", rows=4, lanes=4, strips=2, post=2)


@pytest.mark.parametrize(
    ("encoding", "low", "high", "digits", "shift"),
    [
        (Encoding.TERNARY, -1, 1, 1, 0),
        (Encoding.BINARY2, -1, 1, 1, 0),
        (Encoding.BINARY2, 0, 255, 4, 170),  # exactly the 256 values -170..85
        (Encoding.RAILS, 0, 255, 6, 0),
        (Encoding.TERNARY, 0, 80, 4, 40),  # exactly the 81 values of four trits
        (Encoding.TERNARY, 0, 81, 5, 0),
        (Encoding.TERNARY, 7, 9, 1, 8),
        (Encoding.BINARY2, 0, 1, 1, 0),
        (Encoding.BINARY2, 0, 2, 1, 1),
        (Encoding.BINARY2, -128, 127, 4, 42),
        (Encoding.TERNARY, 5, 5, 1, 4),
    ],
)
def test_fewest_digits_and_smallest_shift(encoding: Encoding, low: int, high: int, digits: int, shift: int) -> None:
    assert digits_and_shift(low, high, encoding) == (digits, shift)


@given(st.sampled_from(Encoding), st.integers(-3000, 3000), st.integers(0, 3000))
def test_shifted_range_fits_and_one_digit_less_does_not(encoding: Encoding, low: int, span: int) -> None:
    digits, shift = digits_and_shift(low, low + span, encoding)
    lowest, highest = encoding.digit_range(digits)
    assert lowest <= low - shift <= low + span - shift <= highest
    assert digits == 1 or span + 1 > encoding.radix ** (digits - 1)


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("digits", [1, 2, 3, 4])
def test_every_number_of_a_few_digits_returns(encoding: Encoding, digits: int) -> None:
    low, high = encoding.digit_range(digits)
    values = np.arange(low, high + 1)
    planes = to_digits(values, digits, encoding)
    assert len(values) == encoding.radix**digits
    assert planes.min() == encoding.lowest
    assert planes.max() == encoding.highest
    np.testing.assert_array_equal(from_digits(planes, encoding), values)


def test_codes_of_minus_five_by_hand() -> None:
    """-5 = -9 + 3 + 1 in trits; -5 = -4 - 1 in radix 4."""
    value = np.array([-5])
    assert to_codes(value, 3, Encoding.TERNARY)[:, 0].tolist() == [2, 1, 1]
    assert to_codes(value, 2, Encoding.BINARY2)[:, 0].tolist() == [3, 3]


@pytest.mark.parametrize(
    ("encoding", "low", "high", "planes"),
    [
        (Encoding.TERNARY, -1, 1, 1),
        (Encoding.TERNARY, -14, 3, 4),
        (Encoding.RAILS, -2, 1, 1),
        (Encoding.RAILS, 0, 2, 2),
        (Encoding.BINARY2, -9, 7, 3),
        (Encoding.BINARY2, 0, 0, 1),
        (Encoding.RAILS, -8, 7, 2),
    ],
)
def test_planes_that_a_raw_sum_needs(encoding: Encoding, low: int, high: int, planes: int) -> None:
    assert raw_planes_needed(low, high, encoding) == planes


def test_raw_planes_are_twos_complement_unless_ternary() -> None:
    codes = np.array([[3], [0]], np.uint8)
    assert from_raw_planes(codes, Encoding.RAILS).tolist() == [-4]
    assert from_raw_planes(np.array([[2], [1]], np.uint8), Encoding.TERNARY).tolist() == [-2]


def test_shift_moves_thresholds_padding_and_bias() -> None:
    """0..255 in radix 4 is stored minus 170: each sum lacks 170 times the sum of its weights."""
    weights = np.array([[[[1, 1, 1]]], [[[1, -1, -1]]]])
    config = CONFIG.replace(encoding=Encoding.BINARY2)
    net = network(
        weights, (1, 1, 5), low=0, high=255, padding=(0, 1, 0, 1), thresholds=[[300, 400]] * 2, codes=[[-1, 0, 1]] * 2
    )
    plan = choose_digits(Plan(network=net, config=config, batch=False))
    assert (plan.tensors["x"].digits, plan.tensors["x"].shift) == (4, 170)
    assert plan.ops[0].thresholds is not None
    assert plan.ops[0].thresholds.tolist() == [[300 - 510, 400 - 510], [300 + 170, 400 + 170]]
    assert plan.ops[0].pad_value == -170
    raw = choose_digits(Plan(network=network(weights, (1, 1, 5), low=0, high=255), config=config, batch=False))
    assert raw.ops[0].bias.tolist() == [510.0, -170.0]


def test_padding_outside_the_range_widens_it() -> None:
    net = network(np.ones((1, 1, 1, 3), int), (1, 1, 4), low=2, high=4, padding=(0, 1, 0, 0), pad_value=0)
    tensor = choose_digits(Plan(network=net, config=CONFIG, batch=False)).tensors["x"]
    assert (tensor.digits, tensor.low + tensor.shift, tensor.high + tensor.shift) == (2, 0, 4)


def test_pad_digits_lie_most_significant_first() -> None:
    net = network(np.ones((1, 4, 1, 3), int), (4, 1, 4), low=-4, high=4, padding=(0, 1, 0, 0), pad_value=-2)
    program = compile_network(net, CONFIG)
    compute = next(d for d in descriptors(program)[1] if isinstance(d, Compute))
    # -2 = -3 + 1: code 2 in plane 0, code 1 in plane 1
    assert compute.pad_digits == 2 | 1 << 2
    assert program.input.unfold is None


def test_wide_codes_are_refused_by_name() -> None:
    net = network(np.ones((1, 1, 1, 1), int), (1, 2, 2), thresholds=[[0]], codes=[[0, 200]])
    text = "^layer 'layer': its results 0 to 200 take 5 digits, but configuration 'test' has code_digits 2$"
    with pytest.raises(CompileError, match=text):
        compile_network(net, CONFIG)


def test_features_of_too_many_digits_are_refused_by_name() -> None:
    net = network(np.ones((1, 1, 1, 1), int), (1, 2, 2), low=-4000, high=4000)
    text = "^feature 'x' holds -4000 to 4000, which takes 9 digits, but a feature can have 8$"
    with pytest.raises(CompileError, match=text):
        compile_network(net, CONFIG)
