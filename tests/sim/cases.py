"""Chains of layers that between them use every field of a descriptor, in several geometries and all encodings."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from setun_hw.config import Config, Encoding
from tests.sim.chains import Chain, Conv

Integers = NDArray[np.int64]

SMALL = Config(
    name="small", rows=4, lanes=4, strips=2, post=2, activation_words=1024, weight_words=512, parameter_words=64
)


def layer(
    seed: int,
    out: int,
    channels: int,
    kernel: tuple[int, int] = (3, 3),
    *,
    config: Config,
    raw: bool = False,
    zeros: float = 0.3,
    weight_digits: int = 1,
    out_digits: int = 1,
    levels: int = 2,
    **fields: Any,
) -> Conv:
    """Random weights and thresholds whose outcomes spread over all codes."""
    rng = np.random.default_rng(seed)
    low, high = config.encoding.digit_range(weight_digits) if weight_digits > 1 else (-1, 1)
    weights = rng.integers(low, high + 1, (out, channels, *kernel))
    weights[rng.random(weights.shape) < zeros] = 0
    if raw:
        return Conv(weights=weights, weight_digits=weight_digits, **fields)
    spread = max(2, int(np.sqrt(channels * kernel[0] * kernel[1]) * max(high, 1) * 1.2))
    thresholds = np.sort(rng.integers(-spread, spread + 1, (out, levels)), axis=1)
    code_low, code_high = config.encoding.digit_range(out_digits) if out_digits > 1 else (-1, 1)
    codes = rng.integers(code_low, code_high + 1, (out, levels + 1))
    if out_digits == 1 and levels == 2:
        codes[:] = [-1, 0, 1]
    return Conv(
        weights=weights,
        weight_digits=weight_digits,
        thresholds=thresholds,
        codes=codes,
        out_digits=out_digits,
        **fields,
    )


def random_images(chain: Chain, count: int, seed: int) -> Sequence[Integers]:
    """Images over the whole range of the input's digits (-1..1 where one digit is meant)."""
    rng = np.random.default_rng(seed)
    low, high = chain.config.encoding.digit_range(chain.in_digits) if chain.in_digits > 1 else (-1, 1)
    return [rng.integers(low, high + 1, chain.shape) for _ in range(count)]


def _cases() -> dict[str, Chain]:
    found: dict[str, Chain] = {}

    def add(name: str, config: Config, shape: tuple[int, int, int], layers: Sequence[Conv], **fields: Any) -> None:
        found[name] = Chain(config=config, shape=shape, layers=layers, **fields)

    for encoding in Encoding:
        c = SMALL.replace(encoding=encoding)
        pad = (1, 1, 1, 1)
        add(
            f"pad-{encoding}", c, (4, 6, 5), [layer(1, 4, 4, config=c, padding=pad), layer(2, 6, 4, config=c, raw=True)]
        )
        add(
            f"pool-{encoding}",
            c,
            (6, 8, 8),
            [layer(3, 7, 6, config=c, padding=pad, pool=(2, 2)), layer(4, 3, 7, config=c, raw=True)],
        )
        add(
            f"digits-{encoding}",
            c,
            (5, 4, 4),
            [
                layer(5, 8, 5, config=c, padding=pad, pad_value=-2, weight_digits=2, out_digits=2, levels=4),
                layer(6, 4, 8, (1, 1), config=c, weight_digits=3, raw=True, stride=(2, 1)),
            ],
            in_digits=3,
        )
        add(
            f"stream-{encoding}",
            c,
            (4, 4, 6),
            [layer(7, 14, 4, config=c, padding=pad), layer(8, 18, 14, (2, 2), config=c, raw=True)],
            stream=True,
        )
        add(
            f"batch-{encoding}",
            c,
            (5, 5, 4),
            [layer(9, 5, 5, config=c, padding=pad), layer(10, 9, 5, (5, 4), config=c, raw=True)],
            batch=True,
        )
        wide = Config(
            name="wide",
            encoding=encoding,
            rows=6,
            lanes=96,
            strips=3,
            post=3,
            activation_words=256,
            weight_words=64,
            parameter_words=16,
            axi_data_bits=32,
        )
        add(
            f"wide-{encoding}",
            wide,
            (100, 6, 4),
            [layer(11, 9, 100, config=wide, padding=pad), layer(12, 4, 9, (2, 2), config=wide, raw=True)],
        )
        seven = Config(
            name="seven",
            encoding=encoding,
            rows=10,
            lanes=5,
            strips=7,
            post=5,
            activation_words=256,
            weight_words=64,
            parameter_words=16,
            axi_data_bits=128,
            tree_registers=2,
        )
        add(
            f"seven-{encoding}",
            seven,
            (3, 14, 6),
            [
                layer(13, 9, 3, (3, 2), config=seven, padding=(1, 0, 1, 0), stride=(2, 1)),
                layer(14, 5, 9, config=seven, raw=True, padding=pad),
            ],
        )
        one = Config(
            name="one",
            encoding=encoding,
            rows=3,
            lanes=40,
            strips=1,
            post=1,
            activation_words=256,
            weight_words=128,
            parameter_words=16,
            axi_data_bits=64,
            thresholds=3,
            code_digits=1,
        )
        add(
            f"one-{encoding}",
            one,
            (7, 9, 9),
            [
                layer(15, 5, 7, (3, 2), config=one, padding=(2, 1, 2, 1), dilation=(2, 3), levels=3),
                layer(16, 7, 5, (5, 5), config=one, raw=True, stride=(2, 2)),
            ],
        )
    for name in ("digits-ternary", "stream-rails", "seven-rails"):
        chain = found[name]
        found[f"{name}-packed"] = dataclasses.replace(chain, config=chain.config.replace(packed_weights=True))
    return found


CASES = _cases()
