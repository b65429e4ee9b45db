"""Equal modules become one, and the design stays the same."""

import re

import pytest
from amaranth import Module, Signal
from amaranth.back import rtlil
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from setun_hw.share import merge_equal_modules

TOP = "attribute \\top 1\n"


def rtlil_of(name: str, *lines: str) -> str:
    """A module of the given lines."""
    return f"module {name}\n" + "".join(f"  {line}\n" for line in lines) + "end\n"


class Leaf(wiring.Component):
    a: In(4)
    y: Out(4)

    def __init__(self, step: int) -> None:
        self.step = step
        super().__init__()

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.d.sync += self.y.eq(self.a + self.step)
        return m


class Pair(wiring.Component):
    a: In(4)
    y: Out(4)

    def __init__(self, first: int, second: int) -> None:
        self.steps = first, second
        super().__init__()

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.first, m.submodules.second = first, second = Leaf(self.steps[0]), Leaf(self.steps[1])
        m.d.comb += [first.a.eq(self.a), second.a.eq(first.y), self.y.eq(second.y)]
        return m


class Four(wiring.Component):
    a: In(4)
    y: Out(4)

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        value: Signal = self.a
        for k, steps in enumerate([(1, 2), (1, 2), (2, 1), (1, 2)]):
            m.submodules[f"pair_{k}"] = pair = Pair(*steps)
            m.d.comb += pair.a.eq(value)
            value = pair.y
        m.d.comb += self.y.eq(value)
        return m


def modules(text: str) -> list[str]:
    return re.findall(r"^module (\S+)", text, re.M)


def cells(text: str) -> list[str]:
    return re.findall(r"^  cell (\\\S+) ", text, re.M)


def test_equal_trees_merge_and_different_ones_do_not() -> None:
    text = rtlil.convert(Four(), name="four", emit_src=False)
    assert len(modules(text)) == 1 + 4 * 3
    merged = merge_equal_modules(text)
    # Two leaves, pairs (1, 2) and (2, 1), and the top, after everything it contains.
    assert modules(merged) == [
        "\\four_pair_0_first",
        "\\four_pair_0_second",
        "\\four_pair_0",
        "\\four_pair_2",
        "\\four",
    ]
    assert cells(merged)[-4:] == ["\\four_pair_0", "\\four_pair_0", "\\four_pair_2", "\\four_pair_0"]
    assert cells(merged)[:4] == [
        "\\four_pair_0_first",
        "\\four_pair_0_second",
        "\\four_pair_0_second",
        "\\four_pair_0_first",
    ]
    assert merged.count("attribute \\top 1") == 1


def test_names_become_plain_and_stay_apart() -> None:
    text = rtlil_of("\\a.b", "wire $1") + rtlil_of("\\a_b", "wire $2") + TOP + rtlil_of("\\t", "cell \\a.b \\x", "end")
    merged = merge_equal_modules(text)
    assert modules(merged) == ["\\a_b", "\\a_b_2", "\\t"]
    assert "cell \\a_b \\x" in merged


def test_cells_of_yosys_itself_stay() -> None:
    text = "attribute \\top 1\nmodule \\t\n  cell $and $1\n  end\nend\n"
    assert merge_equal_modules(text) == text


def test_the_order_of_wires_ports_and_connections_does_not_matter() -> None:
    x, y = ("  connect \\A \\x", "  connect \\Y \\y")
    one = rtlil_of("\\a", "wire width 2 input 0 \\x", "wire output 1 \\y", "cell $and $1", x, y, "end")
    two = rtlil_of("\\b", "wire output 0 \\y", "wire width 2 input 1 \\x", "cell $and $1", y, x, "end")
    top = TOP + rtlil_of("\\t", "cell \\a \\p", "end", "cell \\b \\q", "end")
    merged = merge_equal_modules(one + two + top)
    assert modules(merged) == ["\\a", "\\t"]
    assert cells(merged) == ["\\a", "\\a"]
    # What differs in earnest stays apart.
    for change in (("width 2", "width 3"), ("$and", "$or"), ("output", "inout")):
        assert len(modules(merge_equal_modules(one + two.replace(*change) + top))) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("module \\a\nend\nmodule \\a\nend\n", r"^two modules are called \\a$"),
        ("module \\a\n  cell \\a \\x\n  end\nend\n", r"^module \\a contains itself$"),
    ],
)
def test_impossible_designs_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        merge_equal_modules(text)
