"""Horizontal bars that reflow with the page: each is a small SVG whose lengths are percentages."""

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
