"""Area, wires and depth of a structure: what a comparison shows beside energy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from setun_compiler.program import LayerRecord
from setun_hw.cells import CELLS, datapath
from setun_hw.codec import sum_width
from setun_hw.config import Config, Encoding
from setun_sim.cost.structure import Structure
from setun_sim.cost.technology import Technology
from setun_sim.cost.trees import tree_of


def logic_area(structure: Structure, technology: Technology) -> dict[str, float] | None:
    """um2 of gates and cells by component; None where the technology has no areas."""
    found: dict[str, float] = {}
    for block in structure.blocks:
        for section, counts in (("gates", block.gates), ("cells", block.cells)):
            for kind, number in counts.items():
                own = technology.get(f"{section}.{kind}.area")
                each = technology.get(f"per_transistor.{section}.area")
                if own is None and each is None:
                    return None
                one = (
                    own.value
                    if own
                    else technology.value(f"{section}.{kind}.transistors") * (each.value if each else 0)
                )
                found[block.component] = found.get(block.component, 0.0) + number * block.copies * one
    return found


def memory_area(structure: Structure, technology: Technology) -> dict[str, float] | None:
    """um2 of on-chip memories by component; None where the technology has no such number."""
    if technology.get("sram.area.slope") is None:
        return None
    slope, words, width = (technology.value(f"sram.area.{key}") for key in ("slope", "words", "width"))
    found: dict[str, float] = {}
    for memory in structure.memories:
        one = slope * (memory.words + words) * (memory.width + width)
        found[memory.component] = found.get(memory.component, 0.0) + memory.copies * one
    return found


def wires(structure: Structure) -> dict[str, int]:
    """Wires of the datapath: the operands' lines, and what leaves multipliers, adders and accumulators."""
    c = structure.config
    rows = c.rows * c.strips
    per_digit = 1 if structure.native else 2
    if c.encoding is Encoding.TERNARY:
        counts = {
            "adder tree": {k: n for k, n in datapath.dot_product(c).tally().items() if k != "multiplier"},
            "accumulator": datapath.accumulator(c).tally(),
        }
        products = per_digit * c.lanes
        inside = {
            name: per_digit * sum(n * len(CELLS[k].outputs) for k, n in tally.items()) for name, tally in counts.items()
        }
        inside["adder tree"] += per_digit * sum_width(c) // 2
    else:
        products = 2 * c.lanes
        two = ("full_adder", "half_adder")
        inside = {
            block.component: sum(n * (2 if kind in two else 1) for kind, n in block.gates.items())
            for block in structure.blocks
            if block.component in ("adder tree", "accumulator")
        }
    return {
        "operands": per_digit * (c.rows * c.lanes + c.strips * c.lanes),
        "multipliers": products * rows,
        **{name: number * rows for name, number in inside.items()},
    }


@dataclass(frozen=True)
class Depth:
    """Cells on the longest path between two registers."""

    tree: int
    accumulator: int

    @property
    def longest(self) -> int:
        """The longer of both."""
        return max(self.tree, self.accumulator)


def depth(config: Config) -> Depth:
    """Depth in cells, ripple carries counted cell by cell."""
    stages = config.tree_registers + 1
    if config.encoding is Encoding.TERNARY:
        netlist = datapath.dot_product(config.replace(tree_registers=0))
        level: dict[int, int] = {}
        for node in netlist.nodes:
            here = 1 + max((level.get(wire, 0) for wire in node.inputs), default=0)
            level |= dict.fromkeys(node.outputs, here)
        tree = max(level.get(wire, 0) for wire in netlist.outputs["sum"])
        return Depth(-(-tree // stages), config.accumulator_trits + 1)
    chains = (
        2 if config.encoding is Encoding.RAILS else 1
    )  # times three, then the addition: one ripples behind the other
    return Depth(-(-tree_of(config.replace(tree_registers=0)).depth // stages), config.accumulator_bits + chains)


def delay_ps(structure: Structure, technology: Technology) -> float | None:
    """Longest path at the delay of a full adder a cell; None where the technology has no delay."""
    cell = technology.get(f"{'cells' if structure.native else 'gates'}.full_adder.delay")
    return cell.value * depth(structure.config).longest if cell else None


def storage_bits(layers: Sequence[LayerRecord]) -> Mapping[str, float]:
    """Bits of all weights: two a trit, five trits in eight bits, and the least any code of single trits needs.

    The least is each layer's entropy for its real share of zeros, with both signs equally frequent.
    """
    weights = sum(layer.weights for layer in layers)
    least = 0.0
    for layer in layers:
        if layer.weights:
            zero = layer.zero_weights / layer.weights
            shares = np.array([zero, (1 - zero) / 2, (1 - zero) / 2])
            shares = shares[shares > 0]
            least += layer.weights * float(-(shares * np.log2(shares)).sum())
    return {"weights": weights, "two_bits": 2 * weights, "five_in_eight": 8 * -(-weights // 5), "entropy": least}


def radix_economy(config: Config) -> dict[str, float]:
    """Digits times radix of an accumulator, ternary over binary, as textbooks count it, and what it counts."""
    trits, bits = config.accumulator_trits, config.accumulator_bits
    return {"trits": trits, "bits": bits, "ratio": 3 * trits / (2 * bits)}
