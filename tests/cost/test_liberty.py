"""Liberty files: numbers by hand from a small library, whatever is wrong with a file in one sentence."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setun_hw.config import Encoding
from setun_hw.presets import config
from setun_sim.cost.celled import with_library
from setun_sim.cost.cells import GATES
from setun_sim.cost.energy import energy
from setun_sim.cost.errors import TechnologyError
from setun_sim.cost.expressions import truth_table
from setun_sim.cost.library import Library, read_library
from setun_sim.cost.mapped import mapped
from setun_sim.cost.quantity import Status
from setun_sim.cost.technology import technology
from setun_sim.simulation import Result

TINY = Path(__file__).with_name("tiny.lib")


@pytest.fixture(scope="module")
def tiny() -> Library:
    return read_library(TINY)


def test_conditions(tiny: Library) -> None:
    assert (tiny.name, tiny.file, tiny.voltage_v, tiny.temperature_c) == ("tiny", "tiny.lib", 0.8, 25.0)
    assert set(tiny.parts) == set(GATES)


def test_an_inverter_by_hand(tiny: Library) -> None:
    part = tiny.parts["inverter"]
    assert dict(part.cells) == {"INV": 1}  # not INV_LARGE
    assert (part.area_um2, part.leakage_nw, part.delay_ps) == (0.5, 2.0, 10.0)
    # half the operations toggle the input, which is charged with 1 fF x 0.64 V^2 / 2, and the output: medians 0.2, 0.4
    assert part.energy_fj == pytest.approx(0.5 * 0.32 + 0.5 * 0.3)


def test_a_gate_with_static_power_by_state_by_hand(tiny: Library) -> None:
    part = tiny.parts["nand2"]
    assert (part.area_um2, part.leakage_nw) == (1.0, 4.0)
    assert part.energy_fj == pytest.approx(0.5 * 0.32 * (1.0 + 1.5) + 2 * 0.25 * 0.75 * 0.5)


def test_a_full_adder_is_recognised_by_what_it_computes(tiny: Library) -> None:
    part = tiny.parts["full_adder"]
    assert dict(part.cells) == {"FA": 1}
    assert part.energy_fj == pytest.approx(3 * 0.5 * 0.64 + (0.5 + 0.5) * 3)


def test_a_flip_flop_without_extras_and_its_clock(tiny: Library) -> None:
    part = tiny.parts["flip_flop"]
    assert dict(part.cells) == {"DFF": 1}  # DFF_RESET is smaller
    assert part.energy_fj == pytest.approx(0.5 * 0.32 + 0.5 * 3)
    assert part.clock_fj == pytest.approx(2 * (0.32 + 1.5))


def test_missing_gates_are_composed_of_the_smallest(tiny: Library) -> None:
    assert dict(tiny.parts["and2"].cells) == {"NAND2": 1, "INV": 1}
    assert tiny.parts["and2"].area_um2 == 1.5
    assert tiny.parts["and2"].delay_ps == 30.0
    assert dict(tiny.parts["xor2"].cells) == {"NAND2": 4}
    assert tiny.parts["xor2"].delay_ps == 60.0  # three of the four behind each other
    assert dict(tiny.parts["carry"].cells) == {"FA": 1}
    assert dict(tiny.parts["mux2"].cells) == {"NAND2": 3, "INV": 1}


def test_units_are_those_of_the_file(tiny: Library, tmp_path: Path) -> None:
    text = TINY.read_text().replace("(1, ff)", "(0.001, pf)").replace('"1nW"', '"1pW"').replace('"1ps"', '"1ns"')
    path = tmp_path / "other.lib"
    path.write_text(text)
    other = read_library(path)
    for kind, part in other.parts.items():
        assert part.energy_fj == pytest.approx(tiny.parts[kind].energy_fj)
        assert part.leakage_nw == pytest.approx(tiny.parts[kind].leakage_nw / 1000)
        assert part.delay_ps == pytest.approx(1000 * tiny.parts[kind].delay_ps)


def test_a_technology_with_the_cells_of_a_library(tiny: Library, results: dict[Encoding, Result]) -> None:
    base, mine = technology("ptm32"), with_library(technology("ptm32"), tiny)
    assert (mine.name, mine.voltage_v, mine.ternary) == ("tiny", 0.8, False)
    assert not any(path.startswith(("cells.", "per_transistor.", "ternary.")) for path in mine.numbers)
    assert mine.numbers["sram.read.slope"] == base.numbers["sram.read.slope"]
    area = mine.numbers["gates.inverter.area"]
    assert (area.value, area.unit, area.status, area.source) == (0.5, "um2", Status.PUBLISHED, "tiny.lib: INV")
    composed = mine.numbers["gates.xor2.area"]
    assert (composed.value, composed.status, composed.source) == (4.0, Status.DERIVED, "tiny.lib: 4 NAND2")
    found = energy(results[Encoding.RAILS], mine)
    assert sum(found.components.values()) == pytest.approx(found.total_fj)
    adder = mine.value("gates.full_adder.energy_per_operation")
    twice = mine.with_value("gates.full_adder.energy_per_operation", 2 * adder)
    assert found.total_with(twice, None) > found.total_fj


def test_only_logic_takes_a_library(tiny: Library) -> None:
    with pytest.raises(TechnologyError, match=r"^technology ddr3 is of kind memory: a Liberty file needs one of .*$"):
        with_library(technology("ddr3"), tiny)


@pytest.mark.slow
def test_mapped_circuits_have_the_flip_flops_of_their_widths(tiny: Library) -> None:
    pytest.importorskip("pyosys")
    parameters = config("tiny").replace(encoding="rails")
    found = mapped(parameters, tiny)
    assert found.encoding is Encoding.RAILS
    pairs = parameters.rows * parameters.strips
    accumulators = found.parts["accumulators"]
    assert accumulators["DFF"] == pairs * parameters.accumulator_bits
    assert set(accumulators) <= {"DFF", "INV", "NAND2", "NOR2"}  # abc maps to cells with one output
    plain = found.to_json()
    by_hand = sum(number * {"DFF": 5.0, "INV": 0.5, "NAND2": 1.0, "NOR2": 1.1}[c] for c, number in accumulators.items())
    assert plain["parts"]["accumulators"]["area_um2"] == pytest.approx(by_hand)
    assert plain["area_um2"] == pytest.approx(sum(part["area_um2"] for part in plain["parts"].values()))
    assert plain["cells"] == sum(sum(part["cells"].values()) for part in plain["parts"].values())


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("library (", "liberty (", r"must begin with a library group, but begins with 'liberty'"),
        ("nom_voltage : 0.8;", "", r"names no nom_voltage"),
        ("nom_voltage : 0.8;", "nom_voltage : nan;", r"nom_voltage must be a finite number of at least 0, not 'nan'"),
        ("nom_voltage : 0.8;", "nom_voltage : low;", r"nom_voltage must be a finite number of at least 0, not 'low'"),
        ('"1nW"', '"1W"', r"leakage_power_unit must be a number of mW, uW, nW, pW, not '1W'"),
        ("(1, ff)", "(1, mf)", r"capacitive_load_unit must be a number of ff or pf, not \('1', 'mf'\)"),
        ("area : 0.5", "area : -0.5", r"INV: area must be a finite number of at least 0, not '-0.5'"),
        (
            "capacitance : 1.5",
            "capacitance : inf",
            r"pin B: capacitance must be a finite number of at least 0, not 'inf'",
        ),
        ('values ("2")', 'values ("2 two")', r"pin CO: internal_power must be a finite number, not 'two'"),
        ("cell (DFF) {", "cell (DFF) { dont_use : true;", r"no cell is a flip flop, and none can be made of its cells"),
        ("area : 5.0;", "area 5.0;", r"line 66: 'area' must be followed by : or \(, not '5.0'"),
        ("cell (DFF) {", "cell (DFF { ", r"line 65: an argument list holds '\{'"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    path = tmp_path / "bad.lib"
    text = TINY.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(TechnologyError, match=rf"^.*bad\.lib: {sentence}$"):
        read_library(path)


@given(share=st.floats(0, 0.995))
def test_a_file_that_is_cut_short_is_refused(tmp_path_factory: pytest.TempPathFactory, share: float) -> None:
    path = tmp_path_factory.mktemp("cut") / "cut.lib"
    text = TINY.read_text().rstrip()
    path.write_text(text[: int(share * len(text))])
    with pytest.raises(TechnologyError, match=r"^.*cut\.lib: .+$"):
        read_library(path)


@given(data=st.binary(max_size=300))
def test_arbitrary_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "any.lib"
    path.write_bytes(data)
    with pytest.raises(TechnologyError, match=r"(?s)^.*any\.lib: .+$"):
        read_library(path)


def test_groups_within_groups_within_groups_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep.lib"
    path.write_text("library (x) {" + "cell (y) {" * 100_000)
    with pytest.raises(TechnologyError, match=r"^.*deep\.lib: line 1: groups are nested deeper than 32$"):
        read_library(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TechnologyError, match=r"^.*none\.lib: cannot be read \(No such file or directory\)$"):
        read_library(tmp_path / "none.lib")


@pytest.mark.parametrize(
    ("expression", "table"),
    [
        ("A", 0b1010), ("!A", 0b0101), ("A'", 0b0101), ("A B", 0b1000), ("A*B", 0b1000), ("A&B", 0b1000),
        ("A+B", 0b1110), ("A | B", 0b1110), ("A^B", 0b0110), ("(A B)'", 0b0111), ("!A B + A !B", 0b0110),
        ("A + B A'", 0b1110), ("A ^ B A", 0b0010), ("!(A+B)", 0b0001), ("1", 0b1111), ("0", 0b0000), ("A''", 0b1010),
    ],
)  # fmt: skip
def test_expressions(expression: str, table: int) -> None:
    assert truth_table(expression, ["A", "B"]) == table


@pytest.mark.parametrize("expression", ["", "A +", "(A", "A)", "C", "A $ B", "'", "!", "+" * 5000])
def test_what_is_no_expression_is_no_function(expression: str) -> None:
    assert truth_table(expression, ["A", "B"]) is None
