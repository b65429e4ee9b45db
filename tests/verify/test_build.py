"""A design is compiled once; another text, or other tools, is another design."""

import subprocess
from pathlib import Path

import pytest

from setun_sim.verify import build as builder
from setun_sim.verify.build import build, key_of, port_names
from setun_sim.verify.errors import BuildError

INVERTER = """
module inverter(a, b);
  input [3:0] a;
  wire [3:0] a;
  output wire signed [3:0] b;
  wire hidden;
  assign b = ~a;
endmodule
"""


def test_ports_are_read_from_both_styles_of_declaration() -> None:
    assert port_names(INVERTER, "inverter") == ["a", "b"]
    assert port_names("module m(input clk, input [7:0] x, output reg y);\nendmodule\n", "m") == ["clk", "x", "y"]


def test_ports_of_another_module_are_not_taken() -> None:
    text = "module inner(input p);\nendmodule\nmodule outer(input q);\nendmodule\n"
    assert port_names(text, "outer") == ["q"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("module other(input a);\nendmodule\n", r"^the Verilog text has no module inverter$"),
        ("module inverter();\nendmodule\n", r"^module inverter has no ports$"),
    ],
)
def test_a_text_without_the_module_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(BuildError, match=sentence):
        port_names(text, "inverter")


def test_the_key_depends_on_text_top_and_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {key_of(INVERTER, "inverter"), key_of(INVERTER + " ", "inverter"), key_of(INVERTER, "other")}
    monkeypatch.setattr(builder, "MAKE_FLAGS", ("OPT_FAST=-O3",))
    keys.add(key_of(INVERTER, "inverter"))
    assert len(keys) == 4


@pytest.mark.rtl
def test_the_second_build_comes_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build(INVERTER, "inverter", tmp_path)
    assert not first.cached
    assert first.executable.is_file()
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: pytest.fail("compiled again"))
    second = build(INVERTER, "inverter", tmp_path)
    assert second.cached
    assert second.executable == first.executable
    assert sorted(path.name for path in first.executable.parent.iterdir()) == ["simulation", "top.v"]


@pytest.mark.rtl
def test_refused_verilog_is_one_sentence_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"^Verilator failed: %Error: top\.v:4.*nowhere"):
        build("module m(a, b);\n  input a;\n  output b;\n  assign b = a & nowhere();\nendmodule\n", "m", tmp_path)
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]
