"""One encoding in one technology, with everything that a comparison says about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from setun_hw.config import Encoding
from setun_sim.cost import physical
from setun_sim.cost.alternatives import Alternative
from setun_sim.cost.energy import Energy, energy_of
from setun_sim.cost.structure import structure
from setun_sim.cost.switching import Switching
from setun_sim.cost.technology import Technology


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One encoding in one technology. Figures that a technology has no numbers for are None."""

    encoding: Encoding
    technology: Technology
    native: bool  #: of ternary cells; else of binary gates
    energy: Energy
    expected: Energy | None  #: with switching expected from densities, where ``energy`` has it counted
    exact: bool  #: counts are of a simulation in this very encoding, or equal to one
    digits: tuple[tuple[int, int], ...]  #: of activations and weights, layer by layer
    transistors: Mapping[str, float]  #: of logic, by component
    logic_area_um2: Mapping[str, float] | None
    memory_area_um2: Mapping[str, float] | None
    wires: Mapping[str, int]
    depth_cells: int
    delay_ps: float | None

    @property
    def name(self) -> str:
        """Encoding, and how it is built where that is not plain."""
        if self.encoding is not Encoding.TERNARY:
            return str(self.encoding)
        return "ternary (native cells)" if self.native else "ternary (binary gates)"

    @property
    def total_transistors(self) -> float:
        """Transistors of logic."""
        return sum(self.transistors.values())

    @property
    def area_um2(self) -> float | None:
        """Logic and memories."""
        if self.logic_area_um2 is None or self.memory_area_um2 is None:
            return None
        return sum(self.logic_area_um2.values()) + sum(self.memory_area_um2.values())

    def to_json(self) -> dict[str, Any]:
        """All figures, units in their names."""
        return {
            "name": self.name,
            "encoding": str(self.encoding),
            "technology": self.technology.name,
            "native": self.native,
            "exact_counts": self.exact,
            "toggles_counted": self.expected is not None,
            "digits": [{"activation_digits": a, "weight_digits": w} for a, w in self.digits],
            "transistors": self.total_transistors,
            "transistors_by_component": dict(self.transistors),
            "area_um2": self.area_um2,
            "logic_area_um2": None if self.logic_area_um2 is None else dict(self.logic_area_um2),
            "memory_area_um2": None if self.memory_area_um2 is None else dict(self.memory_area_um2),
            "wires": dict(self.wires),
            "depth_cells": self.depth_cells,
            "delay_ps": self.delay_ps,
            "expected_energy_fj": (self.expected or self.energy).total_fj,
            "structure": self.energy.structure.to_json(),
            **_energy(self.energy),
        }


def _energy(energy: Energy) -> dict[str, Any]:
    plain = energy.to_json()
    kept = {key: value for key, value in plain.items() if key not in ("technology", "encoding", "native")}
    return {key if key.startswith("energy") else f"energy_{key}": value for key, value in kept.items()}


def figures(one: Candidate) -> dict[str, tuple[str, float | None]]:
    """Unit and value of everything that is the better the smaller it is."""
    return {
        "energy per inference": ("fJ", one.energy.total_fj),
        "peak energy": ("fJ/op", one.energy.peak_fj_per_op),
        "transistors": ("transistors", one.total_transistors),
        "area": ("um2", one.area_um2),
        "delay": ("ps", one.delay_ps),
        "wires": ("wires", float(sum(one.wires.values()))),
        "storing elements": ("flip-flops", float(one.energy.structure.flip_flops)),
        **{f"energy: {name}": ("fJ", value) for name, value in one.energy.components.items()},
        **{f"transistors: {name}": ("transistors", value) for name, value in one.transistors.items()},
    }


def candidate(
    one: Alternative,
    using: Technology,
    native: bool,
    memory: Technology,
    clock_mhz: float | None,
    toggles: Mapping[str, Switching] | None,
) -> Candidate:
    """Everything about one encoding in one technology."""
    built = structure(one.config, native=native)

    def priced(toggles: Mapping[str, Switching] | None) -> Energy:
        return energy_of(
            built, one.works, using, memory=memory, clock_mhz=clock_mhz, toggles=toggles, macs=one.macs,
            inputs=one.images,
        )  # fmt: skip

    return Candidate(
        encoding=one.config.encoding,
        technology=using,
        native=native,
        energy=priced(toggles),
        expected=priced(None) if toggles is not None else None,
        exact=one.exact,
        digits=one.digits,
        transistors=built.transistors(using),
        logic_area_um2=physical.logic_area(built, using),
        memory_area_um2=physical.memory_area(built, using),
        wires=physical.wires(built),
        depth_cells=physical.depth(one.config).longest,
        delay_ps=physical.delay_ps(built, using),
    )
