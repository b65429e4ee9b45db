"""Accumulators as two's complement numbers."""

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed

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


def shift_right(m: Module, value: Value, shift: Value, bits: int, name: str) -> Value:
    """A signed number shifted right, rounding down, and clipped to ``bits`` signed bits, a cycle after ``value``.

    Each level keeps what the levels behind it can still bring down, and notes whether a bit that it drops matters.
    """
    sign = value[-1]
    dropped = []
    for level in reversed(range(len(shift))):
        keep = bits + (1 << level) - 1
        far, near = value[1 << level :], value
        dropped.append(Mux(shift[level], _differs(far[keep:], sign), _differs(near[keep:], sign)))
        value = Mux(shift[level], _extended(far, keep, sign), _extended(near, keep, sign))
    window = Signal(bits, name=f"{name}_window", reset_less=True)
    over, negative = Signal(name=f"{name}_over", reset_less=True), Signal(name=f"{name}_sign", reset_less=True)
    m.d.sync += [window.eq(value), negative.eq(sign), over.eq(Cat(*dropped, value[-1] ^ sign).any())]
    return Mux(over, Cat((~negative).replicate(bits - 1), negative), window).as_signed()


def _differs(bits: Value, sign: Value) -> Value:
    """Some bit is not the sign."""
    return (bits ^ sign.replicate(len(bits))).any() if len(bits) else Const(0, 1)


def _extended(number: Value, bits: int, sign: Value) -> Value:
    """A number on ``bits`` bits: cut, or filled with its sign."""
    return Cat(number, sign.replicate(bits - len(number))) if len(number) < bits else number[:bits]
