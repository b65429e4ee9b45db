"""The report's charts as PNG and SVG files, for papers and slides; two runs give identical files."""

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from setun_sim.report.drawing import shortened
from setun_sim.report.energies import GROUPS
from setun_sim.report.numbers import significant
from setun_sim.report.page import STALLS

Document = dict[str, Any]

#: told apart by people who do not see all colours (after Okabe and Ito)
COLOURS = ("#0b66a8", "#e08a00", "#0a8f6c", "#cc5500", "#b5629a", "#3fa4dc", "#8a8f98", "#c9b400")
INK, SOFT, RULE = "#1c2430", "#5b6675", "#dfe3e8"
_STYLE = {
    "svg.hashsalt": "setun", "svg.fonttype": "path", "font.family": "DejaVu Sans", "font.size": 9.0,
    "axes.edgecolor": SOFT, "axes.labelcolor": SOFT, "xtick.color": SOFT, "ytick.color": SOFT, "text.color": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True, "legend.frameon": False,
    "axes.titlesize": 10.0, "axes.titlelocation": "left", "text.parse_math": False,
}  # fmt: skip


def latency(document: Document) -> Figure:
    """Cycles of each layer: steps, and stalls by cause."""
    layers = document["layers"]
    parts = {"steps": [layer["steps"] for layer in layers]}
    parts |= {cause: [layer["stalls"][cause] for layer in layers] for cause in STALLS}
    return _stacked(_names(layers), parts, "cycles", "Latency")


def utilisation(document: Document) -> Figure:
    """Share of the multipliers' cycles that each layer's products take."""
    layers = document["layers"]
    figure = _stacked(_names(layers), {"": [100 * layer["utilisation"] for layer in layers]}, "%", "Utilisation")
    figure.axes[0].set_xlim(0, 100)
    return figure


def energy(document: Document) -> Figure:
    """Energy of an input by layer and group of components."""
    layers = document["energy"]["layers"]
    unit, size = _energy_unit(max(layer["energy_fj"] for layer in layers))
    parts = {group: [layer["groups_fj"][group] / size for layer in layers] for group in GROUPS}
    return _stacked(_names(layers), parts, unit, f"Energy of an input, {document['energy']['technology']}")


def compare(document: Document) -> Figure:
    """Energy of an input in every encoding, one panel for each technology: figures of two are not to be divided."""
    found = document["comparison"]["technologies"]
    figure = Figure(
        figsize=(7.2, 0.5 + sum(0.42 + 0.26 * len(one["candidates"]) for one in found)), layout="constrained"
    )
    heights = [len(one["candidates"]) for one in found]
    axes = figure.subplots(len(found), 1, squeeze=False, height_ratios=heights)[:, 0]
    for ax, one in zip(axes, found, strict=True):
        candidates = one["candidates"]
        unit, size = _energy_unit(max(c["energy_fj"] for c in candidates))
        parts = {group: [c["groups_fj"][group] / size for c in candidates] for group in GROUPS}
        _bars(ax, [c["name"] for c in candidates], parts, unit)
        ax.set_title(shortened(f"{one['name']}: {one['title']}", 84), fontsize=8)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(GROUPS), fontsize=7)
    return figure


def tornado(document: Document) -> Figure | None:
    """Energy of ternary over binary, each number at the ends of its range; None where no technology has both."""
    rows = document["comparison"]["tornado"]
    if not rows:
        return None
    figure, ax = _figure(len(rows))
    for place, row in enumerate(rows):
        low, high = sorted((row["at_low"], row["at_high"]))
        ax.barh(place, high - low, left=low, color=COLOURS[5], height=0.62)
    ax.axvline(1, color=INK, linewidth=0.8)
    ax.axvline(rows[0]["actual"], color=INK, linewidth=2)
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    _plain(ax.xaxis)
    _rows(ax, [row["number"] for row in rows])
    ax.set_xlabel("energy of ternary over binary; right of 1 binary wins")
    ax.set_title(f"What the answer hangs on, {document['comparison']['primary_technology']}")
    return figure


def roofline(document: Document) -> Figure:
    """Digit products a cycle over products a byte of external memory."""
    found = document["roofline"]
    peak, slope = found["products_per_cycle_at_most"], found["bytes_per_cycle_at_most"]
    points = [p for p in [*found["layers"], found["network"]] if p["products_per_cycle"] > 0]
    moving = [p["products_per_byte"] for p in points if p["products_per_byte"]]
    low, high = min([*moving, peak / slope]) / 3, max([*moving, peak / slope]) * 10
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    ax = figure.add_subplot()
    ax.loglog([low, peak / slope, high], [low * slope, peak, peak], color=INK, linewidth=1.4)
    labelled: list[tuple[float, float]] = []
    for point in points:
        network = point is found["network"]
        x = point["products_per_byte"] or high
        ax.plot(x, point["products_per_cycle"], "o", color=COLOURS[3 if network else 0], markersize=7 if network else 5)
        place = math.log(x), math.log(point["products_per_cycle"])
        if all(math.dist(place, other) > 0.15 for other in labelled):
            labelled.append(place)
            name = "whole network" if network else shortened(point["name"], 24)
            ax.annotate(name, (x, point["products_per_cycle"]), (6, 3), textcoords="offset points", fontsize=7)
    _plain(ax.xaxis)
    _plain(ax.yaxis)
    ax.grid(color=RULE)
    ax.set_xlabel("digit products a byte of external memory (right edge: no traffic)")
    ax.set_ylabel("digit products a cycle")
    ax.set_title("Roofline")
    return figure


