"""Comparison of accumulators."""

from amaranth import Const, Mux, Value

from setun_hw.config import Config, Encoding


def at_least(config: Config, a: Value, b: Value) -> Value:
    """One bit: ``a >= b``, both in the accumulator's format."""
    if config.encoding is not Encoding.TERNARY:
        return a.as_signed() >= b.as_signed()
    result: Value = Const(1, 1)
    for low in range(0, config.accumulator_width, 2):
        ap, an, bp, bn = a[low], a[low + 1], b[low], b[low + 1]
        above = (ap & ~bp) | (bn & ~an)
        below = (bp & ~ap) | (an & ~bn)
        result = above | (~below & result)
    return result


def maximum(config: Config, a: Value, b: Value) -> Value:
    """The larger of two accumulators."""
    return Mux(at_least(config, a, b), a, b)
