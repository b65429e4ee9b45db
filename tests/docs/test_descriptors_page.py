"""The field reference says what the layouts say."""

import re
from pathlib import Path

import pytest

from setun_hw.descriptor import CHECK, KINDS, VERSION, Compute, Opcode, Post, Transfer

PAGE = (Path(__file__).parents[2] / "docs" / "descriptors.md").read_text(encoding="utf-8")


def rows(section: str) -> list[list[str]]:
    """Cells of the table rows below a heading."""
    text = PAGE.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| `")
    ]


@pytest.mark.parametrize("kind", [Transfer, Compute, Post])
def test_every_field_stands_where_it_lies(kind: type[Transfer] | type[Compute] | type[Post]) -> None:
    written = {}
    for name, word, bits, meaning in rows(kind.__name__):
        low, _, high = bits.partition("-")
        written[name.strip("`")] = (
            int(word),
            int(low),
            int(high or low),
            "(signed)" in meaning,
            meaning.startswith("derived:"),
        )
    defined = {
        name: (field.word, field.low, field.low + field.bits - 1, field.signed, name in kind.DERIVED)
        for name, field in kind.LAYOUT.items()
    }
    assert written == defined


def test_opcodes_version_and_check_word() -> None:
    found = {
        int(number): (name, record)
        for number, name, record in re.findall(r"^\| (\d) \| `(\w+)` \| (.*) \|$", PAGE, re.M)
    }
    names = {Opcode.END: "no fields"}
    assert found == {int(code): (code.name, names.get(code, kind.__name__)) for code, kind in KINDS.items()}
    assert f"the format version, {VERSION}." in PAGE
    assert f"`{CHECK:#x}`" in PAGE
