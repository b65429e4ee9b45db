"""Writes docs/validation.md: the cost and cycle model beside published silicon, tools and tables.

    python benchmarks/validate.py

One parameter set a technology, the shipped one; nothing is adjusted between the sections. Takes some seconds; a test
notices when the page is not what this writes.
"""

from pathlib import Path

from validation import cutie, others

PAGE = Path(__file__).resolve().parent.parent / "docs" / "validation.md"
HEAD = (
    "The cycle and cost model beside published silicon and tools, misses as plainly as hits. This page is written by "
    "`python benchmarks/validate.py`; published figures and their sources stand in `benchmarks/validation` and in the "
    "technology files."
)


def page() -> str:
    """The page's text."""
    result = cutie.batch()
    lines = [
        "# Validation", "", HEAD, "",
        *cutie.cycles(), *cutie.silicon(), *others.compute(result), *others.ratios(result), *others.finn(),
        *others.systolic(), *others.horowitz(),
    ]  # fmt: skip
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
