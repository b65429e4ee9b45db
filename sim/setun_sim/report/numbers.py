"""Numbers as people read them: three significant digits, units that fit, digits in groups."""

import math
from collections.abc import Sequence
from typing import Any

#: between groups of three digits, and between a number and its unit: neither breaks a line
GAP = "\u202f"
#: what stands where there is no number
NOTHING = "\u2013"
_PREFIXES = ((1e-18, "a"), (1e-15, "f"), (1e-12, "p"), (1e-9, "n"), (1e-6, "µ"), (1e-3, "m"), (1.0, ""), (1e3, "k"),
             (1e6, "M"), (1e9, "G"), (1e12, "T"))  # fmt: skip
#: kinds of numbers: unit, and how many of it one of the document's are
_SCALED = {
    "fj": ("J", 1e-15), "seconds": ("s", 1.0), "mw": ("W", 1e-3), "nw": ("W", 1e-9), "mhz": ("Hz", 1e6),
    "ps": ("s", 1e-12), "hertz": ("/s", 1.0),
}  # fmt: skip


def shown(value: float | None, kind: str) -> str:
    """Text of a number.

    Parameters
    ----------
    kind:
        ``count`` (all digits), ``share`` (percent), ``plain`` (three significant digits), ``times`` (a factor), or
        the unit of the value: ``fj``, ``seconds``, ``mw``, ``nw``, ``mhz``, ``ps``, ``hertz``, ``um2``.
    """
    if value is None:
        return NOTHING
    if kind == "count":
        return f"{value:,.0f}".replace(",", GAP)
    if kind == "share":
        return f"{100 * value:.1f}{GAP}%"
    if kind == "times":
        return f"{significant(value)}{GAP}\u00d7"
    if kind == "um2":
        return f"{significant(value / 1e6)}{GAP}mm²" if value >= 1e4 else f"{significant(value)}{GAP}µm²"
    if kind in _SCALED:
        unit, factor = _SCALED[kind]
        return scaled(value * factor, unit)
    return significant(value)


def significant(value: float) -> str:
    """Three significant digits, without an exponent where that is short."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    if 1e-3 <= abs(value) < 1e6:
        rounded = abs(float(f"{value:.2e}"))
        digits = max(0, 2 - math.floor(math.log10(rounded)))
        return f"{value:,.{digits}f}".replace(",", GAP)
    return f"{value:.2e}"


def scaled(value: float, unit: str) -> str:
    """Three significant digits with the prefix that leaves one to three of them before the point."""
    if value == 0:
        return f"0{GAP}{unit}"
    if unit == "/s" and abs(value) < 1e6:
        return f"{significant(value)}{GAP}{unit}"
    fitting = [(factor, prefix) for factor, prefix in _PREFIXES if factor <= abs(value) * 1.0005] or [_PREFIXES[0]]
    factor, prefix = fitting[-1]
    return f"{significant(value / factor)}{GAP}{prefix}{unit}"


def at(document: Any, path: Sequence[str | int]) -> Any:
    """The value a path of keys and indices leads to."""
    for key in path:
        document = document[key]
    return document


def power_of_ten(exponent: int) -> str:
    """A power of ten for an axis: plain where that is short."""
    if -3 < exponent < 5:
        return f"{10.0**exponent:g}"
    return "10" + "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(c)] if c.isdigit() else "⁻" for c in str(exponent))
