"""The same network on the same geometry in every encoding and technology, and what decides between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from setun_hw.config import Encoding
from setun_sim.cost import physical
from setun_sim.cost.alternatives import Alternative, alternatives
from setun_sim.cost.balance import BreakEven, Swing, break_even, tornado
from setun_sim.cost.energy import Energy, energy_of
from setun_sim.cost.errors import CostError
from setun_sim.cost.structure import structure
from setun_sim.cost.technology import Kind, Technology, technologies, technology
from setun_sim.cost.words import paragraph
from setun_sim.simulation import Result

#: the technology in which both sides were simulated with the same devices
PRIMARY = "ptm32"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One encoding in one technology. Figures that a technology has no numbers for are None."""

    encoding: Encoding
    technology: Technology
    native: bool  #: of ternary cells; else of binary gates
    energy: Energy
    exact: bool  #: counts are of a simulation in this very encoding, or equal to one
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
            "transistors": self.total_transistors,
            "transistors_by_component": dict(self.transistors),
            "area_um2": self.area_um2,
            "logic_area_um2": None if self.logic_area_um2 is None else dict(self.logic_area_um2),
            "memory_area_um2": None if self.memory_area_um2 is None else dict(self.memory_area_um2),
            "wires": dict(self.wires),
            "depth_cells": self.depth_cells,
            "delay_ps": self.delay_ps,
            "structure": self.energy.structure.to_json(),
            **{
                f"energy_{key}" if not key.startswith("energy") else key: value
                for key, value in _energy(self.energy).items()
            },
        }


def _energy(energy: Energy) -> dict[str, Any]:
    plain = energy.to_json()
    return {key: value for key, value in plain.items() if key not in ("technology", "encoding", "native")}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All candidates, and what decides between native ternary and the best binary one of the same technology."""

    program: str
    configuration: str
    candidates: tuple[Candidate, ...]
    #: name of the technology that break-even values and the tornado are of; empty where none has ternary cells
    primary: str
    storage_bits: Mapping[str, float]
    radix_economy: Mapping[str, float]
    break_even: tuple[BreakEven, ...]
    tornado: tuple[Swing, ...]  #: of the energy of ``ternary`` over that of the best binary candidate, widest first

    def of(self, technology: str) -> list[Candidate]:
        """Candidates of one technology."""
        return [one for one in self.candidates if one.technology.name == technology]

    def pair(self, technology: str) -> tuple[Candidate, Candidate] | None:
        """Native ternary, and the binary candidate with the least energy, of a technology that has both."""
        ternary = [one for one in self.of(technology) if one.native]
        binary = self.binary(technology)
        if not ternary or not binary:
            return None
        return ternary[0], min(binary, key=lambda one: one.energy.total_fj)

    def binary(self, technology: str) -> list[Candidate]:
        """Candidates with two's complement arithmetic."""
        return [one for one in self.of(technology) if one.encoding is not Encoding.TERNARY]

    @cached_property
    def winners(self) -> list[dict[str, Any]]:
        """For every technology with both, and every figure: the better side and by what factor.

        Binary is, figure by figure, the better of its candidates.
        """
        found = []
        for name in dict.fromkeys(one.technology.name for one in self.candidates):
            both = self.pair(name)
            if both is None:
                continue
            ternary = _figures(both[0])
            rivals = [(one.name, _figures(one)) for one in self.binary(name)]
            for figure, (unit, own) in ternary.items():
                known = [(value, rival) for rival, table in rivals if (value := table.get(figure, ("", None))[1])]
                if not own or not known:
                    continue
                best, rival = min(known)
                found.append({
                    "technology": name, "figure": figure, "unit": unit, "ternary": own, "binary": best, "rival": rival,
                    "winner": "ternary" if own < best else "binary" if best < own else "none",
                    "factor": max(own, best) / min(own, best),
                })  # fmt: skip
        return found

    @property
    def text(self) -> str:
        """Who wins, where, by how much and what it hangs on: computed from the numbers."""
        return paragraph(self)

    def to_json(self) -> dict[str, Any]:
        """Everything, units in the names."""
        return {
            "program": self.program,
            "configuration": self.configuration,
            "primary_technology": self.primary,
            "text": self.text,
            "candidates": [one.to_json() for one in self.candidates],
            "winners": self.winners,
            "storage_bits": dict(self.storage_bits),
            "radix_economy": dict(self.radix_economy),
            "break_even": [one.to_json() for one in self.break_even],
            "tornado": [one.to_json() for one in self.tornado],
            "note": "Candidates of different technologies stand side by side for orientation: their unit costs come "
            "from different sources and must not be divided by each other.",
        }


