"""What an accelerator takes of an FPGA, and its energy as far as anybody has published numbers.

Unlike :mod:`setun_sim.cost.energy` this synthesises the datapath for the family (packages amaranth and pyosys), each
part once;
counts stay in the user's cache.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from setun_hw.cells import datapath
from setun_hw.codec import sum_width
from setun_hw.config import Config, Encoding
from setun_sim.cost.errors import CostError
from setun_sim.cost.netlist import fpga_cells
from setun_sim.cost.rules import work_of
from setun_sim.cost.structure import Memory, memories
from setun_sim.cost.switching import expected
from setun_sim.cost.technology import Kind, Technology
from setun_sim.cost.trees import tree_of
from setun_sim.simulation import Result


@dataclass(frozen=True, kw_only=True)
class FpgaCost:
    """Cells by part; ``components`` are fJ of an input, None where the technology has no number."""

    technology: Technology
    config: Config
    parts: Mapping[str, Mapping[str, int]]  #: ``lut``, ``flip_flop`` and ``dsp`` of all copies of a part
    block_memories: Mapping[str, int]  #: blocks by memory
    components: Mapping[str, float | None]
    unknown: tuple[str, ...]

    def total(self, kind: str) -> int:
        """All cells of a kind."""
        return sum(cells[kind] for cells in self.parts.values())

    @property
    def known_fj(self) -> float:
        """What is known of an input's energy; a lower bound if anything is unknown."""
        return sum(value for value in self.components.values() if value is not None)

    def to_json(self) -> dict[str, Any]:
        """All figures, units in their names."""
        return {
            "technology": self.technology.name,
            "encoding": str(self.config.encoding),
            "luts": self.total("lut"),
            "flip_flops": self.total("flip_flop"),
            "dsps": self.total("dsp"),
            "block_memories": sum(self.block_memories.values()),
            "parts": {name: dict(cells) for name, cells in self.parts.items()},
            "block_memories_by_memory": dict(self.block_memories),
            "components_fj": dict(self.components),
            "known_energy_fj": self.known_fj if any(v is not None for v in self.components.values()) else None,
            "unknown": list(self.unknown),
        }


def fpga_parts(config: Config, family: str) -> dict[str, dict[str, int]]:
    """Cells of all copies of each part of an accelerator.

    Raises
    ------
    StructureError
        When yosys is missing or refuses.
    """
    from setun_hw.arithmetic import Accumulator, DotProduct
    from setun_hw.engine.drain import DrainControl
    from setun_hw.engine.post import StripPost
    from setun_hw.engine.queue import DescriptorQueue
    from setun_hw.engine.sequencer import Sequencer
    from setun_hw.frontend.control import Control
    from setun_hw.frontend.frontend import FrontEnd

    pairs = config.rows * config.strips
    parts: list[tuple[str, int, Any]] = [
        ("dot products", pairs, DotProduct(config)),
        ("accumulators", pairs * (2 if config.two_scale else 1), Accumulator(config)),
        ("post-processing", config.strips, StripPost(config)),
        *[("control", 1, part(config)) for part in (Sequencer, DrainControl, DescriptorQueue, FrontEnd, Control)],
    ]
    found: dict[str, dict[str, int]] = {}
    for name, copies, part in parts:
        own = found.setdefault(name, {"lut": 0, "flip_flop": 0, "dsp": 0})
        for kind, number in fpga_cells(part, family).items():
            own[kind] += copies * number
    stages = (config.strips - 1).bit_length() + 1
    digits = 2 * config.lanes * config.strips
    found["rotation and padding"] = {"lut": stages * digits, "flip_flop": digits, "dsp": 0}
    found["dot products"]["flip_flop"] += pairs * sum_width(config) + config.weight_word_bits
    return found


def blocks_of(memory: Memory, capacity: int) -> int:
    """Block memories that a memory takes, by its bits alone: a lower bound."""
    return memory.copies * -(-memory.words * memory.width // capacity)


def fpga_cost(result: Result, technology: Technology) -> FpgaCost:
    """Cells and, where the technology has numbers, energy of a simulated network on an FPGA.

    Raises
    ------
    CostError
        When the technology is of another kind, or the simulation had no samples.
    StructureError
        When yosys is missing or refuses.
    """
    if technology.kind is not Kind.FPGA:
        raise CostError(f"technology {technology.name} is of kind {technology.kind}, not fpga")
    config, works = result.program.config, work_of(result)
    parts = fpga_parts(config, technology.family)
    capacity = int(technology.value("bram.capacity"))
    toggled = 0.0  # look-up tables of the datapath that switch, over a run
    control = parts["control"]["lut"]
    cycles = sum(work.cycles for work in works)
    for work in works:
        a = work.activity
        if not a.accumulations:
            continue
        dot = expected(config, a.products / a.multiplications)
        gates = {kind: n for kind, n in dot.switches.items() if kind not in ("product", "multiplier", "flip_flop")}
        counted = sum(_adders(config).get(kind, 0) for kind in gates)
        share = sum(gates.values()) / counted if counted else 0.0
        each = parts["dot products"]["lut"] / (config.rows * config.strips)
        toggled += a.accumulations / work.runs * each * share
        toggled += a.updates / work.runs * 0.5 * parts["accumulators"]["lut"] / (config.rows * config.strips)
    unknown: dict[str, None] = {}

    def priced(path: str, count: float) -> float | None:
        quantity = technology.get(path)
        if quantity is None:
            unknown[path] = None
            return None
        return count * quantity.value / result.program.images

    activity = technology.get("control.switches")
    components = {
        "datapath": priced("lut.energy_per_switch", toggled),
        "control": priced("lut.energy_per_switch", control * cycles * (activity.value if activity else 0.0)),
        "clock": priced("clock.energy_per_cycle", cycles),
        "block memories": priced("bram.energy_per_access", 0.0),
    }
    blocks = {memory.name: blocks_of(memory, capacity) for memory in memories(config)}
    return FpgaCost(
        technology=technology, config=config, parts=parts, block_memories=blocks, components=components,
        unknown=tuple(unknown),
    )  # fmt: skip


def _adders(config: Config) -> dict[str, int]:
    return datapath.dot_product(config).tally() if config.encoding is Encoding.TERNARY else tree_of(config).tally()
