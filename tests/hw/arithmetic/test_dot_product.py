"""Dot products against NumPy: all operands where they fit, extremes and random ones else."""

import itertools

import numpy as np
import pytest

from setun_hw.codec import sum_limits, sum_width
from setun_hw.config import Encoding
from tests.hw.arithmetic.bench import ENCODINGS, config, stream


def random_rows(encoding: Encoding, count: int, lanes: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(encoding.lowest, encoding.highest + 1, (count, lanes))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_sum_worked_out_by_hand(encoding: Encoding) -> None:
    # 1*1 + 1*-1 + 0*1 + -1*-1 + -1*1
    c = config(encoding, lanes=5, tree_registers=0)
    assert stream(c, np.array([[1, 1, 0, -1, -1]]), np.array([[1, -1, 1, -1, 1]])) == [0]
    assert stream(c, np.array([[1, 1, 0, -1, -1]]), np.array([[1, 1, 1, -1, 0]])) == [3]


def test_radix_four_digits_reach_minus_two() -> None:
    c = config(Encoding.BINARY2, lanes=3, tree_registers=0)
    assert stream(c, np.array([[-2, -2, 1]]), np.array([[-2, 1, -2]])) == [0]
    assert stream(c, np.array([[-2, -2, -2]]), np.array([[-2, -2, -2]])) == [12]


@pytest.mark.parametrize(("encoding", "lanes"), [("ternary", 4), ("rails", 4), ("binary2", 3)])
def test_every_pair_of_words(encoding: str, lanes: int) -> None:
    kind = Encoding(encoding)
    c = config(kind, lanes=lanes, tree_registers=0)
    words = np.array(list(itertools.product(range(kind.lowest, 2), repeat=lanes)))
    weights, digits = np.repeat(words, len(words), axis=0), np.tile(words, (len(words), 1))
    assert stream(c, weights, digits) == (weights * digits).sum(axis=1).tolist()


@pytest.mark.parametrize("registers", [0, 1, 2, 5])
@pytest.mark.parametrize("lanes", [1, 2, 3, 5, 8, 16, 27])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_one_sum_a_cycle_after_exactly_the_registers(encoding: Encoding, lanes: int, registers: int) -> None:
    c = config(encoding, lanes=lanes, tree_registers=registers)
    low, high = encoding.lowest, encoding.highest
    full = [np.full((1, lanes), digit) for digit in (low, high)]
    extremes = [(a, b) for a in full for b in full]
    weights = np.concatenate([a for a, _ in extremes] + [random_rows(encoding, 20, lanes, 1)])
    digits = np.concatenate([b for _, b in extremes] + [random_rows(encoding, 20, lanes, 2)])
    expected = (weights * digits).sum(axis=1)
    assert {expected.min(), expected.max()} == set(sum_limits(c))
    assert stream(c, weights, digits)[registers:] == expected.tolist()


@pytest.mark.parametrize(
    ("encoding", "lanes", "width"),
    [
        ("ternary", 1, 2),
        ("ternary", 2, 4),
        ("ternary", 4, 4),
        ("ternary", 5, 6),
        ("ternary", 13, 6),
        ("ternary", 14, 8),
        ("rails", 1, 2),
        ("rails", 3, 3),
        ("rails", 4, 4),
        ("binary2", 1, 4),
        ("binary2", 3, 5),
        ("binary2", 4, 6),
    ],
)
def test_sums_are_as_narrow_as_the_largest_allows(encoding: str, lanes: int, width: int) -> None:
    assert sum_width(config(Encoding(encoding), lanes=lanes)) == width
