"""A COMPUTE on every image and strip."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, untyped-decorator"
# pyright: reportCallIssue=false

import hashlib
from pathlib import Path
from typing import Any

import numba as nb
import numpy as np

from setun_sim.kernels import places
from setun_sim.kernels.finish import finish
from setun_sim.kernels.fixed import fix
from setun_sim.kernels.names import FAULT, NONZERO_ACTIVATIONS, PADS, PRODUCTS, UPDATES, VECTOR, WORST_SUM
from setun_sim.kernels.places import list_words, segments_of, steps_of, tile_of
from setun_sim.kernels.products import sum_products
from setun_sim.kernels.vectors import popcount

# Arguments are typed by use: the kernel is compiled for the one word size that a configuration needs, then cached.


@nb.njit(nogil=True)
def _put_pads(memory, pad):
    """What positions beside the map read as, into the last words of each bank."""
    for image in range(memory.shape[0]):
        for strip in range(memory.shape[1]):
            for i in range(pad.shape[0]):
                for plane in range(2):
                    for unit in range(memory.shape[4]):
                        memory[image, strip, memory.shape[2] - PADS + i, plane, unit] = pad[i, plane, unit]


@nb.njit(nogil=True)
def _nonzero(memory, first, word_reads):
    """Digits that are not 0, over all reads of words of all images."""
    found, words, used = np.int64(0), memory.shape[2], word_reads.shape[1] - PADS
    for image in range(memory.shape[0]):
        for strip in range(memory.shape[1]):
            for unit in range(memory.shape[4]):
                plus, minus = memory[image, strip, first:, 0, unit], memory[image, strip, first:, 1, unit]
                for word in range(used):
                    found += word_reads[strip, word] * np.int64(popcount(plus[word] | minus[word]))
                for pad in range(PADS):
                    digits = plus[words - PADS - first + pad] | minus[words - PADS - first + pad]
                    found += word_reads[strip, used + pad] * np.int64(popcount(digits))
    return found


@nb.njit(nogil=True)
def _compute(
    g, memory, residual, w, pad, active, thresholds, codes, pieces, fixed, reads, writes, first_read, word_reads, counts
):
    images, strips, words = memory.shape[:3]
    sets, channels = w.shape[0], active.shape[1]
    windows, tile, steps = g.pool_rows * g.pool_cols, tile_of(g), steps_of(g)
    total = g.out_rows * g.out_cols * windows
    again = segments_of(g)
    words_read, rows = np.empty(tile * steps, np.int32), np.empty(tile * steps, np.int32)
    ends, sums = np.empty(tile * again.size, np.int64), np.zeros((tile, w.shape[4]), thresholds.dtype)
    code, worst = np.zeros(channels, w.dtype), np.zeros(channels, thresholds.dtype)
    levels = np.zeros((thresholds.shape[1] + 1, channels // VECTOR), np.uint32)
    planes = np.zeros((2, channels // VECTOR + 2), np.uint32)
    totals, res = np.zeros((2, VECTOR), np.int64), np.zeros(channels, np.int64)
    carried = np.zeros((images, w.shape[4]), thresholds.dtype)
    flat, size = memory.reshape(-1), memory.size // max(1, images)
    _put_pads(memory, pad)
    counts[NONZERO_ACTIVATIONS] += _nonzero(memory, first_read, word_reads)
    for strip in range(strips):
        for k in range(sets):
            for first in range(0, total, tile):
                pixels = min(tile, total - first)
                out = sums[:pixels]
                if not g.no_array:
                    list_words(g, words, strips, strip, k, pad.any(), first, pixels, words_read, rows, ends)
                for image in range(images):
                    if g.no_array:
                        out[:] = 0
                    else:
                        sum_products(g.radix, flat, image * size, words_read, rows, ends, again, w, k, out, totals)
                    if fixed is not None:  # else the compiler leaves this out
                        fix(
                            g, residual[image, strip], fixed[k], reads[k], writes[k], first, out, carried[image], res,
                            worst, counts,
                        )  # fmt: skip
                        if counts[FAULT] != 0:
                            return
                    finish(
                        g, memory[image, strip], k, first, out, thresholds, codes, pieces, levels, planes, code, worst,
                        counts,
                    )  # fmt: skip
                    if counts[FAULT] != 0:
                        return
            for m in range(channels):
                counts[WORST_SUM] = max(counts[WORST_SUM], worst[m] * active[k, m])
                worst[m] = 0
    counts[PRODUCTS] += totals[0].sum()
    counts[UPDATES] += totals[1].sum()


def _sources() -> str:
    """Hash of this package's files."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _cached(sources: str) -> tuple[Any, Any]:
    """The kernels, kept on disk from process to process.

    Numba compiles anew when the file of a cached function changes, or what that takes from around it; so both take the
    hash of all files that they call.
    """

    @nb.njit(nogil=True, cache=True)
    def compute(*arguments):
        if sources:
            _compute(*arguments)

    @nb.njit(nogil=True, cache=True)
    def count_reads(*arguments):
        return places.count_reads(*arguments) if sources else 0

    return compute, count_reads


#: ``compute(g, memory, residual, w, pad, active, thresholds, codes, pieces, fixed, reads, writes, first_read,
#: word_reads, counts)`` carries out channel groups of a COMPUTE on every image and strip of ``memory`` and of
#: ``residual``.
#:
#: ``w[set, weight digit x positions + position, plane, unit, channel]`` holds the weights: groups that read the same
#: words lie side by side in one set; with two scales all channels come once more with |w|. ``pad[digit, plane, unit]``
#: is what positions outside the map read as. ``active[set, channel]`` marks the channels written; ``thresholds[set, T,
#: channel]`` are theirs, of the type of sums, and ``codes[set, level, digit, plane, vector]`` the bits of their codes,
#: without levels where there are no codes. ``pieces[set, piece]`` are channels that share a unit of a word: the first
#: one, the bits written, the place of its bit in the unit, block and unit.
#: ``fixed[set, parameter, channel]`` are those of fixed point, or None where there is none, ``reads[set, run]`` and
#: ``writes[set, run]`` where in residual memory a pixel's channels lie. Channels of a set beyond its own are all zeros;
#: they fill up a multiple of :data:`~setun_sim.kernels.names.VECTOR`. ``word_reads[strip, word]`` says how often each
#: word from ``first_read`` on is read (:func:`~setun_sim.kernels.places.count_reads`), the last PADS being those of the
#: bank.
#:
#: ``count_reads`` is :func:`setun_sim.kernels.places.count_reads`.
compute, count_reads = _cached(_sources())
