"""Balanced-ternary adders on two rails."""

from amaranth import Cat, Module, Signal, Value


def half_adder(m: Module, a: Value, b: Value) -> tuple[Signal, Signal]:
    """Sum and carry trit of two trits."""
    ap, an, bp, bn = a[0], a[1], b[0], b[1]
    az, bz = ~(ap | an), ~(bp | bn)
    total, carry = Signal(2), Signal(2)
    m.d.comb += total.eq(Cat((an & bn) | (ap & bz) | (bp & az), (ap & bp) | (an & bz) | (bn & az)))
    m.d.comb += carry.eq(Cat(ap & bp, an & bn))
    return total, carry


def full_adder(m: Module, a: Value, b: Value, c: Value) -> tuple[Signal, Signal]:
    """Sum and carry trit of three trits."""
    first, carry1 = half_adder(m, a, b)
    total, carry2 = half_adder(m, first, c)
    return total, half_adder(m, carry1, carry2)[0]
