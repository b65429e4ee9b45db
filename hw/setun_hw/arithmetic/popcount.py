"""Sums of many small unsigned numbers in two's complement, shaped for the logic they will become.

Two shapes. *Columns* compresses the bits of each weight with full adders: no carry chains, few logic levels, right for
ASICs and for families whose short adders are dear (ECP5). *Chains* is a tree of adders that a family's carry chains
take, one look-up table a bit, after groups of ``GROUPS[family]`` bits have been counted in look-up tables.
``benchmarks/luts.py`` measures both.
"""

from collections.abc import Sequence

from amaranth import Cat, Const, Module, Signal, Value

from setun_hw.cells.compression import StagedTree, compress

#: families for which chains take fewer look-up tables than columns: bits counted before the first chain
GROUPS = {"ice40": 2, "xilinx": 3}


def sum_up(
    m: Module, numbers: Sequence[Value], constant: int, width: int, loads: Sequence[Value], family: str | None
) -> Value:
    """``constant`` plus all numbers, modulo ``2**width``, after one clock edge for each of ``loads``.

    Parameters
    ----------
    m:
        Takes the adders and registers.
    numbers:
        Unsigned numbers.
    constant:
        Any integer.
    width:
        Bits of the sum.
    loads:
        For each pipeline register on the way, the first first, whether it loads.
    family:
        FPGA family the shape is for, as ``GROUPS`` names it; columns for any other, and for None.
    """
    builder = _Builder(m, loads)
    if family in GROUPS:
        return builder.chains(numbers, constant, width, GROUPS[family])
    columns: list[list[Value]] = [[] for _ in range(max([width, *map(len, numbers)]))]
    for number in numbers:
        for weight, bit in enumerate(number):
            columns[weight].append(bit)
    for weight in range(width):
        columns[weight].append(Const(constant >> weight & 1, 1))
    return builder.columns(columns[:width])


class _Builder:
    """Adders and registers of one sum, numbered as they are made."""

    def __init__(self, m: Module, loads: Sequence[Value]) -> None:
        self.m = m
        self.loads = loads
        self.made = 0

    def signal(self, name: str, value: Value, width: int = 1, **attributes: int) -> Signal:
        signal = Signal(width, name=f"{name}_{self.made}", attrs=attributes)
        self.made += 1
        self.m.d.comb += signal.eq(value)
        return signal

    def register(self, value: Value, stage: int) -> Value:
        if isinstance(value, Const):
            return value
        register = Signal(len(value), name=f"stage_{self.made}", reset_less=True)
        self.made += 1
        with self.m.If(self.loads[stage]):
            self.m.d.sync += register.eq(value)
        return register

    def add_bits(self, bits: Sequence[Value]) -> tuple[Value, Value]:
        """Half or full adder."""
        a, b, *rest = bits
        half = self.signal("half", a ^ b)
        if not rest:
            return half, self.signal("carry", a & b)
        return self.signal("total", half ^ rest[0]), self.signal("carry", a & b | half & rest[0])

    def columns(self, columns: Sequence[Sequence[Value]]) -> Value:
        tree = StagedTree(columns, 3, len(self.loads), self.add_bits, self.register)
        return Cat(Const(0, 1) if bit is None else bit for bit in tree.total)

    def chains(self, numbers: Sequence[Value], constant: int, width: int, group: int) -> Value:
        terms = self.grouped(numbers, group)
        levels = (len(terms) - 1).bit_length()
        cuts = [-(-levels * stage // (len(self.loads) + 1)) for stage in range(1, len(self.loads) + 1)]
        for level in range(levels + 1):
            for stage, cut in enumerate(cuts):
                if cut == level:
                    terms = [(self.register(value, stage), largest) for value, largest in terms]
            pairs = zip(terms[0::2], terms[1::2], strict=False)
            added = [self.add_numbers(a + b, most_a + most_b) for (a, most_a), (b, most_b) in pairs]
            terms = added + terms[2 * len(added) :]
        return (terms[0][0] + constant)[:width]

    def add_numbers(self, value: Value, largest: int) -> tuple[Signal, int]:
        # kept, because otherwise synthesis merges the tree into one sum and compresses its columns after all
        return self.signal("sum", value, largest.bit_length(), keep=1), largest

    def grouped(self, numbers: Sequence[Value], group: int) -> list[tuple[Value, int]]:
        """Numbers with their largest values; single bits are counted in groups first."""
        terms: list[tuple[Value, int]] = [(number, (1 << len(number)) - 1) for number in numbers if len(number) > 1]
        bits = [number for number in numbers if len(number) == 1]
        for low in range(0, len(bits), group):
            taken = bits[low : low + group]
            columns: list[list[Value]] = [taken, *[[] for _ in range(len(taken).bit_length() - 1)]]
            counted = compress(columns, 3, lambda _depth, adds: self.add_bits(adds))
            terms.append(self.add_numbers(Cat(digit[1] for digit in counted if digit), len(taken)))
        return terms
