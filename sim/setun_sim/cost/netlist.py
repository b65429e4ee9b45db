"""Gate counts of a circuit, from yosys (packages amaranth and pyosys, imported here only)."""

import hashlib
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import platformdirs

from setun_sim.cost.errors import StructureError

#: what a yosys cell counts as
KINDS = {
    "$_NOT_": "inverter", "$_AND_": "and2", "$_NAND_": "nand2", "$_OR_": "or2", "$_NOR_": "nor2", "$_XOR_": "xor2",
    "$_XNOR_": "xnor2", "$_MUX_": "mux2", "$_AOI3_": "aoi21", "$_OAI3_": "oai21", "$_AOI4_": "aoi22", "$_OAI4_":
    "oai22",
    "$_DFF_P_": "flip_flop",
}  # fmt: skip
#: flip-flops with an enable, a synchronous reset or both; the reset is a gate at the input
_HELD = ("$_DFFE_PP_", "$_SDFFE_PP0P_", "$_SDFFE_PP1P_")
_RESETS = {"$_SDFF_PP0_": "and2", "$_SDFFE_PP0P_": "and2", "$_SDFF_PP1_": "or2", "$_SDFFE_PP1P_": "or2"}
#: memories are counted by their bits, and become cells that nobody knows, so that what feeds them and what they feed
#: stays; an enable belongs to its flip-flop (a gated clock), as in ternary cells
MAPPED = """\
read_rtlil design.il
hierarchy -auto-top
synth -flatten -run begin:fine
memory_collect
chtype -set setun_memory t:$mem_v2
synth -flatten -run fine:check -noabc
dfflegalize -cell $_DFF_P_ 01 -cell $_DFFE_PP_ 01 -cell $_SDFF_PP?_ 01 -cell $_SDFFE_PP?P_ 01
abc -g cmos4,XOR,XNOR,MUX
opt_clean -purge
tee -q -o gates.json stat -json
"""
#: the circuit as it is drawn, each operator one bit of logic, nothing restructured; with places for the modules that
#: stay whole
DRAWN = """\
read_rtlil design.il
hierarchy -auto-top
{keep}
proc
flatten
opt -full
memory_collect
opt_clean -purge
simplemap
opt
opt_clean -purge
{drop}
tee -q -o gates.json stat -json
"""
# in a process of its own, whose log nobody needs
_YOSYS = "import sys; from pyosys import libyosys; libyosys.run_pass('script ' + sys.argv[1], libyosys.Design())"


def run_yosys(rtlil: str, script: str, library: str = "") -> dict[str, int]:
    """Cells by yosys type after a script that writes ``gates.json``; kept in the user's cache by content.

    ``library`` is what the script finds as ``cells.genlib``.

    Raises
    ------
    StructureError
        When yosys is missing or refuses.
    """
    key = hashlib.sha256(f"{script}\0{rtlil}{library}".encode()).hexdigest()
    kept = Path(platformdirs.user_cache_dir("setun"), "gates", f"{key}.json")
    try:
        found: dict[str, int] = json.loads(kept.read_text(encoding="utf-8"))
        return found
    except (OSError, ValueError):
        pass  # not there, or cut short: count again
    if find_spec("pyosys") is None:
        raise StructureError("gates cannot be counted: yosys is missing, install setun with the extra fpga")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "design.il").write_text(rtlil, encoding="utf-8")
        (directory / "run.ys").write_text(script, encoding="utf-8")
        (directory / "cells.genlib").write_text(library, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-c", _YOSYS, "run.ys"], cwd=directory, capture_output=True, encoding="utf-8", check=False
        )
        if done.returncode:
            last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
            raise StructureError(f"gates cannot be counted: {last[0] if last else 'yosys failed'}")
        statistics = json.loads((directory / "gates.json").read_text(encoding="utf-8"))
    cells: dict[str, int] = statistics["design"]["num_cells_by_type"]
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(cells), encoding="utf-8")
    except OSError:
        pass  # no cache, then
    return cells


