"""Words inside beats, and feature maps inside external memory (docs/machine.md, "External memory").

Arrays hold *units* on their last axis: two-bit codes for activations and weights, single bits for parameters. Packing
is little-endian: the first unit is the lowest of the first byte.
"""

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from setun_compiler.digits import Codes

Units = NDArray[np.uint8]


def ceil_div(value: int, by: int) -> int:
    """Smallest integer not below value / by."""
    return -(-value // by)


def to_beats(words: Units, beat_units: int) -> Units:
    """Runs of words, (..., words, units), as runs of beats, (..., beats, beat_units), unused units 0."""
    *lead, count, units = words.shape
    if units >= beat_units:
        per_word = ceil_div(units, beat_units)
        padded = pad_axis(words, -1, per_word * beat_units)
        return padded.reshape(*lead, count * per_word, beat_units)
    share = beat_units // units
    beats = ceil_div(count, share)
    padded = pad_axis(words, -2, beats * share)
    return pad_axis(padded.reshape(*lead, beats, share * units), -1, beat_units)


def from_beats(beats: Units, words: int, units: int) -> Units:
    """The reverse of :func:`to_beats`."""
    *lead, count, beat_units = beats.shape
    if units >= beat_units:
        return beats.reshape(*lead, words, count // words * beat_units)[..., :units]
    share = beat_units // units
    return beats[..., : share * units].reshape(*lead, count * share, units)[..., :words, :]


def pack_codes(codes: Codes) -> Units:
    """Bytes of two-bit codes, four to a byte; the last axis must be a multiple of four."""
    packed = codes[..., 0::4] | codes[..., 1::4] << 2 | codes[..., 2::4] << 4 | codes[..., 3::4] << 6
    return packed.astype(np.uint8)


def unpack_codes(data: Units) -> Codes:
    """The reverse of :func:`pack_codes`."""
    shifts = np.array([0, 2, 4, 6], np.uint8)
    codes = (data[..., None] >> shifts & 3).astype(np.uint8)
    return codes.reshape(*data.shape[:-1], data.shape[-1] * 4)


def pack_bits(bits: Units) -> Units:
    """Bytes of bits, lowest first."""
    return np.packbits(bits, axis=-1, bitorder="little")


def map_words(codes: Codes, lanes: int) -> Codes:
    """Words of feature maps, (images, rows, words of a row, lanes).

    ``codes`` is (digits, images, channels, rows, cols), most significant digit first.
    """
    digits, images, channels, rows, cols = codes.shape
    blocks = ceil_div(channels, lanes)
    padded = pad_axis(codes, 2, blocks * lanes).reshape(digits, images, blocks, lanes, rows, cols)
    return padded.transpose(1, 4, 5, 2, 0, 3).reshape(images, rows, cols * blocks * digits, lanes)


def pack_map(codes: Codes, lanes: int, beat_bits: int) -> Units:
    """Feature maps as bytes in external memory, (images, bytes); ``codes`` is as for :func:`map_words`."""
    data = pack_codes(to_beats(map_words(codes, lanes), beat_bits // 2))  # (images, rows, beats, bytes)
    return data.reshape(len(data), prod(data.shape[1:]))


def line_beats(
    words: Units, beat_units: int, strips: int, line_rows: int, *, halo: int = 0, batch: bool
) -> Units:
    """Feature maps as lines: the words of all banks at one address together, bank 0 lowest.

    ``words`` is (images, rows, words of a row, units). A strip has ``line_rows`` rows and holds, with ``batch``, an
    image of its own; the first ``halo`` of them repeat the last ones of the strip above, or the map's edge. The result
    is (runs, rows of a strip, beats, beat_units).
    """
    if halo:
        firsts = np.zeros(1, np.int64) if batch else np.arange(strips) * (line_rows - halo)
        rows = np.add.outer(firsts, np.arange(line_rows) - halo)
        words = words[:, np.clip(rows.ravel(), 0, words.shape[1] - 1)]
    if batch:
        words = pad_axis(pad_axis(words, 0, ceil_div(len(words), strips) * strips), 1, line_rows)
    else:
        words = pad_axis(words, 1, strips * line_rows)
    _, _, count, units = words.shape
    banks = words.reshape(len(words) * words.shape[1] // (strips * line_rows), strips, line_rows, count, units)
    lines = banks.transpose(0, 2, 3, 1, 4).reshape(len(banks), line_rows, count, strips * units)
    return to_beats(lines, beat_units)


def unpack_map(data: Units, shape: tuple[int, int, int], digits: int, lanes: int, beat_bits: int) -> Codes:
    """The reverse of :func:`pack_map` for maps of ``shape`` (channels, rows, cols)."""
    channels, rows, cols = shape
    blocks = ceil_div(channels, lanes)
    beats = unpack_codes(data).reshape(len(data), rows, data.shape[1] * 8 // beat_bits // rows, beat_bits // 2)
    words = from_beats(beats, cols * blocks * digits, lanes).reshape(len(data), rows, cols, blocks, digits, lanes)
    return words.transpose(4, 0, 3, 5, 1, 2).reshape(digits, len(data), blocks * lanes, rows, cols)[:, :, :channels]


def pad_axis(array: NDArray[Any], axis: int, size: int) -> NDArray[Any]:
    """``array`` with zeros appended on ``axis`` up to ``size``."""
    missing = size - array.shape[axis]
    if not missing:
        return array
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, missing)
    return np.pad(array, widths)
