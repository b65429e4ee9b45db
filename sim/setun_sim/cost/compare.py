"""The same network on the same geometry in every encoding and technology, and what decides between them."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from setun_hw.config import Encoding
from setun_sim.cost import physical
from setun_sim.cost.alternatives import alternatives
from setun_sim.cost.balance import BreakEven, Swing, break_even, tornado
from setun_sim.cost.candidate import Candidate, candidate, figures
from setun_sim.cost.errors import CostError
from setun_sim.cost.fpga import FpgaCost, fpga_cost_of
from setun_sim.cost.library import Library
from setun_sim.cost.mapped import Mapped, mapped
from setun_sim.cost.switching import Switching
from setun_sim.cost.technology import Kind, Technology, technologies, technology
from setun_sim.cost.words import paragraph
from setun_sim.simulation import Result

#: the technology in which both sides were simulated with the same devices
PRIMARY = "ptm32"
#: what radix economy does not know
LEFT_OUT = "what a cell of three levels costs beside one of two, wires, clock and memories"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All candidates, and what decides between native ternary and the best binary one of the same technology."""

    program: str
    configuration: str
    layers: tuple[str, ...]  #: names, for the digits of the candidates
    candidates: tuple[Candidate, ...]
    fpga: tuple[FpgaCost, ...]
    mapped: tuple[Mapped, ...]  #: the accelerator of each encoding on the cells of a Liberty file
    #: name of the technology that break-even values and the tornado are of; empty where none has ternary cells
    primary: str
    storage_bits: Mapping[str, float]
    radix_economy: Mapping[str, float]
    break_even: tuple[BreakEven, ...] = ()
    tornado: tuple[Swing, ...] = ()  #: of the energy of ``ternary`` over that of the best binary candidate

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

    def on_fpga(self, technology: str) -> list[FpgaCost]:
        """Costs on one FPGA."""
        return [one for one in self.fpga if one.technology.name == technology]

    @cached_property
    def winners(self) -> list[dict[str, Any]]:
        """For every technology with both, and every figure: the better side and by what factor.

        Binary is, figure by figure, the better of its candidates. On an FPGA both sides are of the same look-up tables.
        """
        found = []
        for name in dict.fromkeys(one.technology.name for one in self.candidates):
            both = self.pair(name)
            if both is not None:
                rivals = [(one.name, figures(one)) for one in self.binary(name)]
                found += _won(name, figures(both[0]), rivals)
        for name in dict.fromkeys(one.technology.name for one in self.fpga):
            own = {one.config.encoding: _fpga_figures(one) for one in self.on_fpga(name)}
            ternary = own.pop(Encoding.TERNARY)
            found += _won(name, ternary, [(str(encoding), table) for encoding, table in own.items()])
        return found

    @cached_property
    def economy(self) -> dict[str, float | None]:
        """Radix economy of an accumulator beside ternary over binary as counted in the primary technology."""
        counted = {one["figure"]: one for one in self.winners if one["technology"] == self.primary}
        ratios = {
            f"{key}_ratio": one["ternary"] / one["binary"] if (one := counted.get(f"{key}: accumulator")) else None
            for key in ("transistors", "energy")
        }
        return {**self.radix_economy, **ratios}

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
            "layers": list(self.layers),
            "candidates": [one.to_json() for one in self.candidates],
            "fpga": [one.to_json() for one in self.fpga],
            "mapped": [one.to_json() for one in self.mapped],
            "winners": self.winners,
            "storage_bits": dict(self.storage_bits),
            "radix_economy": {**self.economy, "leaves_out": LEFT_OUT},
            "break_even": [one.to_json() for one in self.break_even],
            "tornado": [one.to_json() for one in self.tornado],
            "note": "Candidates of different technologies stand side by side for orientation: their unit costs come "
            "from different sources and must not be divided by each other.",
        }


_Figures = Mapping[str, tuple[str, float | None]]


