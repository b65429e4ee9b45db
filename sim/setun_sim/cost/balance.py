"""What a result hangs on: break-even values, and how far each number moves it within its range."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from setun_sim.cost.energy import Energy
from setun_sim.cost.ledger import OUTSIDE, switch_energy


@dataclass(frozen=True, kw_only=True)
class BreakEven:
    """A knob at which native ternary and the best binary candidate are even; ``even`` is None if no value does."""

    name: str
    meaning: str
    unit: str
    actual: float
    even: float | None
    wins: bool  #: ternary does, at the actual value, in what ``meaning`` says

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {key: getattr(self, key) for key in ("name", "meaning", "unit", "actual", "even", "wins")}


@dataclass(frozen=True, kw_only=True)
class Swing:
    """Energy of ``ternary`` over binary with one number at the ends of its range."""

    number: str
    unit: str
    value: float
    low: float
    high: float
    status: str
    source: str
    at_low: float
    at_high: float
    actual: float

    @property
    def spread(self) -> float:
        """Distance of the ends."""
        return abs(self.at_high - self.at_low)

    def to_json(self) -> dict[str, Any]:
        """Plain values; ``at_low``, ``at_high`` and ``actual`` are ratios."""
        names = ("number", "unit", "value", "low", "high", "status", "source", "at_low", "at_high", "actual")
        return {key: getattr(self, key) for key in names}


class Side(Protocol):
    """What break-even values need of a candidate."""

    @property
    def energy(self) -> Energy: ...
    @property
    def transistors(self) -> Mapping[str, float]: ...


def break_even(ternary: Side, rivals: Sequence[Side]) -> tuple[BreakEven, ...]:
    """Break-even values of the adders' cost, of the wires' swing and of the static power at the middle level.

    ``rivals`` are binary candidates of the same technology; each value is against the best of them in what it is about.
    """
    technology = ternary.energy.technology
    found = []
    cell, gate = (technology.value(f"{section}.full_adder.transistors") for section in ("cells", "gates"))
    ours, theirs = ternary.transistors["adder tree"], min(rival.transistors["adder tree"] for rival in rivals)
    found.append(
        BreakEven(
            name="full adder, transistors", unit="ternary / binary", actual=cell / gate,
            even=cell / gate * theirs / ours,
            meaning="cost ratio of a ternary to a binary full adder at which both adder trees have as many "
            "transistors, other ternary adder cells in proportion", wins=ours < theirs,
        )
    )  # fmt: skip
    energies = [_full_adder(technology, section) for section in ("cells", "gates")]
    ours, theirs = (_least([ternary], "adder tree"), _least(rivals, "adder tree"))
    found.append(
        BreakEven(
            name="full adder, energy of a switch", unit="ternary / binary", actual=energies[0] / energies[1],
            even=energies[0] / energies[1] * theirs / ours if ours else None,
            meaning="ratio at which both adder trees take the same dynamic energy", wins=ours < theirs,
        )
    )  # fmt: skip
    swing = technology.get("ternary.swing")
    ours, theirs = (_least([ternary], "wires"), _least(rivals, "wires"))
    if swing is not None and ours:
        ternary_part = sum(_matching(ternary.energy, "ternary.swing").values())
        rest = theirs - (ours - ternary_part)
        found.append(
            BreakEven(
                name="swing of a ternary wire", unit="ternary / binary", actual=swing.value,
                even=swing.value * (rest / ternary_part) ** 0.5 if rest > 0 and ternary_part else None,
                meaning="ratio of full swings at which the wires of both take the same energy", wins=ours < theirs,
            )
        )  # fmt: skip
    middle = sum(_matching(ternary.energy, "static_mid").values())
    others = ternary.energy.total_fj - middle
    path = "cells.full_adder.static_mid"
    actual = technology.get(path)
    static = actual.value if actual else _per_transistor(technology, "static_mid") * cell
    if middle:
        least = min(rival.energy.total_fj for rival in rivals)
        even = (least - others) / middle * static
        found.append(
            BreakEven(
                name="static power at the middle level", unit="nW of a full adder", actual=static,
                even=even if even > 0 else None,
                meaning="power of a ternary full adder with its outputs at the middle level, other cells in "
                "proportion, at which both take the same energy for an inference",
                wins=ternary.energy.total_fj < least,
            )
        )  # fmt: skip
    return tuple(found)


def _least(sides: Sequence[Side], component: str) -> float:
    return min(side.energy.components.get(component, 0.0) for side in sides)


def _full_adder(technology: Any, section: str) -> float:
    factors, factor = switch_energy(technology, section, "full_adder")
    value = float(factor)
    for path in factors:
        value *= technology.value(path)
    return value


def _per_transistor(technology: Any, key: str) -> float:
    found = technology.get(f"per_transistor.cells.{key}")
    return float(found.value) if found else 0.0


def _matching(energy: Energy, part: str) -> dict[tuple[str, ...], float]:
    """fJ of the terms in which a number with such a name occurs."""
    found: dict[tuple[str, ...], float] = {}
    for total in energy.sums.values():
        for factors, value in total.values(energy.technology, energy.memory).items():
            if any(part in path for path in factors):
                found[factors] = found.get(factors, 0.0) + value
    return found


def tornado(ternary: Energy, binary: Energy) -> tuple[Swing, ...]:
    """Every number with a range that either energy rests on: the ratio of both at its ends, widest first."""
    used: dict[str, None] = {}
    for energy in (ternary, binary):
        for total in energy.sums.values():
            for factors in total.terms:
                used |= dict.fromkeys(path for path in factors)
    actual = ternary.total_fj / binary.total_fj
    found = []
    for path in used:
        outside = path.startswith(OUTSIDE)
        owner = ternary.memory if outside else ternary.technology
        name = path.removeprefix(OUTSIDE)
        quantity = owner.numbers[name] if owner else None
        if owner is None or quantity is None or quantity.low == quantity.high:
            continue
        ends = []
        for value in (quantity.low, quantity.high):
            changed = owner.with_value(name, value)
            pair = [
                energy.total_with(changed if not outside else energy.technology, changed if outside else energy.memory)
                for energy in (ternary, binary)
            ]
            ends.append(pair[0] / pair[1])
        found.append(
            Swing(
                number=path, unit=quantity.base_unit, value=quantity.value, low=quantity.low, high=quantity.high,
                status=str(quantity.status), source=quantity.source, at_low=ends[0], at_high=ends[1], actual=actual,
            )
        )  # fmt: skip
    return tuple(sorted(found, key=lambda swing: -swing.spread))
