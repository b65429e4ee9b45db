"""Sections of the document: memory maps, roofline, energies, numbers as text."""

from pathlib import Path

import numpy as np
import pytest

from setun_compiler import compile_model
from setun_hw.presets import config
from setun_sim.report import Report
from setun_sim.report.energies import GROUPS, grouped
from setun_sim.report.memory_map import Occupied, memory_maps, most_words
from setun_sim.report.numbers import shown
from setun_sim.simulation import simulate


def block(base: int, words: int, start: int, end: int) -> Occupied:
    return Occupied(tensor="t", base=base, words=words, start=start, end=end)


@pytest.mark.parametrize(
    ("blocks", "most"),
    [
        ([block(0, 4, 0, 10)], 4),
        ([block(0, 4, 0, 10), block(4, 2, 10, 20)], 4),  # one ends where the other begins
        ([block(0, 4, 0, 10), block(4, 2, 9, 20)], 6),
        ([block(0, 4, 0, 10), block(2, 4, 5, 20)], 6),  # shared words count once
        ([block(8, 1, 0, 9), block(0, 16, 0, 9), block(20, 1, 0, 9)], 17),
    ],
)
def test_most_words_in_use_at_once(blocks: list[Occupied], most: int) -> None:
    assert most_words(blocks) == most


def test_memory_blocks_lie_inside_memory_and_run(found: Report) -> None:
    cycles = found.document["run"]["cycles"]
    memories = found.document["memories"]
    assert [memory["memory"] for memory in memories] == ["activations", "weights", "parameters"]
    for memory in memories:
        for one in memory["blocks"]:
            assert 0 <= one["start"] < one["end"] <= cycles
            assert one["base"] + one["words"] <= memory["used_words"] <= memory["depth_words"]


def test_residual_memories_have_the_configurations_size() -> None:
    models = Path(__file__).parents[1] / "models" / "asymmetric_digits"
    with np.load(models / "test400.npz") as data:
        samples = data["x_u8"][:2]
    chosen = config("resnet20")
    program = compile_model(models / "model.onnx", chosen, calibration=samples)
    maps = {one.memory: one for one in memory_maps(simulate(program, None))}
    assert maps["residual"].depth == chosen.residual_words
    assert maps["residual"].word_bits == chosen.residual_word_bits
    assert 0 < maps["residual"].most <= maps["residual"].used <= chosen.residual_words


def test_no_layer_stands_above_the_roof(found: Report) -> None:
    known = found.document["roofline"]
    for point in (*known["layers"], known["network"]):
        roof = known["products_per_cycle_at_most"]
        if point["products_per_byte"] is not None:
            roof = min(roof, known["bytes_per_cycle_at_most"] * point["products_per_byte"])
        assert 0 < point["products_per_cycle"] <= roof
    # 3072 MACs of 3 digits and 480 MACs of one
    network = known["network"]["products_per_cycle"]
    assert network == pytest.approx((3072 * 3 + 480) / found.document["run"]["cycles"])


def test_cycles_add_up(found: Report) -> None:
    document = found.document
    for layer in document["layers"]:
        assert layer["steps"] + sum(layer["stalls"].values()) == layer["cycles"]
    total = sum(layer["cycles"] for layer in document["layers"]) + document["run"]["between_layers_cycles"]
    assert total == document["run"]["cycles"]
    assert document["run"]["seconds"] == pytest.approx(total / (document["run"]["clock_mhz"] * 1e6))


def test_energies_add_up_and_rest_on_named_numbers(found: Report) -> None:
    energy, technology = found.document["energy"], found.document["technology"]
    total = energy["energy_fj"]
    for parts in (energy["components_fj"], energy["groups_fj"]):
        assert sum(parts.values()) == pytest.approx(total)
    assert sum(number["share"] for number in technology["numbers"]) == pytest.approx(1)
    assert all(number["source"] and number["unit"] for number in technology["numbers"])
    assumed = sum(number["share"] for number in technology["numbers"] if number["status"] == "assumed")
    assert assumed <= energy["assumed_share"] + 1e-9  # products with an assumed factor count as well


def test_what_is_in_no_group_counts_as_datapath() -> None:
    found = grouped({"multipliers": 1.0, "new unit": 2.0, "clock": 4.0})
    assert found == {**dict.fromkeys(GROUPS, 0.0), "datapath": 3.0, "clock": 4.0}


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (0, "count", "0"), (1234567, "count", "1_234_567"), (0.1234, "share", "12.3_%"), (1, "share", "100.0_%"),
        (999.96, "fj", "1.00_pJ"), (2538.3, "fj", "2.54_pJ"), (0, "fj", "0_J"), (1.5e-3, "fj", "1.50_aJ"),
        (3.2e-4, "seconds", "320_\u00b5s"), (54, "mhz", "54.0_MHz"), (12.5, "mw", "12.5_mW"), (213.33, "ps", "213_ps"),
        (3071.4, "hertz", "3_071_/s"), (2.5e7, "hertz", "25.0_M/s"), (646194, "um2", "0.646_mm\u00b2"),
        (3.5, "times", "3.50_\u00d7"), (1.23e-5, "plain", "1.23e-05"), (None, "count", "\u2013"),
        (99.96, "plain", "100"),
    ],
)  # fmt: skip
def test_numbers_are_written_for_people(value: float | None, kind: str, text: str) -> None:
    assert shown(value, kind) == text.replace("_", "\u202f")
