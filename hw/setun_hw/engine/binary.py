"""Accumulators as two's complement numbers."""

from amaranth import Cat, Module, Mux, Signal, Value, signed

from setun_hw.config import Config, Encoding

#: trits that one look-up takes
_GROUP = 4


def to_binary(m: Module, config: Config, value: Value, name: str) -> Value:
    """An accumulator on ``accumulator_bits`` signed bits, two cycles after ``value``.

    Parameters
    ----------
    value:
        In the accumulator's format: trits are added up, groups of four first; two's complement is only delayed, so that
        all encodings take the same cycles.
    """
    shape = signed(config.accumulator_bits)
    result = Signal(shape, name=f"{name}_binary", reset_less=True)
    if config.encoding is not Encoding.TERNARY:
        held = Signal(shape, name=f"{name}_held", reset_less=True)
        m.d.sync += [held.eq(value), result.eq(held)]
        return result
    trits = [value[low].as_unsigned() - value[low + 1] for low in range(0, len(value), 2)]
    groups = []
    for low in range(0, len(trits), _GROUP):
        limit = (3 ** len(trits[low : low + _GROUP]) - 1) // 2
        group = Signal(range(-limit, limit + 1), name=f"{name}_group{low // _GROUP}", reset_less=True)
        m.d.sync += group.eq(_horner(trits[low : low + _GROUP], 3))
        groups.append(group)
    m.d.sync += result.eq(_horner(groups, 3**_GROUP))
    return result


def _horner(digits: list[Value], radix: int) -> Value:
    """Digits, least significant first, in shifts and additions."""
    total: Value = digits[-1]
    for digit in reversed(digits[:-1]):
        shifted = [total << shift for shift in range(radix.bit_length()) if radix >> shift & 1]
        total = digit
        for term in shifted:
            total = total + term
    return total


def saturate(value: Value, bits: int) -> Value:
    """A signed number clipped to ``bits`` bits."""
    above, sign = value[bits - 1 :], value[-1]
    fits = above.all() | ~above.any()
    return Mux(fits, value[:bits], Cat((~sign).replicate(bits - 1), sign)).as_signed()
