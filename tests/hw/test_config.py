"""The configuration: what it derives, what it refuses, and how."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setun_hw.config import Config, Encoding
from setun_hw.errors import ConfigError


def test_widths_of_the_default_by_hand() -> None:
    """20 bits hold up to 2^19-1 = 524287; 12 trits reach 265720, 13 reach 797161."""
    config = Config(name="default")
    assert config.accumulator_limit == 524286
    assert config.accumulator_trits == 13
    assert config.accumulator_width == 26
    assert config.replace(encoding="rails").accumulator_width == 20
    assert config.multipliers == 16 * 16 * 4
    assert config.chunks == 4
    assert (config.word_bits, config.weight_word_bits) == (32, 512)


@given(st.integers(6, 32))
def test_trits_hold_every_threshold_and_no_more_than_needed(bits: int) -> None:
    config = Config(name="x", accumulator_bits=bits)
    never = config.accumulator_limit + 1
    assert (3**config.accumulator_trits - 1) // 2 >= never
    assert (3 ** (config.accumulator_trits - 1) - 1) // 2 < never


@given(st.sampled_from(Encoding), st.integers(1, 6))
def test_digit_range_is_that_of_the_extreme_digits(encoding: Encoding, digits: int) -> None:
    low = high = 0
    for _ in range(digits):
        low, high = low * encoding.radix + encoding.lowest, high * encoding.radix + encoding.highest
    assert encoding.digit_range(digits) == (low, high)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"rows": 0}, "rows must be between 1 and 1024, not 0"),
        ({"lanes": -1}, "lanes must be a non-negative integer, not -1"),
        ({"strips": 2.0}, "strips must be a non-negative integer, not 2.0"),
        ({"rows": True}, "rows must be a non-negative integer, not True"),
        ({"post": 3}, "post must divide rows and lanes, but 3 does not divide 16 and 16"),
        ({"encoding": "decimal"}, "encoding must be ternary, rails or binary2, not 'decimal'"),
        ({"axi_data_bits": 48}, "axi_data_bits must be 32, 64, 128, 256, 512 or 1024, not 48"),
        (
            {"packed_weights": True, "encoding": "binary2"},
            "packed_weights needs balanced trits, so encoding ternary or rails, not binary2",
        ),
        ({"name": ""}, "name must be a non-empty string, not ''"),
        ({"two_scale": True}, "two_scale needs affine"),
        ({"affine": True}, "residual_words must be between 2 and 16777216, not 0"),
        (
            {"affine": True, "residual_words": 8, "residual_bits": 12, "accumulator_bits": 12},
            "residual_bits must be less than accumulator_bits, 12, not 12",
        ),
        ({"residual_words": 8}, "residual_words must be between 0 and 0, not 8"),
    ],
)
def test_impossible_configurations_are_refused_by_field(fields: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config(**{"name": "x", **fields})  # type: ignore[arg-type]
    assert str(caught.value) == text


def test_fields_come_back_from_a_dictionary() -> None:
    config = Config(name="board", rows=8, lanes=24, post=8, encoding=Encoding.RAILS)
    assert Config.from_dict(config.to_dict()) == config


def test_unknown_and_missing_fields_name_their_source() -> None:
    with pytest.raises(ConfigError, match=r"^a file: unknown field 'row'$"):
        Config.from_dict({"name": "x", "row": 4}, source="a file")
    with pytest.raises(ConfigError, match=r"^a file: field 'name' is missing$"):
        Config.from_dict({}, source="a file")
