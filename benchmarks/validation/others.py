"""Other accelerators and tools: NNawaq, BrainTTA, xTern, FINN, SCALE-Sim, Horowitz."""

from collections.abc import Iterator

import numpy as np

from setun_compiler import zoo
from setun_compiler.zoo.architectures import _block
from setun_compiler.zoo.builder import Builder, Value
from setun_hw.config import Config, Encoding
from setun_hw.presets import config
from setun_sim.cost.compare import compare
from setun_sim.cost.energy import energy
from setun_sim.cost.switching import expected
from setun_sim.cost.technology import technology
from setun_sim.simulation import Result, simulate
from validation.page import compiled, table, verdict


def compute(result: Result) -> Iterator[str]:
    """NNawaq's compute energy."""
    yield "## NNawaq: energy of computing\n"
    yield (
        "NNawaq's own model (cycles x gates x 0.5 x share of non-zeros, scaled to 0.5 V) gives 1.80 fJ a "
        "multiply-accumulate and 0.56 uJ "
        "for the CUTIE network, computing only. Ours: multipliers, adder trees and accumulators, with toggles of the "
        "tree as built, glitches included.\n"
    )
    rows = []
    found = energy(result, technology("22fdx"))
    parts = sum(found.components[name] for name in ("multipliers", "adder tree", "accumulator"))
    rows.append(("fJ/MAC, 0.5 V", f"{parts / found.macs:.2f}", "1.80", verdict(parts / found.macs, 1.80, 2)))
    rows.append(("uJ, CUTIE network", f"{parts / 1e9:.2f}", "0.56", verdict(parts / 1e9, 0.56, 2)))
    yield from table(("figure", "setun", "NNawaq", "ratio"), rows)


def ratios(result: Result) -> Iterator[str]:
    """BrainTTA and xTern."""
    t = technology("fdsoi28")

    def e(kind: str) -> float:
        return t.value(f"gates.{kind}.energy_per_switch")

    config96 = Config(name="x", encoding="rails", rows=1, lanes=96, post=1, tree_registers=0)
    aoi = t.value("per_transistor.gates.energy_per_switch") * 8
    dot = expected(config96, 2 / 3).switches
    ternary = (
        dot["full_adder"] * e("full_adder")
        + dot["half_adder"] * e("half_adder")
        + dot["product"] * (2 * aoi + e("inverter"))
    ) / 96
    binary = 0.5 * e("xor2") + 0.5 * e("full_adder")
    int8 = 64 * 0.375 * e("and2") + (56 + 24) * 0.5 * e("full_adder")
    yield "## BrainTTA and xTern: ratios of operand types\n"
    yield (
        "BrainTTA (22FDX) publishes 35, 67 and 405 fJ an operation for binary, ternary and 8-bit operands, the whole "
        "processor included. Ours are "
        "bare datapaths in `fdsoi28` on dense random operands: exclusive-or and one full adder a binary product; both "
        "rails' tree a ternary one; "
        "64 AND, 56 full adders and a 24-bit accumulator an 8-bit one. A processor's fixed share pulls ratios towards "
        "one.\n"
    )
    rows = [
        ("ternary / binary", f"{ternary / binary:.2f}", f"{67 / 35:.2f}", verdict(ternary / binary, 67 / 35)),
        ("int8 / ternary", f"{int8 / ternary:.1f}", f"{405 / 67:.1f}", verdict(int8 / ternary, 405 / 67)),
    ]
    yield from table(("ratio", "setun", "BrainTTA", "of both"), rows)
    own = energy(result, technology("22fdx"))
    other = _as(result, Encoding.BINARY2)
    yield (
        "xTern reports +67 % throughput and +5.2 % power for ternary against 2-bit instructions of one core. Our array "
        "takes the same cycles for one-digit "
        "layers in either encoding, so only power compares: `rails` over `binary2` on the CUTIE network "
        f"{own.total_fj / other - 1:+.1%} "
        "of energy at equal throughput. xTern's gain comes from packing five trits in a byte's registers, which this "
        "array does not do.\n"
    )


def _as(result: Result, encoding: Encoding) -> float:
    found = compare(result, [technology("22fdx")])
    one = next(c for c in found.candidates if c.encoding is encoding)
    return one.energy.total_fj - one.energy.components.get("external memory", 0.0)


