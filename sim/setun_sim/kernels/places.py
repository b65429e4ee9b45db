"""Which words the steps of a COMPUTE read: the same for every image."""
# mypy: disable-error-code="no-untyped-def, no-untyped-call, untyped-decorator"

import numba as nb
import numpy as np

from setun_sim.kernels.names import PADS

#: entries of a segment: their counts fit 16 bits, radix-4 digits with up to 80 from each of 512 words too
SEGMENT = 512
#: words listed at a time: they should stay in the first cache
_TILE = 2048

_jit = nb.njit(nogil=True)
_inline = nb.njit(nogil=True, inline="always")


@_inline
def position(g, pixel):
    """Place in its pooling window, and in the map, of a convolution pixel: px, py, ox, oy."""
    rest, px = divmod(pixel, g.pool_cols)
    rest, py = divmod(rest, g.pool_rows)
    oy, ox = divmod(rest, g.out_cols)
    return px, py, ox, oy


@_inline
def steps_of(g):
    """Steps of a convolution pixel, without a second scale."""
    return g.kernel_rows * g.kernel_cols * g.blocks * g.digit_pairs


@_inline
def tile_of(g):
    """Convolution pixels worked on together: whole pooling windows."""
    windows = g.pool_rows * g.pool_cols
    return min(g.out_rows * g.out_cols, max(1, _TILE // (steps_of(g) * windows))) * windows


@_inline
def _pairs(g, s):
    """First activation digit of a significance, and one past its last: each meets one weight digit."""
    weight_digits = g.digit_pairs // g.in_digits
    return max(0, s - weight_digits + 1), min(s, g.in_digits - 1) + 1


@_jit
def segments_of(g):
    """For each segment of a convolution pixel, 1 where a new significance begins and sums are multiplied, else 0.

    A significance takes as many segments as its steps may fill.
    """
    positions = g.kernel_rows * g.kernel_cols * g.blocks
    found = []
    for s in range(g.in_digits + g.digit_pairs // g.in_digits - 1):
        first, last = _pairs(g, s)
        for part in range(-(-(last - first) * positions // SEGMENT)):
            found.append(np.int32(s > 0 and part == 0))
    return np.array(found)


@_jit
def list_words(g, words, banks, strip, k, padded, first_pixel, pixels, places, rows, ends):
    """List the words that ``pixels`` convolution pixels of a strip read for set ``k``, in the order of the steps.

    ``places[entry]`` is the word, counted through all ``banks`` of ``words`` words each, ``rows[entry]`` which weight
    word it meets (weight digit x positions + position); ``ends[pixel*segments + segment]`` is one past the last entry
    of a segment. Positions beside the map are left out, or if ``padded`` lie in the last PADS words of the strip's
    bank. Returns how many there were, or -1 when a word lies beyond the tensor's end.
    """
    positions = g.kernel_rows * g.kernel_cols * g.blocks
    significances = g.in_digits + g.digit_pairs // g.in_digits - 1
    first = g.in_base + (g.first_group + k) * g.group_block_step * g.in_digits
    entry, beside, segment = 0, 0, 0
    px, py, ox, oy = position(g, first_pixel)
    width = (g.kernel_cols - 1) * g.kernel_col_step
    for _ in range(pixels):
        y0 = oy * g.row_step + py * g.pool_row_step - g.pad_top
        x0 = ox * g.col_step + px * g.pool_col_step - g.pad_left
        within = x0 >= 0 and x0 + width < g.in_cols
        for s in range(significances):
            first_digit, last_digit = _pairs(g, s)
            left, begun = -(-(last_digit - first_digit) * positions // SEGMENT), entry
            for i in range(first_digit, last_digit):
                row = (s - i) * positions
                for kh in range(g.kernel_rows):
                    y = y0 + kh * g.kernel_row_step
                    shift = 0
                    while y < 0:
                        y += g.in_strip_rows
                        shift -= 1
                    while y >= g.in_strip_rows:
                        y -= g.in_strip_rows
                        shift += 1
                    bank = strip + shift
                    if g.batch:
                        held = g.in_last_rows if shift == 0 else 0
                    elif bank < g.in_full_strips:
                        held = g.in_strip_rows
                    else:
                        held = g.in_last_rows if bank == g.in_full_strips else 0
                    outside = bank < 0 or bank >= banks or y >= held
                    begin = first + y * g.in_row_stride + x0 * g.in_col_stride + i
                    for kw in range(g.kernel_cols):
                        x = x0 + kw * g.kernel_col_step
                        if outside or (not within and (x < 0 or x >= g.in_cols)):
                            beside += g.blocks
                            if not padded:
                                row += g.blocks
                                continue
                            at, step = strip * words + words - PADS + i, 0
                        else:
                            word, step = begin + kw * g.kernel_col_step * g.in_col_stride, g.in_digits
                            if word + (g.blocks - 1) * step >= g.in_end:
                                return -1
                            at = bank * words + word
                        for _ in range(g.blocks):
                            if entry == begun + SEGMENT:
                                ends[segment] = begun = entry
                                segment, left = segment + 1, left - 1
                            places[entry], rows[entry] = at, row
                            entry, at, row = entry + 1, at + step, row + 1
            ends[segment : segment + left] = entry
            segment += left
        px += 1
        if px == g.pool_cols:
            px, py = 0, py + 1
            if py == g.pool_rows:
                py, ox = 0, ox + 1
                if ox == g.out_cols:
                    ox, oy = 0, oy + 1
    return beside


@_jit
def count_reads(g, words, banks, sets, padded, reads):
    """Add to ``reads[word]`` how often a COMPUTE reads each word of all banks.

    Returns how many positions lie beside the map, or -1 when a word lies beyond the tensor's end.
    """
    tile, steps = tile_of(g), steps_of(g)
    total = g.out_rows * g.out_cols * g.pool_rows * g.pool_cols
    places, rows = np.empty(tile * steps, np.int32), np.empty(tile * steps, np.int32)
    segments = len(segments_of(g))
    ends = np.empty(tile * segments, np.int64)
    times, beside = g.set_groups * g.scales, 0
    for strip in range(banks):
        for k in range(sets):
            for first in range(0, total, tile):
                pixels = min(tile, total - first)
                found = list_words(g, words, banks, strip, k, padded, first, pixels, places, rows, ends)
                if found < 0:
                    return found
                beside += found * times
                for entry in range(ends[pixels * segments - 1]):
                    reads[places[entry]] += times
    return beside
