"""First-fit placement of things that live for a while in a memory."""

from collections.abc import Iterable
from typing import NamedTuple


class Interval(NamedTuple):
    """``words`` words needed from moment ``first`` to moment ``last``, both included."""

    name: str
    words: int
    first: int
    last: int


def place(intervals: Iterable[Interval], capacity: int) -> dict[str, int] | None:
    """First word of each interval so that none overlap in space and time; None if three simple orders all fail."""
    by_time = sorted(intervals, key=lambda i: (i.first, i.last))
    by_size = sorted(by_time, key=lambda i: -i.words)
    for order, alternate in ((by_time, False), (by_time, True), (by_size, False)):
        bases = _first_fit(order, capacity, alternate)
        if bases is not None:
            return bases
    return None


def _first_fit(order: list[Interval], capacity: int, alternate: bool) -> dict[str, int] | None:
    """Lowest free place for each; with ``alternate`` every other interval takes the highest instead."""
    bases: dict[str, int] = {}
    placed: list[Interval] = []
    for index, item in enumerate(order):
        busy = sorted(
            (bases[other.name], bases[other.name] + other.words)
            for other in placed
            if other.first <= item.last and item.first <= other.last
        )
        gaps, low = [], 0
        for begin, end in [*busy, (capacity, capacity)]:
            if begin - low >= item.words:
                gaps.append((low, begin))
            low = max(low, end)
        if not gaps:
            return None
        bases[item.name] = gaps[-1][1] - item.words if alternate and index % 2 else gaps[0][0]
        placed.append(item)
    return bases
