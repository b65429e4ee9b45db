"""Codes of digits, words and numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from setun_hw.codec import (
    CodecError,
    bits_to_digits,
    decode_accumulator,
    decode_number,
    digits_to_bits,
    encode_accumulator,
    encode_number,
    pack_word,
    sum_limits,
    to_trits,
    unpack_word,
)
from setun_hw.config import Config, Encoding


def config(encoding: Encoding, **fields: int) -> Config:
    return Config(**{"name": "test", "rows": 1, "post": 1, "encoding": encoding, **fields})


@pytest.mark.parametrize(
    ("encoding", "digits", "codes"),
    [("ternary", [0, 1, -1], [0, 1, 2]), ("rails", [0, 1, -1], [0, 1, 2]), ("binary2", [0, 1, -2, -1], [0, 1, 2, 3])],
)
def test_codes_are_those_of_the_machine(encoding: str, digits: list[int], codes: list[int]) -> None:
    kind = Encoding(encoding)
    assert digits_to_bits(kind, [digits, digits]).tolist() == [codes, codes]
    assert bits_to_digits(kind, [codes, codes]).tolist() == [digits, digits]
    assert digits_to_bits(kind, digits).dtype == np.uint8
    assert bits_to_digits(kind, codes).dtype == np.int8


def test_what_is_no_digit_or_code_is_refused() -> None:
    with pytest.raises(CodecError, match="^a digit of encoding rails must be between -1 and 1, not -2$"):
        digits_to_bits(Encoding.RAILS, [0, -2])
    with pytest.raises(CodecError, match="^a digit of encoding binary2 must be between -2 and 1, not 256$"):
        digits_to_bits(Encoding.BINARY2, [0, 256])
    with pytest.raises(CodecError, match="^digit code 3 does not occur in encoding ternary$"):
        bits_to_digits(Encoding.TERNARY, [0, 3])
    with pytest.raises(CodecError, match="^a digit code must be between 0 and 3, not 4$"):
        bits_to_digits(Encoding.BINARY2, [4])
    with pytest.raises(CodecError, match="^a digit code must be between 0 and 3, not -1$"):
        bits_to_digits(Encoding.BINARY2, [-1])


def test_lane_zero_is_lowest_in_a_word() -> None:
    assert pack_word(Encoding.RAILS, [1, -1, 0]) == 0b00_10_01
    assert unpack_word(Encoding.BINARY2, 0b11_10_01, 3).tolist() == [1, -2, -1]


def test_trits_come_least_significant_first() -> None:
    assert to_trits(5, 3) == [-1, -1, 1]
    with pytest.raises(CodecError, match="^14 does not fit 3 trits$"):
        to_trits(14, 3)


@pytest.mark.parametrize("encoding", list(Encoding))
@pytest.mark.parametrize("bits", [6, 20, 32])
@given(data=st.data())
def test_accumulators_survive_their_code(encoding: Encoding, bits: int, data: st.DataObject) -> None:
    c = config(encoding, accumulator_bits=bits)
    limit = c.accumulator_limit + 1
    value = data.draw(st.one_of(st.integers(-limit, limit), st.sampled_from([-limit, 0, limit])))
    code = encode_accumulator(c, value)
    assert 0 <= code < 1 << c.accumulator_width
    assert decode_accumulator(c, code) == value


def test_number_formats_by_hand_and_at_their_ends() -> None:
    assert encode_number(Encoding.TERNARY, 5, 6) == 0b01_10_10
    assert encode_number(Encoding.RAILS, -3, 4) == 0b1101
    assert decode_number(Encoding.BINARY2, 0b1000, 4) == -8
    with pytest.raises(CodecError, match="^8 does not fit 4 bits$"):
        encode_number(Encoding.RAILS, 8, 4)
    with pytest.raises(CodecError, match="^-9 does not fit 4 bits$"):
        encode_number(Encoding.RAILS, -9, 4)
    with pytest.raises(CodecError, match="^16 is not a word of 4 bits$"):
        decode_number(Encoding.RAILS, 16, 4)


def test_largest_sums_are_of_digits_of_the_largest_magnitude() -> None:
    assert sum_limits(config(Encoding.TERNARY, lanes=16)) == (-16, 16)
    assert sum_limits(config(Encoding.BINARY2, lanes=16)) == (-32, 64)
