"""Energy and technology of a report: every number with its source and its share of the result."""

from collections.abc import Mapping
from typing import Any

from setun_sim.cost.energy import Energy
from setun_sim.cost.ledger import OUTSIDE
from setun_sim.cost.quantity import Quantity
from setun_sim.cost.technology import Technology

#: components drawn in one colour where space is short
GROUPS = {
    "datapath": ("multipliers", "adder tree", "accumulator", "comparator", "fixed point"),
    "on-chip memories": ("activation memory", "weight memory", "parameter memory", "residual memory"),
    "control": ("control",),
    "wires": ("wires",),
    "clock": ("clock",),
    "leakage": ("leakage",),
    "external memory": ("external memory",),
}


def grouped(components: Mapping[str, float]) -> dict[str, float]:
    """Energies by group; what is in no group counts as datapath."""
    owner = {component: group for group, members in GROUPS.items() for component in members}
    found = dict.fromkeys(GROUPS, 0.0)
    for component, value in components.items():
        found[owner.get(component, "datapath")] += value
    return found


def energy_section(energy: Energy) -> dict[str, Any]:
    """The energy of an input, by component, by group and by layer."""
    document = energy.to_json()
    document["groups_fj"] = grouped(energy.components)
    document |= _on_chip(energy.total_fj, energy.components)
    for layer, found in zip(document["layers"], energy.layers, strict=True):
        layer["groups_fj"] = grouped(found.components)
        layer |= _on_chip(found.total_fj, found.components)
    return document


def _on_chip(total_fj: float, components: Mapping[str, float]) -> dict[str, float]:
    outside = components.get("external memory", 0.0)
    return {"on_chip_fj": total_fj - outside, "external_share": outside / total_fj if total_fj else 0.0}


def technology_section(energy: Energy) -> dict[str, Any]:
    """The technologies, and the numbers the energy rests on, largest share first."""
    owners = [energy.technology, *([energy.memory] if energy.memory else [])]
    return {
        "technologies": [
            {key: value for key, value in owner.to_json().items() if key not in ("numbers", "unknown")}
            for owner in owners
        ],
        "numbers": [
            {"name": name, "share": value / energy.total_fj if energy.total_fj else 0.0, **_provenance(energy, name)}
            for name, value in energy.by_number.items()
        ],
    }


def _provenance(energy: Energy, name: str) -> dict[str, Any]:
    outside = name.startswith(OUTSIDE)
    owner: Technology | None = energy.memory if outside else energy.technology
    quantity: Quantity | None = owner.get(name.removeprefix(OUTSIDE)) if owner else None
    if quantity is None:
        return {"value": None, "unit": "", "status": "assumed", "source": ""}
    return {
        "value": quantity.value, "unit": quantity.base_unit, "low": quantity.low, "high": quantity.high,
        "status": str(quantity.status), "source": quantity.source,
    }  # fmt: skip
