"""Pages in headless Chromium: screenshots and PDFs at a given width, and measures of their layout.

A page is shown in a frame of the wanted width inside a page of the test's own, because the browser's window does not
get narrower than about 500 pixels; scripts of that outer page take the measures, the page itself has none.
"""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.image import imread
from numpy.typing import NDArray

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

_MEASURE = """
<!doctype html><meta charset="utf-8">
<style>body{margin:0}iframe{border:0;display:block;width:%(width)dpx;height:%(height)dpx}</style>
<iframe id="f" src="%(page)s"></iframe><pre id="out"></pre>
<script>
document.getElementById("f").onload = () => {
  const doc = document.getElementById("f").contentDocument, root = doc.documentElement, view = doc.defaultView;
  const scrolls = e => {
    const p = e.parentElement;
    return p !== null && (view.getComputedStyle(p).overflowX !== "visible" || scrolls(p));
  };
  const out = e => e.getBoundingClientRect().right > root.clientWidth + 0.5;
  const late = [...doc.body.querySelectorAll("*")].filter(e => !scrolls(e) && out(e));
  const charts = [...doc.querySelectorAll("svg.chart")].map(s => {
    const f = s.getBoundingClientRect();
    const leaves = b => b.left < f.left - 1 || b.right > f.right + 1 || b.bottom > f.bottom + 1 || b.top < f.top - 4;
    const outside = [...s.querySelectorAll("text, rect, circle")].filter(e => leaves(e.getBoundingClientRect()));
    return {width: f.width, height: f.height, outside: outside.map(e => e.textContent.slice(0, 60))};
  });
  const small = [...doc.querySelectorAll("svg.chart text")].map(t => t.getBoundingClientRect().height);
  document.getElementById("out").textContent = JSON.stringify({
    width: root.clientWidth, scroll: root.scrollWidth, height: root.scrollHeight, charts: charts,
    late: late.slice(0, 5).map(e => e.tagName + " " + e.className + " " + e.textContent.slice(0, 40)),
    background: view.getComputedStyle(doc.body).backgroundColor, smallest: Math.min(...small)});
};
</script>
"""
_OPTIONS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage")


def browser() -> str | None:
    """Chromium or Chrome, if there is one."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


@dataclass(frozen=True)
class Shown:
    """What a page looks like at one width."""

    measures: dict[str, Any]
    pixels: NDArray[np.float64]


def show(page: Path, width: int, folder: Path, *, dark: bool = False, height: int = 900) -> Shown:
    """Load a page ``width`` pixels wide; the whole page must load."""
    outer = folder / f"outer_{width}_{dark}.html"
    picture = folder / f"shot_{width}_{dark}.png"
    outer.write_text(_MEASURE % {"width": width, "height": height, "page": page.as_uri()}, encoding="utf-8")
    window = [
        f"--window-size={max(width, 500)},{height}",
        "--virtual-time-budget=5000",
        "--allow-file-access-from-files",
    ]
    window += ["--blink-settings=preferredColorScheme=0"] if dark else ["--blink-settings=preferredColorScheme=1"]
    dom = run(*window, "--dump-dom", outer.as_uri())
    found = re.search(r'<pre id="out">(.*?)</pre>', dom, re.DOTALL)
    assert found is not None, dom[:500]
    measures = json.loads(found.group(1).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    run(*window, f"--screenshot={picture}", outer.as_uri())
    return Shown(measures, np.asarray(imread(picture))[:height, :width, :3])


def pdf(page: Path, file: Path) -> bytes:
    """Print a page on its own paper size."""
    run("--no-pdf-header-footer", f"--print-to-pdf={file}", page.as_uri())
    return file.read_bytes()


def run(*arguments: str) -> str:
    """One call of the browser."""
    name = browser()
    assert name is not None
    done = subprocess.run([name, *_OPTIONS, *arguments], capture_output=True, text=True, check=True, timeout=120)
    return done.stdout
