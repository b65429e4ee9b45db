"""The cells of a Liberty file that do what the cost model's gates do, and their numbers."""

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from pathlib import Path

import numpy as np

from setun_sim.cost.cells import GATES, gate_table
from setun_sim.cost.errors import TechnologyError
from setun_sim.cost.expressions import truth_table
from setun_sim.cost.liberty import Group, read_groups

#: most inputs of a cell that is looked at
_MOST_INPUTS = 6
#: what a wire that takes both levels equally often does from one operation to the next
_TOGGLES = 0.5
#: gates made of others where no cell is one: what each takes, and what its longest path goes through; the smallest of
#: those whose parts there are
_RECIPES: dict[str, tuple[tuple[dict[str, int], tuple[str, ...]], ...]] = {
    "nand2": (({"and2": 1, "inverter": 1}, ("and2", "inverter")),),
    "nor2": (({"or2": 1, "inverter": 1}, ("or2", "inverter")),),
    "and2": (({"nand2": 1, "inverter": 1}, ("nand2", "inverter")), ({"nor2": 1, "inverter": 2}, ("inverter", "nor2"))),
    "or2": (({"nor2": 1, "inverter": 1}, ("nor2", "inverter")), ({"nand2": 1, "inverter": 2}, ("inverter", "nand2"))),
    "xor2": (({"xnor2": 1, "inverter": 1}, ("xnor2", "inverter")), ({"nand2": 4}, ("nand2", "nand2", "nand2"))),
    "xnor2": (({"xor2": 1, "inverter": 1}, ("xor2", "inverter")),),
    "aoi21": (({"and2": 1, "nor2": 1}, ("and2", "nor2")),),
    "oai21": (({"or2": 1, "nand2": 1}, ("or2", "nand2")),),
    "aoi22": (({"and2": 2, "nor2": 1}, ("and2", "nor2")),),
    "oai22": (({"or2": 2, "nand2": 1}, ("or2", "nand2")),),
    "mux2": (({"nand2": 3, "inverter": 1}, ("inverter", "nand2", "nand2")),),
    "carry": (({"and2": 2, "or2": 2}, ("or2", "and2", "or2")), ({"full_adder": 1}, ("full_adder",))),
    "half_adder": (({"xor2": 1, "and2": 1}, ("xor2",)), ({"full_adder": 1}, ("full_adder",))),
    "full_adder": (({"xor2": 2, "carry": 1}, ("xor2", "xor2")),),
    "latch": (({"mux2": 1}, ("mux2",)),),
}


@dataclass(frozen=True, kw_only=True)
class Part:
    """A gate as a library builds it: numbers of one copy."""

    cells: Mapping[str, int]  #: cells of the library
    area_um2: float
    leakage_nw: float
    #: energy of an operation on random inputs: outputs that switch, and inputs that are charged
    energy_fj: float
    delay_ps: float
    #: of a flip-flop: energy of a clock cycle in which it keeps its value
    clock_fj: float


@dataclass(frozen=True, kw_only=True)
class Logic:
    """A cell that computes one output: bit k of ``table`` is its value for the inputs that k spells."""

    inputs: int
    table: int
    area_um2: float
    leakage_nw: float


@dataclass(frozen=True, kw_only=True)
class Library:
    """What a Liberty file offers for each gate of the cost model."""

    name: str
    file: str
    voltage_v: float
    temperature_c: float | None
    parts: Mapping[str, Part]
    #: all cells with one output and no state, for netlists that are mapped to them
    logic: Mapping[str, Logic]


def read_library(path: str | Path) -> Library:
    """Read a Liberty file and find, or compose, a part for every gate.

    Energies: internal power is the mean over arcs and edges of the median of each table; an input is charged with half
    its capacitance times the square of the voltage. Of several cells that are a gate the smallest is taken.

    Raises
    ------
    TechnologyError
        When the file is no Liberty file, is cut short, names no voltage, or lacks the cells that gates are made of.
    """
    top = read_groups(path)
    file = str(path)
    reader = _Units(top, file)
    found: dict[str, Part] = {}
    logic: dict[str, Logic] = {}
    for cell in map(_Cell, top.all("cell")):
        if len(cell.outputs) == 1 and (tables := cell.tables()):
            area, leakage = _size(cell, reader)
            logic[cell.name] = Logic(inputs=len(cell.inputs), table=tables[0], area_um2=area, leakage_nw=leakage)
        for kind, part in _offers(cell, reader):
            best = found.get(kind)
            if best is None or (part.area_um2, *part.cells) < (best.area_um2, *best.cells):
                found[kind] = part
    parts: dict[str, Part] = {}
    for kind in GATES:
        made = _make(kind, found, ())
        if made is None:
            raise TechnologyError(f"{file}: no cell is a {kind.replace('_', ' ')}, and none can be made of its cells")
        parts[kind] = made
    name = top.arguments[0] if top.arguments else Path(file).stem
    return Library(
        name=name, file=Path(file).name, voltage_v=reader.voltage, temperature_c=reader.temperature, parts=parts,
        logic=logic,
    )  # fmt: skip


