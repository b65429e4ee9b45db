"""Plots show the document's numbers, come out the same every time, and survive hostile names."""

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from matplotlib.image import imread

from setun_sim.report import Report, plots


def widths(ax: Any) -> list[float]:
    return [patch.get_width() for patch in ax.patches]


def test_latency_has_a_bar_for_every_cause_of_every_layer(found: Report) -> None:
    (ax,) = plots.latency(found.document).axes
    layers = found.document["layers"]
    wanted = [layer["steps"] for layer in layers]
    for cause in ("idle", "load", "drain", "store", "pipeline"):
        wanted += [layer["stalls"][cause] for layer in layers]
    assert widths(ax) == wanted
    assert [label.get_text() for label in ax.get_yticklabels()] == [layer["name"] for layer in layers]
    ends = [patch.get_x() + patch.get_width() for patch in ax.patches[-len(layers) :]]
    assert ends == [layer["cycles"] for layer in layers]


def test_utilisation_is_in_percent(found: Report) -> None:
    (ax,) = plots.utilisation(found.document).axes
    assert widths(ax) == [100 * layer["utilisation"] for layer in found.document["layers"]]


def test_energy_bars_end_at_the_layers_energy(found: Report) -> None:
    inside, outside = plots.energy(found.document).axes
    layers = found.document["energy"]["layers"]
    for ax, key in ((inside, "on_chip_fj"), (outside, "external memory")):
        unit = {"fJ": 1.0, "pJ": 1e3, "nJ": 1e6, "\u00b5J": 1e9}[ax.get_xlabel()]
        ends = [unit * (patch.get_x() + patch.get_width()) for patch in ax.patches[-len(layers) :]]
        wanted = [layer[key] if key in layer else layer["groups_fj"][key] for layer in layers]
        assert ends == pytest.approx(wanted)
    assert [layer["on_chip_fj"] + layer["groups_fj"]["external memory"] for layer in layers] == pytest.approx(
        [layer["energy_fj"] for layer in layers]
    )


def test_roofline_points_are_the_documents(found: Report) -> None:
    (ax,) = plots.roofline(found.document).axes
    roof, *points = ax.lines
    rates = [point.get_ydata()[0] for point in points]
    known = found.document["roofline"]
    assert rates == [layer["products_per_cycle"] for layer in (known["network"], *known["layers"])]
    named = {text.get_text() for text in ax.texts}
    assert named == {"whole network", *(layer["name"] for layer in known["layers"])}
    assert roof.get_ydata()[1] == known["products_per_cycle_at_most"]


def test_memory_boxes_are_the_placements(found: Report) -> None:
    for ax, memory in zip(plots.memory(found.document).axes, found.document["memories"], strict=True):
        boxes = [(p.get_x(), p.get_y(), p.get_width(), p.get_height()) for p in ax.patches]
        assert boxes == [(b["start"], b["base"], b["end"] - b["start"], b["words"]) for b in memory["blocks"]]


def test_histogram_bars_are_the_counts(found: Report) -> None:
    axes = [ax for ax in plots.histogram(found.document).axes if ax.get_visible()]
    for ax, one in zip(axes, found.document["histograms"], strict=True):
        assert [patch.get_height() for patch in ax.patches][: len(one["sums"])] == one["sums"]


def test_compare_has_a_panel_for_each_technology(found: Report) -> None:
    known = found.document["comparison"]["technologies"]
    axes = plots.compare(found.document).axes
    assert len(axes) == len(known)
    for ax, one in zip(axes, known, strict=True):
        unit = {"nJ": 1e6, "\u00b5J": 1e9}[ax.get_xlabel()]
        last = ax.patches[-len(one["candidates"]) :]
        ends = [unit * (patch.get_x() + patch.get_width()) for patch in last]
        assert ends == pytest.approx([candidate["energy_fj"] for candidate in one["candidates"]])


def test_tornado_spans_the_ends(found: Report) -> None:
    figure = plots.tornado(found.document)
    assert figure is not None
    rows = found.document["comparison"]["tornado"]
    ranges = [text.get_text().split(" to ")[0] for text in figure.axes[0].texts]
    assert [float(low.replace("\u202f", "")) for low in ranges] == pytest.approx([row["low"] for row in rows])
    spans = [(p.get_x(), p.get_x() + p.get_width()) for p in figure.axes[0].patches]
    assert spans == [pytest.approx(sorted((row["at_low"], row["at_high"]))) for row in rows]


def test_no_tornado_without_ternary_cells(found: Report, tmp_path: Path) -> None:
    document = {**found.document, "comparison": {**found.document["comparison"], "tornado": []}}
    assert plots.draw("tornado", document, tmp_path / "t.svg") is False
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", list(plots.KINDS))
def test_two_runs_give_identical_files(found: Report, tmp_path: Path, kind: str) -> None:
    for form in ("svg", "png"):
        first, second = tmp_path / f"a.{form}", tmp_path / f"b.{form}"
        assert plots.draw(kind, found.document, first)
        assert plots.draw(kind, found.document, second)
        assert first.read_bytes() == second.read_bytes()
    picture = imread(tmp_path / "a.png")
    assert picture.std() > 0.02  # not blank
    assert b"<dc:date>" not in (tmp_path / "a.svg").read_bytes()


@pytest.mark.parametrize("name", ["$\\frac{", "a<b>&c", "\u6f22\u5b57", "x" * 3000, "\x1b[2J"])
def test_hostile_names_are_drawn_as_text(named: Callable[[str], Report], tmp_path: Path, name: str) -> None:
    document = named(name).document
    for kind in ("latency", "roofline", "memory", "histogram"):
        assert plots.draw(kind, document, tmp_path / f"{kind}.svg")
        assert ET.parse(tmp_path / f"{kind}.svg").getroot().tag.endswith("svg")
