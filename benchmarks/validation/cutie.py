"""CUTIE: cycles of its public RTL, and the two energies of its silicon."""

import dataclasses
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np

from setun_compiler import zoo
from setun_hw.config import Config
from setun_hw.presets import config
from setun_sim.cost.energy import Energy, energy
from setun_sim.cost.ledger import Ledger
from setun_sim.cost.quantity import Status
from setun_sim.cost.rules import work_of
from setun_sim.cost.structure import Memory, structure
from setun_sim.cost.switching import expected
from setun_sim.cost.technology import Technology, technology
from setun_sim.simulation import Result, simulate
from validation.page import compiled, table, verdict

#: TCN-CUTIE (arXiv 2212.00688), 22FDX at 0.5 V, and the rate in its abstract
PEAK_FJ, NETWORK_UJ, POWER_MW, CLOCK_MHZ, RATE = 0.97, 2.72, 12.2, 54, 3200
MULTIPLIERS = 82_944
#: cycles of CUTIE's public RTL under Verilator, 8 convolutions
CUTIE_CYCLES = (1051, 1041, 1049, 275, 281, 93, 95, 43)
SILICON = Path(__file__).resolve().parent.parent / "tcn_cutie.toml"


@cache
def run(parameters: Config, images: int) -> Result:
    """CUTIE's network on random thermometer-coded images, one or a batch."""
    random = np.random.default_rng(0)
    levels = random.integers(0, 193, (images, 1, 32, 32))
    samples = (np.clip(levels - 2 * np.arange(96)[None, :, None, None], 0, 2) - 1).astype(np.float32)
    return simulate(compiled(zoo.build("cutie"), parameters, samples, batch=images > 1), samples)


def batch() -> Result:
    """Nine images on the preset."""
    return run(config("cutie").replace(encoding="rails"), 9)


def cycles() -> Iterator[str]:
    """CUTIE's layers."""
    result = batch()
    images = result.program.images
    rows = []
    for layer, theirs in zip(result.layers, CUTIE_CYCLES, strict=False):
        ideal, ours = layer.steps / images, (layer.cycles - layer.stalls.idle) / images
        rows.append((layer.name, f"{ideal:.0f}", theirs, f"{ours:.1f}", f"{ideal / theirs:.1%}", f"{ideal / ours:.1%}"))
    ideal, ours = sum(layer.steps for layer in result.layers) / images, result.cycles / images
    total = sum(CUTIE_CYCLES)
    rows.append(("whole run", f"{ideal:.0f}", total, f"{ours:.1f}", f"{ideal / total:.1%}", f"{ideal / ours:.1%}"))
    yield "## CUTIE: cycles\n"
    yield (
        "Configuration `cutie` (96 x 96 x 9 = 82 944 multipliers, as many as CUTIE) on CUTIE's CIFAR-10 network at 96 "
        "channels, a batch of nine images; cycles an image. CUTIE's are those of its public RTL under Verilator (8 "
        "convolutions; weights are loaded beside the computation). Ours of the whole run include loading nine images "
        "over the 1024-bit bus, during which the array waits, and the last, fully connected layer.\n"
    )
    yield from table(("layer", "ideal", "CUTIE", "setun", "utilisation CUTIE", "setun"), rows)