def _make(kind: str, found: Mapping[str, Part], within: tuple[str, ...]) -> Part | None:
    """The cell that is a gate, or the smallest that a recipe makes of others."""
    if kind in found:
        return found[kind]
    possible = []
    for recipe, path in () if kind in within else _RECIPES.get(kind, ()):
        made = {name: _make(name, found, (*within, kind)) for name in recipe}
        parts = {name: part for name, part in made.items() if part is not None}
        if len(parts) == len(made):
            possible.append(_composed(recipe, path, parts))
    return min(possible, key=lambda part: part.area_um2, default=None)


def _composed(recipe: Mapping[str, int], path: tuple[str, ...], parts: Mapping[str, Part]) -> Part:
    cells = Counter[str]()
    for name, number in recipe.items():
        cells.update({cell: number * count for cell, count in parts[name].cells.items()})
    return Part(
        cells=dict(cells),
        area_um2=sum(number * parts[name].area_um2 for name, number in recipe.items()),
        leakage_nw=sum(number * parts[name].leakage_nw for name, number in recipe.items()),
        energy_fj=sum(number * parts[name].energy_fj for name, number in recipe.items()),
        delay_ps=sum(parts[name].delay_ps for name in path),
        clock_fj=0.0,
    )


class _Units:
    """Units and conditions of a library."""

    def __init__(self, top: Group, file: str) -> None:
        self.file = file
        self.power_nw = self._unit(top, "leakage_power_unit", {"mW": 1e6, "uW": 1e3, "nW": 1.0, "pW": 1e-3}, "nW")
        self.time_ps = self._unit(top, "time_unit", {"ns": 1e3, "ps": 1.0}, "ns")
        farad = {"ff": 1.0, "pf": 1e3}
        given = top.attributes.get("capacitive_load_unit", ("1", "pf"))
        if len(given) != 2 or given[1].lower() not in farad:
            raise TechnologyError(f"{file}: capacitive_load_unit must be a number of ff or pf, not {given}")
        self.capacitance_ff = self.number(given[0], "capacitive_load_unit") * farad[given[1].lower()]
        conditions = next(top.all("operating_conditions"), None)
        volts = top.get("nom_voltage") or (conditions.get("voltage") if conditions else "")
        if not volts:
            raise TechnologyError(f"{file}: names no nom_voltage")
        self.voltage = self.number(volts, "nom_voltage")
        degrees = top.get("nom_temperature") or (conditions.get("temperature") if conditions else "")
        self.temperature = self.number(degrees, "nom_temperature", signed=True) if degrees else None
        #: internal energies are in units of capacitance times the square of a volt
        self.energy_fj = self.capacitance_ff

    def _unit(self, top: Group, name: str, sizes: dict[str, float], usual: str) -> float:
        given = re.fullmatch(r"\s*([\d.]*)\s*([a-zA-Z]+)\s*", top.get(name, f"1{usual}"))
        if given is None or given[2] not in sizes:
            raise TechnologyError(f"{self.file}: {name} must be a number of {', '.join(sizes)}, not {top.get(name)!r}")
        return self.number(given[1] or "1", name) * sizes[given[2]]

    def number(self, text: str, what: str, *, signed: bool = False) -> float:
        """A finite number, not negative unless ``signed``."""
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or (value < 0 and not signed):
            least = "" if signed else " of at least 0"
            raise TechnologyError(f"{self.file}: {what[:80]} must be a finite number{least}, not {text[:40]!r}")
        return value

    def median(self, tables: list[Group], what: str) -> float:
        """Median of the values of each table, and the mean over tables; 0 without any."""
        found = []
        for table in tables:
            texts = table.attributes.get("values", ())
            numbers = [
                self.number(one, what, signed=True) for text in texts for one in re.split(r"[\s,]+", text) if one
            ]
            if numbers:
                found.append(float(np.median(numbers)))
        return float(np.mean(found)) if found else 0.0


