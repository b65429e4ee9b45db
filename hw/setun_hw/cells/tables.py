"""The ternary cells as data: ports and truth tables.

A ternary port has three levels, read as -1, 0, +1 (balanced) or as 0, 1, 2 (unbalanced: the same levels, counted from
the lowest). A binary port, such as an enable, has two, 0 and 1. Sequential cells list their stored level as input
``q``, and its next level as output.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

#: levels of a port by its kind
TRITS = (-1, 0, 1)
BITS = (0, 1)

Row = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class CellKind:
    """One kind of cell.

    ``table`` maps the levels of all inputs, in their order, to those of all outputs, in the balanced reading.
    """

    #: name, also that of the cell's module in the generated Verilog
    name: str
    #: ternary inputs, then binary inputs
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    table: dict[Row, Row]
    #: inputs (the last ones) that have two levels
    binary_inputs: tuple[str, ...] = ()
    #: holds a trit: ``q`` is then the first input and the only output of ``table``
    stores: bool = False

    @property
    def ports(self) -> tuple[str, ...]:
        """Names of the cell's pins: inputs, then outputs; the stored level is an output only."""
        return (*(name for name in self.inputs if not (self.stores and name == "q")), *self.outputs)

    def unbalanced(self) -> dict[Row, Row]:
        """The truth table with the ternary levels counted 0, 1, 2."""
        shift = tuple(0 if name in self.binary_inputs else 1 for name in self.inputs)
        return {
            tuple(level + up for level, up in zip(row, shift, strict=True)): tuple(level + 1 for level in result)
            for row, result in self.table.items()
        }


def _kind(
    name: str,
    inputs: str,
    outputs: str,
    function: Callable[..., int | Row],
    binary_inputs: str = "",
    stores: bool = False,
) -> CellKind:
    """A cell whose table is filled in by a function of its balanced input levels."""
    ternary, binary = tuple(inputs.split()), tuple(binary_inputs.split())
    table = {}
    for row in itertools.product(*[TRITS] * len(ternary), *[BITS] * len(binary)):
        result = function(*row)
        table[row] = result if isinstance(result, tuple) else (result,)
    return CellKind(
        name=name,
        inputs=ternary + binary,
        outputs=tuple(outputs.split()),
        table=table,
        binary_inputs=binary,
        stores=stores,
    )


def sign(value: int) -> int:
    """-1, 0 or +1."""
    return (value > 0) - (value < 0)


def split(value: int) -> Row:
    """Sum and carry trit: value = 3*carry + sum, for -4 to 4."""
    carry = (value + 4) // 3 - 1
    return value - 3 * carry, carry


_KINDS = (
    # inverters: standard, positive and negative; the latter two never give the middle level
    _kind("sti", "a", "y", lambda a: -a),
    _kind("pti", "a", "y", lambda a: 1 if a < 1 else -1),
    _kind("nti", "a", "y", lambda a: 1 if a < 0 else -1),
    _kind("tnand", "a b", "y", lambda a, b: -min(a, b)),
    _kind("tnor", "a b", "y", lambda a, b: -max(a, b)),
    _kind("minimum", "a b", "y", min),
    _kind("maximum", "a b", "y", max),
    _kind("multiplier", "a b", "y", lambda a, b: a * b),
    _kind("half_adder", "a b", "total carry", lambda a, b: split(a + b)),
    _kind("full_adder", "a b c", "total carry", lambda a, b, c: split(a + b + c)),
    # four trits make exactly the range of two: -4 to 4
    _kind("counter42", "a b c d", "total carry", lambda a, b, c, d: split(a + b + c + d)),
    _kind("comparator", "a b", "y", lambda a, b: sign(a - b)),
    # the first comparison that differs decides
    _kind("chain", "high low", "y", lambda high, low: high or low),
    _kind("multiplexer", "a b", "y", lambda a, b, select: b if select else a, "select"),
    _kind("gate", "a", "y", lambda a, enable: a if enable else 0, "enable"),
    _kind("latch", "q d", "q", lambda q, d, enable: d if enable else q, "enable", stores=True),
    _kind("flip_flop", "q d", "q", lambda q, d, enable: d if enable else q, "enable", stores=True),
)

#: every cell by name
CELLS: dict[str, CellKind] = {kind.name: kind for kind in _KINDS}
