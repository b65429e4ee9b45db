"""Random fixed-point layers: every field of SET_POST, parameters from tiny to saturating."""

import dataclasses
import random

from setun_hw.config import Config
from setun_hw.descriptor import Compute, Mode, Post
from tests.hw.engine.fixed_reference import Parameters, Residuals
from tests.hw.engine.layers import random_layer, random_memories
from tests.hw.engine.reference import Memories


def random_number(rng: random.Random, bits: int) -> int:
    """A signed number on ``bits`` bits of any order of magnitude, often at the end of the range."""
    if rng.random() < 0.1:
        return rng.choice([-(1 << bits - 1), (1 << bits - 1) - 1])
    used = rng.randint(1, bits)
    return rng.randrange(-(1 << used - 1), 1 << used - 1)


def random_parameters(config: Config, rng: random.Random) -> Parameters:
    """Fixed-point parameters of a channel."""
    return {name: random_number(rng, bits) for name, bits in config.affine_parameters.items()}


def fixed_memories(config: Config, rng: random.Random, spread: int) -> Memories:
    """Memories whose parameter words from the middle on are for fixed-point layers."""
    memories = random_memories(config, rng, spread)
    half = config.parameter_words // 2
    limit = 1 << config.residual_bits - 1
    thresholds = [
        [sorted(rng.choice([limit, rng.randint(-limit, limit)]) for _ in channel) for channel in word]
        if index >= half
        else word
        for index, word in enumerate(memories.thresholds)
    ]
    # A second pass knows magnitudes of trits only.
    weights = [[[max(digit, -1) for digit in row] for row in word] for word in memories.weights]
    return dataclasses.replace(
        memories,
        weights=weights if config.two_scale else memories.weights,
        thresholds=thresholds,
        fixed_from=half,
        parameters=[
            [random_parameters(config, rng) for _ in range(config.post)] for _ in range(config.parameter_words)
        ],
    )


def random_residuals(config: Config, rng: random.Random) -> Residuals:
    """Whole residual memories."""
    return [
        [[random_number(rng, config.residual_bits) for _ in range(config.post)] for _ in range(config.residual_words)]
        for _ in range(config.strips)
    ]


def random_fixed_layer(config: Config, rng: random.Random, *, max_steps: int, words: int) -> tuple[Compute, Post]:
    """A fixed-point layer that uses the first ``words`` words of the banks, and all residual words but the last
    four."""

    def adjust(d: Compute) -> Compute:
        mode = rng.choice([Mode.THRESHOLD, Mode.DIGITS, Mode.DIGITS, Mode.NONE])
        digits = {
            Mode.THRESHOLD: rng.randint(1, config.code_digits),
            Mode.DIGITS: rng.choice([config.value_digits, rng.randint(1, config.value_digits)]),
            Mode.NONE: 1,
        }[mode]
        two_scale = config.two_scale and rng.random() < 0.6
        last = (d.groups - 1) * config.chunks + max(d.chunks, d.last_chunks)
        col_stride = -(-last // (config.lanes // config.post)) * digits + rng.randint(0, 1)
        row_stride = d.out_cols * col_stride + rng.randint(0, 2)
        residual = rng.random() < 0.7
        after = residual and rng.random() < 0.5
        return dataclasses.replace(
            d,
            mode=mode,
            out_digits=digits,
            out_col_stride=col_stride,
            out_row_stride=row_stride,
            out_end=d.out_rows * row_stride,
            affine=1,
            two_scale=int(two_scale),
            weight_digits=1 if two_scale else d.weight_digits,
            no_array=int(rng.random() < 0.15),
            residual=int(residual),
            residual_after=int(after),
            residual_max=int(after and rng.random() < 0.5),
            pool_carry=rng.randint(0, 1),
            residual_write=int(rng.random() < 0.6),
        )

    parameters = range(config.parameter_words // 2, config.parameter_words)
    while True:
        d = random_layer(config, rng, max_steps=max_steps, words=words, raw=False, adjust=adjust, parameters=parameters)
        post = _random_post(config, rng, d, config.residual_words - 4)
        if post is not None:
            return d, post


def _random_post(config: Config, rng: random.Random, d: Compute, words: int) -> Post | None:
    """Settings that fit a layer, if these fit the memory."""
    low, high = -(1 << config.residual_bits - 1), (1 << config.residual_bits - 1) - 1
    if d.mode == Mode.DIGITS:
        least, most = config.encoding.digit_range(d.out_digits)
        low, high = max(low, least), min(high, most)
    if rng.random() < 0.7:
        low, high = sorted((rng.randint(low, high), rng.randint(low, high)))
    chunks = (d.groups - 1) * config.chunks + max(d.chunks, d.last_chunks)
    out_col_stride = chunks + rng.randint(0, 1)
    out_row_stride = d.out_cols * out_col_stride + rng.randint(0, 1)
    out_words = (d.out_rows - 1) * out_row_stride + (d.out_cols - 1) * out_col_stride + chunks
    settings = {"shift": rng.randint(0, 31), "shift1": rng.choice([0, 4, 15, 31]), "low": low, "high": high}
    if d.residual and rng.random() < 0.3:  # in place
        base = rng.randint(0, max(0, words - out_words))
        post = Post(
            **settings, res_base=base, res_out_base=base, res_row_stride=out_row_stride, res_col_stride=out_col_stride,
            res_out_row_stride=out_row_stride, res_out_col_stride=out_col_stride, res_chunks=chunks,
            res_end=base + out_words, res_out_end=base + out_words,
        )  # fmt: skip
        return post if base + out_words <= words else None
    res_chunks = rng.randint(1, chunks + 1)
    rows, cols, row_step, col_step = (rng.choice([1, 1, 2, 3]) for _ in range(4))
    col_stride = res_chunks + rng.randint(0, 1)
    row_stride = ((d.out_cols - 1) * col_step + cols) * col_stride + rng.randint(0, 1)
    res_words = ((d.out_rows - 1) * row_step + rows) * row_stride
    if res_words + out_words > words:
        return None
    base = rng.randint(0, words - res_words - out_words)
    first, second = (base, base + res_words) if rng.random() < 0.5 else (base + out_words, base)
    return Post(
        **settings, res_base=first, res_rows=rows, res_cols=cols, res_row_stride=row_stride, res_col_stride=col_stride,
        res_chunks=res_chunks, res_first=rng.randrange(res_chunks), res_row_step=row_step, res_col_step=col_step,
        res_end=first + res_words, res_out_base=second, res_out_row_stride=out_row_stride,
        res_out_col_stride=out_col_stride, res_out_end=second + out_words,
    )  # fmt: skip