def _figures(one: Candidate) -> dict[str, tuple[str, float | None]]:
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


def compare(
    results: Result | Mapping[Encoding, Result],
    using: Sequence[Technology] | None = None,
    *,
    memory: Technology | None = None,
    clock_mhz: float | None = None,
) -> Comparison:
    """Set the three encodings beside each other.

    Parameters
    ----------
    results:
        A simulation with samples, or one for each encoding that the network was compiled for. For the others counts are
        carried over: they are equal where all layers have one digit, and scaled by the number of digits elsewhere.
    using:
        Technologies of kind logic; default all that come with setun.
    memory:
        External memory; default LPDDR4.
    clock_mhz:
        One clock for all, for static energy; default each technology's own.

    Raises
    ------
    CostError
        When there are no results, or they have no activity, or a technology is of another kind.
    """
    given = {results.program.config.encoding: results} if isinstance(results, Result) else dict(results)
    if not given:
        raise CostError("a comparison needs at least one simulation")
    chosen = list(using) if using is not None else [t for t in technologies().values() if t.kind is Kind.LOGIC]
    outside = technology("lpddr4") if memory is None else memory
    everyone = alternatives(given)
    found = []
    for each in chosen:
        if each.kind is not Kind.LOGIC:
            raise CostError(f"technology {each.name} is of kind {each.kind}: a comparison needs kind logic")
        for one in everyone:
            for native in (True, False) if each.ternary and one.config.encoding is Encoding.TERNARY else (False,):
                found.append(_candidate(one, each, native, outside, clock_mhz))
    first = next(iter(given.values()))
    names = [t.name for t in chosen if t.ternary]
    comparison = Comparison(
        program=first.program.name, configuration=first.program.config.name, candidates=tuple(found),
        primary=PRIMARY if PRIMARY in names else next(iter(names), ""),
        storage_bits=physical.storage_bits(first.program.layers),
        radix_economy=physical.radix_economy(first.program.config), break_even=(), tornado=(),
    )  # fmt: skip
    both = comparison.pair(comparison.primary)
    if both is None:
        return comparison
    return Comparison(
        **{name: getattr(comparison, name) for name in (
            "program", "configuration", "candidates", "primary", "storage_bits", "radix_economy",
        )},
        break_even=break_even(both[0], comparison.binary(comparison.primary)),
        tornado=tornado(both[0].energy, both[1].energy),
    )  # fmt: skip


def _candidate(
    one: Alternative, using: Technology, native: bool, memory: Technology, clock_mhz: float | None
) -> Candidate:
    built = structure(one.config, native=native)
    return Candidate(
        encoding=one.config.encoding,
        technology=using,
        native=native,
        energy=energy_of(built, one.works, using, memory=memory, clock_mhz=clock_mhz, macs=one.macs, inputs=one.images),
        exact=one.exact,
        transistors=built.transistors(using),
        logic_area_um2=physical.logic_area(built, using),
        memory_area_um2=physical.memory_area(built, using),
        wires=physical.wires(built),
        depth_cells=physical.depth(one.config).longest,
        delay_ps=physical.delay_ps(built, using),
    )
