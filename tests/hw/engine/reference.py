"""What COMPUTE descriptors do and when, written from docs/machine.md as plain loops over Python integers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product

from setun_hw.codec import encode_accumulator
from setun_hw.config import Config
from setun_hw.descriptor import Compute, Mode, Post
from setun_hw.timing import AFFINE, SETUP, chunk_cycles, write_latency
from tests.hw.engine.fixed_reference import (
    Parameters,
    Residuals,
    clamped,
    digits_of,
    share,
    slopes,
    window_words,
)

#: ``[bank][word][lane]``, two-bit codes of digits
Banks = list[list[list[int]]]


@dataclass(frozen=True, kw_only=True)
class Write:
    """W digits of every strip, written in a cycle."""

    cycle: int
    address: int
    first_lane: int
    codes: list[list[int]]  #: [strip][channel]


@dataclass(frozen=True, kw_only=True)
class ResidualWrite:
    """W elements of every strip, written to the residual memories in a cycle."""

    cycle: int
    address: int
    values: list[list[int]]  #: [strip][channel]


@dataclass(kw_only=True)
class Record:
    """Performance counters."""

    start: int
    end: int = 0
    steps: int = 0
    wait_load: int = 0
    wait_drain: int = 0
    wait_store: int = 0
    words: int = 0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One descriptor's counters, writes, and the cycles from which its groups count as done."""

    record: Record
    writes: list[Write] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)
    residual_writes: list[ResidualWrite] = field(default_factory=list)
    #: cycles in which the residual memories are read
    residual_reads: set[int] = field(default_factory=set)


@dataclass(frozen=True, kw_only=True)
class Memories:
    """Weights ``[word][row][lane]``, thresholds ``[word][channel of W]`` and codes likewise, as integers."""

    weights: list[list[list[int]]]
    thresholds: list[list[list[int]]]
    codes: list[list[list[int]]]
    #: with ``affine``: fixed-point parameters ``[word][channel of W]``; thresholds of words from ``fixed_from`` on
    #: are for them
    parameters: list[list[Parameters]] = field(default_factory=list)
    fixed_from: int = 1 << 30


@dataclass(frozen=True, kw_only=True)
class Step:
    """One cycle of the array: activation digit and weight digit indices, position, block."""

    group: int
    oy: int
    ox: int
    py: int
    px: int
    s: int
    i: int
    scale: int
    kh: int
    kw: int
    b: int


def steps(d: Compute) -> Iterator[Step]:
    """All steps of a descriptor in order."""
    for group in range(d.groups):
        for oy in range(d.out_rows):
            for ox in range(d.out_cols):
                for py in range(d.pool_rows):
                    for px in range(d.pool_cols):
                        for s in range(d.in_digits + d.weight_digits - 1):
                            for i in range(max(0, s - d.weight_digits + 1), min(s, d.in_digits - 1) + 1):
                                for scale in range(1 + d.two_scale):
                                    for kh, kw, b in product(*map(range, (d.kernel_rows, d.kernel_cols, d.blocks))):
                                        yield Step(
                                            group=group, oy=oy, ox=ox, py=py, px=px, s=s, i=i, scale=scale,
                                            kh=kh, kw=kw, b=b,
                                        )  # fmt: skip


def digit_of_code(config: Config, code: int) -> int:
    """The digit that two bits hold."""
    return (0, 1, -2, -1)[code] if config.encoding == "binary2" else (0, 1, -1)[code]


def code_of_digit(config: Config, digit: int) -> int:
    """The two bits that hold a digit."""
    return {0: 0, 1: 1, -2: 2, -1: 3 if config.encoding == "binary2" else 2}[digit]


