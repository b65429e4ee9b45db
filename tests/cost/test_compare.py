"""The comparison: same work everywhere, the best binary, and words that follow from the numbers."""

import json
import math

import pytest

from setun_hw.config import Encoding
from setun_sim.cost.compare import Comparison, compare
from setun_sim.cost.errors import CostError
from setun_sim.cost.structure import structure
from setun_sim.cost.technology import technology
from setun_sim.simulation import Result


@pytest.fixture(scope="module")
def comparison(results: dict[Encoding, Result]) -> Comparison:
    return compare(results, [technology("ptm32"), technology("fdsoi28")])


def test_every_encoding_in_every_technology_that_can_build_it(comparison: Comparison) -> None:
    names = [(one.technology.name, one.name) for one in comparison.candidates]
    plain = ["ternary (binary gates)", "rails", "binary2"]
    assert names == [("ptm32", "ternary (native cells)")] + [("ptm32", n) for n in plain] + [
        ("fdsoi28", n) for n in plain
    ]
    assert comparison.primary == "ptm32"


def test_counts_carried_over_are_those_of_real_simulations(
    comparison: Comparison, results: dict[Encoding, Result]
) -> None:
    for given in Encoding:
        carried = compare(results[given], [technology("fdsoi28")])
        for one in carried.candidates:
            (own,) = [c for c in comparison.of("fdsoi28") if c.name == one.name]
            assert one.exact
            assert one.energy.total_fj == pytest.approx(own.energy.total_fj)


def test_figures_are_those_of_the_structure(comparison: Comparison, results: dict[Encoding, Result]) -> None:
    for one in comparison.candidates:
        built = structure(results[one.encoding].program.config, native=one.native)
        assert one.transistors == built.transistors(one.technology)
        assert one.to_json()["structure"]["cells"] == built.cells


def test_binary_is_the_better_of_its_candidates(comparison: Comparison) -> None:
    rivals = comparison.binary("ptm32")
    ternary, best = comparison.pair("ptm32") or pytest.fail("no pair")
    assert best.energy.total_fj == min(one.energy.total_fj for one in rivals)
    for win in comparison.winners:
        if win["figure"] == "transistors: adder tree":
            assert win["binary"] == min(one.transistors["adder tree"] for one in rivals)
            assert win["ternary"] == ternary.transistors["adder tree"]
            assert win["factor"] == max(win["ternary"], win["binary"]) / min(win["ternary"], win["binary"])
            break
    else:
        pytest.fail("no figure for the adder tree")


def test_break_even_values_make_both_sides_even(comparison: Comparison) -> None:
    values = {one.name: one for one in comparison.break_even}
    ternary, _ = comparison.pair("ptm32") or pytest.fail("no pair")
    trees = min(one.transistors["adder tree"] for one in comparison.binary("ptm32"))
    adder = values["full adder, transistors"]
    assert adder.actual == 118 / 28
    assert adder.even == pytest.approx(adder.actual * trees / ternary.transistors["adder tree"])
    swing = values["swing of a ternary wire"]
    assert swing.even is not None
    changed = ternary.technology.with_value("ternary.swing", swing.even)
    wires = ternary.energy.sums["wires"].value(changed, None)
    assert wires == pytest.approx(min(one.energy.components["wires"] for one in comparison.binary("ptm32")))


def test_the_static_break_even_is_found_where_there_is_one(results: dict[Encoding, Result]) -> None:
    base = technology("ptm32")
    cheap = base
    for path in base.numbers:
        if path.startswith("cells.") and path.endswith(("energy_per_operation", "transistors")):
            cheap = cheap.with_value(path, base.value(path) / 10)
    found = compare(results, [cheap])
    static = next(one for one in found.break_even if one.name == "static power at the middle level")
    ternary, binary = found.pair("ptm32") or pytest.fail("no pair")
    assert static.even is not None
    even = cheap
    for path in cheap.numbers:
        if path.endswith("static_mid"):
            even = even.with_value(path, cheap.value(path) * static.even / static.actual)
    assert ternary.energy.total_with(even, ternary.energy.memory) == pytest.approx(binary.energy.total_fj)


def test_the_tornado_is_what_recomputing_gives(comparison: Comparison, results: dict[Encoding, Result]) -> None:
    widest = comparison.tornado[0]
    assert widest.spread == max(one.spread for one in comparison.tornado)
    for end, ratio in ((widest.low, widest.at_low), (widest.high, widest.at_high)):
        again = compare(results, [technology("ptm32").with_value(widest.number, end)])
        ternary = next(one for one in again.candidates if one.native)
        rival = next(one for one in again.candidates if one.name == comparison.pair("ptm32")[1].name)  # type: ignore[index]
        assert ternary.energy.total_fj / rival.energy.total_fj == pytest.approx(ratio)


def test_words_follow_from_numbers(comparison: Comparison) -> None:
    ternary, binary = comparison.pair("ptm32") or pytest.fail("no pair")
    ratio = ternary.energy.total_fj / binary.energy.total_fj
    assert f"binary wins by a factor of {ratio:.2f}" in comparison.text
    assert comparison.tornado[0].number in comparison.text


def test_without_ternary_cells_there_is_no_verdict(results: dict[Encoding, Result]) -> None:
    found = compare(results, [technology("fdsoi28")])
    assert found.primary == ""
    assert found.break_even == found.tornado == ()
    assert found.text.startswith("None of the chosen technologies has ternary cells.")


def test_everything_is_json(comparison: Comparison) -> None:
    plain = json.loads(json.dumps(comparison.to_json(), allow_nan=False))
    assert plain["text"] == comparison.text
    assert [one["energy_fj"] for one in plain["candidates"]] == [one.energy.total_fj for one in comparison.candidates]


def test_storage_of_the_weights(comparison: Comparison) -> None:
    storage = comparison.storage_bits
    assert storage["two_bits"] == 2 * storage["weights"]
    assert storage["five_in_eight"] == math.ceil(storage["weights"] / 5) * 8
    assert storage["entropy"] == pytest.approx(1.5 * storage["weights"], rel=0.02)  # half of them zero


def test_questions_without_an_answer_are_refused(results: dict[Encoding, Result]) -> None:
    with pytest.raises(CostError, match=r"^a comparison needs at least one simulation$"):
        compare({})
    with pytest.raises(CostError, match=r"^technology ddr3 is of kind memory: a comparison needs kind logic or fpga$"):
        compare(results, [technology("ddr3")])
