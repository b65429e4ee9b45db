"""Named configurations, each with the reason it exists."""

from pathlib import Path

from setun_hw.config import Config
from setun_hw.errors import ConfigError

_PRESETS: tuple[tuple[Config, str], ...] = (
    (
        Config(
            name="tiny", rows=4, lanes=8, strips=2, post=2, accumulator_bits=18, activation_words=1024,
            weight_words=512, parameter_words=128, axi_data_bits=32, queue_depth=2, counter_records=64,
        ),
        "Small enough to simulate and to read in a waveform viewer; M, N, P and W all differ.",
    ),
    (
        Config(name="small", rows=16, lanes=16, strips=4, post=4, weight_words=2048),
        "A general start: networks of trits with all weights on chip, without fixed point or a second accumulator.",
    ),
    (
        Config(
            name="resnet20", rows=16, lanes=16, strips=4, post=4, weight_words=2048, axi_data_bits=128, affine=True,
            residual_words=1536,
        ),
        "Recommended for ResNet-20, compiled with eight rounds: 16, 32 and 64 channels fill rows and lanes, 32, 16 and"
        " 8 map rows the strips, weights stay on chip; residuals in fixed point, 8-bit activations too.",
    ),
    (
        Config(
            name="ttq", rows=16, lanes=16, strips=4, post=4, accumulator_bits=24, weight_words=2048,
            axi_data_bits=128, affine=True, two_scale=True, residual_words=1536,
        ),
        "TTQ: two scales a channel take a second accumulator and wider sums; it runs whatever resnet20 runs.",
    ),
    (
        Config(
            name="wide", rows=32, lanes=32, strips=4, post=8, activation_words=10240, weight_words=2048,
            parameter_words=256, axi_data_bits=1024,
        ),
        "Recommended for VGG-S, alone or in a batch of four: channels in multiples of 32, map rows divisible by 4, and"
        " memory and bus for 13 million streamed weights, which a batch shares.",
    ),
    (
        Config(
            name="imagenet", rows=32, lanes=32, strips=7, post=8, accumulator_bits=22, activation_words=2900,
            weight_words=288, parameter_words=128, axi_data_bits=512, affine=True, residual_words=2048,
        ),
        "ResNet-18 and larger at 224 x 224 in 3.7 Mbit of on-chip memory: maps of 112 to 7 rows divide by 7 strips,"
        " residuals in fixed point; what is larger streams over a bus of 512 bits.",
    ),
    (
        Config(
            name="cutie", rows=96, lanes=96, strips=9, post=16, thresholds=2, code_digits=1, accumulator_bits=14,
            activation_words=4096, weight_words=128, parameter_words=64, axi_data_bits=1024,
        ),
        "As many multipliers as CUTIE (82 944) for its CIFAR-10 network; meant for batches of nine images.",
    ),
    (
        Config(
            name="ice40", rows=8, lanes=8, strips=1, post=2, thresholds=2, code_digits=1, accumulator_bits=16,
            activation_words=1024, weight_words=256, parameter_words=128, axi_data_bits=32, queue_depth=1,
            counter_records=32,
        ),
        "Fits the 128 kbit of block memory of an iCE40 HX8K.",
    ),
    (
        Config(
            name="ulx3s", rows=16, lanes=16, strips=8, post=4, activation_words=4096, weight_words=2048,
            parameter_words=256, axi_data_bits=32,
        ),
        "For the ECP5 85k of a ULX3S: about two thirds of its block memory, a narrow bus to its SDRAM.",
    ),
    (
        Config(
            name="vector", rows=64, lanes=64, strips=1, post=16, accumulator_bits=26, activation_words=4096,
            weight_words=512, parameter_words=512, axi_data_bits=512,
        ),
        "One strip for fully connected layers only, as in BitNet: matrix-vector products bound by the weights' bus.",
    ),
)  # fmt: skip


def configs() -> dict[str, Config]:
    """Named configurations in the order in which they are listed."""
    return {config.name: config for config, _ in _PRESETS}


def reason(name: str) -> str:
    """Why a named configuration exists, one sentence."""
    return next(text for config, text in _PRESETS if config.name == name)


def having(field: str, least: int) -> str:
    """Words for the end of a refusal: the first named configuration whose ``field`` is at least ``least``, if any."""
    for preset, _ in _PRESETS:
        if getattr(preset, field) >= least:
            return f"; {preset.name!r} has {'it' if least is True else getattr(preset, field)}"
    return ""


def config(name_or_path: str | Path) -> Config:
    """A named configuration, or one read from a TOML file.

    Raises
    ------
    ConfigError
        When the name is unknown and no such file exists, or the file is no configuration.
    """
    known = configs()
    if str(name_or_path) in known:
        return known[str(name_or_path)]
    path = Path(name_or_path)
    if path.suffix == ".toml" or path.is_file():
        return Config.load(path)
    raise ConfigError(f"configuration must be a TOML file or one of {', '.join(known)}, not {str(name_or_path)!r}")