def described(result: Result, numbers: Technology) -> tuple[float, float]:
    """CUTIE itself in the same unit costs: fJ/op of its sparsest layer while busy, uJ of the 3928 cycles of its RTL.

    Fully unrolled 3x3x96 dot products of 96 units in one cycle, two popcounts behind two rails (as one tree of both),
    weights in latches that do not switch, three pixels read and one written a cycle at 8 bits for 5 trits. Flip-flops
    as in the RTL: line buffer of 64 columns, pooling and threshold FIFOs, two sums a unit; in a cycle three columns of
    the line buffer and the sums load. Words are random from cycle to cycle, which real images are not.
    """
    built = structure(Config(name="unit", encoding="rails", rows=96, lanes=96, strips=1, post=16, accumulator_bits=14))
    unit = Config(name="unit", encoding="rails", rows=1, lanes=864, post=1, tree_registers=0)
    code = 96 // 5 * 8 + 8
    memories = {
        "activations": Memory(name="map", component="activation memory", copies=1, words=4096, width=code),
        "weights": Memory(name="weights", component="weight memory", copies=1, words=8 * 864, width=code),
    }
    registers = 64 * 3 * 192 + 96 * (32 * 10 + 9 * 22 + 2 * 10)
    loading = 3 * 3 * 192 + 96 * 2 * 10
    transistors = {
        "aoi22": 2 * MULTIPLIERS, "inverter": MULTIPLIERS, "full_adder": 96 * 1718, "half_adder": 96 * 7,
        "carry": 96 * 20, "latch": 2 * 2 * MULTIPLIERS, "flip_flop": registers,
    }  # fmt: skip
    leak_nw = sum(
        number * numbers.value(f"gates.{kind}.transistors") * numbers.value("per_transistor.gates.static_rail")
        for kind, number in transistors.items()
    )
    leak_nw += sum(m.bits for m in memories.values()) * numbers.value("sram.static")
    tick = numbers.value("clock.energy_per_flip_flop") + numbers.value("wires.capacitance") * 0.25
    gates = registers * numbers.value("clock.gates") * tick
    total, best = 0.0, float("inf")
    for layer, taken in zip(result.layers, CUTIE_CYCLES, strict=False):
        a = layer.activity
        assert a is not None
        pixels = layer.steps / result.program.images
        dot = expected(unit, a.products / a.multiplications)
        share = a.nonzero_activations / a.activation_digits
        ledger = Ledger(built, numbers, None)
        for kind, switches in dot.switches.items():
            if kind == "product":
                for gate, number in (("aoi22", 2), ("inverter", 1)):
                    ledger.switch("multipliers", gate, number * switches * 96 * pixels)
            else:
                ledger.switch("adder tree", kind, switches * 96 * pixels)
        ledger.switch("comparator", "carry", 20 * 0.5 * 96 * pixels)
        digits = 864 * 2 * share * (1 - share / 2) * pixels
        ledger.switch("activation memory", "flip_flop", digits)
        ledger.wire(digits * 96)
        ledger.access(memories["activations"], "read", 3 * pixels)
        ledger.access(memories["activations"], "write", pixels)
        dynamic = sum(one.value(numbers, None) for one in ledger.sums.values()) + pixels * loading * tick
        best = min(best, (dynamic + pixels * (gates + leak_nw / CLOCK_MHZ)) / (2 * MULTIPLIERS * pixels))
        weights = Ledger(built, numbers, None)
        weights.access(memories["weights"], "read", 864)
        weights.switch("weight memory", "latch", MULTIPLIERS * 0.75)
        moved = sum(one.value(numbers, None) for one in weights.sums.values())
        total += dynamic + moved + taken * (gates + leak_nw / CLOCK_MHZ)
    return best, total / 1e9


def figures(numbers: Technology, **changes: int) -> tuple[Energy, Energy]:
    """The silicon's two figures on one configuration: nine images at once, and one image."""
    parameters = Config.load(SILICON).replace(**changes)
    return energy(run(parameters, 9), numbers), energy(run(parameters, 1), numbers)


def silicon() -> Iterator[str]:
    """TCN-CUTIE's two energies."""
    numbers = technology("22fdx")
    full, single = figures(numbers)
    one = run(Config.load(SILICON), 1)
    peak, network = described(batch(), numbers)
    rate = 2 * MULTIPLIERS * CLOCK_MHZ / 1e6
    yield "## TCN-CUTIE: energy\n"
    yield (
        f"Silicon (arXiv 2212.00688; 22FDX, 0.5 V, {CLOCK_MHZ} MHz): peak {PEAK_FJ} fJ an operation (1036 TOp/s/W), "
        f"{NETWORK_UJ} uJ an inference of its CIFAR-10 network, {RATE} inferences a second, {POWER_MW} mW. Beside it "
        "stand, with the numbers of `22fdx.toml`, the accelerator that setun generates for `benchmarks/tcn_cutie.toml` "
        "(CUTIE's multipliers and memories; each field says what it answers in CUTIE's RTL), and CUTIE's own "
        "architecture, described to the model in `benchmarks/validation/cutie.py`.\n"
    )
    yield (
        f"How the silicon's figures were taken: {MULTIPLIERS:,} multipliers at {CLOCK_MHZ} MHz are {rate:.2f} "
        f"TOp/s, which at 1036 TOp/s/W take {rate / 1036 * 1e3:.2f} mW; {RATE} inferences a second at {NETWORK_UJ} uJ "
        f"take {RATE * NETWORK_UJ / 1e3:.2f} mW. So the peak counts every multiplier in every cycle, and an inference "
        f"is that same power for 1/{RATE} s: {CLOCK_MHZ * 1e6 / RATE:,.0f} cycles, of which the RTL computes in "
        f"{sum(CUTIE_CYCLES)}; the rest must be the transport of data by the system around it. ({POWER_MW} mW fit "
        "neither.) Ours are taken in the same way. Peak: the convolution with the least energy at its real densities "
        "while steps issue in every cycle and all multipliers have work, which takes nine images at once; one image's "
        "strips leave a ninth of them idle. Network: one image, from a start with empty memories, its input and all "
        f"weights over the 64-bit bus: {one.cycles:,} cycles.\n"
    )
    rows = [
        ("setun, peak", f"{full.peak_fj_per_op:.2f} fJ/op", PEAK_FJ, verdict(full.peak_fj_per_op, PEAK_FJ)),
        ("setun, network", f"{single.total_fj / 1e9:.2f} uJ", NETWORK_UJ, verdict(single.total_fj / 1e9, NETWORK_UJ)),
        ("setun, peak of one image", f"{single.peak_fj_per_op:.2f} fJ/op", PEAK_FJ,
         verdict(single.peak_fj_per_op, PEAK_FJ)),
        ("setun, network, each of nine images", f"{full.total_fj / 1e9:.2f} uJ", NETWORK_UJ,
         verdict(full.total_fj / 1e9, NETWORK_UJ)),
        ("CUTIE described, peak", f"{peak:.2f} fJ/op", PEAK_FJ, verdict(peak, PEAK_FJ)),
        (f"CUTIE described, {sum(CUTIE_CYCLES)} cycles", f"{network:.2f} uJ", NETWORK_UJ, verdict(network, NETWORK_UJ)),
    ]  # fmt: skip
    yield from table(("figure", "model", "silicon", "ratio"), rows)
    yield from decisions(numbers)
    yield "Where the energy of one image goes:\n"
    whole = single.total_fj
    yield from table(
        ("component", "uJ", "share"), [(k, f"{v / 1e9:.3f}", f"{v / whole:.1%}") for k, v in single.components.items()]
    )
    yield f"{single.assumed_share:.0%} of it rests on assumed numbers, which are in `22fdx.toml`:\n"
    yield from table(
        ("number", "value", "range", "why"),
        [
            (f"`{path}`", f"{q.value:.4g} {q.base_unit}", f"{q.low:.3g} to {q.high:.3g}", q.source)
            for path, q in numbers.numbers.items()
            if q.status is Status.ASSUMED and not path.startswith("cells.")
        ],
    )


