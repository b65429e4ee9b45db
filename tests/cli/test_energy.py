"""Energies of ``setun simulate``: by component and by layer, expected or counted, text and JSON."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

import setun

DATA = Path(setun.__file__).parent / "data"
TINY = Path(__file__).parents[1] / "cost" / "tiny.lib"
INPUT = ("--input", DATA / "digits.npz")
Command = Callable[..., Result]


def document(done: Result) -> dict[str, Any]:
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_energy_by_component_and_by_layer_adds_up(command: Command, digits: Path) -> None:
    found = document(command("simulate", digits, *INPUT, "--json"))
    energy = found["energy"]
    assert found["random_inputs"] is False
    assert (energy["technology"], energy["memory"]) == ("22fdx", "lpddr4")
    total = energy["energy_fj"]
    assert sum(energy["components_fj"].values()) == pytest.approx(total)
    assert sum(layer["energy_fj"] for layer in energy["layers"]) == pytest.approx(total)
    for layer in energy["layers"]:
        assert sum(layer["components_fj"].values()) == pytest.approx(layer["energy_fj"])
        assert sum(layer["groups_fj"].values()) == pytest.approx(layer["energy_fj"])


def test_the_tables_show_the_numbers_of_the_json(command: Command, digits: Path) -> None:
    energy = document(command("simulate", digits, *INPUT, "--json"))["energy"]
    text = command("simulate", digits, *INPUT).stdout
    assert all(len(line) <= 80 for line in text.splitlines())
    components, layers = text[text.index("component ") :].split("layer ", 1)
    unit = {"fJ": 1.0, "pJ": 1e3, "nJ": 1e6, "uJ": 1e9}
    size = unit[components.split()[1]]
    for name, value in energy["components_fj"].items():
        row = re.search(rf"^{name} +([\d.]+) +([\d.]+)%$", components, re.MULTILINE)
        assert row, name
        assert float(row[1]) == pytest.approx(value / size, rel=5e-3, abs=5e-3)
        assert float(row[2]) == pytest.approx(100 * value / energy["energy_fj"], abs=0.05)
    size = unit[layers.split()[0]]
    for layer in energy["layers"][:2]:
        row = re.search(rf"^{re.escape(layer['name'])} +([\d.]+) ", layers, re.MULTILINE)
        assert row, layer["name"]
        assert float(row[1]) == pytest.approx(layer["energy_fj"] / size, rel=5e-3)


def test_without_inputs_energy_is_that_of_random_ones_and_says_so(command: Command, digits: Path) -> None:
    found = document(command("simulate", digits, "--technology", "horowitz45", "--memory", "ddr3", "--json"))
    assert found["random_inputs"] is True
    assert (found["energy"]["technology"], found["energy"]["memory"]) == ("horowitz45", "ddr3")
    assert "energy of an input (random: none were given)" in command("simulate", digits).stdout


def test_toggles_replace_the_expected_switching_and_show_the_difference(command: Command, digits: Path) -> None:
    plain = document(command("simulate", digits, *INPUT, "--json"))
    found = document(command("simulate", digits, *INPUT, "--toggles", "--json"))
    toggles = found["toggles"]
    assert toggles["expected_energy_fj"] == plain["energy"]["energy_fj"]
    assert toggles["energy_fj"] == found["energy"]["energy_fj"] != plain["energy"]["energy_fj"]
    for layer, before, after in zip(
        toggles["layers"], plain["energy"]["layers"], found["energy"]["layers"], strict=True
    ):
        for key, energies in (("expected_dot_products_fj", before), ("dot_products_fj", after)):
            parts = energies["components_fj"]
            assert layer[key] == parts.get("multipliers", 0) + parts.get("adder tree", 0)
        assert before["components_fj"]["clock"] == after["components_fj"]["clock"]
    text = command("simulate", digits, *INPUT, "--toggles").stdout
    change = toggles["energy_fj"] / toggles["expected_energy_fj"] - 1
    assert text.endswith(f"switching counted on real operands changes the whole by {change:+.1%}\n")


def test_a_liberty_file_prices_the_gates(command: Command, digits: Path, tmp_path: Path) -> None:
    found = document(command("simulate", digits, *INPUT, "--liberty", TINY, "--json"))["energy"]
    assert found["technology"] == "tiny"
    plain = document(command("simulate", digits, *INPUT, "--json"))["energy"]
    assert found["components_fj"]["external memory"] == plain["components_fj"]["external memory"]
    assert found["components_fj"]["adder tree"] != plain["components_fj"]["adder tree"]
    document(command("report", digits, *INPUT, "--liberty", TINY, "-o", tmp_path / "r.html", "--json"))
    assert "Cells of tiny (tiny.lib)" in (tmp_path / "r.html").read_text(encoding="utf-8")
    done = command("plot", digits, *INPUT, "--liberty", TINY, "--kind", "energy", "-o", tmp_path / "e.svg")
    assert done.exit_code == 0, done.stderr


@pytest.mark.parametrize("verb", ["simulate", "compare", "report", "plot"])
def test_a_liberty_file_cut_short_is_refused(command: Command, digits: Path, tmp_path: Path, verb: str) -> None:
    cut = tmp_path / "cut.lib"
    cut.write_bytes(TINY.read_bytes()[:2000])
    output = {"report": ("-o", tmp_path / "r.html"), "plot": ("-o", tmp_path / "p")}.get(verb, ())
    done = command(verb, digits, "--liberty", cut, *output)
    assert done.exit_code == 2
    assert re.fullmatch(rf"Error: {re.escape(str(cut))}: line \d+: the file ends inside a group: .*\n", done.stderr)
    assert [path.name for path in tmp_path.iterdir()] == ["cut.lib"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--technology", "ddr3"), "technology ddr3 is of kind memory: energy needs one of kind logic"),
        (("--memory", "22fdx"), "technology 22fdx is of kind logic: external memory needs one of kind memory"),
        (("--clock", "inf"), "clock must be a positive number of MHz, not inf"),
    ],
)
def test_refusals(command: Command, digits: Path, arguments: tuple[str, ...], sentence: str) -> None:
    done = command("simulate", digits, *arguments)
    assert done.exit_code == 2
    assert done.stderr == f"Error: {sentence}\n"
