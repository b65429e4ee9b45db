"""The page of comparisons is what its script writes, and says what it shall show."""

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def validate() -> ModuleType:
    """The script."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        return importlib.import_module("validate")


def test_the_page_is_what_the_script_writes(validate: ModuleType) -> None:
    """When this fails, run benchmarks/validate.py."""
    written = (ROOT / "docs" / "validation.md").read_text(encoding="utf-8")
    assert written == validate.page()


def test_both_figures_of_the_silicon_are_met_by_one_configuration(validate: ModuleType) -> None:
    full, single = validate.cutie.figures(validate.cutie.technology("22fdx"))
    assert full.structure.config.multipliers == single.structure.config.multipliers == 96 * 96 * 9
    assert 0.97 / 1.5 <= full.peak_fj_per_op <= 0.97 * 1.5
    assert 2.72 / 1.5 <= single.total_fj / 1e9 <= 2.72 * 1.5


def test_every_assumed_number_is_listed(validate: ModuleType) -> None:
    page = validate.page()
    listed = set(re.findall(r"^\| `([a-z0-9_.]+)` \|", page, re.M))
    numbers = validate.cutie.technology("22fdx").numbers
    assert {path for path, q in numbers.items() if q.status == "assumed" and not path.startswith("cells.")} == listed
    _, single = validate.cutie.figures(validate.cutie.technology("22fdx"))
    used = {path for total in single.sums.values() for factors in total.terms for path in factors}
    assert {path for path in used if numbers[path].status == "assumed"} <= listed
