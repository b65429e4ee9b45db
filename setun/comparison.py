"""A comparison of encodings as text for a terminal of 80 columns."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from setun.costs import energy_unit, figure, wrapped
from setun.tables import table

if TYPE_CHECKING:  # they bring the simulator with them
    from setun_sim.cost.compare import Candidate, Comparison


def comparison_text(comparison: "Comparison") -> str:
    """One table for each technology, then what decides, then the answer in words."""
    parts = [wrapped("energy an input and a MAC, at peak in fJ an operation; transistors of logic; area with memories")]
    for name in dict.fromkeys(one.technology.name for one in comparison.candidates):
        own = comparison.of(name)
        assumed = [one.energy.assumed_share for one in own]
        parts.append(f"{wrapped(f'{name}: {own[0].technology.title}')}\n{_candidates(own)}")
        parts[-1] += f"\nassumed: {min(assumed):.0%} to {max(assumed):.0%} of the energy"
    if comparison.break_even:
        rows = [
            (one.name, figure(one.actual), figure(one.even), "ternary" if one.wins else "binary", one.unit)
            for one in comparison.break_even
        ]
        parts.append(
            f"break-even values in {comparison.primary}\n"
            + table(("", "is", "even at", "wins", "unit"), rows, widest=30)
        )
    if comparison.tornado:
        swings = [(one.number, figure(one.at_low), figure(one.at_high), one.status) for one in comparison.tornado[:6]]
        header = ("energy of ternary over binary hangs on", "at low", "at high", "status")
        parts.append(table(header, swings, widest=40))
    storage = comparison.storage_bits
    if storage["weights"]:
        shares = [storage[key] / storage["weights"] for key in ("two_bits", "five_in_eight", "entropy")]
        economy = comparison.radix_economy
        parts.append(
            wrapped(
                "bits a weight: {:.2f} as pairs, {:.2f} as five trits in eight bits, {:.2f} at least; ".format(*shares)
                + f"an accumulator has {economy['trits']:g} trits or {economy['bits']:g} bits,"
                f" radix economy {economy['ratio']:.2f}"
            )
        )
    return "\n\n".join([*parts, wrapped(comparison.text)])


def _candidates(own: "Sequence[Candidate]") -> str:
    unit, size = energy_unit([one.energy.total_fj for one in own])
    header = ("", f"{unit}/input", "fJ/MAC", "peak", "transistors", "mm2", "ns", "wires")
    names = {"ternary (native cells)": "native ternary", "ternary (binary gates)": "ternary on gates"}
    rows = [
        (
            names.get(one.name, one.name), figure(one.energy.total_fj / size), figure(one.energy.fj_per_mac),
            figure(one.energy.peak_fj_per_op), f"{one.total_transistors:.0f}",
            figure(None if one.area_um2 is None else one.area_um2 / 1e6),
            figure(None if one.delay_ps is None else one.delay_ps / 1e3), sum(one.wires.values()),
        )
        for one in own
    ]  # fmt: skip
    return table(header, rows)
