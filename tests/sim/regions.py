"""Digits, words and beats: integers to bytes of a region and back."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from setun_compiler.program import Program
from setun_hw.config import Encoding
from tests.sim.chains import Chain, Integers


def digits_of(values: Integers, encoding: Encoding, digits: int) -> Integers:
    """Digits on a new last axis, most significant first."""
    found, rest = [], np.asarray(values, np.int64).copy()
    for _ in range(digits):
        digit = (rest - encoding.lowest) % encoding.radix + encoding.lowest
        found.append(digit)
        rest = (rest - digit) // encoding.radix
    assert not rest.any(), "value does not fit its digits"
    return np.stack(found[::-1], -1)


def codes_of(digits: Integers, encoding: Encoding) -> Integers:
    """Two-bit codes of digits."""
    return digits & 3 if encoding is Encoding.BINARY2 else np.where(digits < 0, 2, digits)


def bits_of(codes: Integers) -> NDArray[np.uint8]:
    """Bits of two-bit codes, low ones first, on the last axis."""
    return np.stack([codes & 1, codes >> 1], -1).reshape(*codes.shape[:-1], -1).astype(np.uint8)


def beats(words: NDArray[np.uint8], beat: int) -> bytes:
    """Words (count, bits) as bytes of whole beats."""
    count, bits = words.shape
    if bits >= beat:
        return np.packbits(np.pad(words, ((0, 0), (0, -bits % beat))), bitorder="little").tobytes()
    share = beat // bits
    words = np.pad(words, ((0, -count % share), (0, 0))).reshape(-1, share * bits)
    return np.packbits(np.pad(words, ((0, 0), (0, beat - share * bits))), bitorder="little").tobytes()


def blocks_of(channels: int, lanes: int) -> int:
    """Words that hold the channels of a pixel's digit."""
    return -(-channels // lanes)


def encode(chain: Chain, images: Sequence[Integers]) -> bytes:
    """INPUT region of one run: one image, or ``strips`` of them in batch mode."""
    c, found = chain.config, b""
    for x in images:
        channels = blocks_of(chain.shape[0], c.lanes) * c.lanes
        full = np.zeros((channels, *chain.shape[1:]), np.int64)
        full[: len(x)] = x
        codes = codes_of(digits_of(full, c.encoding, chain.in_digits), c.encoding)
        for row in range(chain.shape[1]):
            words = codes[:, row].reshape(-1, c.lanes, chain.shape[2], chain.in_digits).transpose(2, 0, 3, 1)
            found += beats(bits_of(words.reshape(-1, c.lanes)), c.axi_data_bits)
    return found


def decode(program: Program, output: bytes) -> Integers:
    """Integers (images, channels, rows, cols) of an OUTPUT region."""
    c, m, found = program.config, program.output.map, []
    for image in range(program.images):
        rows = []
        for row in range(m.rows):
            start = m.offset + image * m.size + row * m.row_bytes
            bits = np.unpackbits(np.frombuffer(output[start : start + m.row_bytes], np.uint8), bitorder="little")
            share = max(1, c.axi_data_bits // c.word_bits)
            if c.word_bits >= c.axi_data_bits:
                words = bits.reshape(m.row_words, -1)[:, : c.word_bits]
            else:
                words = bits.reshape(-1, c.axi_data_bits)[:, : share * c.word_bits].reshape(-1, c.word_bits)[
                    : m.row_words
                ]
            codes = words.reshape(m.cols, -1, m.digits, c.lanes, 2).astype(np.int64)
            codes = (codes[..., 0] + 2 * codes[..., 1]).transpose(0, 1, 3, 2).reshape(m.cols, -1, m.digits)
            if program.output.raw and c.encoding is not Encoding.TERNARY:
                value = sum(codes[..., d] << 2 * (m.digits - 1 - d) for d in range(m.digits))
                value = value - ((codes[..., 0] >> 1) << 2 * m.digits)
            else:
                digits = np.array([0, 1, -2, -1] if c.encoding is Encoding.BINARY2 else [0, 1, -1, 0])[codes]
                value = digits @ c.encoding.radix ** np.arange(m.digits)[::-1]
            rows.append(value[:, : m.channels].T)
        found.append(np.stack(rows, 1))
    return np.stack(found)
