"""Plain aligned text tables, narrow enough for a terminal of 80 columns."""

import re
from collections.abc import Sequence

#: what stands right in its column
_NUMBER = re.compile(r"-|[-+]?\d[\d.]*(e[-+]?\d+)?")


def table(header: Sequence[str], rows: Sequence[Sequence[object]], widest: int = 24) -> str:
    """Columns two blanks apart, numbers to the right; cells longer than ``widest`` lose their middle."""
    cells = [[_cell(value, widest) for value in row] for row in rows]
    widths = [max(len(text) for text in column) for column in zip(header, *cells, strict=True)]
    numeric = [bool(rows) and all(_NUMBER.fullmatch(row[i]) for row in cells) for i in range(len(header))]
    lines = []
    for line in (list(header), ["-" * width for width in widths], *cells):
        padded = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def _cell(value: object, widest: int) -> str:
    if isinstance(value, float):
        return f"{value:.1f}"
    text = "".join(c if c.isprintable() else " " for c in str(value))
    if len(text) <= widest:
        return text
    half = (widest - 2) // 2
    return f"{text[:half]}..{text[-half:]}"
