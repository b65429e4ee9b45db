"""Counts of the cost model against an independent count from netlists."""

import json
from collections import Counter
from importlib import resources
from pathlib import Path

import pytest

from setun_hw.cells import CELLS
from setun_hw.cells.models import Cell
from setun_hw.config import Config, Encoding
from setun_hw.presets import config, configs
from setun_sim.cost.control import cell_gates, control_gates, fixed_point_gates
from setun_sim.cost.errors import StructureError
from setun_sim.cost.netlist import DRAWN, drawn_cells, mapped_gates, run_yosys
from setun_sim.cost.structure import Block, structure
from setun_sim.cost.technology import technology

pytest.importorskip("pyosys")

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
SMALL = Config(name="small", rows=3, lanes=5, strips=2, post=1, accumulator_bits=12, tree_registers=1)
#: modules of the ternary cells
TERNARY = {f"setun_{kind}" for kind in CELLS}


def _ternary(cells: dict[str, int]) -> Counter[str]:
    return Counter({kind.removeprefix("setun_"): n for kind, n in cells.items() if kind in TERNARY})


def _stored(cells: dict[str, int]) -> int:
    return sum(number for kind, number in cells.items() if kind.startswith(("$_DFF", "$_SDFF")))


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
    from setun_hw.engine.array import Array

    parameters = SMALL.replace(encoding="ternary", lanes=lanes)
    counted = _ternary(drawn_cells(Array(parameters), TERNARY))
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
    from setun_hw.engine.array import Array
    from setun_hw.engine.layout import STEP_LAYOUT

    parameters = SMALL.replace(encoding=encoding, lanes=lanes, tree_registers=registers)
    cells = drawn_cells(Array(parameters))
    pairs = parameters.rows * parameters.strips
    tree = _components(parameters, {"adder tree"})
    # an adder bit is an exclusive or, a full adder has two; products of radix 4 have one each
    expected = 2 * tree["full_adder"] + tree["half_adder"] + (pairs * lanes if encoding == "binary2" else 0)
    assert cells["$_XOR_"] == expected
    # the accumulators' additions stay whole; times three is one more
    assert cells["$add"] == pairs * (2 if encoding == "rails" else 1)
    step_bits = STEP_LAYOUT.size * (registers + 1)  # control that travels along
    assert _stored(cells) - step_bits == _components(parameters, ARRAY)["flip_flop"]
    # scaled or not, cleared or not; times four is scaled by choosing which bits are zero
    assert cells["$_MUX_"] == _components(parameters, {"accumulator"})["mux2"]


@pytest.mark.parametrize("encoding", list(Encoding))
@pytest.mark.parametrize(("rows", "post", "thresholds", "digits"), [(4, 4, 2, 1), (4, 2, 4, 2), (8, 2, 3, 2)])
def test_post_processing_consists_of_what_its_netlist_holds(
    encoding: Encoding, rows: int, post: int, thresholds: int, digits: int
) -> None:
    from setun_hw.engine.post import StripPost

    parameters = config("tiny").replace(
        encoding=encoding, strips=1, rows=rows, post=post, thresholds=thresholds, code_digits=digits
    )
    ternary = encoding is Encoding.TERNARY
    cells = drawn_cells(StripPost(parameters), TERNARY)
    counted, ours = _ternary(cells), _components(parameters, {"comparator"}, native=ternary)
    width = 2 if ternary else 1  # bits of a multiplexer's or flip-flop's digit in the sums' way
    # codes are chosen by AND; a digit's place in a sum by a shift, which is a multiplexer less than the sum has digits
    codes = 2 * (thresholds + 1) * post
    shifts = cells["$shift"] * 2 * (parameters.raw_digits - 1)
    named = counted["multiplexer"]
    assert cells["$_MUX_"] - codes + shifts == ours["mux2"] + width * (ours["multiplexer"] - named)
    codes_stored = (thresholds + 2) * post  # bits in every encoding
    sums_stored = ours["flip_flop"] - codes_stored
    assert _stored(cells) == codes_stored + width * sums_stored
    if ternary:
        assert {kind: counted[kind] for kind in ("comparator", "chain")} == {
            kind: ours[kind] for kind in ("comparator", "chain")
        }
        assert named == parameters.accumulator_trits * post
    else:
        assert cells["$ge"] * parameters.accumulator_width == ours["carry"]
        assert cells["$_OR_"] == ours["or2"]
        assert cells["$_AND_"] + codes == ours["and2"]
        assert cells["$_NOT_"] == ours["inverter"]


