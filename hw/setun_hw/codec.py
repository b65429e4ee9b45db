"""Numbers to bits and back: digits, accumulators and sums as the hardware holds them.

Codes of ``docs/machine.md``. Nothing here imports the hardware library, so compiler and simulator use it too.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from setun_hw.config import Config, Encoding
from setun_hw.errors import SetunError

#: digit of each two-bit code; 2 stands for a code that no digit has
_DIGITS = {
    Encoding.TERNARY: np.array([0, 1, -1, 2], np.int8),
    Encoding.RAILS: np.array([0, 1, -1, 2], np.int8),
    Encoding.BINARY2: np.array([0, 1, -2, -1], np.int8),
}


class CodecError(SetunError):
    """A digit or number outside its range, or bits that are no code."""


def digits_to_bits(encoding: Encoding, digits: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Two-bit codes of digits, same shape.

    Raises
    ------
    CodecError
        When a value is no digit of ``encoding``.
    """
    array = np.asarray(digits)
    if array.size and (array.min() < encoding.lowest or array.max() > encoding.highest):
        bad = array[(array < encoding.lowest) | (array > encoding.highest)].flat[0]
        limits = f"between {encoding.lowest} and {encoding.highest}"
        raise CodecError(f"a digit of encoding {encoding} must be {limits}, not {bad}")
    codes = (array.astype(np.int8) & 3).astype(np.uint8)
    if encoding is not Encoding.BINARY2:
        codes[codes == 3] = 2
    return codes


def bits_to_digits(encoding: Encoding, codes: npt.ArrayLike) -> npt.NDArray[np.int8]:
    """Digits of two-bit codes, same shape; the inverse of :func:`digits_to_bits`.

    Raises
    ------
    CodecError
        When a value is no code of ``encoding``.
    """
    array = np.asarray(codes)
    if array.size and (array.min() < 0 or array.max() > 3):
        raise CodecError(f"a digit code must be between 0 and 3, not {array.max() if array.max() > 3 else array.min()}")
    digits = _DIGITS[encoding][array.astype(np.uint8)]
    if (digits == 2).any():
        raise CodecError(f"digit code 3 does not occur in encoding {encoding}")
    return digits


def pack_word(encoding: Encoding, digits: npt.ArrayLike) -> int:
    """A word of digits, lane 0 at bit 0, as one integer.

    Raises
    ------
    CodecError
        When a value is no digit of ``encoding``.
    """
    word = 0
    for code in digits_to_bits(encoding, digits).ravel()[::-1]:
        word = word << 2 | int(code)
    return word


def unpack_word(encoding: Encoding, word: int, lanes: int) -> npt.NDArray[np.int8]:
    """The ``lanes`` digits of a word; the inverse of :func:`pack_word`."""
    return bits_to_digits(encoding, np.array([word >> 2 * lane & 3 for lane in range(lanes)], np.uint8))


def to_trits(value: int, trits: int) -> list[int]:
    """Balanced trits of an integer, least significant first.

    Raises
    ------
    CodecError
        When ``trits`` trits do not hold it.
    """
    digits = []
    rest = value
    for _ in range(trits):
        digit = (rest + 1) % 3 - 1
        digits.append(digit)
        rest = (rest - digit) // 3
    if rest:
        raise CodecError(f"{value} does not fit {trits} trits")
    return digits


def encode_number(encoding: Encoding, value: int, width: int) -> int:
    """Bits of an integer in the format of sums and accumulators of ``width`` bits.

    Raises
    ------
    CodecError
        When the format does not hold it.
    """
    if encoding is Encoding.TERNARY:
        return pack_word(encoding, to_trits(value, width // 2))
    if not -(1 << width - 1) <= value < 1 << width - 1:
        raise CodecError(f"{value} does not fit {width} bits")
    return value & (1 << width) - 1


def decode_number(encoding: Encoding, bits: int, width: int) -> int:
    """The integer that ``width`` bits of a sum or accumulator stand for.

    Raises
    ------
    CodecError
        When the bits exceed the width or hold the trit code that does not occur.
    """
    if not 0 <= bits < 1 << width:
        raise CodecError(f"{bits} is not a word of {width} bits")
    if encoding is Encoding.TERNARY:
        return sum(int(trit) * 3**index for index, trit in enumerate(unpack_word(encoding, bits, width // 2)))
    return bits - (bits >> width - 1 << width)


def encode_accumulator(config: Config, value: int) -> int:
    """Bits of an accumulator or threshold: trits, least significant lowest, or two's complement.

    Raises
    ------
    CodecError
        When the accumulator does not hold it.
    """
    return encode_number(config.encoding, value, config.accumulator_width)


def decode_accumulator(config: Config, bits: int) -> int:
    """The integer that an accumulator's bits stand for; the inverse of :func:`encode_accumulator`.

    Raises
    ------
    CodecError
        When the bits are no accumulator.
    """
    return decode_number(config.encoding, bits, config.accumulator_width)


def sum_limits(config: Config) -> tuple[int, int]:
    """Smallest and largest sum of N products of digits."""
    low, high = config.encoding.lowest, config.encoding.highest
    products: list[Any] = [low * low, low * high, high * high]
    return config.lanes * min(products), config.lanes * max(products)


def sum_width(config: Config) -> int:
    """Bits of a dot product: the fewest trits, or two's complement bits, that hold every sum."""
    _, high = sum_limits(config)
    if config.encoding is Encoding.TERNARY:
        trits = 1
        while (3**trits - 1) // 2 < high:
            trits += 1
        return 2 * trits
    return high.bit_length() + 1
