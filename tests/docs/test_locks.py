"""Lock files pin every package with hashes and name no index, and agree with pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def pins(file: str) -> dict[str, set[str]]:
    """Package to versions."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", (ROOT / file).read_text(), re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found


@pytest.mark.parametrize("file", ["requirements.lock", "requirements-dev.lock"])
def test_every_pin_has_hashes_and_no_line_names_a_place(file: str) -> None:
    text = (ROOT / file).read_text()
    assert not re.search(r"://|--index|--extra-index|--find-links| @ ", text)
    entries = re.split(r"\n(?=\S)", text.strip())
    assert len(entries) > 20
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_test_lock_contains_the_same_versions_as_the_run_lock() -> None:
    dev = pins("requirements-dev.lock")
    differing = {name: (v, dev.get(name)) for name, v in pins("requirements.lock").items() if dev.get(name) != v}
    assert differing == {}


@pytest.mark.parametrize(("file", "extras"), [("requirements.lock", ()), ("requirements-dev.lock", ("dev",))])
def test_everything_pyproject_asks_for_is_locked(file: str, extras: tuple[str, ...]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])]
    names = {re.match(r"[A-Za-z0-9_.-]+", line).group().lower() for line in wanted}  # type: ignore[union-attr]
    assert names - pins(file).keys() == set()
