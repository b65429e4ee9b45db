"""Fixed-point post-processing as docs/machine.md has it, over Python integers."""

from collections.abc import Sequence

from setun_hw.config import Config
from setun_hw.descriptor import Compute, Post

#: ``[strip][word][channel of W]``
Residuals = list[list[list[int]]]
#: fixed-point parameters of a channel by name
Parameters = dict[str, int]


def half(shift: int) -> int:
    """What rounds half up."""
    return 1 << shift - 1 if shift else 0


def saturated(config: Config, value: int) -> int:
    """Clipped to an accumulator."""
    limit = 1 << config.accumulator_bits - 1
    return min(max(value, -limit), limit - 1)


def window_words(config: Config, post: Post, group: int, chunk: int, oy: int, ox: int) -> list[int]:
    """Addresses of a chunk's residual window, in order."""
    index = (post.res_first + group * config.chunks + chunk) % post.res_chunks
    first = post.res_base + oy * post.res_row_words + ox * post.res_col_words + index
    return [
        first + wy * post.res_row_stride + wx * post.res_col_stride
        for wy in range(post.res_rows)
        for wx in range(post.res_cols)
    ]


def share(config: Config, d: Compute, post: Post, parameters: Parameters, residual: int) -> int:
    """The residual's part behind the slopes."""
    if d.residual_max:
        return saturated(config, residual * parameters["r"])
    return saturated(config, (residual * parameters["r"] + half(post.shift)) >> post.shift)


def slopes(config: Config, d: Compute, post: Post, parameters: Parameters, sums: Sequence[int], residual: int) -> int:
    """y of a channel: from both accumulators and the residual sum."""
    p = parameters
    total = sums[0] * p["m"] + sums[1] * p.get("m2", 0) + p["b"]
    if d.residual and not d.residual_after:
        total += residual * p["r"]
    v = saturated(config, (total + half(post.shift)) >> post.shift)
    slope, offset = (p["m1"], p["b1"]) if v >= p["pivot"] else (p["m0"], p["b0"])
    return saturated(config, (v * slope + offset + half(post.shift1)) >> post.shift1)


def clamped(post: Post, value: int) -> int:
    """``out``."""
    return min(max(value, post.low), post.high)


def digits_of(config: Config, value: int, count: int) -> list[int]:
    """Digits, most significant first."""
    found = []
    for _ in range(count):
        digit = (value - config.encoding.lowest) % config.encoding.radix + config.encoding.lowest
        found.append(digit)
        value = (value - digit) // config.encoding.radix
    assert value == 0
    return found[::-1]
