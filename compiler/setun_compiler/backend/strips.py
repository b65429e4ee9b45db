"""Strip heights: how many rows of each feature map one bank (and one residual memory) holds.

A layer whose output spans several strips needs in_strip_rows = row_step * out_rows, and the same of its residual
operand, which ties heights together along the network. A layer whose output lies in strip 0 alone reads any strips and
leaves its input's height free. Which layers those are is decided by the size of their output: every limit is tried.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import lcm
from typing import NamedTuple

from setun_compiler.backend.plan import Op, Tensors
from setun_compiler.layout import ceil_div
from setun_hw.config import Config

#: cycles that a word of memory is worth when computing costs the same
WORD_COST = 1e-6


class Strips(NamedTuple):
    """Rows of a strip for every feature, output rows of a strip for every op, and what all that costs."""

    heights: dict[str, int]
    out_rows: tuple[int, ...]
    cost: float


class Tie(NamedTuple):
    """height(feature) = factor * height(other)."""

    feature: str
    other: str
    factor: Fraction


def strip_heights(ops: Sequence[Op], tensors: Tensors, config: Config, batch: bool) -> list[Strips]:
    """The ways to choose the heights of all features that ``ops`` read or write, cheapest first.

    In batch mode every strip holds a whole map, and heights only have to let padding reach past it.
    """
    names = list(dict.fromkeys(name for op in ops for name in (*op.reads, *op.writes)))
    needs = {name: max((least_height(op) for op in ops if op.source == name), default=1) for name in names}
    if batch:
        heights = {name: max(tensors[name].rows, needs[name]) for name in names}
        return [_costed(ops, tensors, config, heights, tuple(op.rows for op in ops))]
    found: dict[tuple[int, ...], Strips] = {}
    for limit in sorted({0, *(op.rows for op in ops)}):
        alone = [op.rows <= limit or _needs_strip_0(op) for op in ops]
        if (solved := _solve(ops, alone, names, needs, tensors, config)) is not None:
            rows = tuple(
                op.rows if one else solved[op.writes[0]] for op, one in zip(ops, alone, strict=True)
            )  # fmt: skip
            found.setdefault((*solved.values(), *rows), _costed(ops, tensors, config, solved, rows))
    return sorted(found.values(), key=lambda strips: strips.cost)


def least_height(op: Op) -> int:
    """Rows a strip of the input must have so that no step reaches past the next one."""
    return max(*op.reach, op.row_step if op.rows > 1 else 1)


def _needs_strip_0(op: Op) -> bool:
    """Whether the output cannot be spread over strips: it begins in the middle of its feature, or windows overlap."""
    return op.at[1] > 0 or (op.operand is not None and op.operand.rows > op.operand.row_step)


def _solve(
    ops: Sequence[Op], alone: Sequence[bool], names: list[str], needs: dict[str, int], tensors: Tensors, config: Config
) -> dict[str, int] | None:
    """Least heights where ``alone`` says which ops' outputs lie in strip 0; None if they contradict each other."""
    least = {name: max(needs[name], ceil_div(tensors[name].rows, config.strips)) for name in names}
    ties: list[Tie] = []
    for op, one in zip(ops, alone, strict=True):
        if one:
            operand = (op.operand.source,) if op.operand is not None else ()
            for name in (*op.writes, *operand):
                least[name] = max(least[name], tensors[name].rows)
            continue
        made = op.writes[0]
        ties += [Tie(name, made, Fraction(1)) for name in op.writes[1:]]
        if op.source is not None:
            ties.append(Tie(op.source, made, Fraction(op.row_step)))
        if op.operand is not None:
            ties.append(Tie(op.operand.source, made, Fraction(op.operand.row_step)))
    heights: dict[str, int] = {}
    for name in names:
        if name in heights:
            continue
        ratios = _ratios(name, ties)
        if ratios is None:
            return None
        whole = lcm(*(ratio.denominator for ratio in ratios.values()))
        times = max(-(-least[other] // (ratio * whole)) for other, ratio in ratios.items())
        heights |= {other: int(ratio * whole * times) for other, ratio in ratios.items()}
    return heights


def _ratios(name: str, ties: list[Tie]) -> dict[str, Fraction] | None:
    """Heights of all features tied to one, in units of its height."""
    ratios = {name: Fraction(1)}
    waiting = [name]
    while waiting:
        here = waiting.pop()
        for tie in ties:
            if here == tie.feature:
                other, ratio = tie.other, ratios[here] / tie.factor
            elif here == tie.other:
                other, ratio = tie.feature, ratios[here] * tie.factor
            else:
                continue
            if other not in ratios:
                ratios[other] = ratio
                waiting.append(other)
            elif ratios[other] != ratio:
                return None
    return ratios


def _costed(
    ops: Sequence[Op], tensors: Tensors, config: Config, heights: dict[str, int], out_rows: tuple[int, ...]
) -> Strips:
    cycles = sum(
        rows * op.cols * op.cycles_per_pixel(tensors, config) for op, rows in zip(ops, out_rows, strict=True)
    )  # fmt: skip
    words = sum(height * tensors[name].row_words for name, height in heights.items())
    return Strips(heights, out_rows, cycles + WORD_COST * words)
