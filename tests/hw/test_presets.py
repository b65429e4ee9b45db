"""Named configurations."""

from pathlib import Path

import pytest

from setun_hw import presets
from setun_hw.config import Encoding
from setun_hw.errors import ConfigError


@pytest.mark.parametrize("name", presets.configs())
def test_every_preset_exists_in_every_encoding_and_says_why(name: str) -> None:
    config = presets.config(name)
    assert config.name == name
    for encoding in Encoding:
        assert config.replace(encoding=encoding).encoding is encoding
    assert presets.reason(name).endswith(".")


def test_sizes_that_the_reasons_claim() -> None:
    known = presets.configs()
    assert known["cutie"].multipliers == 82_944
    assert on_chip_bits("imagenet") <= 3_700_000
    assert on_chip_bits("ice40") <= 128 * 1024
    assert on_chip_bits("ulx3s") <= 208 * 18 * 1024  # 208 blocks of 18 kbit
    tiny = known["tiny"]
    assert len({tiny.rows, tiny.lanes, tiny.strips}) == 3


def on_chip_bits(name: str) -> int:
    c = presets.config(name)
    banks = c.strips * (c.activation_words * c.word_bits + c.residual_words * c.residual_word_bits)
    records = 256 * c.counter_records  # eight counters of 32 bits
    return banks + c.weight_words * c.weight_word_bits + c.parameter_words * c.parameter_word_bits + records


def test_file_is_read_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('rows = 8\nlanes = 8\npost = 2\nencoding = "rails"\n')
    config = presets.config(path)
    assert (config.name, config.rows, config.encoding) == ("mine", 8, Encoding.RAILS)
    assert presets.config(str(path)) == config


def test_unknown_name_is_refused_with_the_choices() -> None:
    choices = "tiny, small, resnet20, ttq, wide, imagenet, cutie, ice40, ulx3s, vector"
    text = f"^configuration must be a TOML file or one of {choices}, not 'huge'$"
    with pytest.raises(ConfigError, match=text):
        presets.config("huge")


def test_missing_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^absent\.toml: cannot be read as TOML \(.*\)$"):
        presets.config("absent.toml")


def test_the_first_configuration_that_has_enough_is_named() -> None:
    assert presets.having("affine", True) == "; 'resnet20' has it"
    assert presets.having("two_scale", True) == "; 'ttq' has it"
    assert presets.having("accumulator_bits", 21) == "; 'ttq' has 24"
    assert presets.having("thresholds", 65) == ""
