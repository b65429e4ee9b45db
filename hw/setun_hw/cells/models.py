"""Amaranth models of the ternary cells on two rails.

A trit is two bits, bit 0 its positive and bit 1 its negative rail; the code of both set does not occur, and the models
use that. Each cell is a module of its own, so that it can be told, and counted, in the netlist.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from amaranth import Cat, Const, Module, Mux, Signal, Value

from setun_hw.cells.netlist import ZERO, CellNetlist
from setun_hw.cells.tables import CELLS
from setun_hw.library import ModuleLibrary, Shared

#: what a cell computes: its outputs by its inputs, in the order of its ports
Logic = Callable[..., tuple[Value, ...]]


def _invert(a: Value) -> Value:
    return Cat(a[1], a[0])


def _minimum(a: Value, b: Value) -> Value:
    return Cat(a[0] & b[0], a[1] | b[1])


def _maximum(a: Value, b: Value) -> Value:
    return Cat(a[0] | b[0], a[1] & b[1])


def _add(m: Module, name: str, a: Value, b: Value) -> tuple[Signal, Signal]:
    """Half adder: sum modulo three, and carry."""
    total, carry = Signal(2, name=f"{name}_total"), Signal(2, name=f"{name}_carry")
    a_zero, b_zero = ~a.any(), ~b.any()
    m.d.comb += [
        total.eq(
            Cat(
                a[1] & b[1] | a[0] & b_zero | b[0] & a_zero,
                a[0] & b[0] | a[1] & b_zero | b[1] & a_zero,
            )
        ),
        carry.eq(a & b),
    ]
    return total, carry


def _merge(*carries: Value) -> Value:
    """Sum of carries of which, when all are added, no more than one counts: opposite ones cancel."""
    first, *others = carries
    for second in others:
        first = Cat(first[0] & ~second[1] | second[0] & ~first[1], first[1] & ~second[0] | second[1] & ~first[0])
    return first


class Cell(Shared):
    """One ternary cell of a kind in :data:`setun_hw.cells.tables.CELLS`.

    ``pin[name]`` is the signal of each port: two bits if ternary, one if binary.
    """

    def __init__(self, kind: str) -> None:
        self.kind = CELLS[kind]
        self.clocked = self.kind.stores
        self.pin = {
            name: Signal(1 if name in self.kind.binary_inputs else 2, name=name, reset_less=True)
            for name in self.kind.ports
        }

    @property
    def module_name(self) -> str:
        """The kind's name."""
        return f"setun_{self.kind.name}"

    def pins(self) -> tuple[dict[str, Signal], dict[str, Signal]]:
        """Inputs and outputs by name."""
        outputs = {name: self.pin[name] for name in self.kind.outputs}
        return {name: signal for name, signal in self.pin.items() if name not in outputs}, outputs

    def build(self, library: ModuleLibrary | None = None) -> Module:
        """The cell's gates."""
        m = Module()
        inputs, outputs = self.pins()
        if self.kind.stores:
            _STORES[self.kind.name](m, self.pin)
        else:
            for output, value in zip(outputs.values(), _LOGIC[self.kind.name](m, *inputs.values()), strict=True):
                m.d.comb += output.eq(value)
        return m


def _counter42(m: Module, a: Value, b: Value, c: Value, d: Value) -> tuple[Value, ...]:
    first, carry_first = _add(m, "first", a, b)
    second, carry_second = _add(m, "second", c, d)
    total, carry = _add(m, "both", first, second)
    # this order: the last two carries may be equal and both count, the first two never are
    return total, _merge(carry_first, carry, carry_second)


def _full_adder(m: Module, a: Value, b: Value, c: Value) -> tuple[Value, ...]:
    first, carry_first = _add(m, "first", a, b)
    total, carry = _add(m, "both", first, c)
    return total, _merge(carry_first, carry)


_LOGIC: dict[str, Logic] = {
    "sti": lambda m, a: (_invert(a),),
    "pti": lambda m, a: (Cat(~a[0], a[0]),),
    "nti": lambda m, a: (Cat(a[1], ~a[1]),),
    "tnand": lambda m, a, b: (_invert(_minimum(a, b)),),
    "tnor": lambda m, a, b: (_invert(_maximum(a, b)),),
    "minimum": lambda m, a, b: (_minimum(a, b),),
    "maximum": lambda m, a, b: (_maximum(a, b),),
    "multiplier": lambda m, a, b: (Cat(a[0] & b[0] | a[1] & b[1], a[0] & b[1] | a[1] & b[0]),),
    "half_adder": lambda m, a, b: _add(m, "both", a, b),
    "full_adder": _full_adder,
    "counter42": _counter42,
    "comparator": lambda m, a, b: (Cat(a[0] & ~b[0] | b[1] & ~a[1], b[0] & ~a[0] | a[1] & ~b[1]),),
    "chain": lambda m, high, low: (Cat(high[0] | low[0] & ~high[1], high[1] | low[1] & ~high[0]),),
    "multiplexer": lambda m, a, b, select: (Mux(select, b, a),),
    "gate": lambda m, a, enable: (a & enable.replicate(2),),
}


def _flip_flop(m: Module, pin: dict[str, Signal]) -> None:
    with m.If(pin["enable"]):
        m.d.sync += pin["q"].eq(pin["d"])


def _latch(m: Module, pin: dict[str, Signal]) -> None:
    """Transparent while enabled; a flip-flop holds, so that no latch is made: ``enable`` changes with the clock."""
    held = Signal(2, reset_less=True)
    m.d.comb += pin["q"].eq(Mux(pin["enable"], pin["d"], held))
    m.d.sync += held.eq(pin["q"])


_STORES: dict[str, Callable[[Module, dict[str, Signal]], None]] = {"flip_flop": _flip_flop, "latch": _latch}


def instantiate(m: Module, netlist: CellNetlist, wires: Mapping[str, Sequence[Value]]) -> dict[str, list[Value]]:
    """Put a netlist's cells into a module, as submodules named after their kind and number.

    Parameters
    ----------
    m:
        The module.
    netlist:
        The cells.
    wires:
        Values of the netlist's inputs by port, least significant first: two bits of ternary, one of binary wires.

    Returns
    -------
    Values of the netlist's outputs by port.
    """
    value: dict[int, Value] = {ZERO: Const(0, 2)}
    for port, numbers in netlist.inputs.items():
        value |= dict(zip(numbers, wires[port], strict=True))
    cells = [(Cell(node.kind), node) for node in netlist.nodes]
    for cell, node in cells:
        value |= {wire: cell.pin[name] for wire, name in zip(node.outputs, cell.kind.outputs, strict=True)}
    counts: Counter[str] = Counter()
    for cell, node in cells:
        m.submodules[f"{node.kind}_{counts[node.kind]}"] = cell
        counts[node.kind] += 1
        for wire, pin in zip(node.inputs, cell.pins()[0].values(), strict=True):
            m.d.comb += pin.eq(value[wire])
    return {port: [value[wire] for wire in numbers] for port, numbers in netlist.outputs.items()}
