"""What an accelerator consists of: gates, ternary cells, flip-flops and memories, block by block.

Counted from what the generator builds, without building it: adder trees by the very compression that draws them,
ternary cells from the netlists of :mod:`setun_hw.cells.datapath`, the rest from the widths in the sources. Control and
the fixed-point unit are looked up in a table of synthesised netlists. ``tests/cost/test_structure.py`` holds all of it
to netlists.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from setun_hw.cells import datapath
from setun_hw.codec import sum_width
from setun_hw.config import Config, Encoding
from setun_sim.cost.control import Synthesised, cell_gates, control_gates, fixed_point_gates
from setun_sim.cost.technology import Technology
from setun_sim.cost.trees import product_gates, tree_of

#: parts of an accelerator, in the order of reports; the last four have no blocks of their own
COMPONENTS = (
    "multipliers", "adder tree", "accumulator", "comparator", "activation memory", "weight memory", "parameter memory",
    "fixed point", "residual memory",
    "control", "wires", "clock", "leakage", "external memory",
)  # fmt: skip


class Loads(StrEnum):
    """When the flip-flops of a block load: then their clock runs, in other cycles a gate holds it."""

    CYCLE = "cycle"  #: always
    STEP = "step"  #: a step of the array is on its way
    CHUNK = "chunk"  #: post-processing takes W sums of each strip
    ACTIVATIONS = "activation words"  #: the words of a step, or one that is stored, arrive from the banks
    WEIGHTS = "weight word"  #: a weight word arrives
    PARAMETERS = "parameter word"  #: a parameter word arrives
    EVENT = "event"  #: something happens in control: in a share of the cycles, ``control.switches``


@dataclass(frozen=True, kw_only=True)
class Block:
    """``copies`` equal circuits of a component."""

    name: str
    component: str
    copies: int
    gates: Mapping[str, int]  #: binary gates of one copy by kind
    cells: Mapping[str, int]  #: native ternary cells of one copy by kind
    loads: Loads = Loads.CYCLE  #: when its flip-flops do


@dataclass(frozen=True, kw_only=True)
class Memory:
    """``copies`` equal on-chip memories."""

    name: str
    component: str
    copies: int
    words: int
    width: int  #: bits

    @property
    def bits(self) -> int:
        """Bits of all copies."""
        return self.copies * self.words * self.width


@dataclass(frozen=True, kw_only=True)
class Structure:
    """An accelerator's parts; if ``native``, its ternary datapath is of ternary cells, not of binary gates."""

    config: Config
    native: bool
    blocks: tuple[Block, ...]
    memories: tuple[Memory, ...]
    notes: tuple[str, ...] = ()

    @cached_property
    def gates(self) -> dict[str, int]:
        """Binary gates of the whole by kind."""
        total: Counter[str] = Counter()
        for block in self.blocks:
            total.update({kind: number * block.copies for kind, number in block.gates.items()})
        return dict(sorted(total.items()))

    @cached_property
    def cells(self) -> dict[str, int]:
        """Ternary cells of the whole by kind."""
        total: Counter[str] = Counter()
        for block in self.blocks:
            total.update({kind: number * block.copies for kind, number in block.cells.items()})
        return dict(sorted(total.items()))

    @property
    def flip_flops(self) -> int:
        """Storing elements on the clock, of bits or of trits."""
        return self.gates.get("flip_flop", 0) + self.cells.get("flip_flop", 0)

    @property
    def memory_bits(self) -> int:
        """Bits of all on-chip memories."""
        return sum(memory.bits for memory in self.memories)

    def transistors(self, technology: Technology) -> dict[str, float]:
        """Transistors of logic by component; memories are not in it."""
        found: dict[str, float] = {}
        for block in self.blocks:
            one = sum(n * technology.value(f"gates.{kind}.transistors") for kind, n in block.gates.items())
            one += sum(n * technology.value(f"cells.{kind}.transistors") for kind, n in block.cells.items())
            found[block.component] = found.get(block.component, 0.0) + one * block.copies
        return found

    def to_json(self) -> dict[str, Any]:
        """Counts by block and in total."""
        return {
            "encoding": str(self.config.encoding),
            "native": self.native,
            "blocks": [
                {
                    "name": b.name, "component": b.component, "copies": b.copies,
                    "gates": dict(b.gates), "cells": dict(b.cells), "loads": str(b.loads),
                }
                for b in self.blocks
            ],
            "memories": [
                {"name": m.name, "component": m.component, "copies": m.copies, "words": m.words, "width_bits": m.width}
                for m in self.memories
            ],
            "gates": self.gates,
            "cells": self.cells,
            "flip_flops": self.flip_flops,
            "memory_bits": self.memory_bits,
            "notes": list(self.notes),
        }  # fmt: skip


