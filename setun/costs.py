"""Costs as text for a terminal of 80 columns: energies by layer, comparisons, technologies."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from setun.tables import table
from setun_sim.cost.quantity import Quantity
from setun_sim.cost.technology import Technology

if TYPE_CHECKING:  # they bring the simulator with them
    from setun_sim.cost.compare import Candidate, Comparison
    from setun_sim.cost.energy import Energy

_ENERGIES = (("fJ", 1.0), ("pJ", 1e3), ("nJ", 1e6), ("uJ", 1e9), ("mJ", 1e12))
WIDTH = 80


def energy_unit(values: Sequence[float]) -> tuple[str, float]:
    """The unit, and how many fJ it is, that leaves one to three digits before the point of the largest value."""
    most = max(values, default=0.0)
    return next(((unit, size) for unit, size in reversed(_ENERGIES) if size <= most), _ENERGIES[0])


def figure(value: float | None) -> str:
    """Three significant digits without an exponent, or - where there is none."""
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:#.3g}".rstrip(".") if value else "0"


def energy_text(energy: "Energy") -> str:
    """Energy of an input by layer and by group of components, and what it rests on."""
    from setun_sim.report.energies import GROUPS, grouped

    short = {"on-chip memories": "on-chip", "external memory": "external", "leakage": "leak"}
    rows = [(layer.name, layer.total_fj, grouped(layer.components)) for layer in energy.layers]
    rows.append(("total", energy.total_fj, grouped(energy.components)))
    unit, size = energy_unit([energy.total_fj])
    header = ("layer", unit, *(short.get(group, group) for group in GROUPS))
    digits = 2 - len(f"{int(energy.total_fj / size)}") + 1  # three of them in the total, and as many places everywhere
    cells = [
        (name, *(f"{value / size:.{digits}f}" for value in (total, *groups.values()))) for name, total, groups in rows
    ]
    lines = [
        table(header, cells, widest=14),
        f"{figure(energy.fj_per_mac)} fJ a MAC, {figure(energy.peak_fj_per_op)} fJ an operation at peak,"
        f" {figure(energy.power_mw)} mW at {energy.clock_mhz:g} MHz",
        _wrapped(
            f"{energy.technology.title}{f' with {energy.memory.title}' if energy.memory else ''};"
            f" {energy.assumed_share:.1%} of it rests on assumed numbers"
        ),
    ]
    if energy.unknown:
        lines.append(_wrapped(f"left out, for want of numbers: {', '.join(energy.unknown)}"))
    return "\n".join(lines)


def comparison_text(comparison: "Comparison") -> str:
    """One table for each technology, then what decides, then the answer in words."""
    parts = [
        _wrapped("energy an input and a MAC, at peak in fJ an operation; transistors of logic; area with memories")
    ]
    for name in dict.fromkeys(one.technology.name for one in comparison.candidates):
        own = comparison.of(name)
        assumed = [one.energy.assumed_share for one in own]
        parts.append(f"{_wrapped(f'{name}: {own[0].technology.title}')}\n{_candidates(own)}")
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
            _wrapped(
                "bits a weight: {:.2f} as pairs, {:.2f} as five trits in eight bits, {:.2f} at least; ".format(*shares)
                + f"an accumulator has {economy['trits']:g} trits or {economy['bits']:g} bits,"
                f" radix economy {economy['ratio']:.2f}"
            )
        )
    return "\n\n".join([*parts, _wrapped(comparison.text)])


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


def technologies_text(known: Sequence[Technology]) -> str:
    """One line a technology."""
    header = ("name", "kind", "nm", "V", "ternary", "assumed", "title")
    rows = []
    for one in known:
        counts = one.statuses()
        assumed = f"{counts['assumed']}/{sum(counts.values())}"
        node, volt = (f"{value:g}" if value else "-" for value in (one.node_nm, one.voltage_v))
        rows.append((one.name, one.kind, node, volt, "yes" if one.ternary else "no", assumed, one.title))
    return table(header, rows, widest=31)


def technology_text(one: Technology) -> str:
    """Every number of a technology with its range, its status and its source."""
    conditions = [f"{value:g} {unit}" for value, unit in ((one.node_nm, "nm"), (one.voltage_v, "V")) if value]
    lines = [_wrapped(f"{one.name}: {one.title}"), ", ".join([f"kind {one.kind}", *conditions])]
    lines += [_wrapped(one.notes)] if one.notes else []
    by_source: dict[str, list[tuple[str, Quantity]]] = {}
    for path, quantity in one.numbers.items():
        by_source.setdefault(quantity.source, []).append((path, quantity))
    for source, numbers in by_source.items():
        lines += ["", _wrapped(source), *(_number(path, quantity) for path, quantity in numbers)]
    if one.unknown:
        lines += ["", "not known:"]
        for path, why in one.unknown.items():
            lines.append(textwrap.fill(f"{path}: {why}", WIDTH, initial_indent="  ", subsequent_indent="    "))
    return "\n".join(lines)


def _number(path: str, q: Quantity) -> str:
    spread = f" ({q.low:.4g} to {q.high:.4g})" if q.low < q.high else ""
    value = f"{q.value:.4g} {'' if q.base_unit == q.dimension else q.base_unit}".rstrip()
    line = f"  {path:<40} {q.status:<9} {value}"
    return line + spread if len(line + spread) <= WIDTH else f"{line}\n{spread:>{WIDTH}}"


def _wrapped(text: str) -> str:
    printable = "".join(c if c.isprintable() else " " for c in text)
    return textwrap.fill(printable, WIDTH, break_on_hyphens=False)


def technology_document(known: Sequence[Technology]) -> dict[str, Any]:
    """Everything, with units, statuses and sources."""
    return {"technologies": [one.to_json() for one in known]}