def ungated(numbers: Technology) -> float:
    """UJ of one image for the clock of post-processing's registers in cycles in which nothing comes out of it."""
    result = run(Config.load(SILICON), 1)
    built = structure(result.program.config)
    kept = [block for block in built.blocks if block.name in ("codes", "code digits")]
    stored = sum(block.copies * block.gates["flip_flop"] for block in kept)
    used = sum(work.drains for work in work_of(result))
    tick = numbers.value("clock.energy_per_flip_flop") + numbers.value("wires.capacitance") * 0.25
    return stored * (result.cycles - used) * tick / 1e9


def decisions(numbers: Technology) -> Iterator[str]:
    """What was decided while these figures were in view, and what else would give."""
    low_full, low_single = figures(from_low_voltage(numbers))
    dear = numbers.with_value("per_transistor.gates.energy_per_switch", 0.33 * (0.5 / 0.9) ** 2)
    dear_full, dear_single = figures(dear)
    twice = numbers.with_value("clock.energy_per_flip_flop", 4.43 * (0.5 / 0.9) ** 2).with_value(
        "gates.flip_flop.energy_per_switch", 6.64 * (0.5 / 0.9) ** 2
    )
    twice_full, twice_single = figures(twice)

    def both(full: Energy, single: Energy) -> str:
        return f"{full.peak_fj_per_op:.2f} fJ/op and {single.total_fj / 1e9:.2f} uJ"

    yield "What was decided with these figures in view, and what the other choice gives (peak and network of setun):\n"
    yield (
        "- Logic is ST's at 0.9 V by the square of the voltages. The same library's 0.6 V values, which are fewer, "
        f"carried over in the same way: {both(low_full, low_single)}."
    )
    yield (
        "- A flip-flop's published 6.64 fJ a switch contain its clock (NNawaq's source has no other term for it), so "
        "half of it is now the clock's and half the data's. Before, all of it was charged to the data and two thirds "
        f"once more to the clock: {both(twice_full, twice_single)}."
    )
    yield (
        "- Gates without a published energy take the mean of the published ones by transistors, where they took "
        f"AND2's, the dearest: {both(dear_full, dear_single)}."
    )
    yield (
        "- Glitches in adder trees, first assumed as a factor of 1.5, are now counted with one delay a cell, which "
        "gives 1.1 to 1.35; the clock's wires were added when a first comparison fell short; clocks are gated where "
        "the generated registers have an enable, which memories and array were given for the purpose.\n"
        "- The configuration above: a preset with other memories, wider sums, more registers and a 1024-bit bus stood "
        "here before, and a batch of nine for both figures. The width of the bus decides how long the network takes: "
        f"with 32 bits {both(*figures(numbers, axi_data_bits=32))}, with 128 bits "
        f"{both(*figures(numbers, axi_data_bits=128))}.\n"
    )
    yield (
        f"No other value was adjusted. Both figures stand near their bounds, the network's at the lower one: "
        f"{ungated(numbers):.2f} uJ of it is the clock of codes and reached thresholds, which have no enable yet, and "
        "a better mapping of one image on nine strips would take less as well.\n"
    )
    yield (
        "What remains: setun reads a weight word in every step, where CUTIE keeps weights in latches, and registers "
        "every sum; that is its higher peak. A model that keeps CUTIE's cycle table (the last row) misses the network "
        "figure, because the silicon's power is that of its peak for four times as long.\n"
    )


def from_low_voltage(numbers: Technology) -> Technology:
    """22FDX with the logic of the 0.6 V file instead."""
    low = technology("fdsoi28lv").numbers
    own = {
        path: quantity.scaled((0.5 / 0.6) ** 2, "square of the voltages")
        for path, quantity in low.items()
        if quantity.dimension == "energy" and not path.startswith("sram")
    }
    return dataclasses.replace(numbers, numbers={**numbers.numbers, **own})
