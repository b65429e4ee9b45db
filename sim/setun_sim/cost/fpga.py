"""What an accelerator takes of an FPGA, and its energy as far as anybody has published numbers.

Unlike :mod:`setun_sim.cost.energy` this synthesises every part for the family (packages amaranth and pyosys), each
once; counts stay in the user's cache.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from setun_hw.cells import datapath
from setun_hw.config import Config, Encoding
from setun_sim.cost.circuits import circuits, sum_registers
from setun_sim.cost.errors import CostError
from setun_sim.cost.netlist import fpga_cells
from setun_sim.cost.rules import Work, work_of
from setun_sim.cost.structure import Memory, memories
from setun_sim.cost.switching import expected
from setun_sim.cost.technology import Kind, Technology
from setun_sim.cost.trees import tree_of
from setun_sim.simulation import Result

#: widest word of a block memory by family; half as wide is twice as deep
_WIDEST = {"ice40": 16, "ecp5": 36, "xilinx": 72}
#: switches of a table that numbers without memory of each other go through
_RANDOM = 0.5


@dataclass(frozen=True, kw_only=True)
class FpgaCost:
    """Cells by part; ``components`` are fJ of an input, None where the technology has no number."""

    technology: Technology
    config: Config
    exact: bool  #: counts are of a simulation in this very encoding, or equal to one
    parts: Mapping[str, Mapping[str, int]]  #: ``lut``, ``flip_flop`` and ``dsp`` of all copies of a part
    block_memories: Mapping[str, int]  #: blocks by memory
    components: Mapping[str, float | None]
    unknown: tuple[str, ...]

    def total(self, kind: str) -> int:
        """All cells of a kind."""
        return sum(cells[kind] for cells in self.parts.values())

    @property
    def blocks(self) -> int:
        """Block memories of all memories."""
        return sum(self.block_memories.values())

    @property
    def known_fj(self) -> float | None:
        """What is known of an input's energy: a lower bound if anything is unknown, None if everything is."""
        known = [value for value in self.components.values() if value is not None]
        return sum(known) if known else None

    def to_json(self) -> dict[str, Any]:
        """All figures, units in their names."""
        return {
            "technology": self.technology.name,
            "encoding": str(self.config.encoding),
            "exact_counts": self.exact,
            "luts": self.total("lut"),
            "flip_flops": self.total("flip_flop"),
            "dsps": self.total("dsp"),
            "block_memories": self.blocks,
            "parts": {name: dict(cells) for name, cells in self.parts.items()},
            "block_memories_by_memory": dict(self.block_memories),
            "components_fj": dict(self.components),
            "known_energy_fj": self.known_fj,
            "unknown": list(self.unknown),
        }


def fpga_parts(config: Config, family: str) -> dict[str, dict[str, int]]:
    """Cells of all copies of each part of an accelerator.

    Raises
    ------
    StructureError
        When yosys is missing or refuses.
    """
    found: dict[str, dict[str, int]] = {}
    for circuit in circuits(config):
        own = found.setdefault(circuit.part, {"lut": 0, "flip_flop": 0, "dsp": 0})
        for kind, number in fpga_cells(circuit.make(), family).items():
            own[kind] += circuit.copies * number
    found["dot products"]["flip_flop"] += sum_registers(config)
    return found


