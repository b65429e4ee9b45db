"""Liberty files: the cells of a library with what they compute, their area, energy, static power and delay.

A small reader of the groups that the cost model needs; everything else is skipped. (The parser on PyPI is under the
GPL, which this project's licence does not allow to depend on.)
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from setun_sim.cost.errors import TechnologyError

#: largest file that is read, in bytes, and deepest nesting of groups
MOST_BYTES, DEEPEST = 256 << 20, 32
#: groups that are kept; what stands in others is skipped without being looked at
_KEPT = {
    "library", "operating_conditions", "cell", "pin", "ff", "latch", "leakage_power", "internal_power", "rise_power",
    "fall_power", "power", "timing", "cell_rise", "cell_fall",
}  # fmt: skip
_TOKEN = re.compile(
    r"""(?:\s|\\\r?\n|/\*.*?\*/|//[^\n]*)*(?:(?P<text>"(?:[^"\\]|\\.)*")|(?P<mark>[{}();:,])|(?P<word>[^\s{}();:,"]+))""",
    re.DOTALL,
)
#: what decides where a skipped group ends
_BRACE = re.compile(r'"(?:[^"\\]|\\.)*"|/\*.*?\*/|//[^\n]*|[{}]', re.DOTALL)


@dataclass
class Group:
    """``name (arguments) { attributes, groups }``; of attributes with the same name the last one counts."""

    name: str
    arguments: tuple[str, ...]
    attributes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    groups: list["Group"] = field(default_factory=list)

    def all(self, *names: str) -> Iterator["Group"]:
        """Groups with one of these names."""
        return (group for group in self.groups if group.name in names)

    def get(self, name: str, default: str = "") -> str:
        """The first value of an attribute."""
        return next(iter(self.attributes.get(name, ())), default)


def read_groups(path: str | Path) -> Group:
    """The library group of a file.

    Raises
    ------
    TechnologyError
        When the file cannot be read, is too large, cut short, or no Liberty file.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise TechnologyError(f"{path}: is larger than {MOST_BYTES >> 20} MiB")
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise TechnologyError(f"{path}: cannot be read ({error.strerror or error})") from None
    return _Reader(text, str(path)).library()


class _Reader:
    """Tokens of a file, one after the other."""

    def __init__(self, text: str, file: str) -> None:
        self.text, self.file, self.place = text, file, 0

    def library(self) -> Group:
        """The one group at the top."""
        name = self._next()
        if name != "library":
            raise TechnologyError(f"{self.file}: must begin with a library group, but begins with {name[:40]!r}")
        top = Group(name, self._arguments())
        self._expect("{")
        open_groups = [top]
        while open_groups:
            token = self._next()
            if token == "}":
                open_groups.pop()
                continue
            if token == ";":
                continue
            self._statement(token, open_groups)
        return top

    def _statement(self, name: str, open_groups: list[Group]) -> None:
        """An attribute of the innermost group, or the beginning of a group inside it."""
        here = open_groups[-1]
        mark = self._next()
        if mark == ":":
            here.attributes[name] = (self._value(),)
            return
        if mark != "(":
            raise self._wrong(f"{name[:40]!r} must be followed by : or (, not {mark[:40]!r}")
        arguments = self._arguments(opened=True)
        if self._peek() != "{":  # a complex attribute, which ends with a semicolon or with its line
            here.attributes[name] = arguments
            return
        self._expect("{")
        if name not in _KEPT:
            self._skip(name)
            return
        if len(open_groups) == DEEPEST:
            raise self._wrong(f"groups are nested deeper than {DEEPEST}")
        here.groups.append(Group(name, arguments))
        open_groups.append(here.groups[-1])

    def _arguments(self, *, opened: bool = False) -> tuple[str, ...]:
        if not opened:
            self._expect("(")
        found = []
        while (token := self._next()) != ")":
            if token in "{}:;":
                raise self._wrong(f"an argument list holds {token!r}")
            if token != ",":
                found.append(token)
        return tuple(found)

    def _value(self) -> str:
        """Everything up to the semicolon, or to the end of the line where it is missing."""
        end = self.text.find("\n", self.place)
        first = self._next()
        words = [first]
        while self._peek() not in (";", "}") and self.place < (end if end >= 0 else len(self.text)):
            words.append(self._next())
        return " ".join(words)

    def _skip(self, name: str) -> None:
        depth, start = 1, self.place
        for found in _BRACE.finditer(self.text, self.place):
            depth += {"{": 1, "}": -1}.get(found[0], 0)
            if depth == 0:
                self.place = found.end()
                return
        self.place = start
        raise self._wrong(f"group {name[:40]!r} is not closed: the file is cut short")

    def _expect(self, mark: str) -> None:
        token = self._next()
        if token != mark:
            raise self._wrong(f"expected {mark!r}, not {token[:40]!r}")

    def _peek(self) -> str:
        place = self.place
        try:
            return self._next()
        finally:
            self.place = place

    def _next(self) -> str:
        found = _TOKEN.match(self.text, self.place)
        if found is None:
            raise self._wrong("the file ends inside a group: it is cut short")
        self.place = found.end()
        if found["text"] is not None:
            return re.sub(r"\\\r?\n", "", found["text"][1:-1])
        return found["mark"] or found["word"]

    def _wrong(self, what: str) -> TechnologyError:
        line = self.text.count("\n", 0, self.place) + 1
        return TechnologyError(f"{self.file}: line {line}: {what}")
