"""A comparison in plain words, every figure computed."""

from typing import TYPE_CHECKING

from setun_hw.config import Encoding

if TYPE_CHECKING:
    from setun_sim.cost.candidate import Candidate
    from setun_sim.cost.compare import Comparison


def paragraph(comparison: "Comparison") -> str:
    """Who wins, where, by how much, and what that hangs on."""
    both = comparison.pair(comparison.primary)
    sentences = _binary_only(comparison) if both is None else _native(comparison, *both)
    return " ".join([*sentences, *_digits(comparison), *_fpga(comparison)])


def _native(comparison: "Comparison", ternary: "Candidate", binary: "Candidate") -> list[str]:
    """Native ternary cells against two's complement in the same technology."""
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
    economy = comparison.economy
    sentences.append(
        f"Radix economy says {economy['ratio']:.2f} for an accumulator of {economy['trits']} trits beside one of "
        f"{economy['bits']} bits; counted are {economy['transistors_ratio']:.2f} of the transistors: it leaves out "
        "what a cell of three levels costs."
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
    shares = [one.energy.assumed_share for one in (ternary, binary)]
    sentences.append(
        f"Of these energies {shares[0]:.0%} (ternary) and {shares[1]:.0%} (binary) rest on assumed numbers."
    )
    others = []
    for name in dict.fromkeys(one.technology.name for one in comparison.candidates):
        pair = comparison.pair(name)
        if name != comparison.primary and pair is not None:
            others.append(f"{pair[0].energy.total_fj / pair[1].energy.total_fj:.2f} times in {name}")
    if others:
        sentences.append(
            f"With the numbers of other sources native ternary takes {' and '.join(others)} what the best binary takes."
        )
    return sentences


def _binary_only(comparison: "Comparison") -> list[str]:
    best = min(comparison.candidates, key=lambda one: one.energy.total_fj, default=None)
    if best is None:
        return []
    own = sorted(comparison.of(best.technology.name), key=lambda one: one.energy.total_fj)
    listed = ", ".join(f"{one.name} {_energy(one)}" for one in own)
    return [
        "None of the chosen technologies has ternary cells.",
        f"In {best.technology.title} an inference of {comparison.program} takes: {listed}.",
        f"{best.energy.assumed_share:.0%} of the least rests on assumed numbers.",
    ]


def _digits(comparison: "Comparison") -> list[str]:
    """Layers whose numbers take more digits in one radix than in the other."""
    trits, pairs = (
        next((one.digits for one in comparison.candidates if one.encoding is encoding), ())
        for encoding in (Encoding.TERNARY, Encoding.BINARY2)
    )
    wide = [
        f"{name} ({a[0]} x {a[1]} trits, {b[0]} x {b[1]} digits of radix 4)"
        for name, a, b in zip(comparison.layers, trits, pairs, strict=False)
        if a != b
    ]
    if not wide:
        return []
    more = f" and {len(wide) - 3} more" if len(wide) > 3 else ""
    carried = " (carried over by these numbers)" if not all(one.exact for one in comparison.candidates) else ""
    return [f"Activations x weights of several digits take steps that depend on the radix{carried}: "
            f"{', '.join(wide[:3])}{more}."]  # fmt: skip


def _fpga(comparison: "Comparison") -> list[str]:
    """What the encodings take of each FPGA, the fewest look-up tables first."""
    found = []
    for name in dict.fromkeys(one.technology.name for one in comparison.fpga):
        own = sorted(comparison.on_fpga(name), key=lambda one: one.total("lut"))
        listed = ", ".join(
            f"{one.config.encoding} {one.total('lut'):,} look-up tables and {one.total('flip_flop'):,} flip-flops"
            for one in own
        )
        least, most = own[0].total("lut"), own[-1].total("lut")
        found.append(
            f"On {own[0].technology.title.partition(':')[0]} the accelerator takes: {listed}; "
            f"{own[0].config.encoding} is the smallest, {own[-1].config.encoding} {most / least:.2f} times as large."
        )
    return found


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
