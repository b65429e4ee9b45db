"""The comparison of encodings as a section of the report's document, and as a page of its own."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

from numpy.typing import ArrayLike

from setun_compiler.program import Program
from setun_hw.config import Encoding
from setun_sim.cost.alternatives import alternatives
from setun_sim.cost.candidate import Candidate
from setun_sim.cost.compare import Comparison, compare
from setun_sim.cost.library import Library
from setun_sim.cost.switching import Switching
from setun_sim.cost.technology import Kind, Technology, technologies
from setun_sim.cost.toggles import toggles_in
from setun_sim.report.energies import grouped
from setun_sim.report.page import render
from setun_sim.report.priced import check_clock, inputs_of
from setun_sim.simulation import Result, simulate
from setun_sim.timeline import DEFAULT_INTERVAL, DEFAULT_LATENCY

#: most numbers a tornado shows
LONGEST_TORNADO = 12
#: kinds of numbers (:func:`setun_sim.report.numbers.shown`) by the unit of a figure
KINDS = {"fJ": "fj", "fJ/op": "fj", "um2": "um2", "ps": "ps"}


def compared(
    program: Program,
    samples: ArrayLike | None,
    using: Sequence[Technology] | None = None,
    *,
    memory: Technology | None = None,
    clock_mhz: float | None = None,
    latency: int = DEFAULT_LATENCY,
    interval: int = DEFAULT_INTERVAL,
    others: Mapping[Encoding, Program] | None = None,
    count_toggles: bool = False,
    library: Library | None = None,
) -> Comparison:
    """Simulate a program, and compare what it would cost in every encoding.

    Parameters are those of :func:`setun_sim.report.report` and :func:`setun_sim.cost.compare.compare`; without samples
    one random run is drawn.

    Parameters
    ----------
    others:
        The same network compiled for other encodings; counts of one that is missing are carried over.
    count_toggles:
        Count the switching of the dot products on the operands of the first run.
    library:
        Map the accelerator of each encoding to its cells as well, if yosys is there (package pyosys).

    Raises
    ------
    SetunError
        When samples do not fit the program, or a technology is of another kind.
    """
    check_clock(clock_mhz)
    inputs = inputs_of(program, samples)
    programs = {program.config.encoding: program, **(others or {})}
    results = {
        encoding: simulate(one, inputs, latency=latency, interval=interval) for encoding, one in programs.items()
    }
    toggles = _toggles(results, inputs) if count_toggles else None
    if find_spec("pyosys") is None:
        library = None
    return compare(results, using, memory=memory, clock_mhz=clock_mhz, toggles=toggles, library=library)


def _toggles(results: Mapping[Encoding, Result], inputs: ArrayLike) -> dict[Encoding, dict[str, Switching]]:
    """Switching in each encoding whose operands are those of some simulation."""
    found: dict[Encoding, dict[str, Switching]] = {}
    for encoding, result in results.items():
        alike = [
            one.config
            for one in alternatives({encoding: result})
            if one.config.encoding is encoding or (one.exact and one.config.encoding not in results)
        ]
        alike = [config for config in alike if config.encoding not in found]
        counted = toggles_in(result.program, inputs, alike)
        found |= {config.encoding: one for config, one in zip(alike, counted, strict=True)}
    return found


def comparison_of(result: Result, chosen: Technology, memory: Technology | None, clock_mhz: float | None) -> Comparison:
    """The comparison of a report: in all technologies of logic that come with setun, and the one chosen."""
    known = {one.name: one for one in technologies().values() if one.kind is Kind.LOGIC}
    return compare(result, list({**known, chosen.name: chosen}.values()), memory=memory, clock_mhz=clock_mhz)


def comparison_section(comparison: Comparison) -> dict[str, Any]:
    """What a page shows of a comparison, by technology: figures of different technologies are not to be divided."""
    document = comparison.to_json()
    own = (
        "program",
        "configuration",
        "primary_technology",
        "text",
        "note",
        "storage_bits",
        "radix_economy",
        "break_even",
    )
    titles = {one.technology.name: one.technology.title for one in comparison.candidates}
    return {
        **{key: document[key] for key in own},
        "winners": [
            {**one, "kind": KINDS.get(one["unit"], "count")}
            for one in document["winners"]
            if one["technology"] == comparison.primary
        ],
        "tornado": document["tornado"][:LONGEST_TORNADO],
        "mapped": document["mapped"],
        "fpga": [
            {
                "name": name,
                "title": comparison.on_fpga(name)[0].technology.title,
                "costs": [one.to_json() for one in comparison.on_fpga(name)],
            }
            for name in dict.fromkeys(one.technology.name for one in comparison.fpga)
        ],
        "technologies": [
            {"name": name, "title": title, "candidates": [_candidate(one) for one in comparison.of(name)]}
            for name, title in titles.items()
        ],
    }


def _candidate(one: Candidate) -> dict[str, Any]:
    energy = one.energy
    return {
        "name": one.name, "exact_counts": one.exact,
        "energy_fj": energy.total_fj, "energy_fj_per_mac": energy.fj_per_mac,
        "peak_energy_fj_per_op": energy.peak_fj_per_op, "assumed_share": energy.assumed_share,
        "groups_fj": grouped(energy.components), "components_fj": dict(energy.components),
        "transistors": one.total_transistors, "area_um2": one.area_um2, "delay_ps": one.delay_ps,
        "expected_energy_fj": (one.expected or one.energy).total_fj, "toggles_counted": one.expected is not None,
        "depth_cells": one.depth_cells, "wires": sum(one.wires.values()),
    }  # fmt: skip


def comparison_page(comparison: Comparison) -> str:
    """The comparison as one self-contained page."""
    return render("comparison.html", {"comparison": comparison_section(comparison)})