def structure(config: Config, *, native: bool = False) -> Structure:
    """Parts of an accelerator.

    Parameters
    ----------
    config:
        The configuration; its encoding decides the arithmetic.
    native:
        Build the datapath of native ternary cells (encoding ``ternary`` only).

    Raises
    ------
    ValueError
        When ``native`` is asked of another encoding.
    """
    if native and config.encoding is not Encoding.TERNARY:
        raise ValueError(f"native cells need encoding ternary, not {config.encoding}")
    builder = _Builder(config, native)
    control = control_gates(config)
    notes = [control.note]
    blocks = [*builder.array(), *builder.post(), *builder.memory_logic(), *_looked_up("control", control, Loads.EVENT)]
    if config.affine:
        fixed = fixed_point_gates(config)
        notes.append(fixed.note)
        blocks += _looked_up("fixed point", fixed, Loads.CHUNK)
    return Structure(
        config=config,
        native=native,
        blocks=tuple(blocks),
        memories=tuple(memories(config)),
        notes=tuple(note for note in notes if note),
    )


def _looked_up(component: str, found: Synthesised, loads: Loads) -> list[Block]:
    """Blocks of a synthesised part: its flip-flops with an enable load at their own times."""
    rest = {**found.gates, "flip_flop": found.gates["flip_flop"] - found.held}
    return [
        Block(name=component, component=component, copies=1, gates=rest, cells={}),
        Block(
            name=f"{component}, held", component=component, copies=1, gates={"flip_flop": found.held}, cells={},
            loads=loads,
        ),
    ]  # fmt: skip


def memories(config: Config) -> list[Memory]:
    """On-chip memories; the weight memory is cut into the slices that a beat of the bus writes."""
    digits = min(
        config.axi_data_bits // 8 * 5 if config.packed_weights else config.axi_data_bits // 2,
        config.rows * config.lanes,
    )
    slices, rest = divmod(config.rows * config.lanes, digits)
    found = [
        Memory(
            name="activation banks", component="activation memory", copies=config.strips,
            words=config.activation_words, width=config.word_bits,
        ),
        Memory(
            name="weight slices", component="weight memory", copies=slices, words=config.weight_words,
            width=2 * digits,
        ),
        Memory(
            name="parameters", component="parameter memory", copies=1, words=config.parameter_words,
            width=config.parameter_word_bits,
        ),
        Memory(name="counter records", component="control", copies=1, words=config.counter_records, width=256),
    ]  # fmt: skip
    if config.affine:
        found.append(Memory(
            name="residuals", component="residual memory", copies=config.strips, words=config.residual_words,
            width=config.residual_word_bits,
        ))  # fmt: skip
    if rest:
        found.insert(
            2,
            Memory(
                name="last weight slice", component="weight memory", copies=1, words=config.weight_words, width=2 * rest
            ),
        )
    return found


