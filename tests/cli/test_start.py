"""The command starts fast: no verb imports what it does not need."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from setun.cli.app import app

HEAVY = {"amaranth", "cocotb", "numba", "onnx", "pyosys", "rich"}


SCRIPT = """
import atexit, sys
atexit.register(lambda: print("LOADED", *sys.modules, file=sys.stderr))
from setun.cli import main
main()
"""


def loaded(*arguments: object) -> set[str]:
    """Which heavy packages a verb imports."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stderr.splitlines() if line.startswith("LOADED"))
    return HEAVY & set(line.split())


def test_the_heavy_packages_are_noticed() -> None:
    assert "rich" in HEAVY & set(subprocess.run(
        [sys.executable, "-c", "import rich, sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    ).stdout.split())  # fmt: skip


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("compile", "--help"), ("configs",), ("doctor",)])
def test_light_verbs_import_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert loaded(*arguments) == set()


def test_info_imports_nothing_heavy(digits: Path) -> None:
    assert loaded("info", digits) == set()


def test_every_verb_has_a_help_with_an_example_that_fits_a_terminal() -> None:
    group = typer.main.get_command(app)
    names = list(group.commands)  # type: ignore[attr-defined]
    assert len(names) >= 9
    for name in names:
        done = subprocess.run(
            [sys.executable, "-m", "setun", name, "--help"],
            capture_output=True, text=True, check=True, timeout=60, env={"COLUMNS": "80", "PATH": ""},
        )  # fmt: skip
        assert f"Example: setun {name}" in done.stdout
        assert "--json" in done.stdout
        assert all(len(line) <= 80 for line in done.stdout.splitlines()), name
