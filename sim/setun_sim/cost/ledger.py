"""Sums of counts times numbers of a technology, which remember what was multiplied with what."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from setun_sim.cost.cells import random_switches
from setun_sim.cost.errors import CostError
from setun_sim.cost.structure import Memory, Structure
from setun_sim.cost.technology import Technology

#: keys of a sum: paths of numbers that are multiplied with each other, as in capacitance x swing x swing
Factors = tuple[str, ...]
#: before a path: the number is the external memory's
OUTSIDE = "memory:"


@dataclass
class Sum:
    """An energy in fJ: coefficients by the numbers they are multiplied with."""

    terms: dict[Factors, float] = field(default_factory=dict)

    def add(self, factors: Factors, coefficient: float) -> None:
        """Count something."""
        self.terms[factors] = self.terms.get(factors, 0.0) + coefficient

    def __add__(self, other: "Sum") -> "Sum":
        total = Sum(dict(self.terms))
        for factors, coefficient in other.terms.items():
            total.add(factors, coefficient)
        return total

    def scaled(self, factor: float) -> "Sum":
        """All coefficients times a factor."""
        return Sum({factors: coefficient * factor for factors, coefficient in self.terms.items()})

    def values(self, technology: Technology, memory: Technology | None) -> dict[Factors, float]:
        """fJ of each term."""
        found = {}
        for factors, coefficient in self.terms.items():
            value = coefficient
            for path in factors:
                value *= _number(path, technology, memory)
            found[factors] = value
        return found

    def value(self, technology: Technology, memory: Technology | None) -> float:
        """The sum in fJ."""
        return sum(self.values(technology, memory).values())

    def shares(self, technology: Technology, memory: Technology | None) -> dict[str, float]:
        """fJ by the first of the numbers of each term."""
        found: dict[str, float] = {}
        for factors, value in self.values(technology, memory).items():
            found[factors[0]] = found.get(factors[0], 0.0) + value
        return found

    def statuses(self, technology: Technology, memory: Technology | None) -> dict[str, float]:
        """fJ by the weakest status among the numbers of each term."""
        rank = {"measured": 0, "published": 1, "derived": 2, "assumed": 3}
        found: dict[str, float] = {}
        for factors, value in self.values(technology, memory).items():
            statuses = [_status(path, technology, memory) for path in factors]
            weakest = max(statuses, key=lambda status: rank[status])
            found[weakest] = found.get(weakest, 0.0) + value
        return found


def _number(path: str, technology: Technology, memory: Technology | None) -> float:
    if path.startswith(OUTSIDE):
        return memory.value(path[len(OUTSIDE) :]) if memory else 0.0
    return technology.value(path)


def _status(path: str, technology: Technology, memory: Technology | None) -> str:
    owner, name = (memory, path[len(OUTSIDE) :]) if path.startswith(OUTSIDE) else (technology, path)
    return str(owner.numbers[name].status) if owner else "assumed"


class Ledger:
    """Collects the sums of a piece of work by component."""

    def __init__(self, structure: Structure, technology: Technology, memory: Technology | None) -> None:
        self.structure, self.technology, self.memory = structure, technology, memory
        self.sums: dict[str, Sum] = {}
        #: what the technology has no number for
        self.unknown: dict[str, None] = {}

    def add(self, component: str, factors: Factors, coefficient: float) -> None:
        """Count something under a component; nothing is remembered of what never happens."""
        if coefficient:
            self.sums.setdefault(component, Sum()).add(factors, coefficient)

    def switch(self, component: str, kind: str, switches: float, *, cell: bool = False) -> None:
        """Switches of a binary gate, or of a native ternary cell: its own energy, else that of its transistors."""
        section = "cells" if cell else "gates"
        factors, factor = switch_energy(self.technology, section, kind)
        self.add(component, factors, switches * factor)
        # every output drives a wire
        voltage = self.technology.voltage_v
        if "wires.capacitance" in self.technology.numbers and voltage is not None:
            self.wire(switches, ternary=cell)

    def wire(self, switches: float, *, ternary: bool = False) -> None:
        """Switches of a wire of average length, of full binary swing or of the ternary one."""
        voltage = self.technology.voltage_v
        if "wires.capacitance" not in self.technology.numbers or voltage is None:
            self.unknown["wires.capacitance"] = None
            return
        swing = ("ternary.swing", "ternary.swing") if ternary else ()
        self.add("wires", ("wires.capacitance", *swing), switches * voltage**2 / 2)

    def access(self, memory: Memory, what: str, times: float, width: int | None = None) -> None:
        """Reads or writes of one copy of a memory, ``width`` bits at a time."""
        if f"sram.{what}.slope" not in self.technology.numbers:
            self.unknown[f"sram.{what}"] = None
            return
        words, extra = self.technology.value(f"sram.{what}.words"), self.technology.value(f"sram.{what}.width")
        bits = memory.width if width is None else width
        self.add(memory.component, (f"sram.{what}.slope",), times * (memory.words + words) * (bits + extra))


def switch_energy(technology: Technology, section: str, kind: str) -> tuple[Factors, float]:
    """Numbers whose product, times a factor, is the energy of one switch.

    Raises
    ------
    CostError
        When the technology says nothing about such a cell.
    """
    own = f"{section}.{kind}.energy_per_"
    if own + "switch" in technology.numbers:
        return (own + "switch",), 1.0
    if own + "operation" in technology.numbers:
        return (own + "operation",), 1 / random_switches(kind, section == "cells")
    each, count = f"per_transistor.{section}.energy_per_switch", f"{section}.{kind}.transistors"
    if each in technology.numbers and count in technology.numbers:
        return (each, count), 1.0
    raise CostError(f"technology {technology.name}: no energy for {section}.{kind}")


@dataclass(frozen=True)
class StaticPower:
    """Static power of a structure in nW as sums: always there, and of ternary outputs at the middle level instead,
    by kind."""

    always: Sum
    middle: Mapping[str, Sum]
    unknown: tuple[str, ...]


def static_power(structure: Structure, technology: Technology) -> StaticPower:
    """Static power of all gates, cells with outputs at a rail, and memories; of cells at the middle level per cell."""
    always, unknown = Sum(), dict[str, None]()
    middle: dict[str, Sum] = {}

    def of(section: str, kind: str, which: str) -> Factors | None:
        own, each = f"{section}.{kind}.{which}", f"per_transistor.{section}.{which}"
        if own in technology.numbers:
            return (own,)
        if each in technology.numbers:
            return (each, f"{section}.{kind}.transistors")
        unknown[own] = None
        return None

    for section, counts in (("gates", structure.gates), ("cells", structure.cells)):
        for kind, number in counts.items():
            factors = of(section, kind, "static_rail")
            if factors:
                always.add(factors, number)
            if section == "cells":
                factors = of(section, kind, "static_mid")
                middle[kind] = Sum({factors: 1.0} if factors else {})
    if "sram.static" in technology.numbers:
        always.add(("sram.static",), structure.memory_bits)
    else:
        unknown["sram.static"] = None
    return StaticPower(always, middle, tuple(unknown))