def activation(config: Config, banks: Banks, d: Compute, step: Step, strip: int) -> list[int]:
    """The digits that a strip reads."""
    y = step.oy * d.row_step + step.py * d.pool_row_step + step.kh * d.kernel_row_step - d.pad_top
    x = step.ox * d.col_step + step.px * d.pool_col_step + step.kw * d.kernel_col_step - d.pad_left
    shift, row = divmod(y, d.in_strip_rows)
    bank = strip + shift
    if d.batch:
        inside = shift == 0 and row < d.in_last_rows
    else:
        inside = 0 <= bank < config.strips and (
            bank < d.in_full_strips or (bank == d.in_full_strips and row < d.in_last_rows)
        )
    if not inside or not 0 <= x < d.in_cols:
        return [digit_of_code(config, d.pad_digits >> 2 * step.i & 3)] * config.lanes
    word = (step.group * d.group_block_step + step.b) * d.in_digits + step.i
    return [
        digit_of_code(config, code)
        for code in banks[bank][d.in_base + row * d.in_row_stride + x * d.in_col_stride + word]
    ]


def weight_word(d: Compute, step: Step) -> int:
    """The word of the weight memory."""
    offset = step.group * d.weight_group_step
    if d.weight_ring:
        offset %= d.weight_ring
    plane = (step.s - step.i) * d.weight_plane
    return d.weight_base + offset + plane + (step.kh * d.kernel_cols + step.kw) * d.blocks + step.b


def out_digits(config: Config, memories: Memories, d: Compute, group: int, channel: int, value: int) -> list[int]:
    """The two-bit codes written for a pooled sum, most significant first."""
    if d.mode == Mode.RAW:
        bits = encode_accumulator(config, value)
        if config.encoding != "ternary" and value < 0:
            bits |= 1 << config.accumulator_width  # sign extension; more than one bit never matters
        return [bits >> 2 * k & 3 for k in reversed(range(d.out_digits))]
    if d.mode == Mode.DIGITS:
        return [code_of_digit(config, digit) for digit in digits_of(config, value, d.out_digits)]
    word = d.parameter_base + group * config.chunks + channel // config.post
    level = sum(value >= t for t in memories.thresholds[word][channel % config.post])
    code = memories.codes[word][channel % config.post][level]
    digits = []
    for _ in range(config.code_digits):
        digit = (code - config.encoding.lowest) % config.encoding.radix + config.encoding.lowest
        digits.append(digit)
        code = (code - digit) // config.encoding.radix
    return [code_of_digit(config, digit) for digit in digits[: d.out_digits][::-1]]


