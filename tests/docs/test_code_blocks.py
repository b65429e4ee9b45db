"""Every code block of README and docs runs, or is plain text."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
]
SECONDS = 600


@dataclass(frozen=True)
class Block:
    """One fenced block: its line, its language, its text."""

    line: int
    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found, start, language, lines = [], 0, "", list[str]()
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        fence = re.match(r"\s*```(.*)$", line)
        if fence and not start:
            start, language, lines = number, fence.group(1).strip(), []
        elif fence:
            found.append(Block(start, language, "\n".join(lines) + "\n"))
            start = 0
        elif start:
            lines.append(line)
    assert not start, f"{page}:{start}: block is never closed"
    return found


def check(block: Block, folder: Path) -> str:
    """What is wrong with a block; empty when nothing is."""
    environment = dict(os.environ, PATH=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", COLUMNS="80")
    commands = {"bash": ["bash", "-euo", "pipefail", "-c", block.text], "python": [sys.executable, "-c", block.text]}
    if block.language in commands:
        done = subprocess.run(
            commands[block.language],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return f"status {done.returncode}\n{done.stdout}\n{done.stderr}" if done.returncode else ""
    readers = {"json": json.loads, "toml": tomllib.loads, "text": str}
    if block.language not in readers:
        return f"language must be bash, python, toml, json or text, not {block.language!r}"
    try:
        readers[block.language](block.text)
    except ValueError as error:
        return f"is no {block.language}: {error}"
    return ""


def test_the_runner_notices_failures(tmp_path: Path) -> None:
    assert check(Block(1, "bash", "false\ntrue\n"), tmp_path).startswith("status 1")
    assert check(Block(1, "python", "raise SystemExit(3)\n"), tmp_path).startswith("status 3")
    assert check(Block(1, "json", "{"), tmp_path).startswith("is no json")
    assert check(Block(1, "", "anything\n"), tmp_path).startswith("language must be")
    assert check(Block(1, "bash", "setun --version\n"), tmp_path) == ""


@pytest.mark.rtl
@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_of_the_page_runs(page: Path, tmp_path: Path) -> None:
    """Blocks of a page run in order in one folder that looks like a clone after ``make demo``."""
    demo = tmp_path / "demo"
    demo.mkdir()
    for name in ("digits.onnx", "digits.npz"):
        shutil.copy(ROOT / "setun" / "data" / name, demo / name)
    for name in ("examples", "tests", "benchmarks"):
        (tmp_path / name).symlink_to(ROOT / name)
    for block in blocks(page):
        wrong = check(block, tmp_path)
        assert not wrong, f"{page.relative_to(ROOT)}:{block.line}: {wrong}"