def memory(document: Document) -> Figure:
    """Words of each on-chip memory over the cycles of a run."""
    memories = document["memories"]
    figure = Figure(figsize=(7.2, 2.3 * len(memories)), layout="constrained")
    for ax, one in zip(figure.subplots(len(memories), 1, squeeze=False)[:, 0], memories, strict=True):
        tensors = list(dict.fromkeys(block["tensor"] for block in one["blocks"]))
        for block in one["blocks"]:
            width, colour = block["end"] - block["start"], COLOURS[tensors.index(block["tensor"]) % len(COLOURS)]
            ax.barh(block["base"], width, block["words"], block["start"], align="edge", color=colour, alpha=0.85,
                    edgecolor="white", linewidth=0.5)  # fmt: skip
            if block["words"] > 0.06 * one["used_words"] and width > 0.08 * document["run"]["cycles"]:
                middle = block["start"] + width / 2, block["base"] + block["words"] / 2
                ax.annotate(shortened(block["tensor"], 18), middle, ha="center", va="center", fontsize=6, color="white")
        ax.set_xlim(0, document["run"]["cycles"])
        ax.set_ylim(0, one["used_words"])
        ax.set_ylabel("word")
        ax.set_title(f"{one['memory']}: {one['most_words']} of {one['depth_words']} words at most")
    figure.axes[-1].set_xlabel("cycle")
    return figure


def histogram(document: Document) -> Figure:
    """Sums of every layer upwards, thresholds downwards."""
    found = document["histograms"]
    columns = 2 if len(found) > 1 else 1
    lines = math.ceil(len(found) / columns)
    figure = Figure(figsize=(3.6 * columns, 1.7 * lines), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for ax, one in zip(axes, found, strict=False):
        starts = [one["first"] + k * one["width"] for k in range(len(one["sums"]))]
        ax.bar(starts, one["sums"], one["width"], align="edge", color=COLOURS[0])
        if any(one["thresholds"]):
            scale = 0.35 * max(one["sums"]) / max(one["thresholds"])
            ax.bar(
                starts, [-scale * count for count in one["thresholds"]], one["width"], align="edge", color=COLOURS[3]
            )
        ax.axhline(0, color=INK, linewidth=0.6)
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
        ax.set_title(shortened(one["name"], 30), fontsize=8)
    for ax in axes[len(found) :]:
        ax.set_visible(False)
    return figure


#: plots by name
KINDS: dict[str, Callable[[Document], Figure | None]] = {
    "latency": latency, "utilisation": utilisation, "roofline": roofline, "energy": energy, "memory": memory,
    "histogram": histogram, "compare": compare, "tornado": tornado,
}  # fmt: skip


def draw(kind: str, document: Document, path: Path, form: str | None = None) -> bool:
    """Write one plot as ``svg`` or ``png``, by default what the path ends with; False if there is nothing to draw."""
    form = form or path.suffix.removeprefix(".")
    with mpl.rc_context(_STYLE), warnings.catch_warnings():  # type: ignore[arg-type]
        # names may hold characters that the font lacks: they become boxes
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure = KINDS[kind](document)
        if figure is None:
            return False
        FigureCanvasAgg(figure)
        metadata = {"Date": None} if form == "svg" else {"Software": None}
        figure.savefig(path, format=form, dpi=160, metadata=metadata)
    return True


def _figure(rows: int) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(7.2, 1.3 + 0.27 * rows), layout="constrained")
    return figure, figure.add_subplot()


def _stacked(names: list[str], parts: dict[str, list[float]], unit: str, title: str) -> Figure:
    figure, ax = _figure(len(names))
    _bars(ax, names, parts, unit)
    ax.set_title(title)
    if len(parts) > 1:
        handles = ax.get_legend_handles_labels()
        figure.legend(*handles, loc="outside lower center", ncols=len(parts), fontsize=7, handlelength=1)
    return figure


def _bars(ax: Axes, names: list[str], parts: dict[str, list[float]], unit: str) -> None:
    left = [0.0] * len(names)
    for (name, values), colour in zip(parts.items(), COLOURS, strict=False):
        ax.barh(range(len(names)), values, left=left, label=name, color=colour, height=0.68)
        left = [a + b for a, b in zip(left, values, strict=True)]
    for place, total in enumerate(left):
        ax.annotate(f" {significant(total)}", (total, place), va="center", fontsize=7, color=SOFT)
    ax.set_xlim(0, 1.1 * max([*left, 1e-30]))
    ax.set_xlabel(unit)
    _rows(ax, names)


def _rows(ax: Axes, names: list[str]) -> None:
    """The first row on top."""
    ax.set_yticks(range(len(names)), [shortened(name, 34) for name in names])
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)


def _plain(axis: Axis) -> None:
    """Numbers as they are on a logarithmic axis, none at its minor ticks."""
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _names(layers: list[dict[str, Any]]) -> list[str]:
    return [layer["name"] for layer in layers]


def _energy_unit(most: float) -> tuple[str, float]:
    units = (("fJ", 1.0), ("pJ", 1e3), ("nJ", 1e6), ("\u00b5J", 1e9), ("mJ", 1e12))
    return next((one for one in reversed(units) if one[1] <= most), units[0])