def run(
    config: Config,
    d: Compute,
    banks: Banks,
    memories: Memories,
    *,
    post: Post | None = None,
    residuals: Residuals | None = None,
    start: int,
    transfers_done: Callable[[int], int],
    stored: Callable[[int], bool],
) -> Outcome:
    """Carry out a descriptor taken in cycle ``start``; ``banks`` and ``residuals`` are changed.

    ``transfers_done(c)`` and ``stored(c)``: transfers complete, and whether a store reads the banks, in cycle c.
    """
    post, residuals = post or Post(), residuals or []
    record = Record(start=start)
    outcome = Outcome(record=record)
    latency = write_latency(config)
    per_word = config.lanes // config.post
    # Every step of a convolution pixel, then its drain; the list of all steps tells which step is the last of a pixel.
    todo = list(steps(d))
    cycle, last_pixel, last_drain = start + SETUP, -(10**9), 0
    sums: list[list[int]] = []
    second: list[list[int]] = []
    cycles = chunk_cycles(d, post)
    window = post.res_window if d.residual else 1
    residual_source = [[list(word) for word in memory] for memory in residuals]
    pooled: list[list[int]] = []
    source = [[list(word) for word in bank] for bank in banks]
    for number, step in enumerate(todo):
        following = todo[number + 1] if number + 1 < len(todo) else None
        before = todo[number - 1] if number else None
        pixel = (step.group, step.oy, step.ox, step.py, step.px)
        first = before is None or (before.group, before.oy, before.ox, before.py, before.px) != pixel
        last = following is None or (following.group, following.oy, following.ox, following.py, following.px) != pixel
        while True:
            if (before is None or before.group != step.group) and transfers_done(
                cycle
            ) < d.after + step.group * d.after_step:
                record.wait_load += 1
            elif last and cycle - last_pixel < last_drain:
                record.wait_drain += 1
            elif stored(cycle):
                record.wait_store += 1
            else:
                break
            cycle += 1
        issued, cycle = cycle, cycle + 1
        record.steps += 1

        if first:
            sums = [[0] * config.rows for _ in range(config.strips)]
            second = [[0] * config.rows for _ in range(config.strips)]
        elif before is not None and before.s != step.s:
            sums = [[config.encoding.radix * value for value in strip] for strip in sums]
            second = [[config.encoding.radix * value for value in strip] for strip in second]
        if not d.no_array:
            weights = memories.weights[weight_word(d, step)]
            if step.scale:
                weights = [[abs(w) for w in row] for row in weights]
            into = second if step.scale else sums
            for strip in range(config.strips):
                digits = activation(config, source, d, step, strip)
                for row in range(config.rows):
                    into[strip][row] += sum(w * a for w, a in zip(weights[row], digits, strict=True))
        if not last:
            continue
        chunks = d.last_chunks if step.group == d.groups - 1 else d.chunks
        last_pixel, last_drain = issued, chunks * cycles
        shares: list[list[int]] = []
        values = sums
        if d.affine:
            values, shares = [], []
            for p in range(config.strips):
                found_y, found_share = [0] * config.rows, [0] * config.rows
                for c in range(chunks * config.post):
                    k, channel = divmod(c, config.post)
                    p_word = memories.parameters[d.parameter_base + step.group * config.chunks + k][channel]
                    total = 0
                    if d.residual:
                        addresses = window_words(config, post, step.group, k, step.oy, step.ox)
                        operand = [residual_source[p][address][channel] for address in addresses]
                        total = max(operand) if d.residual_max else sum(operand)
                    found_share[c] = share(config, d, post, p_word, total) if d.residual_after else 0
                    found_y[c] = slopes(config, d, post, p_word, (sums[p][c], second[p][c]), total)
                values.append(found_y)
                shares.append(found_share)
        if d.residual:
            base = issued + latency - AFFINE - 1
            outcome.residual_reads.update(base + k * cycles + j for k in range(chunks) for j in range(window))
        if step.py == step.px == 0 and not (d.pool_carry and step.ox > 0):
            pooled = values
        else:
            pooled = [[max(a, b) for a, b in zip(*pair, strict=True)] for pair in zip(pooled, values, strict=True)]
        if (step.py, step.px) == (d.pool_rows - 1, d.pool_cols - 1):
            outs = pooled
            if d.affine:
                outs = [
                    [clamped(post, max(a, b) if d.residual_max else a + b) for a, b in zip(*pair, strict=True)]
                    for pair in zip(pooled, shares, strict=True)
                ]
            pooled = values  # what the next window begins with, if anything
            for k in range(chunks):
                block, place = divmod(step.group * config.chunks + k, per_word)
                channels = range(k * config.post, (k + 1) * config.post)
                written = issued + latency + k * cycles + window - 1
                if d.residual_write:
                    address = step.oy * post.res_out_row_stride + step.ox * post.res_out_col_stride
                    outcome.residual_writes.append(
                        ResidualWrite(
                            cycle=written,
                            address=post.res_out_base + address + step.group * config.chunks + k,
                            values=[[strip[c] for c in channels] for strip in outs],
                        )
                    )
                if d.mode == Mode.NONE:
                    continue
                found = [
                    [out_digits(config, memories, d, step.group, c, outs[p][c]) for c in channels]
                    for p in range(config.strips)
                ]
                for plane in range(d.out_digits):
                    outcome.writes.append(
                        Write(
                            cycle=written + plane,
                            address=d.out_base
                            + step.oy * d.out_row_stride
                            + step.ox * d.out_col_stride
                            + block * d.out_digits
                            + plane,
                            first_lane=place * config.post,
                            codes=[[codes[plane] for codes in strip] for strip in found],
                        )
                    )
                    record.words += 1
        if following is None or following.group != step.group:
            outcome.groups.append(issued + latency + last_drain)
            record.end = issued + latency + last_drain
    for residual_write in outcome.residual_writes:
        for p in range(config.strips):
            residuals[p][residual_write.address] = list(residual_write.values[p])
    for write in outcome.writes:
        for p in range(config.strips):
            banks[p][write.address][write.first_lane : write.first_lane + config.post] = write.codes[p]
    return outcome
