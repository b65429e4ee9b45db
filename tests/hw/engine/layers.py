"""Random memories and COMPUTE descriptors that use every field."""

import random
from collections.abc import Callable

from setun_hw.config import Config
from setun_hw.descriptor import Compute, Mode
from tests.hw.engine.reference import Banks, Memories, code_of_digit


def random_digits(config: Config, rng: random.Random, count: int) -> list[int]:
    """Digits, a third of them zero or so."""
    return [rng.randint(config.encoding.lowest, config.encoding.highest) for _ in range(count)]


def random_banks(config: Config, rng: random.Random) -> Banks:
    """Whole activation memory."""
    return [
        [
            [code_of_digit(config, digit) for digit in random_digits(config, rng, config.lanes)]
            for _ in range(config.activation_words)
        ]
        for _ in range(config.strips)
    ]


def random_memories(config: Config, rng: random.Random, spread: int) -> Memories:
    """Weights, codes of as many digits as there are, thresholds within ``spread``."""
    low, high = config.encoding.digit_range(config.code_digits)
    return Memories(
        weights=[
            [random_digits(config, rng, config.lanes) for _ in range(config.rows)] for _ in range(config.weight_words)
        ],
        thresholds=[
            [sorted(rng.randint(-spread, spread) for _ in range(config.thresholds)) for _ in range(config.post)]
            for _ in range(config.parameter_words)
        ],
        codes=[
            [[rng.randint(low, high) for _ in range(config.thresholds + 1)] for _ in range(config.post)]
            for _ in range(config.parameter_words)
        ],
    )


def count_steps(d: Compute) -> int:
    """Steps of a descriptor."""
    return (
        d.groups
        * d.out_rows
        * d.out_cols
        * d.pool_rows
        * d.pool_cols
        * d.in_digits
        * d.weight_digits
        * d.kernel_rows
        * d.kernel_cols
        * d.blocks
        * (1 + d.two_scale)
    )


def random_layer(
    config: Config,
    rng: random.Random,
    *,
    max_steps: int,
    words: int,
    raw: bool,
    adjust: Callable[[Compute], Compute] | None = None,
    parameters: range | None = None,
) -> Compute:
    """A descriptor that fits the configuration and uses the first ``words`` words of the banks.

    ``adjust`` may change its fields, if addresses are still to be chosen; ``parameters`` are the words it may use.
    """
    parameters = parameters or range(config.parameter_words)
    while True:
        d = _any_layer(config, rng, raw)
        d = adjust(d) if adjust else d
        in_words, out_words = d.in_end - d.in_base, d.out_end - d.out_base
        if count_steps(d) > max_steps or in_words + out_words > words:
            continue
        weights = d.weight_digits * d.weight_plane
        offsets = [
            g * d.weight_group_step % d.weight_ring if d.weight_ring else g * d.weight_group_step
            for g in range(d.groups)
        ]
        if max(offsets) + weights > config.weight_words or d.groups * config.chunks > len(parameters):
            continue
        # Two regions that do not overlap, in either order.
        gap = rng.randint(0, words - in_words - out_words)
        first, second = rng.choice([(in_words, out_words), (out_words, in_words)])
        begin = rng.randint(0, gap)
        later = begin + first + rng.randint(0, gap - begin)
        in_base, out_base = (begin, later) if first == in_words else (later, begin)
        assert later + second <= words
        fields = {name: getattr(d, name) for name in d.LAYOUT if name not in d.DERIVED}
        fields |= {
            "in_base": in_base,
            "in_end": in_base + in_words,
            "out_base": out_base,
            "out_end": out_base + out_words,
            "weight_base": rng.randint(0, config.weight_words - max(offsets) - weights),
            "parameter_base": rng.randint(parameters.start, parameters.stop - d.groups * config.chunks),
        }
        return Compute(**fields)


def _any_layer(config: Config, rng: random.Random, raw: bool) -> Compute:
    strips = config.strips
    batch = rng.random() < 0.2
    out_rows, row_step = rng.randint(1, 3), rng.randint(1, 3)
    in_strip_rows = out_rows * row_step
    in_full_strips = rng.randint(0, strips)
    in_last_rows = rng.randint(0, in_strip_rows - 1) if in_full_strips < strips else 0
    if batch or rng.random() < 0.2:  # one strip's worth: heights need not match
        in_strip_rows = rng.randint(row_step, 6)
        in_full_strips, in_last_rows = 0, rng.randint(1, in_strip_rows)
    in_digits, weight_digits = rng.choice([1, 1, 2, 3]), rng.choice([1, 1, 2])
    blocks, groups, in_cols = rng.randint(1, 2), rng.randint(1, 3), rng.randint(1, 5)
    group_block_step = rng.randint(0, blocks)
    in_col_stride = (blocks + (groups - 1) * group_block_step) * in_digits + rng.randint(0, 1)
    in_row_stride = in_cols * in_col_stride + rng.randint(0, 2)
    kernel_rows, kernel_cols = rng.randint(1, 3), rng.randint(1, 3)
    weight_plane = kernel_rows * kernel_cols * blocks
    weight_group_step = rng.choice([0, 1, weight_plane * weight_digits])
    digits = rng.randint(1, config.raw_digits if raw else config.code_digits)
    chunks, last_chunks = rng.randint(1, config.chunks), rng.randint(1, config.chunks)
    out_blocks = -(-((groups - 1) * config.chunks + max(chunks, last_chunks)) // (config.lanes // config.post))
    out_cols = rng.randint(1, 3)
    out_col_stride = out_blocks * digits + rng.randint(0, 1)
    out_row_stride = out_cols * out_col_stride + rng.randint(0, 2)
    pads = [rng.choice([0, 1, 2] if config.encoding != "binary2" else [0, 1, 2, 3]) for _ in range(in_digits)]
    return Compute(
        mode=Mode.RAW if raw else Mode.THRESHOLD,
        batch=int(batch),
        after=rng.randint(0, 2),
        after_step=rng.randint(0, 1),
        groups=groups,
        in_digits=in_digits,
        weight_digits=weight_digits,
        in_row_stride=in_row_stride,
        in_col_stride=in_col_stride,
        in_cols=in_cols,
        in_strip_rows=in_strip_rows,
        in_full_strips=in_full_strips,
        in_last_rows=in_last_rows,
        pad_digits=sum(p << 2 * k for k, p in enumerate(pads)),
        blocks=blocks,
        group_block_step=group_block_step,
        kernel_rows=kernel_rows,
        kernel_cols=kernel_cols,
        kernel_row_step=rng.randint(1, in_strip_rows),
        kernel_col_step=rng.randint(1, 3),
        pool_rows=rng.choice([1, 1, 2]),
        pool_cols=rng.choice([1, 1, 2]),
        pool_row_step=rng.randint(1, in_strip_rows),
        pool_col_step=rng.randint(1, 2),
        row_step=row_step,
        col_step=rng.randint(1, 2),
        pad_top=rng.randint(-min(2, in_strip_rows - 1), min(2, in_strip_rows)),
        pad_left=rng.randint(-1, 2),
        weight_group_step=weight_group_step,
        weight_ring=rng.choice([0, weight_group_step, 2 * weight_group_step, weight_group_step + 1]),
        weight_plane=weight_plane,
        out_rows=out_rows,
        out_cols=out_cols,
        out_digits=digits,
        out_row_stride=out_row_stride,
        chunks=chunks,
        out_col_stride=out_col_stride,
        last_chunks=last_chunks,
        out_end=out_rows * out_row_stride,
        in_end=in_strip_rows * in_row_stride,
    )