def blocks_of(memory: Memory, technology: Technology) -> tuple[int, int]:
    """Block memories that a memory takes in the best shape of its blocks, and how many of them an access wakes."""
    capacity, width = int(technology.value("bram.capacity")), _WIDEST[technology.family]
    found = []
    while width:
        side_by_side = -(-memory.width // width)
        found.append((memory.copies * side_by_side * -(-memory.words // (capacity // width)), side_by_side))
        width //= 2
    return min(found)


def fpga_cost(result: Result, technology: Technology) -> FpgaCost:
    """Cells and, where the technology has numbers, energy of a simulated network on an FPGA.

    Raises
    ------
    CostError
        When the technology is of another kind, or the simulation had no samples.
    StructureError
        When yosys is missing or refuses.
    """
    program = result.program
    return fpga_cost_of(program.config, work_of(result), technology, inputs=program.images)


def fpga_cost_of(
    config: Config, works: Sequence[Work], technology: Technology, *, inputs: int = 1, clock_mhz: float | None = None,
    exact: bool = True,
) -> FpgaCost:  # fmt: skip
    """The same for any configuration doing given work (of one run, which takes ``inputs`` inputs).

    Raises
    ------
    CostError
        When the technology is of another kind.
    StructureError
        When yosys is missing or refuses.
    """
    if technology.kind is not Kind.FPGA:
        raise CostError(f"technology {technology.name} is of kind {technology.kind}, not fpga")
    parts = fpga_parts(config, technology.family)
    blocks = {memory.name: blocks_of(memory, technology) for memory in memories(config)}
    cycles = sum(work.cycles for work in works)
    accesses = sum(
        count * blocks[memory.name][1] for work in works for memory in memories(config)
        for count in (_accesses(work, memory),)
    )  # fmt: skip
    unknown: dict[str, None] = {}

    def priced(path: str, count: float) -> float | None:
        quantity = technology.get(path)
        if quantity is None:
            unknown[path] = None
            return None
        return count * quantity.value / inputs

    activity, clock = technology.get("control.switches"), technology.get("clock.frequency")
    mhz = clock_mhz if clock_mhz is not None else clock.value if clock else None
    control = parts["control"]["lut"] * cycles * (activity.value if activity else 0.0)
    components = {
        "dot products and accumulators": priced("lut.energy_per_switch", _datapath(config, works, parts)),
        "post-processing": priced("lut.energy_per_switch", _post(config, works, parts)),
        "control": priced("lut.energy_per_switch", control),
        "clock": priced("clock.energy_per_cycle", cycles),
        "block memories": priced("bram.energy_per_access", accesses),
        "standby": priced("standby.power", cycles / mhz) if mhz else None,  # nW x cycles / MHz is fJ
    }
    if config.affine:
        fixed = parts["fixed point"]
        values = sum(work.activity.fixed_values / work.runs for work in works)
        tables = values * _RANDOM * fixed["lut"] / (config.strips * config.post)
        components["fixed point"] = priced("lut.energy_per_switch", tables)
        if fixed["dsp"]:
            products = sum(work.activity.fixed_products / work.runs for work in works)
            components["multiplier blocks"] = priced("dsp.energy_per_switch", products)
    if not mhz:
        unknown["clock.frequency"] = None
    return FpgaCost(
        technology=technology, config=config, exact=exact, parts=parts,
        block_memories={name: number for name, (number, _) in blocks.items()}, components=components,
        unknown=tuple(unknown),
    )  # fmt: skip


def _datapath(config: Config, works: Sequence[Work], parts: Mapping[str, Mapping[str, int]]) -> float:
    """Switches of look-up tables in dot products and accumulators, over a run."""
    pairs = config.rows * config.strips
    adders = _adders(config)
    toggled = 0.0
    for work in works:
        a = work.activity
        if not a.accumulations:
            continue
        dot = expected(config, a.products / a.multiplications)
        gates = {kind: n for kind, n in dot.switches.items() if kind not in ("product", "multiplier", "flip_flop")}
        counted = sum(adders.get(kind, 0) for kind in gates)
        share = sum(gates.values()) / counted if counted else 0.0
        toggled += a.accumulations / work.runs * share * parts["dot products"]["lut"] / pairs
        toggled += a.updates / work.runs * _RANDOM * parts["accumulators"]["lut"] / pairs
    return toggled


def _post(config: Config, works: Sequence[Work], parts: Mapping[str, Mapping[str, int]]) -> float:
    """Switches of look-up tables in post-processing, over a run: those of a channel for each of its values."""
    values = sum((w.activity.comparisons / config.thresholds + w.activity.pool_comparisons) / w.runs for w in works)
    return values * _RANDOM * parts["post-processing"]["lut"] / (config.strips * config.post)


def _accesses(work: Work, memory: Memory) -> float:
    """Reads and writes of all copies of a memory in a run."""
    a, moved = work.activity, work.moved
    own = {
        "activation memory": a.activation_reads + a.activation_writes,
        "weight memory": a.weight_reads * memory.copies,
        "parameter memory": a.parameter_reads,
        "residual memory": a.residual_reads + a.residual_writes,
    }.get(memory.component, 0)
    return own / work.runs + moved.get(f"{memory.component} read", 0) + moved.get(f"{memory.component} write", 0)


def _adders(config: Config) -> dict[str, int]:
    return datapath.dot_product(config).tally() if config.encoding is Encoding.TERNARY else tree_of(config).tally()
