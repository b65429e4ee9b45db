"""A comparison in plain words, every figure computed."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from setun_sim.cost.compare import Candidate, Comparison


def paragraph(comparison: "Comparison") -> str:
    """Who wins, where, by how much, and what that hangs on."""
    both = comparison.pair(comparison.primary)
    if both is None:
        return _binary_only(comparison)
    ternary, binary = both
    ratio = ternary.energy.total_fj / binary.energy.total_fj
    sentences = [
        f"In {ternary.technology.title}, {comparison.program} takes "
        f"{_energy(ternary)} an inference in native ternary logic and {_energy(binary)} as {binary.name}: "
        + _verdict(ratio, "energy")
    ]
    figures = {w["figure"]: w for w in comparison.winners if w["technology"] == comparison.primary}
    logic, trees = figures["transistors"], figures["transistors: adder tree"]
    sentences.append(
        f"Its logic has {logic['ternary']:,.0f} transistors against {logic['binary']:,.0f} of the smaller binary one "
        f"({logic['ternary'] / logic['binary']:.2f} times), "
        f"its adder trees {trees['ternary'] / trees['binary']:.2f} times as many."
    )
    wins = [
        w
        for w in figures.values()
        if w["winner"] == "ternary" and w["figure"] not in ("energy per inference", "transistors")
    ]
    if wins:
        named = ", ".join(f"{w['figure']} ({w['factor']:.2f} times)" for w in wins[:6])
        sentences.append(f"Ternary is ahead in {named}; negation and times three cost it nothing but wiring.")
    else:
        sentences.append(
            "Ternary is ahead in no figure but negation and times three, which cost it nothing but wiring."
        )
    storage = comparison.storage_bits
    if storage["weights"]:
        per = {key: storage[key] / storage["weights"] for key in ("five_in_eight", "entropy")}
        sentences.append(
            f"Five trits in eight bits give binary memories {per['five_in_eight']:.2f} bits a weight instead of 2 "
            f"(these weights need {per['entropy']:.2f}), without any ternary circuit."
        )
    for one in comparison.break_even:
        if one.name in ("full adder, transistors", "static power at the middle level"):
            even = "no value would" if one.even is None else f"{one.even:.3g} would"
            sentences.append(
                f"{one.name[0].upper() + one.name[1:]} ({one.unit}): {one.actual:.3g}; {even} make it even."
            )
    if comparison.tornado:
        first = comparison.tornado[0]
        sentences.append(
            f"The ratio hangs most on {first.number}: from {min(first.at_low, first.at_high):.2f} to "
            f"{max(first.at_low, first.at_high):.2f} over its range of {first.low:g} to {first.high:g} {first.unit}."
        )
    shares = [one.energy.assumed_share for one in both]
    sentences.append(
        f"Of these energies {shares[0]:.0%} (ternary) and {shares[1]:.0%} (binary) rest on assumed numbers."
    )
    return " ".join(sentences)


def _binary_only(comparison: "Comparison") -> str:
    best = min(comparison.candidates, key=lambda one: one.energy.total_fj, default=None)
    if best is None:
        return "There is nothing to compare."
    own = sorted(comparison.of(best.technology.name), key=lambda one: one.energy.total_fj)
    listed = ", ".join(f"{one.name} {_energy(one)}" for one in own)
    return (
        f"None of the chosen technologies has ternary cells. In {best.technology.title} an inference of "
        f"{comparison.program} takes: {listed}. {best.energy.assumed_share:.0%} of the least rests on assumed numbers."
    )


def _energy(one: "Candidate") -> str:
    value, units = one.energy.total_fj, ["fJ", "pJ", "nJ", "uJ", "mJ"]
    while value >= 1000 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.3g} {units[0]}"


def _verdict(ratio: float, figure: str) -> str:
    if abs(ratio - 1) < 0.02:
        return f"no difference in {figure} worth the name."
    winner = "binary" if ratio > 1 else "ternary"
    return f"{winner} wins by a factor of {max(ratio, 1 / ratio):.2f}."
