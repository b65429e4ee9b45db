"""The roofline as a plot for papers and slides."""

import math
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from setun_sim.report.drawing import shortened
from setun_sim.report.labels import Point, merged, placed
from setun_sim.report.numbers import power_of_ten
from setun_sim.report.style import COLOURS, INK, RULE


def roofline(document: dict[str, Any]) -> Figure:
    """Digit products a cycle over products a byte of external memory."""
    found = document["roofline"]
    peak, slope = found["products_per_cycle_at_most"], found["bytes_per_cycle_at_most"]
    points = [p for p in [found["network"], *found["layers"]] if p["products_per_cycle"] > 0]
    moving = [p["products_per_byte"] for p in points if p["products_per_byte"]]
    low, high = min([*moving, peak / slope]) / 3, max([*moving, peak / slope]) * 10
    least = min([*(p["products_per_cycle"] for p in points), low * slope]) / 2
    width, height = 6.4, 4.2
    figure = Figure(figsize=(width, height), layout="constrained")
    ax = figure.add_subplot()
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(low, high * 8)
    ax.set_ylim(least, peak * 2)
    ax.plot([low, peak / slope, high], [low * slope, peak, peak], color=INK, linewidth=1.4)
    # names are placed on a canvas of points of 1/72 inch, about where the axes will be
    canvas = _Canvas(ax.get_xlim(), ax.get_ylim(), 72 * (width - 0.7), 72 * (height - 0.9))
    marks = []
    for point in points:
        network = point is found["network"]
        x, y = point["products_per_byte"] or high, point["products_per_cycle"]
        ax.plot(x, y, "o", color=COLOURS[3 if network else 0], markersize=7 if network else 5)
        name = "whole network" if network else shortened(point["name"], 22)
        marks.append(Point(*canvas.place(x, y), name, 4.0 if network else 3.0))
    marks = merged(marks, 4)
    roof = [canvas.place(x, y) for x, y in ((low, low * slope), (peak / slope, peak), (high, peak))]
    labels = placed(marks, (0, 0, canvas.width, canvas.height), roof, [], 4.4, 8)
    for mark, label in zip(marks, labels, strict=True):
        if label is not None:
            side = {"start": "left", "middle": "center", "end": "right"}[label.anchor]
            ax.text(*canvas.back(label.x, label.y), mark.name, ha=side, va="center", fontsize=7)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: power_of_ten(round(math.log10(value)))))
        axis.set_minor_formatter(NullFormatter())
    ax.grid(color=RULE)
    ax.set_xlabel("digit products a byte of external memory (rightmost: no traffic)")
    ax.set_ylabel("digit products a cycle")
    ax.set_title("Roofline")
    return figure


class _Canvas(NamedTuple):
    """Logarithmic axes on a canvas whose y grows downwards."""

    x: tuple[float, float]
    y: tuple[float, float]
    width: float
    height: float

    def place(self, x: float, y: float) -> tuple[float, float]:
        return (
            self.width * math.log(x / self.x[0]) / math.log(self.x[1] / self.x[0]),
            self.height * (1 - math.log(y / self.y[0]) / math.log(self.y[1] / self.y[0])),
        )

    def back(self, right: float, down: float) -> tuple[float, float]:
        return (
            self.x[0] * (self.x[1] / self.x[0]) ** (right / self.width),
            self.y[0] * (self.y[1] / self.y[0]) ** (1 - down / self.height),
        )
