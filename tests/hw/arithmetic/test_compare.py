"""Comparison and choice, against integers."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from setun_hw.arithmetic import Comparator, Maximum
from setun_hw.codec import decode_accumulator, encode_accumulator
from setun_hw.config import Config, Encoding
from tests.hw.arithmetic.bench import ENCODINGS, combinational, config


def outcomes(c: Config, pairs: list[tuple[int, int]]) -> list[tuple[bool, int]]:
    """For each pair: a >= b, and the larger one."""
    rows = [(encode_accumulator(c, a), encode_accumulator(c, b)) for a, b in pairs]
    ports = ("a", "b")
    above = combinational(Comparator(c), ports, "at_least", rows)
    larger = combinational(Maximum(c), ports, "larger", rows)
    return [(bool(one), decode_accumulator(c, bits)) for one, bits in zip(above, larger, strict=True)]


def agree(c: Config, pairs: list[tuple[int, int]]) -> None:
    assert outcomes(c, pairs) == [(a >= b, max(a, b)) for a, b in pairs]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_pair_of_a_small_accumulator(encoding: Encoding) -> None:
    c = config(encoding, accumulator_bits=6)
    limit = c.accumulator_limit + 1
    agree(c, list(itertools.product(range(-limit, limit + 1), repeat=2)))


@settings(max_examples=10, deadline=None)
@given(data=st.data(), encoding=st.sampled_from(ENCODINGS), bits=st.sampled_from([7, 20, 32]))
def test_any_pair(data: st.DataObject, encoding: Encoding, bits: int) -> None:
    c = config(encoding, accumulator_bits=bits)
    limit = c.accumulator_limit + 1
    value = st.one_of(st.integers(-limit, limit), st.sampled_from([-limit, -1, 0, 1, limit]))
    near = st.integers(-limit + 1, limit - 1).flatmap(lambda a: st.tuples(st.just(a), st.integers(a - 1, a + 1)))
    agree(c, data.draw(st.lists(st.one_of(st.tuples(value, value), near), min_size=1, max_size=30)))
