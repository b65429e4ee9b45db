"""docs/networks.md: tests it names exist, kinds are all there, and configurations compile what their rows say."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from setun_hw import presets
from tests.networks.kinds import KINDS
from tests.networks.programs import program_of

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "networks.md").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Row:
    """What a line of the table names."""

    kinds: tuple[str, ...]
    paths: tuple[str, ...]
    tests: tuple[str, ...]
    configurations: tuple[str, ...]


def rows() -> list[Row]:
    """The lines of the table of kinds."""
    lines = PAGE.split("| --- |", 1)[1].split("\n\n", 1)[0].splitlines()[1:]
    found = []
    for line in lines:
        cells = [re.findall(r"`([^`]+)`", cell) for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        assert len(cells) == 5, line
        found.append(
            Row(
                kinds=tuple(name for name in cells[2] if name in KINDS),
                paths=tuple(name for name in cells[2] if "/" in name),
                tests=tuple(cells[3]),
                configurations=tuple(cells[4]),
            )
        )
    return found


def test_every_named_test_exists() -> None:
    named = re.findall(r"`(tests/[^`]+\.py)(?:::([^`]+))?`", PAGE)
    assert len(named) > 25
    for file, function in named:
        assert (ROOT / file).is_file(), file
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert not function or function in defined, f"{file} has no {function}"


def test_every_kind_has_its_line_with_tests_and_a_configuration() -> None:
    assert sorted(name for row in rows() for name in row.kinds) == sorted(KINDS)
    assert all(row.tests for row in rows())
    assert all(row.configurations for row in rows() if row.kinds)
    assert all((ROOT / path).exists() for row in rows() for path in row.paths)


@pytest.mark.parametrize(
    ("name", "configuration"),
    [(name, configuration) for row in rows() for name in row.kinds for configuration in row.configurations],
)
def test_the_named_configuration_compiles_the_kind(name: str, configuration: str, tmp_path: Path) -> None:
    program = program_of(KINDS[name](), presets.config(configuration), tmp_path)
    assert program.config.name == configuration
