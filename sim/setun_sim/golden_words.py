"""External memory as the golden interpreter sees it: runs of words inside beats, as arrays of single bits."""

import numpy as np
from numpy.typing import NDArray

from setun_sim.errors import SimulationError

Bits = NDArray[np.uint8]


def beats_of(words: int, word_bits: int, beat_bits: int) -> int:
    """Beats that a run of ``words`` words takes."""
    if word_bits >= beat_bits:
        return words * -(-word_bits // beat_bits)
    return -(-words // (beat_bits // word_bits))


def read_words(region: bytes | bytearray, offset: int, words: int, word_bits: int, beat_bits: int) -> Bits:
    """Bits of a run of words, (words, word_bits), lowest bit first.

    Raises
    ------
    SimulationError
        When the run leaves the region.
    """
    beats = beats_of(words, word_bits, beat_bits)
    size = beats * beat_bits // 8
    if offset + size > len(region):
        raise SimulationError(f"transfer of bytes {offset} to {offset + size} leaves a region of {len(region)} bytes")
    bits = np.unpackbits(np.frombuffer(bytes(region[offset : offset + size]), np.uint8), bitorder="little")
    if word_bits >= beat_bits:
        return bits.reshape(words, -1)[:, :word_bits]
    share = beat_bits // word_bits
    return bits.reshape(beats, beat_bits)[:, : share * word_bits].reshape(beats * share, word_bits)[:words]


def write_words(region: bytearray, offset: int, data: Bits, beat_bits: int) -> None:
    """The reverse of :func:`read_words`; bits of a beat that no word fills are written as zero.

    Raises
    ------
    SimulationError
        When the run leaves the region.
    """
    words, word_bits = data.shape
    beats = beats_of(words, word_bits, beat_bits)
    size = beats * beat_bits // 8
    if offset + size > len(region):
        raise SimulationError(f"transfer of bytes {offset} to {offset + size} leaves a region of {len(region)} bytes")
    if word_bits >= beat_bits:
        bits = np.zeros((words, beats // words * beat_bits), np.uint8)
        bits[:, :word_bits] = data
    else:
        share = beat_bits // word_bits
        bits = np.zeros((beats, beat_bits), np.uint8)
        for word in range(words):
            low = word % share * word_bits
            bits[word // share, low : low + word_bits] = data[word]
    region[offset : offset + size] = np.packbits(bits, bitorder="little").tobytes()
