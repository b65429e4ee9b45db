"""Sums of digit products in two's complement: column compression by full adders, with one offset for all lanes.

Each product is coded as an unsigned number, that is, plus one for balanced trits (0..2) and plus two for radix-4 digits (0..6);
the sum of the lanes' offsets is one constant, which enters the columns as bits.
"""

from collections.abc import Sequence

from amaranth import Const, Module, Signal, Value

from setun_hw.cells.compression import StagedTree


def column_sum(m: Module, columns: Sequence[Sequence[Value]], registers: int) -> list[Value]:
    """Sum of the bits of each weight, modulo two to the number of columns.

    Parameters
    ----------
    m:
        Takes the adders and registers.
    columns:
        Bits by weight.
    registers:
        Pipeline registers on the way.

    Returns
    -------
    Bits of the sum, least significant first.
    """
    counts = {"total": 0, "carry": 0, "stage": 0}

    def named(name: str, value: Value) -> Signal:
        signal = Signal(1, name=f"{name}_{counts[name]}")
        counts[name] += 1
        m.d.comb += signal.eq(value)
        return signal

    def add(bits: Sequence[Value]) -> tuple[Value, Value]:
        a, b, *rest = bits
        if not rest:
            return named("total", a ^ b), named("carry", a & b)
        half = named("total", a ^ b)
        return named("total", half ^ rest[0]), named("carry", a & b | half & rest[0])

    def register(bit: Value) -> Value:
        stage = Signal(1, name=f"stage_{counts['stage']}", reset_less=True)
        counts["stage"] += 1
        m.d.sync += stage.eq(bit)
        return stage

    tree = StagedTree(columns, 3, registers, add, register)
    return [Const(0, 1) if bit is None else bit for bit in tree.total]
