"""``setun compare``, ``setun technologies`` and the energies of ``setun simulate``: text, JSON and refusals."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

import setun

DATA = Path(setun.__file__).parent / "data"
MODELS = Path(__file__).parents[1] / "models"
Command = Callable[..., Result]


def document(done: Result) -> dict[str, Any]:
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def test_compare_tells_every_candidate_with_units(command: Command, digits: Path) -> None:
    chosen = ("--technology", "ptm32", "--technology", "22fdx", "--input", DATA / "digits.npz")
    found = document(command("compare", digits, *chosen, "--json"))
    assert found["random_inputs"] is False
    names = [(one["technology"], one["name"]) for one in found["candidates"]]
    binary = ["rails", "binary2"]
    assert names == [("ptm32", name) for name in ["ternary (native cells)", "ternary (binary gates)", *binary]] + [
        ("22fdx", name) for name in ["ternary (binary gates)", *binary]
    ]
    for one in found["candidates"]:
        assert sum(one["energy_components_fj"].values()) == pytest.approx(one["energy_fj"])
    text = command("compare", digits, *chosen).stdout
    assert all(len(line) <= 80 for line in text.splitlines())
    assert " ".join(found["text"].split()) in " ".join(text.split())
    row = next(line.split() for line in text.splitlines() if line.startswith("native ternary"))
    first = found["candidates"][0]
    unit = next(line.split()[0] for line in text.splitlines() if "/input" in line)
    assert float(row[2]) == pytest.approx(first["energy_fj"] / {"nJ/input": 1e6, "uJ/input": 1e9}[unit], rel=5e-3)
    assert int(row[5]) == first["transistors"]


def test_compare_writes_a_page_of_its_numbers(command: Command, digits: Path, tmp_path: Path) -> None:
    page = tmp_path / "c.html"
    done = command("compare", digits, "--technology", "ptm32", "-o", page)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("no inputs were given")
    assert done.stdout.endswith(f"wrote {page}\n")
    inside = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page.read_text(encoding="utf-8"))
    assert inside is not None
    shown = json.loads(inside.group(1))["comparison"]
    printed = document(command("compare", digits, "--technology", "ptm32", "--json"))
    assert shown["text"] == printed["text"]
    candidates = shown["technologies"][0]["candidates"]
    assert [one["energy_fj"] for one in candidates] == [one["energy_fj"] for one in printed["candidates"]]


def test_who_is_ahead_and_every_component_are_those_of_the_json(command: Command, digits: Path) -> None:
    found = document(command("compare", digits, "--technology", "ptm32", "--json"))
    text = command("compare", digits, "--technology", "ptm32").stdout
    flat = " ".join(text.split())
    for won in found["winners"]:
        if ":" not in won["figure"]:
            assert f"{won['figure']} {won['factor']:.2f} times" in flat.partition(f"{won['winner']} ahead:")[2]
    rows = {line[:28].strip(): line[28:].split() for line in text.partition("transistors, ptm32")[2].splitlines()}
    for name, count in found["candidates"][0]["transistors_by_component"].items():
        line = next(line for line in text.partition("transistors, ptm32")[2].splitlines() if line.startswith(name))
        shown = [float(number) for number in re.findall(r"[\d.]+", line)]
        counts = [one["transistors_by_component"].get(name, 0) for one in found["candidates"]]
        assert shown == [pytest.approx(count, rel=5e-3) for count in counts]
        assert count in counts
    assert rows
    economy = found["radix_economy"]
    assert economy["ratio"] == 3 * economy["trits"] / (2 * economy["bits"])
    assert f"{economy['ratio']:.2f}; counted in ptm32: transistors {economy['transistors_ratio']:.2f}" in flat
    assert economy["leaves_out"] in flat


def test_wide_numbers_are_marked_until_the_model_makes_them_exact(command: Command, tmp_path: Path) -> None:
    """A trained network with an input of 8 bits: six trits, or four digits of radix 4."""
    model, program = MODELS / "tnn_vgg_mnist" / "frozen_dynamo.onnx", tmp_path / "net.setun"
    assert command("compile", model, "-o", program, "--config", "small").exit_code == 0
    chosen = ("--technology", "ptm32")
    carried, exact = (
        document(command("compare", program, *chosen, *more, "--json")) for more in ((), ("--model", model))
    )
    assert [one["exact_counts"] for one in carried["candidates"]] == [True, True, True, False]
    assert [one["exact_counts"] for one in exact["candidates"]] == [True, True, True, True]
    for found in (carried, exact):
        assert found["layers"][0] == "node_Conv_108"
        first = [one["digits"][0]["activation_digits"] for one in found["candidates"]]
        assert first == [6, 6, 6, 4]
        assert "node_Conv_108 (6 x 1 trits, 4 x 1 digits of radix 4)" in found["text"]
    assert "binary2 *" in command("compare", program, *chosen).stdout
    assert "*" not in command("compare", program, *chosen, "--model", model).stdout


def test_another_model_or_other_options_are_refused(command: Command, digits: Path) -> None:
    model = DATA / "digits.onnx"
    done = command("compare", digits, "--model", model, "--input-range", "0", "9")
    assert done.exit_code == 2
    otherwise = "the program was compiled with another input range, other calibration data or another version"
    assert done.stderr == f"Error: {model}: {otherwise}\n"
    other = MODELS / "digits_mlp" / "frozen_dynamo.onnx"
    done = command("compare", digits, "--model", other, "--calibration", DATA / "digits.npz")
    assert done.exit_code == 2
    assert done.stderr == f"Error: {other}: the program was compiled from another model\n"


def test_toggles_are_counted_for_every_encoding(command: Command, digits: Path) -> None:
    chosen = ("--technology", "fdsoi28", "--input", DATA / "digits.npz")
    plain = document(command("compare", digits, *chosen, "--json"))
    found = document(command("compare", digits, *chosen, "--toggles", "--json"))
    for before, after in zip(plain["candidates"], found["candidates"], strict=True):
        assert before["toggles_counted"] is False
        assert after["expected_energy_fj"] == before["energy_fj"] == before["expected_energy_fj"]
        assert (after["energy_fj"] != before["energy_fj"]) is after["toggles_counted"] is after["exact_counts"]
    text = command("compare", digits, *chosen, "--toggles").stdout
    ratios = [one["energy_fj"] / one["expected_energy_fj"] - 1 for one in found["candidates"] if one["toggles_counted"]]
    assert f"counted on real operands: {min(ratios):+.1%} to {max(ratios):+.1%} of the expected" in text


def test_a_liberty_file_prices_all_encodings_on_gates(
    command: Command, digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from setun_sim.report import comparison

    monkeypatch.setattr(comparison, "find_spec", lambda name: None)  # as if yosys was not there
    library = Path(__file__).parents[1] / "cost" / "tiny.lib"
    found = document(command("compare", digits, "--liberty", library, "--json"))
    names = [(one["technology"], one["name"]) for one in found["candidates"]]
    assert names == [("tiny", name) for name in ("ternary (binary gates)", "rails", "binary2")]
    assert all(one["area_um2"] > 0 and one["energy_fj"] > 0 for one in found["candidates"])
    assert found["mapped"] == []
    two = ("--technology", "ptm32", "--technology", "22fdx")
    done = command("compare", digits, "--liberty", library, *two)
    assert done.exit_code == 2
    assert done.stderr == "Error: a Liberty file needs one technology of kind logic, for what it does not hold\n"


@pytest.mark.slow
def test_an_fpga_beside_a_chip(command: Command, digits: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyosys")
    page = tmp_path / "c.html"
    chosen = ("--technology", "ice40", "--technology", "ptm32", "-o", page)
    found = document(command("compare", digits, *chosen, "--json"))
    assert [one["encoding"] for one in found["fpga"]] == ["ternary", "rails", "binary2"]
    text = command("compare", digits, *chosen).stdout
    assert all(len(line) <= 80 for line in text.splitlines() if str(page) not in line)
    shown = text.partition("\nice40: ")[2]
    for one in found["fpga"]:
        for key, part in (("luts", "lut"), ("flip_flops", "flip_flop"), ("dsps", "dsp")):
            assert one[key] == sum(cells[part] for cells in one["parts"].values())
        row = next(line for line in shown.splitlines() if line.startswith(one["encoding"]))
        counts = [one["luts"], one["flip_flops"], one["dsps"], one["block_memories"]]
        assert [int(number) for number in row.replace("*", "").split()[1:5]] == counts
        assert one["unknown"] == ["bram.energy_per_access"]
    (won,) = [w for w in found["winners"] if w["technology"] == "ice40" and w["figure"] == "look-up tables"]
    assert won["binary"] == min(one["luts"] for one in found["fpga"][1:])
    assert f"{won['ternary']:,.0f} look-up tables" in found["text"]
    inside = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page.read_text(encoding="utf-8"))
    assert inside is not None
    assert json.loads(inside.group(1))["comparison"]["fpga"][0]["costs"] == found["fpga"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--technology", "lpddr4"), "technology lpddr4 is of kind memory: a comparison needs kind logic or fpga"),
        (("--clock", "0"), "clock must be a positive number of MHz, not 0"),
        (("--latency", "0"), "memory latency must be at least 1, not 0"),
    ],
)
def test_compare_refuses_in_one_sentence(
    command: Command, digits: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    done = command("compare", digits, *arguments)
    assert done.exit_code == 2
    assert done.stderr == f"Error: {sentence}\n"


def numbers(found: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for one in found["technologies"]:
        for path, number in one["numbers"].items():
            yield f"{one['name']} {path}", number


def test_technologies_lists_every_number_with_unit_status_and_source(command: Command) -> None:
    found = document(command("technologies", "--json"))
    names = {one["name"] for one in found["technologies"]}
    assert {"22fdx", "ptm32", "cntfet32", "tcmos", "lpddr4", "ecp5"} <= names
    for where, number in numbers(found):
        assert number["unit"], where
        assert number["source"], where
        assert number["status"] in ("measured", "published", "derived", "assumed"), where
    text = command("technologies").stdout
    assert all(len(line) <= 80 for line in text.splitlines())
    assert all(re.search(rf"^{name} ", text, re.MULTILINE) for name in names)
    header = next(line.split() for line in text.splitlines())
    for one in found["technologies"]:
        row = dict(zip(header, re.search(rf"^{one['name']} .*$", text, re.MULTILINE)[0].split(), strict=True))  # type: ignore[index]
        assert int(row["unknown"]) == len(one["unknown"])
        assert int(row["assumed"]) == sum(number["status"] == "assumed" for number in one["numbers"].values())


@pytest.mark.parametrize("name", ["22fdx", "ptm32", "ecp5", "hbm2"])
def test_technologies_explains_one(command: Command, name: str) -> None:
    (one,) = document(command("technologies", name, "--json"))["technologies"]
    text = command("technologies", name).stdout
    assert all(len(line) <= 80 for line in text.splitlines())
    flat = " ".join(text.split())
    for path, number in one["numbers"].items():
        written = rf"^  {re.escape(path)} +{number['status']} +{re.escape(format(number['value'], '.6g'))}\b"
        assert re.search(written, text, re.MULTILINE), path
        assert " ".join(number["source"].split()) in flat
    for path in one["unknown"]:
        assert f"  {path}: " in text


def test_a_file_of_ones_own_is_listed_by_its_name(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('title = "Mine \\u001b[2J"\nkind = "memory"\n[sources]\nme = "me"\n', encoding="utf-8")
    done = command("technologies", file)
    assert done.exit_code == 0, done.stderr
    assert "mine: Mine" in done.stdout
    assert "\x1b" not in done.stdout
    refused = command("technologies", tmp_path / "other.toml")
    assert refused.exit_code == 2
    assert refused.stderr.startswith(f"Error: {tmp_path / 'other.toml'}: cannot be read")
