"""An accelerator mapped to the cells of a Liberty file by yosys, circuit by circuit (packages amaranth and pyosys)."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from setun_hw.config import Config, Encoding
from setun_sim.cost.circuits import circuits, sum_registers
from setun_sim.cost.errors import StructureError
from setun_sim.cost.library import Library, Logic
from setun_sim.cost.netlist import run_yosys

#: memories become cells that nobody knows, so that what feeds them and what they feed stays; an enable belongs to its
#: flip-flop (a gated clock), as everywhere in the cost model
_SCRIPT = """\
read_rtlil design.il
synth -top design -flatten -run begin:fine
memory_collect
chtype -set setun_memory t:$mem_v2
synth -top design -flatten -run fine:check -noabc
dfflegalize -cell $_DFF_P_ 01 -cell $_DFFE_PP_ 01
abc -genlib cells.genlib
opt_clean -purge
tee -q -o gates.json stat -json
"""
#: what abc wants in every library: constants, and a buffer, which may be two inverters
_CONSTANTS = "GATE constant0 0 Y=CONST0;\nGATE constant1 0 Y=CONST1;\n"
_BUFFER = Logic(inputs=1, table=0b10, area_um2=0.0, leakage_nw=0.0)


@dataclass(frozen=True, kw_only=True)
class Mapped:
    """Cells of all circuits of each part; on-chip memories are not in them."""

    library: Library
    encoding: Encoding
    parts: Mapping[str, Mapping[str, int]]

    def area_um2(self, part: str) -> float:
        """Area of a part."""
        return sum(number * self._size(cell)[0] for cell, number in self.parts[part].items())

    def static_nw(self, part: str) -> float:
        """Static power of a part."""
        return sum(number * self._size(cell)[1] for cell, number in self.parts[part].items())

    def _size(self, cell: str) -> tuple[float, float]:
        if cell in self.library.logic:
            known = self.library.logic[cell]
            return known.area_um2, known.leakage_nw
        flip_flop = self.library.parts["flip_flop"]
        return flip_flop.area_um2, flip_flop.leakage_nw

    def to_json(self) -> dict[str, Any]:
        """Cells, area and static power, units in the names."""
        parts = {
            name: {"cells": dict(cells), "area_um2": self.area_um2(name), "static_nw": self.static_nw(name)}
            for name, cells in self.parts.items()
        }
        return {
            "library": self.library.name,
            "encoding": str(self.encoding),
            "cells": sum(sum(cells.values()) for cells in self.parts.values()),
            "area_um2": sum(self.area_um2(name) for name in self.parts),
            "static_nw": sum(self.static_nw(name) for name in self.parts),
            "parts": parts,
        }


def mapped(config: Config, library: Library) -> Mapped:
    """Map every circuit of an accelerator.

    Raises
    ------
    StructureError
        When yosys is missing or refuses.
    """
    names = {f"cell{place}": name for place, name in enumerate(library.logic)}
    text = _CONSTANTS + "".join(_genlib(short, library.logic[name]) for short, name in names.items())
    inverter = library.parts["inverter"]
    if not any(cell.inputs == 1 and cell.table == _BUFFER.table for cell in library.logic.values()):
        text += _genlib("buffer", replace(_BUFFER, area_um2=2 * inverter.area_um2))
    (flip_flop,) = library.parts["flip_flop"].cells
    parts: dict[str, Counter[str]] = {}
    for circuit in circuits(config):
        own = parts.setdefault(circuit.part, Counter())
        for cell, number in _cells(circuit.make(), text).items():
            if cell.startswith("$_DFF"):
                own[flip_flop] += number * circuit.copies
            elif cell in names:
                own[names[cell]] += number * circuit.copies
            elif cell == "buffer":
                own.update({name: 2 * count * number * circuit.copies for name, count in inverter.cells.items()})
            elif cell not in ("setun_memory", "constant0", "constant1"):
                raise StructureError(f"{library.file}: {number} cells of type {cell} could not be mapped")
    parts["dot products"][flip_flop] += sum_registers(config)
    return Mapped(
        library=library, encoding=config.encoding,
        parts={name: dict(sorted(cells.items())) for name, cells in parts.items()},
    )  # fmt: skip


def _genlib(name: str, cell: Logic) -> str:
    """A cell in the format of SIS, in names of our own: a file's names never become a tool's input."""
    rows = [row for row in range(1 << cell.inputs) if cell.table >> row & 1]
    if len(rows) in (0, 1 << cell.inputs):
        return ""  # a constant
    products = ["*".join(f"{'' if row >> place & 1 else '!'}i{place}" for place in range(cell.inputs)) for row in rows]
    return f"GATE {name} {cell.area_um2:.6g} Y={'+'.join(products)}; PIN * UNKNOWN 1 999 1 0 1 0\n"


def _cells(design: Any, library: str) -> dict[str, int]:
    from setun_hw.library import Shared, convert

    ports = None
    if isinstance(design, Shared):
        inputs, outputs = design.pins()
        ports = [*inputs.values(), *outputs.values()]
    return run_yosys(convert(design, "design", ports), _SCRIPT, library)
