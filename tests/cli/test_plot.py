"""``setun plot`` writes the files it says, whole or not at all."""

import json
from collections.abc import Callable
from pathlib import Path

from typer.testing import Result

from setun.cli.plotting import Kind
from setun_sim.report.plots import KINDS

Command = Callable[..., Result]


def test_the_command_offers_every_kind() -> None:
    assert [kind.value for kind in Kind] == list(KINDS)


def test_a_folder_gets_every_plot(command: Command, digits: Path, tmp_path: Path) -> None:
    done = command("plot", digits, "-o", tmp_path / "plots", "--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["random_inputs"] is True
    assert found["plots"] == [str(tmp_path / "plots" / f"{kind}.svg") for kind in KINDS]
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == sorted(f"{kind}.svg" for kind in KINDS)


def test_a_folder_gets_png_files_when_asked(command: Command, digits: Path, tmp_path: Path) -> None:
    done = command("plot", digits, "--kind", "energy", "--form", "png", "-o", tmp_path / "plots")
    assert done.stdout == f"wrote {tmp_path / 'plots' / 'energy.png'}\n"
    assert (tmp_path / "plots" / "energy.png").read_bytes().startswith(b"\x89PNG")


def test_a_file_gets_one_kind(command: Command, digits: Path, tmp_path: Path) -> None:
    done = command("plot", digits, "--kind", "latency", "-o", tmp_path / "l.png")
    assert done.stdout == f"wrote {tmp_path / 'l.png'}\n"
    assert (tmp_path / "l.png").read_bytes().startswith(b"\x89PNG")


def test_a_file_for_all_is_refused(command: Command, digits: Path, tmp_path: Path) -> None:
    done = command("plot", digits, "-o", tmp_path / "all.svg")
    assert done.exit_code == 2
    assert done.stderr == (
        f"Error: {tmp_path / 'all.svg'}: all plots need a folder, one file needs a kind: {', '.join(KINDS)}\n"
    )
    assert list(tmp_path.iterdir()) == []
