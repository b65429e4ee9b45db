"""Reads a page back: its numbers, its drawn marks and the JSON it carries, with nothing of the code that wrote it."""

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

#: what a written unit stands for, in the document's unit for numbers whose key ends in the given word
_PREFIX = {"a": 1e-18, "f": 1e-15, "p": 1e-12, "n": 1e-9, "µ": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}


@dataclass
class Mark:
    """An element of a drawing that stands for a number."""

    tag: str
    key: str
    value: str
    attributes: dict[str, str]


@dataclass
class Page:
    """What a parser finds."""

    numbers: list[tuple[str, str, str]] = field(default_factory=list)  #: key, exact value, text
    marks: list[Mark] = field(default_factory=list)
    document: dict[str, Any] = field(default_factory=dict)
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    text: str = ""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self._open: list[str] = []
        self._number: list[str] | None = None
        self._script: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {key: value or "" for key, value in attrs}
        self.page.tags.append((tag, attributes))
        if tag == "data":
            self._number = []
            self._data = attributes
        elif "data-key" in attributes:
            self.page.marks.append(Mark(tag, attributes["data-key"], attributes["data-value"], attributes))
        if tag not in ("meta", "link"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"unbalanced {tag}"
        if tag == "data" and self._number is not None:
            self.page.numbers.append((self._data["data-key"], self._data["value"], "".join(self._number)))
            self._number = None
        if tag == "script":
            self.page.document = json.loads("".join(self._script))

    def handle_data(self, data: str) -> None:
        if self._number is not None:
            self._number.append(data)
        if self._open and self._open[-1] == "script":
            self._script.append(data)
        else:
            self.page.text += data


def read(page: str) -> Page:
    """Parse a page; every element must be closed."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert reader._open == [], reader._open
    return reader.page


def value_at(document: Any, key: str) -> Any:
    """The number a key like ``layers/0/cycles`` leads to."""
    for part in key.split("/"):
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


def amount(text: str) -> tuple[float, str]:
    """A written number and its unit without prefix: ``3.15 µJ`` is 3.15e-6 J."""
    number, _, unit = text.replace("\u202f", " ").rpartition(" ") if text[-1] not in "0123456789" else (text, "", "")
    value = float(number.replace(" ", "").replace("\u202f", ""))
    if unit in ("", "%", "\u00d7", "/s"):
        return value / (100 if unit == "%" else 1), unit
    if unit in ("mm²", "µm²"):
        return value * (1e6 if unit == "mm²" else 1), "µm²"
    base = "Hz" if unit.endswith("Hz") else "/s" if unit.endswith("/s") else unit[-1]
    return value * _PREFIX[unit.removesuffix(base)], base