def drawn_cells(design: Any, kept: Collection[str] = ()) -> dict[str, int]:
    """Cells of an Amaranth component by yosys type, as it is drawn; the modules named in ``kept`` stay whole.

    Raises
    ------
    StructureError
        When yosys is missing or refuses.
    """
    from setun_hw.library import convert

    text = convert(design, "design")
    names = " ".join(name for name in sorted(kept) if f"\nmodule \\{name}\n" in text)
    places = {"keep": f"setattr -mod -set keep_hierarchy 1 {names}", "drop": f"delete {names}"}
    return run_yosys(text, DRAWN.format(**places if names else dict.fromkeys(places, "")))


def mapped_gates(design: Any) -> dict[str, int]:
    """Binary gates of an Amaranth component, flattened and mapped; its memories are not in it.

    Raises
    ------
    StructureError
        When yosys is missing or refuses, or leaves a cell that is no gate.
    """
    counted: Counter[str] = Counter()
    for kind, number in _mapped(design).items():
        if kind in KINDS:
            counted[KINDS[kind]] += number
        elif kind in _HELD or kind in _RESETS:
            counted["flip_flop"] += number
        elif kind != "setun_memory":
            raise StructureError(f"gates cannot be counted: yosys left {number} cells of type {kind}")
        if kind in _RESETS:
            counted[_RESETS[kind]] += number
    return dict(sorted(counted.items()))


def held_flip_flops(design: Any) -> int:
    """Those of its flip-flops that have an enable.

    Raises
    ------
    StructureError
        When yosys is missing or refuses.
    """
    return sum(number for kind, number in _mapped(design).items() if kind in _HELD)


def _mapped(design: Any) -> dict[str, int]:
    from setun_hw.library import Shared, convert

    ports = None
    if isinstance(design, Shared):
        inputs, outputs = design.pins()
        ports = [*inputs.values(), *outputs.values()]
    return run_yosys(convert(design, "design", ports), MAPPED)


#: synthesis for a family, and its first step behind the reading of its cells. Memories become cells that nobody knows,
#: so that what feeds them and what they feed stays; abc9 knows no such cells.
_FPGA = {
    "ice40": ("synth_ice40 -noabc9", "flatten"),
    "ecp5": ("synth_ecp5 -nowidelut -noabc9", "coarse"),
    "xilinx": ("synth_xilinx -family xc7 -noiopad -flatten", "prepare"),
}
_MAPPED_FPGA = """\
read_rtlil design.il
{synthesis} -top design -run begin:{first}
proc
flatten
opt_clean -purge
memory_collect
chtype -set setun_memory t:$mem_v2
{synthesis} -top design -run {first}:check
opt_clean -purge
tee -q -o gates.json stat -json
"""


def fpga_cells(design: Any, family: str) -> dict[str, int]:
    """``lut``, ``flip_flop`` and ``dsp`` of an Amaranth component in an FPGA family; its memories are not in it.

    A carry cell of ECP5 (CCU2C) counts as the two look-up tables that it occupies.

    Raises
    ------
    StructureError
        When yosys is missing or refuses.
    """
    from setun_hw.library import Shared, convert

    ports = None
    if isinstance(design, Shared):
        inputs, outputs = design.pins()
        ports = [*inputs.values(), *outputs.values()]
    text = convert(design, "design", ports, family=family)
    synthesis, first = _FPGA[family]
    cells = run_yosys(text, _MAPPED_FPGA.format(synthesis=synthesis, first=first))
    return {
        "lut": sum(n for kind, n in cells.items() if "LUT" in kind) + 2 * cells.get("CCU2C", 0),
        "flip_flop": sum(n for kind, n in cells.items() if kind.startswith(("SB_DFF", "TRELLIS_FF", "FD"))),
        "dsp": sum(n for kind, n in cells.items() if kind.startswith(("SB_MAC", "MULT18", "DSP48"))),
    }
