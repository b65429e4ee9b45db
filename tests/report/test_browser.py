"""The report as a browser shows it: nothing sticks out, at a phone's, a desk's and a page's width, light and dark.

Without Chromium these tests are skipped, and say so; CI installs it (`.ci/run`).
"""

import re
from pathlib import Path

import numpy as np
import pytest

from setun_sim.report import Report
from setun_sim.report.page import page
from tests.report.browser import browser, pdf, show

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser() is None, reason="no Chromium: the report was not looked at in a browser"),
]

#: millimetres of A4 in PDF points
A4 = (595, 842)


@pytest.fixture(scope="module")
def written(found: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("browser") / "report.html"
    path.write_text(page(found.document), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_sticks_out_and_every_chart_is_whole(written: Path, tmp_path: Path, width: int) -> None:
    shown = show(written, width, tmp_path)
    assert shown.measures["late"] == []
    assert shown.measures["scroll"] == shown.measures["width"] == width
    assert len(shown.measures["charts"]) >= 6
    for chart in shown.measures["charts"]:
        assert chart["outside"] == []
        assert 0.6 * min(width, 520) <= chart["width"] <= width
        assert chart["height"] > 60
    assert shown.measures["smallest"] >= 8  # pixels of a line of text in a chart
    assert shown.pixels.shape[1] == width
    assert np.mean(np.ptp(shown.pixels, axis=(0, 1)) > 0.5) > 0.01
    assert np.mean(np.abs(shown.pixels - shown.pixels[2, 2]).max(-1) > 0.2) > 0.02  # ink on paper


def test_dark_and_light_readers_get_their_own_colours(written: Path, tmp_path: Path) -> None:
    light, dark = (show(written, 600, tmp_path, dark=dark) for dark in (False, True))
    assert light.measures["background"] == "rgb(255, 255, 255)"
    assert dark.measures["background"] == "rgb(20, 24, 30)"
    assert light.pixels.mean() > 0.8
    assert dark.pixels.mean() < 0.35
    assert dark.measures["late"] == []


def test_printed_on_a4(written: Path, tmp_path: Path) -> None:
    data = pdf(written, tmp_path / "report.pdf")
    boxes = re.findall(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)\s*\]", data)
    assert boxes
    for width, height in boxes:
        assert (round(float(width)), round(float(height))) == A4
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b(?!s)", data)) <= 12
