"""Horizontal bars that reflow with the page: each is a small SVG whose lengths are percentages."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from markupsafe import Markup

from setun_sim.report.drawing import element
from setun_sim.report.numbers import at, shown


class Part(NamedTuple):
    """A piece of a bar: where its value stands in the document, how it is written, its colour and its name."""

    path: tuple[str | int, ...]
    kind: str
    colour: str
    name: str


def bar(document: dict[str, Any], parts: Sequence[Part], longest: float) -> Markup:
    """One bar of parts side by side; a value of ``longest`` fills the width."""
    found, start = [], 0.0
    for part in parts:
        value = at(document, part.path) or 0
        width = 100 * value / longest if longest else 0.0
        if value > 0:
            title = element("title", f"{part.name}: {shown(value, part.kind)}")
            found.append(
                element(
                    "rect", title, x=f"{start:.4f}%", y=0, width=f"{width:.4f}%", height="100%", class_=part.colour,
                    data_key="/".join(map(str, part.path)), data_value=repr(value),
                )
            )  # fmt: skip
        start += width
    return element("svg", found, class_="bar", aria_hidden="true")


def span(document: dict[str, Any], paths: Sequence[tuple[str | int, ...]], low: float, high: float) -> Markup:
    """A bar from one value to another on a logarithmic axis, with lines at 1 and at a third value.

    ``paths`` lead to both ends and to the third value, the axis goes from ``low`` to ``high``.
    """
    first, second, actual = (at(document, path) for path in paths)

    def place(value: float) -> float:
        return 100 * math.log(value / low) / math.log(high / low)

    start, end = sorted((place(first), place(second)))
    title = element("title", f"{shown(first, 'plain')} to {shown(second, 'plain')}")
    parts = [
        element(
            "rect", title, x=f"{start:.4f}%", y=0, width=f"{max(0.4, end - start):.4f}%", height="100%", class_="c5",
            data_key="/".join(map(str, paths[0])), data_value=repr(first),
        ),
        element("line", x1=f"{place(1):.4f}%", x2=f"{place(1):.4f}%", y1=0, y2="100%", class_="even"),
        element("line", x1=f"{place(actual):.4f}%", x2=f"{place(actual):.4f}%", y1=0, y2="100%", class_="actual"),
    ]  # fmt: skip
    return element("svg", parts, class_="bar", aria_hidden="true")
