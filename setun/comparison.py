"""A comparison of encodings as text for a terminal of 80 columns."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from setun.costs import energy_unit, figure, wrapped
from setun.tables import table

if TYPE_CHECKING:  # they bring the simulator with them
    from setun_sim.cost.candidate import Candidate
    from setun_sim.cost.compare import Comparison
    from setun_sim.cost.fpga import FpgaCost
    from setun_sim.cost.mapped import Mapped

_SHORT = {"ternary (native cells)": "native ternary", "ternary (binary gates)": "ternary on gates"}


def comparison_text(comparison: "Comparison") -> str:
    """One table for each technology, then parts, then what decides, then the answer in words."""
    from setun_sim.cost.compare import LEFT_OUT

    parts = []
    if comparison.candidates:
        parts.append(
            wrapped("energy an input and a MAC, at peak in fJ an operation; transistors of logic; area with memories")
        )
    for name in dict.fromkeys(one.technology.name for one in comparison.candidates):
        own = comparison.of(name)
        assumed = [one.energy.assumed_share for one in own]
        lines = [wrapped(f"{name}: {own[0].technology.title}"), _candidates(own)]
        lines.append(f"assumed: {min(assumed):.0%} to {max(assumed):.0%} of the energy")
        lines += _counted(own)
        parts.append("\n".join([*lines, *_ahead(comparison, name)]))
    for name in dict.fromkeys(one.technology.name for one in comparison.fpga):
        parts.append("\n".join([*_fpga(comparison.on_fpga(name)), *_ahead(comparison, name)]))
    if not all([*(one.exact for one in comparison.candidates), *(one.exact for one in comparison.fpga)]):
        parts.append(
            wrapped("* steps carried over from another encoding by its digits; --model FILE.onnx gives exact ones")
        )
    if comparison.mapped:
        parts.append(_mapped(comparison.mapped))
    for name in [comparison.primary] if comparison.primary else []:
        parts += [_by_component(name, comparison.of(name), what) for what in ("energy", "transistors")]
    parts += _balance(comparison)
    storage, economy = comparison.storage_bits, comparison.economy
    if storage["weights"]:
        shares = [storage[key] / storage["weights"] for key in ("two_bits", "five_in_eight", "entropy")]
        parts.append(
            wrapped(
                "bits a weight: {:.2f} as pairs, {:.2f} as five trits in eight bits, {:.2f} at least".format(*shares)
            )
        )
    lines = [
        f"radix economy of an accumulator: 3 x {economy['trits']} trits over 2 x {economy['bits']} bits is"
        f" {economy['ratio']:.2f}"
    ]
    if economy["transistors_ratio"]:
        lines.append(
            f"; counted in {comparison.primary}: transistors {economy['transistors_ratio']:.2f},"
            f" energy {figure(economy['energy_ratio'])}; it leaves out {LEFT_OUT}"
        )
    parts.append(wrapped("".join(lines)))
    return "\n\n".join([*parts, *map(wrapped, comparison.text.split("\n\n"))])


def _candidates(own: "Sequence[Candidate]") -> str:
    unit, size = energy_unit([one.energy.total_fj for one in own])
    header = ("", f"{unit}/input", "fJ/MAC", "peak", "transistors", "mm2", "ns", "wires")
    rows = [
        (
            _name(one), figure(one.energy.total_fj / size), figure(one.energy.fj_per_mac),
            figure(one.energy.peak_fj_per_op), f"{one.total_transistors:.0f}",
            figure(None if one.area_um2 is None else one.area_um2 / 1e6),
            figure(None if one.delay_ps is None else one.delay_ps / 1e3), sum(one.wires.values()),
        )
        for one in own
    ]  # fmt: skip
    return table(header, rows)


def _name(one: "Candidate") -> str:
    return _SHORT.get(one.name, one.name) + ("" if one.exact else " *")


def _counted(own: "Sequence[Candidate]") -> list[str]:
    """How far counted switching is from the expected one."""
    ratios = [one.energy.total_fj / one.expected.total_fj for one in own if one.expected is not None]
    if not ratios:
        return []
    return [
        f"switching counted on real operands: {min(ratios) - 1:+.1%} to {max(ratios) - 1:+.1%} of the expected energy"
    ]


def _ahead(comparison: "Comparison", technology: str) -> list[str]:
    """Who is ahead in what, largest factors first; parts of the machine stand in tables of their own."""
    lines = []
    for side in ("ternary", "binary"):
        won = [
            w
            for w in comparison.winners
            if w["technology"] == technology and w["winner"] == side and ":" not in w["figure"]
        ]
        won.sort(key=lambda w: -w["factor"])
        if won:
            listed = ", ".join(f"{w['figure']} {w['factor']:.2f} times" for w in won)
            lines.append(wrapped(f"{side} ahead: {listed}"))
    return lines


def _by_component(technology: str, own: "Sequence[Candidate]", what: str) -> str:
    """Energy or transistors of every candidate, component by component."""
    values = [dict(one.energy.components) if what == "energy" else dict(one.transistors) for one in own]
    unit, size = energy_unit([sum(one.values()) for one in values]) if what == "energy" else ("", 1.0)
    names = dict.fromkeys(name for one in values for name in one)
    rows = [
        (name, *(figure(one.get(name, 0.0) / size) for one in values))
        for name in sorted(names, key=lambda name: -max(one.get(name, 0.0) for one in values))
    ]
    title = f"{what}{f' in {unit}' if unit else ''}, {technology}"
    return table((title, *(_name(one) for one in own)), rows, widest=28)


def _balance(comparison: "Comparison") -> list[str]:
    """Break-even values and the widest bars of the tornado."""
    parts = []
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
        swings = [
            (one.number, figure(one.low), figure(one.high), figure(one.at_low), figure(one.at_high), one.status)
            for one in comparison.tornado[:6]
        ]
        header = ("energy of ternary over binary", "low", "high", "at low", "at high", "status")
        parts.append(table(header, swings, widest=32))
    return parts


def _mapped(found: "Sequence[Mapped]") -> str:
    """Cells, area and static power of the logic as yosys maps it to a library."""
    rows = []
    for one in found:
        plain = one.to_json()
        rows.append(
            (plain["encoding"], plain["cells"], figure(plain["area_um2"] / 1e6), figure(plain["static_nw"] / 1e3))
        )
    title = f"logic mapped to {found[0].library.name} by yosys"
    return table((title, "cells", "mm2", "uW static"), rows, widest=30)


def _fpga(own: "Sequence[FpgaCost]") -> list[str]:
    """Cells of an FPGA, and the energy that is known."""
    known = [one.known_fj for one in own if one.known_fj is not None]
    unit, size = energy_unit(known)
    header = (
        "",
        "look-up tables",
        "flip-flops",
        "multipliers",
        "block memories",
        *([f"{unit}/input"] if known else []),
    )
    rows = [
        (
            f"{one.config.encoding}{'' if one.exact else ' *'}", one.total("lut"), one.total("flip_flop"),
            one.total("dsp"), one.blocks, *([figure((one.known_fj or 0) / size)] if known else []),
        )
        for one in own
    ]  # fmt: skip
    lines = [wrapped(f"{own[0].technology.name}: {own[0].technology.title}"), table(header, rows)]
    if own[0].unknown:
        lines.append(wrapped(f"energy without what nobody has published: {', '.join(own[0].unknown)}"))
    return lines