class _Builder:
    """Makes blocks of binary gates, or of cells where the datapath is native."""

    def __init__(self, config: Config, native: bool) -> None:
        self.config, self.native = config, native
        self.ternary = config.encoding is Encoding.TERNARY

    def block(
        self,
        name: str,
        component: str,
        copies: int,
        gates: Mapping[str, int],
        cells: Mapping[str, int],
        loads: Loads = Loads.CYCLE,
    ) -> Block:
        """A block; ternary cells become binary gates unless the datapath is native."""
        total = Counter(gates)
        kept: Counter[str] = Counter()
        for kind, number in cells.items():
            if self.native:
                kept[kind] += number
            else:
                total.update({gate: count * number for gate, count in cell_gates(kind).items()})
        clean = {kind: n for kind, n in sorted(total.items()) if n}
        cells = dict(sorted(kept.items()))
        return Block(name=name, component=component, copies=copies, gates=clean, cells=cells, loads=loads)

    def words(self, digits: int, kind: str) -> tuple[dict[str, int], dict[str, int]]:
        """Flip-flops or multiplexers for a number of digits of two bits each: gates and cells."""
        gate = {"flip_flop": "flip_flop", "multiplexer": "mux2"}[kind]
        return ({}, {kind: digits}) if self.native else ({gate: 2 * digits}, {})

    def array(self) -> list[Block]:
        c = self.config
        rows = c.rows * c.strips
        sums = rows * (2 if c.two_scale else 1)
        if self.ternary:
            tally = Counter(datapath.dot_product(c).tally())
            multipliers = tally.pop("multiplier")
            tally["flip_flop"] += sum_width(c) // 2
            return [
                self.block("products", "multipliers", rows, {}, {"multiplier": multipliers}),
                self.block("adder tree", "adder tree", rows, {}, tally, Loads.STEP),
                self.block("accumulator", "accumulator", sums, {}, datapath.accumulator(c).tally(), Loads.STEP),
            ]
        bits, tree = c.accumulator_bits, Counter(tree_of(c).tally())
        tree["flip_flop"] += sum_width(c)
        accumulator = {"half_adder": 1, "full_adder": bits - 1, "mux2": 2 * bits, "flip_flop": bits}
        if c.encoding is Encoding.RAILS:  # times three is one more addition, and leaves the lowest bit
            accumulator["half_adder"] += 1
            accumulator["full_adder"] += bits - 2
            accumulator["mux2"] -= 1
        return [
            self.block(
                "products", "multipliers", rows, {k: n * c.lanes for k, n in product_gates(c.encoding).items()}, {}
            ),
            self.block("adder tree", "adder tree", rows, tree, {}, Loads.STEP),
            self.block("accumulator", "accumulator", sums, accumulator, {}, Loads.STEP),
        ]

    def post(self) -> list[Block]:
        c = self.config
        channels, width, t = c.post * c.strips, c.accumulator_width, c.thresholds
        trits = c.accumulator_trits
        waiting = c.rows - c.post
        several = c.chunks > 1  # chunk 0 or a waiting one, the value of the memory or the last one
        if self.ternary:
            comparison = datapath.comparison(c).tally()
            larger = Counter({**comparison, **datapath.maximum(c).tally(), "flip_flop": trits})
            larger["multiplexer"] += trits * (2 if several else 1)
            larger["latch"] = trits * c.chunks * several
            pooling: dict[str, int] = {}
            threshold: dict[str, int] = {}
            snapshot: tuple[dict[str, int], dict[str, int]]
            snapshot = ({}, {"flip_flop": waiting * trits, "multiplexer": waiting * trits})
        else:
            comparison, larger = {}, Counter()
            threshold = {"carry": width}
            pooling = {"carry": width, "flip_flop": width}
            if several:
                pooling |= {"mux2": 3 * width, "latch": width * c.chunks}
            else:  # the flip-flops keep the larger value by not loading
                pooling |= {"and2": 1, "or2": 1}
            snapshot = ({"flip_flop": waiting * width, "mux2": waiting * width, "or2": int(several)}, {})
        # level of the reached thresholds, digit of its code, or plane of the accumulator
        select = {
            "flip_flop": t + 2, "inverter": t - 1, "and2": 3 * t + 1, "or2": 2 * t, "mux2": 2 * c.raw_digits,
        }  # fmt: skip
        return [
            self.block("thresholds", "comparator", channels * t, threshold, comparison),
            self.block("pooling", "comparator", channels, pooling, larger, Loads.CHUNK),
            self.block("snapshot", "comparator", c.strips, *snapshot, Loads.CHUNK),
            self.block("codes", "comparator", channels, select, {}),
        ]

    def memory_logic(self) -> list[Block]:
        c = self.config
        stages, places = (c.strips - 1).bit_length(), c.lanes // c.post
        rotation, registers = self.words(c.lanes * (stages + 1), "multiplexer"), self.words(c.lanes, "flip_flop")
        reads = {
            "and2": 2 * c.strips,
            "inverter": 1,
            "mux2": c.strips * (stages + places) + (c.activation_words - 1).bit_length(),
            "flip_flop": stages + c.strips + 5,
        }
        word = self.words(c.rows * c.lanes, "flip_flop")
        codes = self.words(c.post * (c.thresholds + 1), "flip_flop")
        # fixed-point parameters have memories of their own, in whose unit their words are counted
        levels = c.post * (c.channel_parameter_bits - sum(c.affine_parameters.values()))
        parameters = self.words(levels // 2, "flip_flop")
        planes = self.words(c.post * (c.thresholds + 1) * max(0, c.code_digits - 1), "multiplexer")
        return [
            self.block("rotation and padding", "activation memory", c.strips, *rotation),
            self.block("words read", "activation memory", c.strips, *registers, Loads.ACTIVATIONS),
            self.block("words written", "activation memory", c.strips, *self.words(c.lanes, "multiplexer")),
            self.block("reads and writes", "control", 1, reads, {}),
            self.block("weight word", "weight memory", 1, *word, Loads.WEIGHTS),
            self.block("parameter word", "parameter memory", 1, *parameters, Loads.PARAMETERS),
            self.block("code digits", "parameter memory", 1, *codes),
            self.block("code planes", "parameter memory", 1, *planes),
        ]
