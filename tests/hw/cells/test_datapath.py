"""The datapath's cells: as many as theory says, as many as the netlist holds, and right by their truth tables alone."""

import random
import re
from collections import Counter

import pytest
from amaranth import Elaboratable
from amaranth.back import rtlil

from setun_hw.arithmetic import Accumulator, Comparator, DotProduct, Maximum
from setun_hw.cells import CELLS, CellNetlist, datapath
from setun_hw.cells.netlist import ZERO
from setun_hw.codec import to_trits
from setun_hw.config import Config
from setun_hw.library import convert

#: 4:2 counters, full adders, half adders of the tree, by lanes: the counts published for column compression
TREES = {
    8: (2, 1, 1), 9: (2, 2, 0), 16: (6, 0, 2), 27: (10, 3, 0), 32: (14, 0, 2),
    64: (29, 1, 1), 81: (36, 4, 0), 128: (61, 0, 4), 256: (124, 2, 0), 864: (427, 3, 2),
}  # fmt: skip


def config(**fields: int) -> Config:
    return Config(**{"name": "test", "rows": 1, "post": 1, **fields})


@pytest.mark.parametrize("lanes", TREES)
def test_tree_takes_no_more_cells_than_published(lanes: int) -> None:
    counter42, full_adder, half_adder = TREES[lanes]
    tally = datapath.dot_product(config(lanes=lanes, tree_registers=0)).tally()
    assert tally["multiplier"] == lanes
    assert tally["counter42"] <= counter42
    assert tally.get("full_adder", 0) <= full_adder
    assert tally.get("half_adder", 0) <= half_adder


def test_accumulator_has_an_adder_and_a_flip_flop_for_each_trit() -> None:
    # 20 bits take 13 trits, 16 lanes' sums 4: 3 of those meet a carry
    assert datapath.accumulator(config(lanes=16)).tally() == {
        "flip_flop": 13, "full_adder": 3, "gate": 13, "half_adder": 10, "multiplexer": 12,
    }  # fmt: skip
    assert datapath.comparison(config()).tally() == {"chain": 12, "comparator": 13}
    assert datapath.maximum(config()).tally() == {"multiplexer": 13}


def instances(text: str) -> Counter[str]:
    """Instances of each cell below the first module of an RTLIL text, all levels down."""
    modules: dict[str, Counter[str]] = {}
    for line in text.splitlines():
        if found := re.fullmatch(r"module \\(\S+)", line):
            modules[found[1]] = inside = Counter()
        elif found := re.fullmatch(r"  cell \\(\S+) \S+", line):
            inside[found[1]] += 1

    def below(name: str) -> Counter[str]:
        total: Counter[str] = Counter()
        for child, number in modules[name].items():
            kind = child.removeprefix("setun_")
            for key, value in ({kind: 1} if kind in CELLS else below(child)).items():
                total[key] += number * value
        return total

    return below(next(iter(modules)))


def kinds_by_name(text: str) -> Counter[str]:
    """The same in a text with a module for each instance, by the instances' names."""
    names = re.findall(r"^  cell \\\S+ \\([a-z0-9_]+)_\d+$", text, re.MULTILINE)
    return Counter(name for name in names if name in CELLS)


COMPONENTS = {
    "dot_product": (DotProduct, [datapath.dot_product]),
    "accumulator": (Accumulator, [datapath.accumulator]),
    "comparison": (Comparator, [datapath.comparison]),
    "maximum": (Maximum, [datapath.comparison, datapath.maximum]),
}


@pytest.mark.parametrize("registers", [0, 2])
@pytest.mark.parametrize("lanes", [1, 5, 16, 27])
@pytest.mark.parametrize("name", COMPONENTS)
def test_tally_is_what_the_netlist_holds(name: str, lanes: int, registers: int) -> None:
    c = config(lanes=lanes, tree_registers=registers)
    component, netlists = COMPONENTS[name]
    tally: Counter[str] = Counter()
    for netlist in netlists:
        tally.update(netlist(c).tally())
    assert instances(convert(component(c), "top")) == tally
    design: Elaboratable = component(c)
    assert kinds_by_name(rtlil.convert(design)) == tally


def evaluate(netlist: CellNetlist, inputs: dict[str, list[int]], stored: dict[int, int]) -> dict[str, list[int]]:
    """Levels of the outputs by truth tables alone; moves the flip-flops on."""
    level = {ZERO: 0}
    for port, wires in netlist.inputs.items():
        level |= dict(zip(wires, inputs[port], strict=True))
    level |= {node.outputs[0]: stored.get(node.outputs[0], 0) for node in netlist.nodes if node.kind == "flip_flop"}
    for node in netlist.nodes:
        if node.kind != "flip_flop":
            row = CELLS[node.kind].table[tuple(level[wire] for wire in node.inputs)]
            level |= dict(zip(node.outputs, row, strict=True))
    outputs = {port: [level[wire] for wire in wires] for port, wires in netlist.outputs.items()}
    for node in netlist.nodes:
        if node.kind == "flip_flop":
            row = (level[node.outputs[0]], *(level[wire] for wire in node.inputs))
            stored[node.outputs[0]] = CELLS["flip_flop"].table[row][0]
    return outputs


def value(trits: list[int]) -> int:
    return sum(trit * 3**weight for weight, trit in enumerate(trits))


@pytest.mark.parametrize("registers", [0, 1, 3])
@pytest.mark.parametrize("lanes", [1, 2, 5, 16, 64, 100])
def test_netlist_adds_products(lanes: int, registers: int) -> None:
    netlist = datapath.dot_product(config(lanes=lanes, tree_registers=registers))
    draw = random.Random(lanes)
    rows = [([1] * lanes, [1] * lanes), ([1] * lanes, [-1] * lanes)]
    rows += [(draw.choices((-1, 0, 1), k=lanes), draw.choices((-1, 0, 1), k=lanes)) for _ in range(20)]
    stored: dict[int, int] = {}
    sums = [
        value(evaluate(netlist, {"weights": w, "digits": a, "loads": [1] * registers}, stored)["sum"])
        for w, a in rows + rows[:registers]
    ]
    assert sums[registers:] == [sum(x * y for x, y in zip(w, a, strict=True)) for w, a in rows]


def test_netlist_accumulates_and_compares() -> None:
    c = config(lanes=5, accumulator_bits=8)
    netlist, comparison = datapath.accumulator(c), datapath.comparison(c)
    draw = random.Random(3)
    stored: dict[int, int] = {}
    expected = 0
    for _ in range(100):
        total, scale, clear, enable = draw.randint(-5, 5), draw.randint(0, 1), draw.random() < 0.3, draw.randint(0, 1)
        clear = clear or abs(expected) > 30
        inputs = {"sum": to_trits(total, 3), "keep": [int(not clear)], "keep_lowest": [int(not clear and not scale)]}
        before = evaluate(netlist, inputs | {"scale": [scale], "enable": [enable]}, stored)["value"]
        assert value(before) == expected
        other = draw.randint(-121, 121)
        (sign,) = evaluate(comparison, {"a": before, "b": to_trits(other, c.accumulator_trits)}, {})["sign"]
        assert sign == (expected > other) - (expected < other)
        if enable:
            expected = (0 if clear else 3 * expected if scale else expected) + total
