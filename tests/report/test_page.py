"""The page says what the document says, and names from hostile files stay text."""

import math
import re
from collections.abc import Callable

import pytest

from setun_sim.report import Report
from setun_sim.report.page import page
from tests.report.reader import Page, amount, read, value_at

#: units in the document's keys
UNITS = {"fj": 1e-15, "mw": 1e-3, "mhz": 1e6, "ps": 1e-12}


@pytest.fixture(scope="module")
def parsed(found: Report) -> Page:
    return read(page(found.document))


def test_the_page_carries_the_document(found: Report, parsed: Page) -> None:
    assert parsed.document == found.document


def test_every_number_is_the_documents(parsed: Page) -> None:
    assert len(parsed.numbers) > 80
    for key, exact, _ in parsed.numbers:
        assert float(exact) == value_at(parsed.document, key), key


def test_every_number_is_written_as_what_it_is(parsed: Page) -> None:
    for key, exact, text in parsed.numbers:
        value, unit = amount(text)
        factor = next((UNITS[word] for word in re.split("[/_]", key) if word in UNITS), 1.0)
        if "/winners/" in key and not key.endswith("factor"):  # these have their unit beside them
            unit_name = value_at(parsed.document, key.rpartition("/")[0])["unit"].split("/")[0]
            factor = {"fJ": 1e-15, "ps": 1e-12}.get(unit_name, 1.0)
        digits = 5e-4 if unit == "%" else 5.1e-3 * abs(float(exact) * factor)
        assert math.isclose(value, float(exact) * factor, rel_tol=0, abs_tol=digits), (key, exact, text)


def test_bars_are_as_long_as_their_values(parsed: Page) -> None:
    bars = [mark for mark in parsed.marks if mark.attributes.get("width", "").endswith("%")]
    cycles = [mark for mark in bars if re.fullmatch(r"layers/\d+/(steps|stalls/\w+)", mark.key)]
    longest = max(layer["cycles"] for layer in parsed.document["layers"])
    assert len(cycles) >= 4
    for mark in cycles:
        value = value_at(parsed.document, mark.key)
        assert float(mark.value) == value
        assert float(mark.attributes["width"].rstrip("%")) == pytest.approx(100 * value / longest, abs=1e-3)


def test_histograms_stand_in_proportion(parsed: Page) -> None:
    drawn = [mark for mark in parsed.marks if mark.key.startswith("histograms/0/sums/")]
    sums = parsed.document["histograms"][0]["sums"]
    assert len(drawn) == sum(count > 0 for count in sums)
    tallest = max(float(mark.attributes["height"]) for mark in drawn)
    for mark in drawn:
        count = value_at(parsed.document, mark.key)
        assert float(mark.value) == count
        assert float(mark.attributes["height"]) == pytest.approx(max(0.6, tallest * count / max(sums)), abs=0.02)


def test_memory_boxes_do_not_leave_their_frame_and_keep_the_order_of_words(parsed: Page) -> None:
    for index, memory in enumerate(parsed.document["memories"]):
        drawn = {m.key: m.attributes for m in parsed.marks if m.key.startswith(f"memories/{index}/blocks/")}
        assert len(drawn) == len(memory["blocks"])
        tops = [float(drawn[f"memories/{index}/blocks/{k}/words"]["y"]) for k in range(len(memory["blocks"]))]
        ends = [block["base"] + block["words"] for block in memory["blocks"]]
        assert sorted(range(len(ends)), key=lambda k: (-ends[k], k)) == sorted(
            range(len(ends)), key=lambda k: (tops[k], k)
        )
        assert min(tops) >= 8


def test_the_page_needs_nothing_else(found: Report, parsed: Page) -> None:
    scripts = [attributes for tag, attributes in parsed.tags if tag == "script"]
    assert [s["type"] for s in scripts] == ["application/json"]
    assert not {tag for tag, _ in parsed.tags} & {"link", "img", "iframe", "object", "image", "use"}
    assert not any({"src", "href", "onload", "onclick"} & attributes.keys() for _, attributes in parsed.tags)
    assert "url(" not in page(found.document)


def test_two_pages_of_one_document_are_the_same(found: Report) -> None:
    assert page(found.document) == page(found.document)


@pytest.mark.parametrize(
    "name",
    ["</script><script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a&b<c>'d\"", "{{ 7*7 }}", "x" * 4000],
)
def test_names_from_hostile_files_stay_text(named: Callable[[str], Report], name: str) -> None:
    report = named(name)
    parsed = read(page(report.document))
    assert parsed.document["network"]["name"] == parsed.document["layers"][0]["name"] == name
    assert [tag for tag, _ in parsed.tags].count("script") == 1
    assert "img" not in {tag for tag, _ in parsed.tags}
    assert name in parsed.text
    assert not any("onerror" in attributes for _, attributes in parsed.tags)
