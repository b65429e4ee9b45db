"""Integers as digits of an encoding, whole arrays at a time."""

import numpy as np
from numpy.typing import NDArray

from setun_compiler.network import Integers
from setun_hw.codec import bits_to_digits, digits_to_bits
from setun_hw.config import Encoding

Codes = NDArray[np.uint8]


def to_digits(values: Integers, digits: int, encoding: Encoding) -> NDArray[np.int8]:
    """Digits of integers on a new first axis, most significant first.

    The caller has made sure that ``digits`` digits hold every value; this is checked by an assertion.
    """
    radix, lowest = encoding.radix, encoding.lowest
    rest = np.asarray(values, np.int64)
    planes = np.empty((digits, *rest.shape), np.int8)
    for plane in range(digits - 1, -1, -1):
        digit = (rest - lowest) % radix + lowest
        planes[plane] = digit
        rest = (rest - digit) // radix
    assert not rest.any(), f"a value does not fit {digits} digits"
    return planes


def from_digits(planes: NDArray[np.int8], encoding: Encoding) -> Integers:
    """Integers whose digits lie on the first axis, most significant first."""
    values = np.zeros(planes.shape[1:], np.int64)
    for plane in planes:
        values = values * encoding.radix + plane
    return values


def to_codes(values: Integers, digits: int, encoding: Encoding) -> Codes:
    """Two-bit codes of the digits of integers on a new first axis, most significant first."""
    return digits_to_bits(encoding, to_digits(values, digits, encoding))


def from_codes(codes: Codes, encoding: Encoding) -> Integers:
    """Integers whose digits' two-bit codes lie on the first axis, most significant first."""
    return from_digits(bits_to_digits(encoding, codes), encoding)


def digits_needed(low: int, high: int, encoding: Encoding) -> int:
    """Fewest digits that hold every integer from ``low`` to ``high``."""
    digits = 1
    while True:
        lowest, highest = encoding.digit_range(digits)
        if lowest <= low and high <= highest:
            return digits
        digits += 1


def digits_and_shift(low: int, high: int, encoding: Encoding) -> tuple[int, int]:
    """Fewest digits that hold ``low`` .. ``high`` after a shift, and the shift nearest 0 with which they do.

    The stored integer is value - shift.
    """
    digits = 1
    while True:
        lowest, highest = encoding.digit_range(digits)
        smallest, largest = high - highest, low - lowest  # the shifts that serve
        if smallest <= largest:
            return digits, min(max(0, smallest), largest)
        digits += 1


def raw_planes_needed(low: int, high: int, encoding: Encoding) -> int:
    """Fewest two-bit planes of an accumulator that keep every sum from ``low`` to ``high`` apart."""
    if encoding is Encoding.TERNARY:
        return digits_needed(low, high, encoding)
    bits = max(int(high).bit_length(), int(~low).bit_length() if low < 0 else 0) + 1
    return -(-bits // 2)


def from_raw_planes(codes: Codes, encoding: Encoding) -> Integers:
    """Sums whose planes lie on the first axis: trits, or bit pairs of a two's complement number."""
    if encoding is Encoding.TERNARY:
        return from_codes(codes, encoding)
    values = np.zeros(codes.shape[1:], np.int64)
    for plane in codes:
        values = values * 4 + plane
    half = 1 << 2 * codes.shape[0] - 1
    return np.where(values >= half, values - 2 * half, values)
