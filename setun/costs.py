"""Energy of a network as text for a terminal of 80 columns, and the numbers of all such texts."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from setun.tables import table

if TYPE_CHECKING:  # it brings the simulator with it
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
    """Energy of an input by component, then by layer and group of components, and what it rests on."""
    from setun_sim.report.energies import GROUPS, grouped

    parts = sorted(energy.components.items(), key=lambda item: -item[1])
    unit, size = energy_unit([energy.total_fj])
    total = energy.total_fj or 1.0
    rows = [(name, _cell(value / size), f"{value / total:.1%}") for name, value in [*parts, ("total", energy.total_fj)]]
    components = table(("component", unit, "share"), rows)

    short = {"on-chip memories": "on-chip", "external memory": "external", "leakage": "leak"}
    layers = [(layer.name, layer.total_fj, grouped(layer.components)) for layer in energy.layers]
    # layers differ by orders of magnitude: a unit in which the smallest is still seen
    unit, size = energy_unit([10 * min((value for _, value, _ in layers if value), default=0.0)])
    layers.append(("total", energy.total_fj, grouped(energy.components)))
    header = ("layer", unit, *(short.get(group, group) for group in GROUPS))
    cells = [(name, *(_cell(value / size) for value in (total, *groups.values()))) for name, total, groups in layers]
    lines = [
        components,
        "",
        table(header, cells, widest=14),
        "",
        f"{figure(energy.fj_per_mac)} fJ a MAC, {figure(energy.peak_fj_per_op)} fJ an operation at peak,"
        f" {figure(energy.power_mw)} mW at {energy.clock_mhz:g} MHz",
        wrapped(
            f"{energy.technology.title}{f' with {energy.memory.title}' if energy.memory else ''};"
            f" {energy.assumed_share:.1%} of it rests on assumed numbers"
        ),
    ]
    if energy.unknown:
        lines.append(wrapped(f"left out, for want of numbers: {', '.join(energy.unknown)}"))
    return "\n".join(lines)


def toggles_text(expected: "Energy", counted: "Energy") -> str:
    """What counting the dot products' switching on real operands changed, layer by layer."""
    from setun_sim.report.priced import toggles_section

    found = toggles_section(expected, counted)
    layers = [layer for layer in found["layers"] if layer["expected_dot_products_fj"]]
    unit, size = energy_unit([10 * min((layer["dot_products_fj"] for layer in layers), default=0.0)])
    rows = [
        (
            layer["name"], _cell(layer["expected_dot_products_fj"] / size), _cell(layer["dot_products_fj"] / size),
            f"{layer['dot_products_fj'] / layer['expected_dot_products_fj']:.2f}",
        )
        for layer in layers
    ]  # fmt: skip
    header = ("multipliers and adder trees", f"expected {unit}", f"counted {unit}", "ratio")
    change = found["energy_fj"] / found["expected_energy_fj"] - 1 if found["expected_energy_fj"] else 0.0
    whole = f"switching counted on real operands changes the whole by {change:+.1%}"
    return f"{table(header, rows)}\n{whole}"


def _cell(value: float) -> str:
    """Three significant digits, or two decimals of what is small."""
    return figure(value) if value >= 0.1 or not value else f"{value:.2f}"


def wrapped(text: str) -> str:
    """Lines of at most :data:`WIDTH` characters, nothing unprintable."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return textwrap.fill(printable, WIDTH, break_on_hyphens=False)
