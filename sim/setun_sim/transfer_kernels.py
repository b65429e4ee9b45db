"""Compiled moves of words between external bytes and memories as :mod:`setun_sim.kernels` has them."""
# mypy: disable-error-code="no-untyped-def"

import numba as nb
import numpy as np

_jit = nb.njit(nogil=True, cache=True)


@_jit
def _word_bit(word, word_bits, beat_bits):
    """First bit of a word in its run."""
    if word_bits >= beat_bits:
        return word * (-(-word_bits // beat_bits) * beat_bits)
    share = beat_bits // word_bits
    return word // share * beat_bits + word % share * word_bits


@_jit
def _even_bits(v):
    """Bits 0, 2, 4 ... 30, moved together."""
    v &= 0x55555555
    v = (v | v >> 1) & 0x33333333
    v = (v | v >> 2) & 0x0F0F0F0F
    v = (v | v >> 4) & 0x00FF00FF
    return (v | v >> 8) & 0xFFFF


@_jit
def _spread_bits(v):
    """The reverse of :func:`_even_bits`."""
    v = (v | v << 8) & 0x00FF00FF
    v = (v | v << 4) & 0x0F0F0F0F
    v = (v | v << 2) & 0x33333333
    return (v | v << 1) & 0x55555555


@_jit
def _unzip(v, whole):
    """Even bits in the lower half, odd ones in the upper half, of the ``whole`` of 64 bits or of each 32 of them."""
    for shift, mask in (
        (np.uint64(1), np.uint64(0x2222222222222222)),
        (np.uint64(2), np.uint64(0x0C0C0C0C0C0C0C0C)),
        (np.uint64(4), np.uint64(0x00F000F000F000F0)),
        (np.uint64(8), np.uint64(0x0000FF000000FF00)),
    ):
        t = (v ^ v >> shift) & mask
        v = v ^ t ^ t << shift
    t = (v ^ v >> np.uint64(16)) & np.uint64(0x00000000FFFF0000)
    return v ^ t ^ t << np.uint64(16) if whole else v


@_jit
def load_words(source, first, target, bank, banks, base, words):
    """Words of 16 or 32 lanes without gaps: those of ``banks`` banks together, word by word.

    ``source[image, n]`` and ``target[image, bank, word]`` are the regions and the memory in numbers of a word's bits.
    """
    whole, count = source.itemsize == 8, banks * words
    found = np.empty(count, source.dtype)
    for image in range(source.shape[0]):
        own = source[image, first : first + count]
        for n in range(count):
            found[n] = _unzip(np.uint64(own[n]), whole)
        for k in range(banks):
            for word in range(words):
                target[image, bank + k, base + word] = found[word * banks + k]


@_jit
def load_row(outside, start, memory, bank, base, row_words, lanes, parts, part, beat_bits):
    """Fill ``row_words`` words of every ``memory[image, bank]`` from byte ``start`` of ``outside[image]`` on.

    Outside they are the ``part``-th of ``parts`` words that follow each other: more than one in lines.
    """
    bits, kind = memory.itemsize * 8, memory.dtype.type
    for image in range(memory.shape[0]):
        for word in range(row_words):
            first = _word_bit(word, 2 * lanes * parts, beat_bits) + 2 * lanes * part
            memory[image, bank, base + word] = 0
            for lane in range(0, lanes, 16):
                count = min(16, lanes - lane)
                bit = first + 2 * lane
                byte = start + (bit >> 3)
                chunk = np.int64(0)
                if bit & 7 == 0 and count == 16:
                    for k in range(4):
                        chunk |= np.int64(outside[image, byte + k]) << 8 * k
                else:
                    for k in range(((bit & 7) + 2 * count + 7) >> 3):
                        chunk |= np.int64(outside[image, byte + k]) << 8 * k
                    chunk = chunk >> (bit & 7) & (1 << 2 * count) - 1
                unit, low = lane // bits, lane % bits
                memory[image, bank, base + word, 0, unit] |= kind(_even_bits(chunk)) << kind(low)
                memory[image, bank, base + word, 1, unit] |= kind(_even_bits(chunk >> 1)) << kind(low)


@_jit
def store_row(outside, start, row_bytes, memory, bank, base, row_words, lanes, parts, part, beat_bits):
    """The reverse of :func:`load_row`; bits between words become zero with the first part."""
    bits = memory.itemsize * 8
    for image in range(memory.shape[0]):
        if part == 0:
            outside[image, start : start + row_bytes] = 0
        for word in range(row_words):
            first = _word_bit(word, 2 * lanes * parts, beat_bits) + 2 * lanes * part
            for lane in range(0, lanes, 16):
                count = min(16, lanes - lane)
                unit, low = lane // bits, lane % bits
                p = np.int64(memory[image, bank, base + word, 0, unit] >> memory.dtype.type(low)) & (1 << count) - 1
                n = np.int64(memory[image, bank, base + word, 1, unit] >> memory.dtype.type(low)) & (1 << count) - 1
                bit = first + 2 * lane
                chunk = (_spread_bits(p) | _spread_bits(n) << 1) << bit % 8
                for byte in range(bit // 8, (bit + 2 * count + 7) // 8):
                    outside[image, start + byte] |= np.uint8(chunk >> 8 * (byte - bit // 8) & 255)


@_jit
def load_residuals(outside, start, residual, bank, base, words, post, element_bits, parts, part, beat_bits):
    """:func:`load_row` for residual words."""
    sign = 1 << element_bits - 1
    for image in range(residual.shape[0]):
        for word in range(words):
            first = _word_bit(word, post * element_bits * parts, beat_bits) + post * element_bits * part
            for k in range(post):
                bit = first + k * element_bits
                chunk = np.int64(0)
                for byte in range(bit // 8, (bit + element_bits + 7) // 8):
                    chunk |= np.int64(outside[image, start + byte]) << 8 * (byte - bit // 8)
                number = chunk >> bit % 8 & (1 << element_bits) - 1
                residual[image, bank, (base + word) * post + k] = (number ^ sign) - sign


@_jit
def store_residuals(
    outside, start, row_bytes, residual, bank, base, words, post, element_bits, parts, part, beat_bits
):
    """:func:`store_row` for residual words."""
    for image in range(residual.shape[0]):
        if part == 0:
            outside[image, start : start + row_bytes] = 0
        for word in range(words):
            first = _word_bit(word, post * element_bits * parts, beat_bits) + post * element_bits * part
            for k in range(post):
                bit = first + k * element_bits
                number = np.int64(residual[image, bank, (base + word) * post + k]) & (1 << element_bits) - 1
                chunk = number << bit % 8
                for byte in range(bit // 8, (bit + element_bits + 7) // 8):
                    outside[image, start + byte] |= np.uint8(chunk >> 8 * (byte - bit // 8) & 255)
