"""Pages say what is true: links lead somewhere, every verb and option is described, CI runs what README promises."""

import re
from pathlib import Path

import pytest
import typer.main

from setun.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").rglob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page}: {target}"


def test_the_index_names_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = [page.relative_to(ROOT / "docs") for page in (ROOT / "docs").glob("*.md")]
    missing = [str(page) for page in pages if str(page) != "README.md" and f"({page})" not in index]
    assert missing == []


def test_the_command_page_describes_every_verb_and_option() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    sections = {part.split("\n", 1)[0].strip("` "): part for part in page.split("\n## ")[1:]}
    group = typer.main.get_command(app)
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        assert f"setun {name}" in sections
        for parameter in command.params:
            if parameter.name not in ("help", "json"):
                names = [option for option in parameter.opts if option.startswith("--")] or [
                    parameter.metavar.strip("[]")
                ]
                assert f"`{names[0]}" in sections[f"setun {name}"], f"{name} {names[0]}"


def test_ci_runs_the_two_commands_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for command in ("make demo", "make test"):
        assert re.search(rf"^{command}$", readme, re.MULTILINE)
        assert re.search(rf"^{command}\b", ci, re.MULTILINE)