@pytest.mark.parametrize(("strips", "lanes", "post"), [(1, 8, 2), (3, 8, 8), (5, 6, 2)])
def test_banks_consist_of_what_their_netlist_holds(strips: int, lanes: int, post: int) -> None:
    from setun_hw.engine.banks import Banks

    parameters = config("tiny").replace(strips=strips, lanes=lanes, post=post, rows=2 * post, encoding="rails")
    cells = drawn_cells(Banks(parameters))
    blocks = {block.name: block for block in structure(parameters).blocks}
    expected: Counter[str] = Counter()
    for name in ("rotation and padding", "words read", "words written", "reads and writes"):
        for kind, number in blocks[name].gates.items():
            expected[kind] += number * blocks[name].copies
    expected["flip_flop"] -= 2  # of the weight and the parameter memory: a word arrives
    found = {"mux2": "$_MUX_", "and2": "$_AND_", "inverter": "$_NOT_"}
    assert {kind: cells[cell] for kind, cell in found.items()} == {kind: expected[kind] for kind in found}
    assert _stored(cells) == expected["flip_flop"]
    assert cells["$mem_v2"] == strips


def test_words_of_the_other_memories_are_those_of_their_netlists() -> None:
    from setun_hw.engine.memories import LEVELS, ParameterMemory, WeightMemory

    parameters = config("tiny")
    blocks = {block.name: block for block in structure(parameters).blocks}
    assert _stored(drawn_cells(WeightMemory(parameters))) == blocks["weight word"].gates["flip_flop"] + 1
    word = blocks["parameter word"].gates["flip_flop"]
    assert _stored(drawn_cells(ParameterMemory(parameters, LEVELS))) == word + 1


@pytest.mark.parametrize("kind", ["multiplier", "half_adder", "full_adder", "counter42", "chain", "flip_flop"])
def test_the_table_has_the_gates_that_synthesis_finds(kind: str) -> None:
    assert cell_gates(kind) == mapped_gates(Cell(kind))


def test_shipped_configurations_have_control_and_fixed_point_of_their_own_and_others_the_most_similar() -> None:
    for one in configs().values():
        assert control_gates(one).note == ""
        assert 0 < control_gates(one).held < control_gates(one).gates["flip_flop"]
        for encoding in Encoding if one.affine else ():
            assert fixed_point_gates(one.replace(encoding=encoding)).note == ""
    found = control_gates(config("small").replace(queue_depth=20))
    assert found.note == "control gates are those of configuration 'small', the most similar one"
    half = fixed_point_gates(config("resnet20").replace(strips=2))
    whole = fixed_point_gates(config("resnet20"))
    assert half.note == "fixed-point gates are those of configuration 'resnet20', by the channels processed at once"
    assert half.gates["flip_flop"] == round(whole.gates["flip_flop"] / 2)
    assert structure(config("resnet20").replace(strips=2)).notes[-1] == half.note


@pytest.mark.parametrize(("table", "name"), [("control", "tiny"), ("control", "tcn_cutie"), ("fixed_point", "ttq")])
def test_the_tables_are_of_the_circuits_as_they_are(table: str, name: str) -> None:
    """When this fails, run benchmarks/gates.py (and benchmarks/validate.py)."""
    from setun_sim.cost import parts

    document = json.loads((resources.files("setun_sim.cost") / "gates.json").read_text(encoding="utf-8"))
    entry = next(entry for entry in document[table] if entry["name"] == name)
    own = config(BENCHMARKS / f"{name}.toml" if name == "tcn_cutie" else name)
    made = {"control": parts.control_parts, "fixed_point": parts.fixed_point_parts}[table]
    assert all(entry["fields"][field] == getattr(own, field) for field in entry["fields"])
    assert parts.fingerprint(made(parts.reduced(own))) == entry["fingerprint"]


def test_small_parts_of_the_control_table_are_counted_anew() -> None:
    from setun_hw.engine.queue import DescriptorQueue
    from setun_sim.cost.parts import gates, held

    part = [DescriptorQueue(config("tiny"))]
    pointers, waiting = 2, 2  # a queue of two: one bit each for head and tail, two for the number
    assert gates(part)["flip_flop"] == pointers + waiting
    assert held(part) >= pointers


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
