"""A comparison in plain words, every figure computed."""

from typing import TYPE_CHECKING

from setun_hw.config import Encoding

if TYPE_CHECKING:
    from setun_sim.cost.candidate import Candidate
    from setun_sim.cost.compare import Comparison


#: least factor that is called being ahead, and most figures that are named
_WORTH, _MOST = 1.02, 6


def paragraph(comparison: "Comparison") -> str:
    """Who wins and why, where else each is ahead, and what that hangs on: paragraphs with an empty line between."""
    both = comparison.pair(comparison.primary)
    parts = [_binary_only(comparison)] if both is None else _native(comparison, *both)
    parts.append([*_digits(comparison), *_fpga(comparison)])
    return "\n\n".join(" ".join(sentences) for sentences in parts if sentences)


def _native(comparison: "Comparison", ternary: "Candidate", binary: "Candidate") -> list[list[str]]:
    """Native ternary cells against two's complement in the same technology."""
    return [
        _energies(comparison, ternary, binary),
        _elsewhere(comparison),
        _balance(comparison, ternary, binary),
    ]


def _energies(comparison: "Comparison", ternary: "Candidate", binary: "Candidate") -> list[str]:
    ratio = ternary.energy.total_fj / binary.energy.total_fj
    sentences = [
        f"In {ternary.technology.title}, {comparison.program} takes {_written(ternary.energy.total_fj)} an inference "
        f"in native ternary logic and {_written(binary.energy.total_fj)} as {binary.name}: {_verdict(ratio, 'energy')}"
    ]
    differences = {
        name: ternary.energy.components.get(name, 0.0) - binary.energy.components.get(name, 0.0)
        for name in {**ternary.energy.components, **binary.energy.components}
    }
    if abs(ratio - 1) >= _WORTH - 1:
        sign = 1 if ratio > 1 else -1
        most = max(differences, key=lambda name: sign * differences[name])
        sentences.append(f"The largest part of the difference is {most}, {_written(abs(differences[most]))}.")
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


def _elsewhere(comparison: "Comparison") -> list[str]:
    """Where else each side is ahead, radix economy and storage."""
    figures = {w["figure"]: w for w in comparison.winners if w["technology"] == comparison.primary}
    logic, trees = figures["transistors"], figures["transistors: adder tree"]
    sentences = [
        f"Ternary logic has {logic['ternary']:,.0f} transistors against {logic['binary']:,.0f} of the smaller binary "
        f"one ({logic['ternary'] / logic['binary']:.2f} times), "
        f"its adder trees {trees['ternary'] / trees['binary']:.2f} times as many."
    ]
    for side, more in (("ternary", " and in negation and times three, which cost it wiring only"), ("binary", "")):
        wins = [w for w in figures.values() if w["winner"] == side and w["factor"] >= _WORTH]
        wins = sorted((w for w in wins if w["figure"] != "energy per inference"), key=lambda w: -w["factor"])
        named = ", ".join(f"{w['figure']} ({w['factor']:.2f} times)" for w in wins[:_MOST])
        if named:
            sentences.append(f"{side.capitalize()} is ahead in {named}{more}.")
        elif side == "ternary":
            sentences.append("Ternary is ahead in negation and times three only, which cost it wiring only.")
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
    return sentences


def _balance(comparison: "Comparison", ternary: "Candidate", binary: "Candidate") -> list[str]:
    """What would make both even, and how much the answer moves with its numbers."""
    sentences = []
    values = {one.name: one for one in comparison.break_even}
    adder, static = values.get("full adder, transistors"), values.get("static power at the middle level")
    if adder is not None and adder.even is not None:
        sentences.append(
            f"A ternary full adder has {adder.actual:.3g} times the transistors of a binary one; at {adder.even:.3g} "
            "the adder trees would be even."
        )
    if static is not None:
        even = "at none binary would still be ahead"
        if static.even is not None:
            even = f"at {_power(static.even)} the energies would be even"
        sentences.append(f"With its outputs at the middle level it draws {_power(static.actual)}; {even}.")
    if comparison.tornado:
        first = comparison.tornado[0]
        sentences.append(
            f"The ratio of the energies hangs most on {first.number}: it goes from "
            f"{min(first.at_low, first.at_high):.2f} to {max(first.at_low, first.at_high):.2f} over the range of "
            f"{first.low:g} to {first.high:g} {first.unit}."
        )
    shares = [one.energy.assumed_share for one in (ternary, binary)]
    sentences.append(f"Of the energies {shares[0]:.0%} (ternary) and {shares[1]:.0%} (binary) rest on assumed numbers.")
    return sentences


def _binary_only(comparison: "Comparison") -> list[str]:
    best = min(comparison.candidates, key=lambda one: one.energy.total_fj, default=None)
    if best is None:
        return []
    own = sorted(comparison.of(best.technology.name), key=lambda one: one.energy.total_fj)
    listed = ", ".join(f"{one.name} {_written(one.energy.total_fj)}" for one in own)
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
    return [
        f"Digits of activations x digits of weights, and with them the steps, depend on the radix{carried}: "
        f"{', '.join(wide[:3])}{more}."
    ]


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


def _written(value: float) -> str:
    """An energy in fJ with a unit that fits."""
    units = ["fJ", "pJ", "nJ", "uJ", "mJ"]
    while value >= 1000 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.3g} {units[0]}"


def _power(value: float) -> str:
    """A power in nW."""
    return f"{value / 1000:.3g} uW" if value >= 1000 else f"{value:.3g} nW"


def _verdict(ratio: float, figure: str) -> str:
    if abs(ratio - 1) < _WORTH - 1:
        return f"no difference in {figure} worth the name."
    winner = "binary" if ratio > 1 else "ternary"
    return f"{winner} wins by a factor of {max(ratio, 1 / ratio):.2f}."
