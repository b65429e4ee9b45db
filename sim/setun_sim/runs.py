"""Where the channels of a piece of work lie in memories: runs of neighbours, laid out for the compiled kernels."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from setun_hw.descriptor import Post
from setun_sim.kernels.names import VECTOR

#: [set, run, (first channel of the set, channels, first element and last word of the pixel)]; empty runs fill up
Runs = NDArray[np.int64]


def read_runs(active: NDArray[np.bool_], first_channels: Sequence[int], post: Post, per_word: int) -> Runs:
    """Runs of the residual operand: its channels begin again after ``res_chunks`` words."""
    period, first = max(1, post.res_chunks * per_word), post.res_first * per_word
    return _runs(active, first_channels, first, period, per_word)


def write_runs(active: NDArray[np.bool_], first_channels: Sequence[int], per_word: int) -> Runs:
    """Runs of the result."""
    return _runs(active, first_channels, 0, 1 << 62, per_word)


def _runs(active: NDArray[np.bool_], first_channels: Sequence[int], first: int, period: int, per_word: int) -> Runs:
    found = []
    for own, channel in zip(active, first_channels, strict=True):
        pieces = _pieces(own, first + channel, period)
        found.append([(m, count, at, (at + count - 1) // per_word) for m, count, at in pieces])
    runs = np.zeros((len(found), max(len(own) for own in found), 4), np.int64)
    for row, own_runs in zip(runs, found, strict=True):
        row[: len(own_runs)] = own_runs
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


def write_pieces(
    active: NDArray[np.bool_], first_channels: Sequence[int], lanes: int, unit_bits: int
) -> NDArray[np.int64]:
    """[set, piece, (first channel of the set, bits written, place in the unit, block, unit)] of activation words."""
    found = []
    for own, first in zip(active, first_channels, strict=True):
        pieces, m = [], 0
        while m < own.size:
            block, lane = divmod(first + m, lanes)
            count = min(unit_bits - lane % unit_bits, lanes - lane, own.size - m)
            bits = int(np.packbits(own[m : m + count], bitorder="little").astype(np.uint64) @ _BYTES[: -(-count // 8)])
            pieces.append((m, bits - (bits >> 63 << 64), lane % unit_bits, block, lane // unit_bits))
            m += count
        found.append(pieces)
    placed = np.zeros((len(found), max(len(pieces) for pieces in found), 5), np.int64)
    for row, pieces in zip(placed, found, strict=True):
        row[: len(pieces)] = pieces
    return placed


_BYTES = 1 << 8 * np.arange(8, dtype=np.uint64)


def code_bits(codes: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Bits of codes [set, level, digit, channel], VECTOR channels to a number: [set, level, digit, plane, vector]."""
    planes = np.stack([codes & 1, codes >> 1], axis=3)
    return np.packbits(planes, axis=-1, bitorder="little").view(f"<u{VECTOR // 8}").astype(np.uint32)