class _Cell:
    """A cell's pins by direction; none where it should not be used or has too many."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.name = group.arguments[0] if group.arguments else ""
        self.pins = {pin.arguments[0]: pin for pin in group.all("pin") if pin.arguments}
        self.inputs = [pin for pin, own in self.pins.items() if own.get("direction") == "input"]
        self.outputs = [own for own in self.pins.values() if own.get("direction") == "output"]
        self.state = next(group.all("ff", "latch"), None)
        if group.get("dont_use") == "true" or not 1 <= len(self.inputs) <= _MOST_INPUTS:
            self.outputs = []

    def tables(self) -> list[int]:
        """Truth tables of the outputs; none unless all are functions of the inputs."""
        if self.state is not None:
            return []
        found = [truth_table(pin.get("function"), self.inputs) for pin in self.outputs]
        return [table for table in found if table is not None] if None not in found else []

    def kinds(self) -> tuple[list[str], str]:
        """Kinds of gate that the cell is, and its clock if it stores."""
        state = self.state
        if state is None:
            shape = tuple(sorted(self.tables()))
            return [kind for kind in GATES if shape in _shapes(kind, len(self.inputs))], ""
        clock, data = ("clocked_on", "next_state") if state.name == "ff" else ("enable", "data_in")
        own = [state.get(key).strip(" ()") for key in (clock, data)]
        plain = bool(self.outputs) and len(self.inputs) == 2 and set(own) == set(self.inputs)
        plain = plain and self.outputs[0].get("function").strip(" ()") in state.arguments[:1]
        return (["flip_flop" if state.name == "ff" else "latch"], own[0]) if plain else ([], "")


def _offers(cell: _Cell, units: _Units) -> list[tuple[str, Part]]:
    """Gates that a cell is one of, with its numbers."""
    kinds, clock = cell.kinds()
    if not kinds:
        return []
    pins, outputs, name = cell.pins, cell.outputs, cell.name
    area, leakage = _size(cell, units)
    arcs = [table for pin in outputs for arc in pin.all("timing") for table in arc.all("cell_rise", "cell_fall")]
    charging = sum(_TOGGLES * _toggle(pins[pin], units) for pin in cell.inputs if pin != clock)
    inside = float(np.mean([_internal(pin, units) for pin in outputs]))
    found = []
    for kind in kinds:
        toggles = [_TOGGLES] * len(outputs) if clock else _output_toggles(kind)
        part = Part(
            cells={name: 1},
            area_um2=area,
            leakage_nw=leakage,
            energy_fj=max(0.0, charging + sum(toggles) * inside),
            delay_ps=max(0.0, units.median(arcs, f"{name}: cell_rise or cell_fall")) * units.time_ps,
            clock_fj=max(0.0, 2 * _toggle(pins[clock], units)) if clock else 0.0,  # up and down in every cycle
        )
        found.append((kind, part))
    return found


def _size(cell: _Cell, units: _Units) -> tuple[float, float]:
    """Area in um2 and static power in nW of a cell."""
    own = cell.group
    powers = [own.get("cell_leakage_power")] if "cell_leakage_power" in own.attributes else []
    powers = powers or [one.get("value", "0") for one in own.all("leakage_power")] or ["0"]
    leakage = float(np.mean([units.number(one, f"{cell.name}: leakage") for one in powers])) * units.power_nw
    return units.number(own.get("area", "0"), f"{cell.name}: area"), leakage


@cache
def _shapes(kind: str, inputs: int) -> frozenset[tuple[int, ...]]:
    """Truth tables of a gate's outputs, sorted, for every order of its inputs."""
    rows = gate_table(kind)
    if kind in ("latch", "flip_flop") or len(next(iter(rows))) != inputs:
        return frozenset()
    found = set()
    for order in permutations(range(inputs)):
        tables = [0] * len(next(iter(rows.values())))
        for row, values in rows.items():
            place = sum(row[order[k]] << k for k in range(inputs))
            for k, value in enumerate(values):
                tables[k] |= value << place
        found.add(tuple(sorted(tables)))
    return frozenset(found)


def _output_toggles(kind: str) -> list[float]:
    """Switches of each output in an operation on random inputs."""
    rows = list(gate_table(kind).values())
    found = []
    for k in range(len(rows[0])):
        ones = sum(row[k] for row in rows) / len(rows)
        found.append(2 * ones * (1 - ones))
    return found


def _toggle(pin: Group, units: _Units) -> float:
    """Energy of a toggle of an input, in fJ: its capacitance, and inside the cell."""
    given = units.number(pin.get("capacitance", "0"), f"pin {pin.arguments[0]}: capacitance")
    return given * units.capacitance_ff * units.voltage**2 / 2 + _internal(pin, units)


def _internal(pin: Group, units: _Units) -> float:
    """Energy of a toggle of a pin inside the cell, in fJ: the mean over its arcs and both edges."""
    tables = [table for power in pin.all("internal_power") for table in power.all("rise_power", "fall_power", "power")]
    return units.median(tables, f"pin {pin.arguments[0]}: internal_power") * units.energy_fj
