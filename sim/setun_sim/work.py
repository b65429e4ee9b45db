"""A piece of work of the compiled kernels: channel groups of one COMPUTE, laid out for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from setun_hw.config import Config, Encoding
from setun_hw.descriptor import Compute, Mode, Post
from setun_sim.geometry import Geometry, geometry
from setun_sim.kernels.names import PADS, VECTOR
from setun_sim.order import NO_POST
from setun_sim.parameters import Parameters
from setun_sim.runs import Runs, code_bits, read_runs, write_pieces, write_runs
from setun_sim.words import Planes, units, word_type


@dataclass(frozen=True, kw_only=True)
class Work:
    """Consecutive channel groups of one COMPUTE; arrays as :data:`setun_sim.kernels.compute.compute` takes them."""

    index: int  #: descriptor in its list
    in_run: bool  #: of the run list, not of the init list
    geometry: Geometry
    weights: Planes
    pad: Planes
    active: NDArray[np.bool_]
    thresholds: NDArray[Any]  #: of the type of sums: int32 where they fit, else int64
    codes: NDArray[np.uint32]
    pieces: NDArray[np.int64]
    fixed: NDArray[np.int64] | None  #: None without fixed point
    reads: Runs
    writes: Runs
    first_read: int
    word_reads: NDArray[np.int64]
    padding_reads: int  #: reads of one run beside the map
    nonzero_weights: int  #: digits of the weight words read for one convolution pixel


def work_of(
    d: Compute, post: Post, config: Config, groups: Sequence[tuple[int, Planes, Parameters]], index: int, in_run: bool
) -> Work:
    """Consecutive channel groups, each with its number and what :meth:`~setun_sim.resident.Resident.read` found."""
    c = config
    numbers, weights, found = (list(column) for column in zip(*groups, strict=True))
    written = [(d.last_chunks if g == d.groups - 1 else d.chunks) * c.post for g in numbers]
    active = np.arange(c.rows) < np.array(written)[:, None]
    parts: list[list[NDArray[Any]]] = [weights, *(list(part) for part in zip(*found, strict=True))]
    if d.group_block_step:
        w, t, k, fixed = (np.stack(part) for part in parts)
    else:
        w, t, k, fixed = (np.concatenate(part, -1)[None] for part in parts)
        active = active.reshape(1, -1)
    k = k[:, :, d.out_digits - 1 :: -1]
    t = np.sort(t, axis=1)
    kind = _sums_type(d, c)
    # Thresholds that no sum may reach (unused ones) decide nothing.
    reachable = np.flatnonzero((t <= (post.high if d.affine else c.accumulator_limit)).any((0, 2)))
    used = int(reachable[-1]) + 1 if reachable.size else 0
    t, k = t[:, :used], k[:, : used + 1 if d.mode == Mode.THRESHOLD else 0]
    w = _fill(w, -1)
    if d.two_scale:
        w = np.concatenate([w, _magnitudes(w, c)], -1)
    nonzero = int(np.bitwise_count(w[:, :, 0] | w[:, :, 1]).sum(dtype=np.int64)) * d.in_digits
    active = _fill(active, -1)
    channels = (np.array(numbers).reshape(len(w), -1)[:, 0] * c.rows).tolist()
    return Work(
        index=index,
        in_run=in_run,
        geometry=geometry(d, post, c, numbers[0], len(numbers) // len(w)),
        weights=w,
        pad=_pad_words(d, c),
        active=active,
        thresholds=_fill(t.clip(np.iinfo(kind).min, np.iinfo(kind).max).astype(kind), -1),
        codes=code_bits(_fill(k, -1)),
        pieces=write_pieces(active, channels, c.lanes, np.dtype(word_type(c)).itemsize * 8),
        fixed=_fill(fixed, -1) if d.affine else None,
        reads=read_runs(active, channels, post if d.residual else NO_POST, c.post),
        writes=write_runs(active, channels, c.post),
        first_read=0,
        word_reads=np.zeros((c.strips, PADS), np.int64),
        padding_reads=0,
        nonzero_weights=nonzero,
    )


def _magnitudes(w: Planes, config: Config) -> Planes:
    """|w| of single-digit weights: rails of trits, the low bits of radix-4 digits (of -2 it is 0)."""
    binary = config.encoding is Encoding.BINARY2
    return np.stack([w[:, :, 0] if binary else w[:, :, 0] | w[:, :, 1], np.zeros_like(w[:, :, 0])], axis=2)


def _pad_words(d: Compute, config: Config) -> Planes:
    """The word read beside the map, [digit, plane, unit]."""
    kind = word_type(config)
    width = np.dtype(kind).itemsize * 8
    lanes = np.clip(config.lanes - np.arange(units(config)) * width, 0, width)
    full = np.array([(1 << int(n)) - 1 for n in lanes], kind)
    bits = np.array([[d.pad_digits >> 2 * i + plane & 1 for plane in range(2)] for i in range(d.in_digits)])
    return np.where(bits[..., None] == 1, full, kind(0))


def _sums_type(d: Compute, config: Config) -> Any:
    """The type of sums: fixed point takes 64 bits, and everything else as many as the largest sum there could be."""
    lowest, highest = (config.encoding.digit_range(digits) for digits in (d.in_digits, d.weight_digits))
    largest = max(abs(x) for x in lowest) * max(abs(x) for x in highest)
    steps = d.kernel_rows * d.kernel_cols * d.blocks
    return np.int32 if not d.affine and largest * steps * config.lanes < np.iinfo(np.int32).max else np.int64


def _fill(array: NDArray[Any], axis: int) -> NDArray[Any]:
    """Zeros after the channels, up to a whole number of vectors."""
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, -array.shape[axis] % VECTOR)
    return np.ascontiguousarray(np.pad(array, widths))
