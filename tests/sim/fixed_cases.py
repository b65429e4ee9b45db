"""Chains with fixed-point layers: residual shortcuts of every kind, two scales, digits, spills, in all encodings."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from setun_compiler.network import Affine, Residual
from setun_hw.config import Config, Encoding
from tests.sim.chains import Chain, Conv

Integers = NDArray[np.int64]

FIXED = Config(
    name="fixed", rows=4, lanes=4, strips=2, post=2, activation_words=1024, weight_words=512, parameter_words=64,
    affine=True, two_scale=True, residual_bits=9, residual_words=512,
)  # fmt: skip


def affine(rng: np.random.Generator, channels: int, low: int, high: int, after: bool) -> Affine:
    """Random coefficients, of either sign, that spread results over low..high without leaving the accumulator."""

    def each(limit: int) -> Integers:
        return rng.integers(-limit, limit + 1, channels)

    return Affine(
        m=each(90), m2=each(60), r=each(20), b=each(200), shift=int(rng.integers(0, 5)), pivot=each(60),
        m0=each(9), b0=each(700), m1=each(9), b1=each(700), low=low, high=high,
        shift1=max(0, int(np.log2(3000 / high)) + int(rng.integers(0, 2))),
        residual_after=after,
    )  # fmt: skip


def extreme(rng: np.random.Generator, config: Config, channels: int, low: int, high: int, after: bool) -> Affine:
    """Coefficients over all their bits, so that everything saturates now and then."""

    def each(bits: int) -> Integers:
        limit = 1 << bits - 1
        drawn = rng.integers(-limit, limit, channels)
        return np.where(rng.random(channels) < 0.2, np.where(rng.random(channels) < 0.5, -limit, limit - 1), drawn)

    a, c = config.accumulator_bits, config.coefficient_bits
    return Affine(
        m=each(c), m2=each(c), r=each(c), b=each(a + c), shift=int(rng.integers(0, a)), pivot=each(a), m0=each(c),
        b0=each(a + c), m1=each(c), b1=each(a + c), shift1=int(rng.integers(a // 2, 32)), low=low, high=high,
        residual_after=after,
    )  # fmt: skip


def layer(
    seed: int,
    out: int,
    channels: int,
    kernel: tuple[int, int] = (3, 3),
    *,
    config: Config,
    levels: int = 2,
    out_digits: int = 1,
    weight_digits: int = 1,
    after: bool = False,
    **fields: Any,
) -> Conv:
    """A random fixed-point layer; ``levels`` 0 leaves its digits to the banks (or nothing, with ``out_digits`` 0)."""
    rng = np.random.default_rng(seed)
    span = config.encoding.digit_range(weight_digits) if weight_digits > 1 else (-1, 1)
    weights = rng.integers(span[0], span[1] + 1, (out, channels, *kernel))
    low, high = -(1 << config.residual_bits - 1), (1 << config.residual_bits - 1) - 1
    if not levels and out_digits:
        digit_low, digit_high = config.encoding.digit_range(out_digits)
        low, high = max(low, digit_low), min(high, digit_high)
    thresholds = codes = None
    if levels:
        thresholds = np.sort(rng.integers(low // 2, high // 2, (out, levels)), axis=1)
        code_low, code_high = config.encoding.digit_range(out_digits) if out_digits > 1 else (-1, 1)
        codes = rng.integers(code_low, code_high + 1, (out, levels + 1))
        if out_digits == 1:
            codes[:, [0, -1]] = [-1, 1]
    return Conv(
        weights=weights,
        weight_digits=weight_digits,
        thresholds=thresholds,
        codes=codes,
        out_digits=out_digits,
        affine=affine(rng, out, low, high, after),
        **fields,
    )


def raw(seed: int, out: int, channels: int, kernel: tuple[int, int] = (3, 3), **fields: Any) -> Conv:
    """A random last layer."""
    return Conv(weights=np.random.default_rng(seed).integers(-1, 2, (out, channels, *kernel)), **fields)


def window(rows: int, cols: int, row_step: int, col_step: int) -> Residual:
    """A residual window; the operand is named elsewhere."""
    return Residual(source="", rows=rows, cols=cols, row_step=row_step, col_step=col_step)


def _cases() -> dict[str, Chain]:
    found: dict[str, Chain] = {}

    def add(name: str, config: Config, shape: tuple[int, int, int], layers: Sequence[Conv], **fields: Any) -> None:
        found[f"fixed-{name}-{config.encoding}"] = Chain(config=config, shape=shape, layers=layers, **fields)

    pad = (1, 1, 1, 1)
    for encoding in Encoding:
        c = FIXED.replace(encoding=encoding)
        identity = [
            layer(21, 6, 4, config=c, padding=pad, keep=True),
            layer(22, 6, 6, config=c, padding=pad, operand=0, keep=True, in_place=True, levels=4),
            layer(23, 6, 6, config=c, padding=pad, operand=1, levels=0, out_digits=3, after=True),
            raw(24, 5, 6, pad_value=-2, padding=pad),
        ]
        add("identity", c, (4, 6, 5), identity)
        add("identity-batch", c, (4, 5, 4), identity, batch=True)
        add("identity-stream", c, (4, 6, 5), identity, stream=True)
        add(
            "shortcuts", c, (4, 8, 8),
            [
                layer(25, 4, 4, config=c, padding=pad, keep=True, spill=True),
                layer(26, 8, 4, config=c, padding=pad, stride=(2, 2), operand=0, window=window(2, 2, 2, 2), keep=True),
                layer(27, 8, 8, config=c, padding=pad, operand=1, pool=(2, 2), window=window(1, 1, 2, 2), after=True),
                raw(28, 3, 8, (2, 2)),
            ],
        )  # fmt: skip
        add(
            "projection", c, (5, 8, 6),
            [
                layer(29, 6, 5, config=c, padding=pad, two_scale=True, levels=0, out_digits=2),
                layer(30, 9, 6, (1, 1), config=c, stride=(2, 2), levels=0, out_digits=0, keep=True, spill=True),
                layer(31, 9, 6, config=c, padding=pad, stride=(2, 2), two_scale=True, operand=1, keep=True),
                layer(
                    32, 9, 9, (1, 1), config=c, no_array=True, operand=2, window=window(2, 3, 2, 3), levels=0,
                    out_digits=c.value_digits,
                ),
                raw(33, 4, 9, (2, 1)),
            ],
            in_digits=2,
        )  # fmt: skip
        odd = Config(
            name="odd", encoding=encoding, rows=6, lanes=9, strips=3, post=3, thresholds=3, activation_words=256,
            weight_words=192, parameter_words=16, axi_data_bits=32, affine=True, residual_bits=16, coefficient_bits=20,
            accumulator_bits=18, residual_words=128, tree_registers=0,
        )  # fmt: skip
        add(
            "odd", odd, (10, 6, 5),
            [
                layer(34, 9, 10, config=odd, padding=pad, levels=3, keep=True, spill=True, weight_digits=2),
                layer(35, 14, 9, (2, 2), config=odd, padding=(0, 0, 1, 1), pool=(2, 1), operand=0, after=True,
                      window=window(2, 1, 2, 1), levels=0, out_digits=4),
                raw(36, 4, 14),
            ],
            in_digits=3,
        )  # fmt: skip
        one = Config(
            name="one", encoding=encoding, rows=5, lanes=70, strips=1, post=1, activation_words=256, weight_words=128,
            parameter_words=32, residual_words=400, residual_bits=6, affine=True, two_scale=True, axi_data_bits=256,
        )  # fmt: skip
        add(
            "one", one, (80, 5, 4),
            [
                layer(37, 7, 80, (1, 1), config=one, keep=True, two_scale=True, spill=True),
                layer(38, 12, 7, (3, 2), config=one, padding=(0, 0, 0, 1), operand=0, pool=(1, 2),
                      window=window(3, 2, 1, 2), two_scale=True, levels=4),
                raw(39, 3, 12, (2, 2)),
            ],
        )  # fmt: skip
    return found


FIXED_CASES = _cases()
