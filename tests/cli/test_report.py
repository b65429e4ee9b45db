"""``setun report`` writes a page and says whose activity it shows."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

import setun

DATA = Path(setun.__file__).parent / "data"
Command = Callable[..., Result]


def test_report_writes_the_page_of_its_json(command: Command, digits: Path, tmp_path: Path) -> None:
    output = tmp_path / "report.html"
    done = command("report", digits, "--input", DATA / "digits.npz", "-o", output, "--json")
    assert done.exit_code == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed.pop("report") == str(output)
    inside = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', output.read_text(encoding="utf-8"))
    assert inside is not None
    assert json.loads(inside.group(1)) == printed
    assert printed["run"]["images"] == 32
    assert "No inputs were given" not in output.read_text(encoding="utf-8")


def test_report_without_inputs_says_so(command: Command, digits: Path, tmp_path: Path) -> None:
    done = command("report", digits, "-o", tmp_path / "r.html", "--technology", "horowitz45", "--memory", "ddr3")
    assert done.exit_code == 0, done.stderr
    assert done.stdout == f"wrote {tmp_path / 'r.html'}\n"
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "No inputs were given" in text
    assert "45 nm CMOS at 0.9 V after Horowitz" in text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--technology", "x9"), r"Error: technology must be a TOML file or one of .*, not 'x9'\n"),
        (
            ("--memory", "22fdx"),
            r"Error: technology 22fdx is of kind logic: external memory needs one of kind memory\n",
        ),
        (("--clock", "nan"), r"Error: clock must be a positive number of MHz, not nan\n"),
        (("--clock", "-5"), r"Error: clock must be a positive number of MHz, not -5\n"),
    ],
)
def test_report_refuses_in_one_sentence_and_leaves_no_file(
    command: Command, digits: Path, tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    done = command("report", digits, "-o", tmp_path / "r.html", *arguments)
    assert done.exit_code == 2
    assert re.fullmatch(sentence, done.stderr)
    assert list(tmp_path.iterdir()) == []