def finn() -> Iterator[str]:
    """FINN's CNV at its published folding."""
    theirs = (64_800, 112_896, 82_944, 115_200, 82_944, 73_728, 65_536, 65_536, 8_192)
    shapes = (
        (30, 3, 64, 9), (28, 64, 64, 9), (12, 64, 128, 9), (10, 128, 128, 9), (3, 128, 256, 9), (1, 256, 256, 9),
        (1, 256, 512, 1), (1, 512, 512, 1), (1, 512, 10, 1),
    )  # fmt: skip
    macs = [size * size * i * o * k for size, i, o, k in shapes]
    units = sum(work / cycle for work, cycle in zip(macs, theirs, strict=True))
    net = Builder("cnv", 0.5, 0)
    x = source = Value("input", (3, 32, 32))
    for index, channels in enumerate((64, 64, 128, 128, 256, 256)):
        x = _block(net, x, channels, 3, 0)
        if index in (1, 3):
            x = net.max_pool(x, 2, 2)
    x = net.flatten(x)
    for _ in range(2):
        x = net.ternary(net.batch_norm(net.linear(x, 512)))
    model = net.model(source, net.linear(x, 10, bias=True))
    samples = np.random.default_rng(0).random((9, 3, 32, 32), np.float32)
    parameters = Config(
        name="finn", rows=8, lanes=8, strips=9, post=8, weight_words=32768, activation_words=32768,
        parameter_words=1024, accumulator_bits=20, axi_data_bits=512,
    )  # fmt: skip
    result = simulate(compiled(model, parameters, samples, batch=True), None)
    ours = result.cycles / result.program.images
    rows = [
        ("multipliers", f"{parameters.multipliers}", f"{units:.0f}"),
        ("cycles an image", f"{ours:,.0f}", f"{max(theirs):,}"),
        ("images a second at 100 MHz", f"{1e8 / ours:.0f}", f"{1e8 / max(theirs):.0f} (published 868)"),
        (
            "cycles x multipliers / MAC",
            f"{ours * parameters.multipliers / sum(macs):.2f}",
            f"{max(theirs) * units / sum(macs):.2f}",
        ),
    ]
    yield "## FINN: CNV at equal multiplier count\n"
    yield (
        "CNV-W2A2's published folding gives the cycles of each layer of a pipeline; the slowest sets the rate. Its "
        "multipliers are its MACs over its cycles, added "
        f"up ({sum(macs):,} MAC). Ours: the same network with ternary weights on 8 x 8 x 9, the nearest that divides "
        "its channels, a batch of nine, all weights on chip; the first layer's 8-bit pixels "
        "take six trits, which FINN's 8-bit first layer does in one step.\n"
    )
    yield from table(("figure", "setun", "FINN"), rows)


def systolic() -> Iterator[str]:
    """SCALE-Sim's closed forms on the CUTIE network."""
    parameters = config("wide").replace(
        name="one", rows=32, lanes=32, strips=1, activation_words=65536, weight_words=4096
    )
    samples = np.random.default_rng(0).integers(-1, 2, (1, 96, 32, 32)).astype(np.float32)
    result = simulate(compiled(zoo.build("cutie"), parameters, samples), None)
    rows, sums = [], [0, 0, 0]
    for layer, record in zip(result.layers, result.program.layers, strict=True):
        outputs = record.out_shape[0]
        k = 9 * 96 if layer.macs > 96 * 10 else 96
        t = layer.macs // (k * outputs)
        stationary = -(-k // 32) * -(-outputs // 32) * (t + 2 * 32 + 32 - 2) - 1
        output = -(-t // 32) * -(-outputs // 32) * (k + 32 + 32 - 2) - 1
        ours = layer.cycles - layer.stalls.idle
        rows.append((layer.name, f"{layer.macs:,}", f"{ours:,}", f"{stationary:,}", f"{output:,}"))
        sums = [a + b for a, b in zip(sums, (ours, stationary, output), strict=True)]
    rows.append(("sum", "", *(f"{value:,}" for value in sums)))
    yield "## SCALE-Sim: a systolic array of equal size\n"
    yield (
        "32 x 32 multipliers, CUTIE's network. SCALE-Sim 3.0.0's cycles are the closed forms "
        "ceil(K/R)*ceil(M/C)*(T+2R+C-2)-1 (weight stationary) and "
        "ceil(T/R)*ceil(M/C)*(K+R+C-2)-1 (output stationary), which its runs agree with layer by layer. An array whose "
        "rows add up in one cycle has no skew to fill; "
        "ours are exact cycles of the generated hardware, waiting for data from outside left out on both sides.\n"
    )
    yield from table(("layer", "MAC", "setun 32 x 32 x 1", "weight stationary", "output stationary"), rows)


def horowitz() -> Iterator[str]:
    """Sanity of the 45 nm file."""
    t = technology("horowitz45")
    adder = t.value("gates.full_adder.energy_per_operation")

    def sram(words: int) -> float:
        slope, extra, width = (t.value(f"sram.read.{key}") for key in ("slope", "words", "width"))
        return slope * (words + extra) * (64 + width) / 1e3

    rows = [
        ("8-bit add, pJ", f"{8 * adder / 1e3:.3f}", "0.03", verdict(8 * adder / 1e3, 0.03)),
        ("32-bit add, pJ", f"{32 * adder / 1e3:.3f}", "0.1", verdict(32 * adder / 1e3, 0.1)),
        ("SRAM 8 KiB, 64 bits, pJ", f"{sram(1024):.1f}", "10", verdict(sram(1024), 10)),
        ("SRAM 32 KiB, 64 bits, pJ", f"{sram(4096):.1f}", "20", verdict(sram(4096), 20)),
        ("SRAM 1 MiB, 64 bits, pJ", f"{sram(131072):.0f}", "100", verdict(sram(131072), 100)),
    ]
    yield "## Horowitz: sanity of the 45 nm numbers\n"
    yield (
        "The adder follows from the table; the memories are CACTI's, fitted from 1 to 64 KiB with a form linear in "
        "words: beyond that it overestimates, as the last "
        "line shows. Split such memories.\n"
    )
    yield from table(("figure", "setun `horowitz45`", "Horowitz, ISSCC 2014", "ratio"), rows)
