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
from setun_sim.report.numbers import GAP, shown, significant
from setun_sim.report.page import STALLS
from setun_sim.report.rooflines import roofline
from setun_sim.report.style import COLOURS, INK, SOFT, STYLE

Document = dict[str, Any]


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
    """Energy of an input by layer: on the chip by group of components, and of the external memory."""
    layers = document["energy"]["layers"]
    inside = [group for group in GROUPS if group != "external memory"]
    figure = Figure(figsize=(7.2, 1.6 + 0.27 * len(layers)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1))
    unit, size = _energy_unit(max(layer["on_chip_fj"] for layer in layers))
    _bars(left, _names(layers), {g: [layer["groups_fj"][g] / size for layer in layers] for g in inside}, unit)
    outside = [layer["groups_fj"]["external memory"] for layer in layers]
    unit, size = _energy_unit(max(outside))
    _bars(right, _names(layers), {"": [value / size for value in outside]}, unit, COLOURS[len(inside)])
    left.set_title(f"Energy of an input on the chip, {document['energy']['technology']}")
    right.set_title("external memory")
    handles = left.get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=len(inside), fontsize=7, handlelength=1)
    return figure


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
        ax.annotate(
            f"{_grouped(row['low'])} to {_grouped(row['high'])} {row['unit'].replace('ratio', '')}".rstrip(),
            (1.01, place), xycoords=("axes fraction", "data"), va="center", fontsize=7, color=SOFT,
        )  # fmt: skip
    ax.axvline(1, color=INK, linewidth=0.8)
    ax.axvline(rows[0]["actual"], color=INK, linewidth=2)
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
    _plain(ax.xaxis)
    _rows(ax, [row["number"] for row in rows])
    ax.set_xlabel("energy of ternary over binary; right of 1 binary wins")
    ax.set_title(f"What the answer hangs on, {document['comparison']['primary_technology']}")
    return figure


def memory(document: Document) -> Figure:
    """Words of each on-chip memory over the cycles of a run."""
    memories = document["memories"]
    figure = Figure(figsize=(7.2, 0.4 + 2.1 * len(memories)), layout="constrained")
    cycles = document["run"]["cycles"]
    for ax, one in zip(figure.subplots(len(memories), 1, squeeze=False)[:, 0], memories, strict=True):
        written: list[tuple[float, float, float]] = []
        tensors = list(dict.fromkeys(block["tensor"] for block in one["blocks"]))
        for block in one["blocks"]:
            width, colour = block["end"] - block["start"], COLOURS[tensors.index(block["tensor"]) % len(COLOURS)]
            ax.barh(block["base"], width, block["words"], block["start"], align="edge", color=colour, alpha=0.85,
                    edgecolor="white", linewidth=0.5)  # fmt: skip
            room = int(110 * width / document["run"]["cycles"])  # characters
            if block["words"] > 0.08 * one["used_words"] and room >= 4:
                middle = block["start"] + width / 2, block["base"] + block["words"] / 2
                name = shortened(block["tensor"], min(room, 24))
                half = len(name) * cycles / 220
                if all(
                    abs(middle[0] - x) > half + other or abs(middle[1] - y) > 0.09 * one["used_words"]
                    for x, y, other in written
                ):
                    written.append((*middle, half))
                    ax.annotate(name, middle, ha="center", va="center", fontsize=6, color="white")
        ax.set_xlim(0, cycles)
        ax.set_ylim(0, one["used_words"])
        ax.set_ylabel("word")
        ax.xaxis.set_major_formatter(FuncFormatter(_grouped))
        ax.yaxis.set_major_formatter(FuncFormatter(_grouped))
        used, depth = shown(one["most_words"], "count"), shown(one["depth_words"], "count")
        ax.set_title(f"{one['memory']}: at most {used} of {depth} words in use")
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
    figure.suptitle("Upwards: sums of one run. Downwards: thresholds.", fontsize=8, color=SOFT)
    return figure


#: plots by name
KINDS: dict[str, Callable[[Document], Figure | None]] = {
    "latency": latency, "utilisation": utilisation, "roofline": roofline, "energy": energy, "memory": memory,
    "histogram": histogram, "compare": compare, "tornado": tornado,
}  # fmt: skip


def draw(kind: str, document: Document, path: Path, form: str | None = None) -> bool:
    """Write one plot as ``svg`` or ``png``, by default what the path ends with; False if there is nothing to draw."""
    form = form or path.suffix.removeprefix(".")
    with mpl.rc_context(STYLE), warnings.catch_warnings():  # type: ignore[arg-type]
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


def _bars(ax: Axes, names: list[str], parts: dict[str, list[float]], unit: str, *colours: str) -> None:
    left = [0.0] * len(names)
    for (name, values), colour in zip(parts.items(), colours or COLOURS, strict=False):
        ax.barh(range(len(names)), values, left=left, label=name, color=colour, height=0.68)
        left = [a + b for a, b in zip(left, values, strict=True)]
    for place, total in enumerate(left):
        written = shown(total, "count") if unit == "cycles" else significant(total)
        ax.annotate(f" {written}", (total, place), va="center", fontsize=7, color=SOFT)
    ax.set_xlim(0, 1.14 * max([*left, 1e-30]))
    ax.xaxis.set_major_formatter(FuncFormatter(_grouped))
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


def _grouped(value: float, _place: int | None = None) -> str:
    """Digits in groups of three, no exponent."""
    return f"{value:,.10g}".replace(",", GAP)


def _names(layers: list[dict[str, Any]]) -> list[str]:
    return [layer["name"] for layer in layers]


def _energy_unit(most: float) -> tuple[str, float]:
    units = (("fJ", 1.0), ("pJ", 1e3), ("nJ", 1e6), ("\u00b5J", 1e9), ("mJ", 1e12))
    return next((one for one in reversed(units) if one[1] <= most), units[0])
