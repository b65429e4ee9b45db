"""Where in a pixel's residual words the channels of a piece of work lie: runs of neighbours."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from setun_hw.descriptor import Post

#: [set, run, (first channel of the set, channels, first element of the pixel)]; runs of no channels fill up
Runs = NDArray[np.int64]


def read_runs(active: NDArray[np.bool_], first_channels: Sequence[int], post: Post, per_word: int) -> Runs:
    """Runs of the residual operand: its channels begin again after ``res_chunks`` words."""
    period, first = max(1, post.res_chunks * per_word), post.res_first * per_word
    return _runs(active, first_channels, first, period)


def write_runs(active: NDArray[np.bool_], first_channels: Sequence[int]) -> Runs:
    """Runs of the result."""
    return _runs(active, first_channels, 0, 1 << 62)


def _runs(active: NDArray[np.bool_], first_channels: Sequence[int], first: int, period: int) -> Runs:
    found = [list(_pieces(own, first + channel, period)) for own, channel in zip(active, first_channels, strict=True)]
    runs = np.zeros((len(found), max(len(own) for own in found), 3), np.int64)
    for place, own in enumerate(found):
        runs[place, : len(own)] = own
    return runs


def _pieces(active: NDArray[np.bool_], shift: int, period: int) -> Iterator[tuple[int, int, int]]:
    """Channel m of a set is element ``(shift + m) % period``."""
    begin = 0
    while begin < active.size:
        if active[begin]:
            rest = period - (shift + begin) % period
            idle = np.flatnonzero(~active[begin : begin + rest])
            count = int(idle[0]) if idle.size else min(rest, active.size - begin)
            yield begin, count, (shift + begin) % period
            begin += count
        else:
            begin += 1
