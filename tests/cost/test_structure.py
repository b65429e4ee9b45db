"""Counts of the cost model against an independent count from netlists."""

import re
from collections import Counter

import pytest

from setun_hw.cells import CELLS
from setun_hw.cells.models import Cell
from setun_hw.config import Config, Encoding
from setun_hw.presets import config
from setun_sim.cost.control import cell_gates, control_gates
from setun_sim.cost.errors import StructureError
from setun_sim.cost.netlist import DRAWN, mapped_gates, run_yosys
from setun_sim.cost.structure import Block, structure
from setun_sim.cost.technology import technology

pytest.importorskip("pyosys")

SMALL = Config(name="small", rows=3, lanes=5, strips=2, post=1, accumulator_bits=12, tree_registers=1)
#: flattens everything but the ternary cells
_CELLS_KEPT = """\
read_rtlil design.il
hierarchy -auto-top
setattr -mod -set keep_hierarchy 1 {cells}
proc
flatten
delete {cells}
tee -q -o gates.json stat -json
"""


def _array(parameters: Config) -> str:
    from setun_hw.engine.array import Array
    from setun_hw.library import convert

    return convert(Array(parameters), "design")


def _components(parameters: Config, names: set[str], native: bool = False) -> Counter[str]:
    total: Counter[str] = Counter()
    for block in structure(parameters, native=native).blocks:
        if block.component in names:
            for counts in (block.gates, block.cells):
                total.update({kind: number * block.copies for kind, number in counts.items()})
    return total


ARRAY = {"multipliers", "adder tree", "accumulator"}


@pytest.mark.parametrize("lanes", [5, 16])
def test_ternary_cells_are_those_of_the_flat_netlist_of_a_whole_array(lanes: int) -> None:
    parameters = SMALL.replace(encoding="ternary", lanes=lanes)
    text = _array(parameters)
    present = sorted(set(re.findall(r"^module \\(setun_(?:" + "|".join(CELLS) + "))$", text, re.M)))
    cells = run_yosys(text, _CELLS_KEPT.format(cells=" ".join(present)))
    counted = Counter({kind.removeprefix("setun_"): n for kind, n in cells.items() if kind.startswith("setun_")})
    ours = _components(parameters, ARRAY, native=True)
    # dot products are registered by plain flip-flops of two bits a trit
    ours["flip_flop"] -= _sum_trits(lanes) * parameters.rows * parameters.strips
    assert ours == counted


def _sum_trits(lanes: int) -> int:
    trits = 1
    while (3**trits - 1) // 2 < lanes:
        trits += 1
    return trits


@pytest.mark.parametrize("encoding", ["rails", "binary2"])
@pytest.mark.parametrize(("lanes", "registers"), [(5, 0), (8, 1), (27, 2)])
def test_adders_and_flip_flops_are_those_of_the_flat_netlist_of_a_whole_array(
    encoding: str, lanes: int, registers: int
) -> None:
    from setun_hw.engine.layout import STEP_LAYOUT

    parameters = SMALL.replace(encoding=encoding, lanes=lanes, tree_registers=registers)
    cells = run_yosys(_array(parameters), DRAWN)
    pairs = parameters.rows * parameters.strips
    tree = _components(parameters, {"adder tree"})
    # an adder bit is an exclusive or, a full adder has two; products of radix 4 have one each
    expected = 2 * tree["full_adder"] + tree["half_adder"] + (pairs * lanes if encoding == "binary2" else 0)
    assert cells["$_XOR_"] == expected
    # the accumulators' additions stay whole; times three is one more
    assert cells["$add"] == pairs * (2 if encoding == "rails" else 1)
    step_bits = STEP_LAYOUT.size * (registers + 1)  # control that travels along
    stored = sum(number for kind, number in cells.items() if kind.startswith(("$_DFF", "$_SDFF")))
    assert stored - step_bits == _components(parameters, ARRAY)["flip_flop"]


def test_post_processing_stores_what_its_netlist_stores() -> None:
    from setun_hw.engine.post import StripPost
    from setun_hw.library import convert

    parameters = config("tiny").replace(encoding="rails", strips=1)
    cells = run_yosys(convert(StripPost(parameters), "design"), DRAWN)
    stored = sum(number for kind, number in cells.items() if kind.startswith(("$_DFF", "$_SDFF")))
    assert stored == _components(parameters, {"comparator"})["flip_flop"]


@pytest.mark.parametrize("kind", ["multiplier", "half_adder", "full_adder", "counter42", "chain", "flip_flop"])
def test_the_table_has_the_gates_that_synthesis_finds(kind: str) -> None:
    assert cell_gates(kind) == mapped_gates(Cell(kind))


def test_control_of_shipped_configurations_is_their_own_and_of_others_the_most_similar() -> None:
    gates, note = control_gates(config("small"))
    assert gates["flip_flop"] > 1000
    assert note == ""
    _, note = control_gates(config("small").replace(queue_depth=20))
    assert note == "control gates are those of configuration 'small', the most similar one"


def test_native_cells_are_for_ternary_only() -> None:
    with pytest.raises(ValueError, match=r"^native cells need encoding ternary, not rails$"):
        structure(SMALL.replace(encoding="rails"), native=True)


def test_transistors_by_hand() -> None:
    parameters = SMALL.replace(encoding="ternary", lanes=4, tree_registers=0)
    found = structure(parameters, native=True).transistors(technology("ptm32"))
    pairs = parameters.rows * parameters.strips
    # four multipliers of 26 transistors; one 4:2 counter of 186 and two flip-flops of 36 for its trits
    assert found["multipliers"] == pairs * 4 * 26
    assert found["adder tree"] == pairs * (186 + 2 * 36)


def test_memories_hold_what_the_configuration_says() -> None:
    for packed in (False, True):
        parameters = SMALL.replace(packed_weights=packed, rows=16, lanes=48)
        built = structure(parameters)
        bits = {m.name: m.bits for m in built.memories if m.component == "weight memory"}
        assert sum(bits.values()) == parameters.weight_words * parameters.weight_word_bits
        assert built.memories[0].bits == parameters.strips * parameters.activation_words * parameters.word_bits


def test_a_circuit_that_yosys_refuses_is_an_error() -> None:
    with pytest.raises(StructureError, match=r"^gates cannot be counted: .+$"):
        run_yosys("module \\a\n  this is no RTLIL\nend\n", DRAWN)


def test_blocks_of_two_encodings_differ_only_in_arithmetic() -> None:
    def others(encoding: Encoding) -> list[Block]:
        blocks = structure(SMALL.replace(encoding=encoding)).blocks
        return [b for b in blocks if b.component in ("control", "weight memory")]

    assert others(Encoding.RAILS) == others(Encoding.TERNARY) == others(Encoding.BINARY2)