def _won(technology: str, ternary: _Figures, rivals: Sequence[tuple[str, _Figures]]) -> list[dict[str, Any]]:
    found = []
    for figure, (unit, own) in ternary.items():
        known = [(value, rival) for rival, table in rivals if (value := table.get(figure, ("", None))[1])]
        if not own or not known:
            continue
        best, rival = min(known)
        found.append({
            "technology": technology, "figure": figure, "unit": unit, "ternary": own, "binary": best, "rival": rival,
            "winner": "ternary" if own < best else "binary" if best < own else "none",
            "factor": max(own, best) / min(own, best),
        })  # fmt: skip
    return found


def _fpga_figures(one: FpgaCost) -> dict[str, tuple[str, float | None]]:
    return {
        "look-up tables": ("look-up tables", float(one.total("lut"))),
        "flip-flops": ("flip-flops", float(one.total("flip_flop"))),
        "multiplier blocks": ("blocks", float(one.total("dsp"))),
        "block memories": ("blocks", float(one.blocks)),
        "known energy per inference": ("fJ", one.known_fj),
        **{f"look-up tables: {name}": ("look-up tables", float(cells["lut"])) for name, cells in one.parts.items()},
    }


def compare(
    results: Result | Mapping[Encoding, Result],
    using: Sequence[Technology] | None = None,
    *,
    memory: Technology | None = None,
    clock_mhz: float | None = None,
    toggles: Mapping[Encoding, Mapping[str, Switching]] | None = None,
    library: Library | None = None,
) -> Comparison:
    """Set the three encodings beside each other.

    Parameters
    ----------
    results:
        A simulation with samples, or one for each encoding that the network was compiled for. For the others counts are
        carried over: they are equal where all layers have one digit, and scaled by the number of digits elsewhere.
    using:
        Technologies of kind logic or fpga (which are synthesised for); default all of kind logic that come with setun.
    memory:
        External memory; default LPDDR4.
    clock_mhz:
        One clock for all, for static energy; default each technology's own.
    toggles:
        Switching of the dot products by encoding and layer, counted on real operands; where one is missing, and on
        FPGAs, it is expected at the layer's density.
    library:
        A Liberty file's cells, to which the accelerator of each encoding is mapped by yosys.

    Raises
    ------
    CostError
        When there are no results, or they have no activity, or a technology is of another kind.
    StructureError
        When an FPGA or a library is asked for and yosys is missing.
    """
    given = {results.program.config.encoding: results} if isinstance(results, Result) else dict(results)
    if not given:
        raise CostError("a comparison needs at least one simulation")
    chosen = list(using) if using is not None else [t for t in technologies().values() if t.kind is Kind.LOGIC]
    outside = technology("lpddr4") if memory is None else memory
    everyone = alternatives(given)
    found: list[Candidate] = []
    fpga: list[FpgaCost] = []
    for each in chosen:
        if each.kind is Kind.MEMORY:
            raise CostError(f"technology {each.name} is of kind memory: a comparison needs kind logic or fpga")
        for one in everyone:
            encoding = one.config.encoding
            if each.kind is Kind.FPGA:
                fpga.append(
                    fpga_cost_of(one.config, one.works, each, inputs=one.images, clock_mhz=clock_mhz, exact=one.exact)
                )
                continue
            for native in (True, False) if each.ternary and encoding is Encoding.TERNARY else (False,):
                found.append(candidate(one, each, native, outside, clock_mhz, (toggles or {}).get(encoding)))
    first = next(iter(given.values()))
    names = [t.name for t in chosen if t.ternary]
    comparison = Comparison(
        program=first.program.name,
        configuration=first.program.config.name,
        layers=tuple(layer.name for layer in first.layers),
        candidates=tuple(found),
        fpga=tuple(fpga),
        mapped=tuple(mapped(one.config, library) for one in everyone) if library is not None else (),
        primary=PRIMARY if PRIMARY in names else next(iter(names), ""),
        storage_bits=physical.storage_bits(first.program.layers),
        radix_economy=physical.radix_economy(first.program.config),
    )
    both = comparison.pair(comparison.primary)
    if both is None:
        return comparison
    return dataclasses.replace(
        comparison,
        break_even=break_even(both[0], comparison.binary(comparison.primary)),
        tornado=tornado(both[0].energy, both[1].energy),
    )
