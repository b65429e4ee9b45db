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


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--technology", "lpddr4"), "technology lpddr4 is of kind memory: a comparison needs kind logic"),
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


@pytest.mark.parametrize("name", ["22fdx", "ptm32", "ecp5", "hbm2"])
def test_technologies_explains_one(command: Command, name: str) -> None:
    (one,) = document(command("technologies", name, "--json"))["technologies"]
    text = command("technologies", name).stdout
    assert all(len(line) <= 80 for line in text.splitlines())
    flat = " ".join(text.split())
    for path, number in one["numbers"].items():
        written = rf"^  {re.escape(path)} +{number['status']} +{re.escape(format(number['value'], '.4g'))}\b"
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
