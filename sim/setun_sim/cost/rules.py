"""Which count meets which unit energy: one function a component (docs/cost-model.md tells the same in words)."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from setun_hw.config import Encoding
from setun_hw.descriptor import Compute, Opcode, Transfer
from setun_hw.timing import chunk_cycles
from setun_sim.activity import Activity, convolution_pixels, written_chunks
from setun_sim.cost.cells import random_middle, random_switches
from setun_sim.cost.control import cell_gates
from setun_sim.cost.errors import CostError
from setun_sim.cost.ledger import OUTSIDE, Factors, Ledger, StaticPower
from setun_sim.cost.structure import Block, Loads
from setun_sim.cost.switching import Switching, accumulation, expected
from setun_sim.cost.trees import product_gates
from setun_sim.order import posts_of
from setun_sim.simulation import Result

#: switches of a binary wire that takes both levels equally often, from one step to the next
_RANDOM = 0.5


@dataclass(frozen=True, kw_only=True)
class Work:
    """What one layer does in a run. ``activity`` holds sums over ``runs`` runs, everything else is of one."""

    name: str
    macs: int
    digit_macs: int  #: what of the multiplications the layer needs, of all the run's inputs
    cycles: int
    steps: int
    chunks: int  #: W sums of each strip that post-processing takes
    drains: int  #: cycles that it is at work on them
    activity: Activity
    runs: int
    moved: dict[str, int]  #: words loaded into, or stored from, a component's memory: "activation memory read", ...
    read_bits: int  #: over the external port
    written_bits: int

    def busy(self) -> "Work":
        """The same steps with no cycle between them and nothing moved."""
        return dataclasses.replace(self, cycles=self.steps, moved={}, read_bits=0, written_bits=0)


def work_of(result: Result) -> list[Work]:
    """The layers' work, and what belongs to none of them.

    Raises
    ------
    CostError
        When the simulation had no samples.
    """
    if not result.runs or any(layer.activity is None for layer in result.layers):
        raise CostError("energy needs activity, and activity needs samples")
    found = []
    owned: set[int] = set()
    for layer, record in zip(result.layers, result.program.layers, strict=True):
        assert layer.activity is not None
        owned |= set(record.descriptors)
        found.append(
            Work(
                name=layer.name, macs=layer.macs, digit_macs=record.digit_macs * result.program.images,
                cycles=layer.cycles, steps=layer.steps, **_post_work(result, record.descriptors),
                activity=layer.activity, runs=result.runs, moved=_moved(result, record.descriptors),
                read_bits=8 * layer.traffic.read_bytes, written_bits=8 * layer.traffic.written_bytes,
            )
        )  # fmt: skip
    rest = result.traffic
    found.append(
        Work(
            name="(between layers)", macs=0, digit_macs=0, cycles=result.cycles - sum(work.cycles for work in found),
            steps=0, chunks=0, drains=0, activity=Activity(), runs=result.runs,
            moved=_moved(result, [k for k in range(len(result.timeline.descriptors)) if k not in owned]),
            read_bits=8 * rest.read_bytes - sum(work.read_bits for work in found),
            written_bits=8 * rest.written_bytes - sum(work.written_bits for work in found),
        )
    )  # fmt: skip
    return found


def _post_work(result: Result, descriptors: Sequence[int]) -> dict[str, int]:
    """Chunks of all convolution pixels, and the cycles they take."""
    every = result.timeline.descriptors
    posts = posts_of(every)
    own = [(every[index], posts[index]) for index in descriptors]
    found = [
        (convolution_pixels(d) * written_chunks(d), chunk_cycles(d, post)) for d, post in own if isinstance(d, Compute)
    ]
    return {"chunks": sum(n for n, _ in found), "drains": sum(n * cycles for n, cycles in found)}


_MOVES = {
    Opcode.LOAD_WEIGHTS: "weight memory write",
    Opcode.LOAD_PARAMETERS: "parameter memory write",
    Opcode.LOAD_ACTIVATIONS: "activation memory write",
    Opcode.STORE_ACTIVATIONS: "activation memory read",
    Opcode.LOAD_RESIDUAL: "residual memory write",
    Opcode.STORE_RESIDUAL: "residual memory read",
}


def _moved(result: Result, descriptors: Sequence[int]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for index in descriptors:
        descriptor = result.timeline.descriptors[index]
        if isinstance(descriptor, Transfer):
            words = result.timeline.record(index)["words"]
            # a store reads all banks, whether it takes a word or a line; so does one of residuals
            every = descriptor.lines or descriptor.opcode in (Opcode.STORE_ACTIVATIONS, Opcode.STORE_RESIDUAL)
            found[_MOVES[descriptor.opcode]] += words * (result.program.config.strips if every else 1)
    return dict(found)


def charge(ledger: Ledger, work: Work, power: StaticPower, clock_mhz: float, toggles: Switching | None) -> None:
    """Enter everything a layer does into the ledger."""
    a, config = work.activity, ledger.structure.config
    density = a.products / a.multiplications if a.multiplications else 0.0
    dot = toggles if toggles is not None else expected(config, density)
    _datapath(ledger, a, work.runs, dot)
    _post(ledger, work)
    _memories(ledger, a, work)
    switches = ledger.technology.get("control.switches")
    if switches is None:
        ledger.unknown["control.switches"] = None
    for block in ledger.structure.blocks:
        if block.component == "control" and switches is not None:
            for kind, number in block.gates.items():
                ledger.switch("control", kind, number * work.cycles * switches.value)
    _clock(ledger, work)
    _leakage(ledger, a, work, power, clock_mhz, dot)


def _clock(ledger: Ledger, work: Work) -> None:
    """Flip-flops in the cycles in which they load, and the gates that hold the clock of the others."""
    numbers, c, a = ledger.technology.numbers, ledger.structure.config, work.activity
    if "clock.energy_per_flip_flop" not in numbers:
        ledger.unknown["clock.energy_per_flip_flop"] = None
        return
    gated = "clock.gates" in numbers
    if not gated:
        ledger.unknown["clock.gates"] = None
    stores = work.moved.get("activation memory read", 0) / c.strips
    times: dict[Loads, float] = {
        Loads.CYCLE: work.cycles,
        Loads.STEP: work.steps,
        Loads.CHUNK: work.chunks,
        Loads.ACTIVATIONS: (a.activation_reads + a.padding_reads) / c.strips / work.runs + stores,
        Loads.WEIGHTS: a.weight_reads / work.runs,
        Loads.PARAMETERS: work.drains,
        Loads.EVENT: work.cycles,
    }
    for block in ledger.structure.blocks:
        # a step loads one of both accumulators
        copies = block.copies / 2 if block.component == "accumulator" and c.two_scale else block.copies
        bits, trits = (copies * counts.get("flip_flop", 0) for counts in (block.gates, block.cells))
        event = block.loads is Loads.EVENT
        always = block.loads is Loads.CYCLE or not gated or (event and "control.switches" not in numbers)
        share = ("control.switches",) if event and not always else ()
        _ticks(ledger, bits, trits, work.cycles if always else times[block.loads], share)
        if not always:
            _ticks(ledger, bits, trits, work.cycles, ("clock.gates",))


def _ticks(ledger: Ledger, bits: float, trits: float, cycles: float, share: Factors) -> None:
    """Clock of some flip-flops, or a share of it, and the way to each: up and down in every cycle."""
    technology = ledger.technology
    ledger.add("clock", ("clock.energy_per_flip_flop", *share), bits * cycles)
    if trits:  # as large a share of a trit's transistors is on the clock
        load = trits / technology.value("gates.flip_flop.transistors")
        ledger.add("clock", ("clock.energy_per_flip_flop", "cells.flip_flop.transistors", *share), load * cycles)
    if "wires.capacitance" in technology.numbers and technology.voltage_v is not None:
        ledger.add("clock", ("wires.capacitance", *share), (bits + trits) * cycles * technology.voltage_v**2)


def _datapath(ledger: Ledger, a: Activity, runs: int, dot: Switching) -> None:
    config, native = ledger.structure.config, ledger.structure.native
    each = a.accumulations / runs  # dot products of a run
    ternary = config.encoding is Encoding.TERNARY
    for kind, switches in dot.switches.items():
        component = "multipliers" if kind in ("multiplier", "product") else "adder tree"
        if native:
            ledger.switch(component, kind, switches * each, cell=True)
        elif ternary:
            for gate, number in cell_gates(kind).items():
                ledger.switch(component, gate, number * dot.rails[kind] * each)
        elif kind == "product":
            for gate, number in product_gates(config.encoding).items():
                ledger.switch(component, gate, number * switches * each)
        else:
            ledger.switch(component, kind, switches * each)
    # an accumulator's cells switch as often as the number it holds
    moving = accumulation(config)
    updates = a.updates / runs
    for block in ledger.structure.blocks:
        if block.component == "accumulator":
            digits = config.accumulator_trits if ternary else config.accumulator_bits
            for kind, number in block.gates.items():
                share = moving.rails if ternary else moving.switches
                ledger.switch("accumulator", kind, updates * number * share / digits)
            for kind, number in block.cells.items():
                ledger.switch("accumulator", kind, updates * number * moving.switches / digits, cell=True)


def _post(ledger: Ledger, work: Work) -> None:
    """Thresholds, pooling, the chunks on their way and the codes: numbers that have nothing to do with those before."""
    c, a, runs = ledger.structure.config, work.activity, work.runs
    values = a.fixed_values / (c.strips * c.post) / runs
    times = {
        "thresholds": a.comparisons / runs,
        "pooling": a.pool_comparisons / runs,
        "snapshot": work.chunks * c.strips,
        "codes": a.comparisons / c.thresholds / runs,
        "fixed point": values,
        "fixed point, held": values,
        "words written": a.activation_writes / runs + work.moved.get("activation memory write", 0),
    }
    for block in ledger.structure.blocks:
        if block.name in times:
            _random(ledger, block, times[block.name])


def _random(ledger: Ledger, block: Block, times: float) -> None:
    for kind, number in block.gates.items():
        ledger.switch(block.component, kind, times * number * _RANDOM)
    for kind, number in block.cells.items():
        ledger.switch(block.component, kind, times * number * random_switches(kind, True), cell=True)


def digit_switches(encoding: Encoding, density: float, native: bool) -> float:
    """Switches of a digit, from one step to the next: of its one ternary wire, or of its two binary wires together."""
    if native:
        return density / 2
    if encoding is Encoding.BINARY2:  # low bit: not zero; high bit: negative
        return 2 * density * (1 - density) + density * (1 - density / 2)
    return 2 * density * (1 - density / 2)


def _memories(ledger: Ledger, a: Activity, work: Work) -> None:
    built, runs = ledger.structure, work.runs
    c = built.config
    for memory in built.memories:
        if memory.component == "activation memory":
            reads = a.activation_reads / runs + work.moved.get("activation memory read", 0)
            ledger.access(memory, "read", reads)
            ledger.access(memory, "write", a.activation_writes / runs, 2 * c.post)
            ledger.access(memory, "write", work.moved.get("activation memory write", 0))
        elif memory.component == "weight memory":
            ledger.access(memory, "read", a.weight_reads / runs * memory.copies)
            ledger.access(memory, "write", work.moved.get("weight memory write", 0) * memory.copies)
        elif memory.component == "residual memory":
            ledger.access(memory, "read", a.residual_reads / runs + work.moved.get("residual memory read", 0))
            ledger.access(memory, "write", a.residual_writes / runs + work.moved.get("residual memory write", 0))
        elif memory.component == "parameter memory":
            ledger.access(memory, "read", work.drains)
            ledger.access(memory, "write", work.moved.get("parameter memory write", 0))
    activations = _share(a.nonzero_activations, a.activation_digits)
    weights = _share(a.nonzero_weights, a.weight_digits)
    _digits(
        ledger, "activation memory", a.activation_digits / runs, activations, (c.strips - 1).bit_length() + 1, c.rows
    )
    _digits(ledger, "weight memory", a.weight_digits / runs, weights, 0, c.strips)
    for block in built.blocks:
        if block.component == "parameter memory":
            _random(ledger, block, a.parameter_reads / runs)
    for direction, bits in (("read", work.read_bits), ("write", work.written_bits)):
        path = f"{direction}.energy_per_bit"
        if ledger.memory is not None and path in ledger.memory.numbers:
            ledger.add("external memory", (OUTSIDE + path,), bits)
        elif bits:
            ledger.unknown[f"external memory: {path}"] = None


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _digits(ledger: Ledger, component: str, digits: float, density: float, stages: int, reached: int) -> None:
    """Digits on their way from a memory through multiplexers and a register to the multipliers they reach."""
    native, encoding = ledger.structure.native, ledger.structure.config.encoding
    switches = digits * digit_switches(encoding, density, native)
    ledger.switch(component, "flip_flop", switches, cell=native)
    ledger.switch(component, "multiplexer" if native else "mux2", stages * switches, cell=native)
    ledger.wire(switches * reached, ternary=native)


def _leakage(ledger: Ledger, a: Activity, work: Work, power: StaticPower, clock_mhz: float, dot: Switching) -> None:
    """Static power times time: nW x cycles / MHz is fJ."""
    time = work.cycles / clock_mhz
    for factors, coefficient in power.always.terms.items():
        ledger.add("leakage", factors, coefficient * time)
    ledger.unknown |= dict.fromkeys(power.unknown)
    if not ledger.structure.native:
        return
    c = ledger.structure.config
    held = {
        "activation memory": 1 - _share(a.nonzero_activations, a.activation_digits),
        "weight memory": 1 - _share(a.nonzero_weights, a.weight_digits),
        "accumulator": accumulation(c).middle,
    }
    for block in ledger.structure.blocks:
        for kind, number in block.cells.items():
            if block.component in ("multipliers", "adder tree"):
                at_middle = dot.middle[kind]
            else:
                at_middle = number * held.get(block.component, random_middle(kind))
            for factors, coefficient in power.middle[kind].terms.items():
                ledger.add("leakage", factors, coefficient * at_middle * block.copies * time)
