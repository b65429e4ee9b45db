"""Technologies as data: files of numbers, each with unit, status and source, refused when one is unclear."""

import dataclasses
import tomllib
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from setun_hw.cells import CELLS
from setun_sim.cost.cells import GATES
from setun_sim.cost.errors import TechnologyError
from setun_sim.cost.quantity import Quantity, Status, number, parse


class Kind(StrEnum):
    """What a technology's file describes."""

    LOGIC = "logic"  #: gates, on-chip memories, perhaps ternary cells
    FPGA = "fpga"  #: look-up tables, flip-flops, block memories, multipliers
    MEMORY = "memory"  #: an external memory


_CELL = {
    "transistors": "transistors",
    "energy_per_switch": "energy",
    "energy_per_operation": "energy",
    "static_rail": "power",
    "static_mid": "power",
    "delay": "delay",
    "area": "area",
}
_GATE = {key: dimension for key, dimension in _CELL.items() if key != "static_mid"}
_BILINEAR = {"slope": "energy", "words": "words", "width": "bits"}
#: dimension of every number a file of each kind may hold, by its dotted path
NUMBERS: dict[Kind, dict[str, str]] = {
    Kind.LOGIC: {
        **{f"gates.{gate}.{key}": dimension for gate in GATES for key, dimension in _GATE.items()},
        **{f"cells.{cell}.{key}": dimension for cell in CELLS for key, dimension in _CELL.items()},
        **{f"per_transistor.gates.{key}": _CELL[key] for key in ("energy_per_switch", "static_rail", "area")},
        **{
            f"per_transistor.cells.{key}": _CELL[key]
            for key in ("energy_per_switch", "static_rail", "static_mid", "area")
        },
        "clock.energy_per_flip_flop": "energy",
        "clock.gates": "ratio",
        "clock.frequency": "frequency",
        "wires.capacitance": "capacitance",
        "ternary.swing": "ratio",
        "control.switches": "ratio",
        **{f"sram.read.{key}": dimension for key, dimension in _BILINEAR.items()},
        **{f"sram.write.{key}": dimension for key, dimension in _BILINEAR.items()},
        **{f"sram.area.{key}": dimension for key, dimension in {**_BILINEAR, "slope": "area"}.items()},
        "sram.static": "power",
    },
    Kind.FPGA: {
        **{f"{part}.energy_per_switch": "energy" for part in ("lut", "flip_flop", "dsp")},
        "bram.energy_per_access": "energy",
        "bram.capacity": "bits",
        "lut.inputs": "bits",
        "clock.energy_per_cycle": "energy",
        "clock.frequency": "frequency",
        "standby.power": "power",
        "control.switches": "ratio",
    },
    Kind.MEMORY: {"read.energy_per_bit": "energy", "write.energy_per_bit": "energy"},
}
#: FPGA families that synthesis knows
FAMILIES = ("ice40", "ecp5", "xilinx")
_PLAIN = {
    "name",
    "title",
    "kind",
    "family",
    "extends",
    "node_nm",
    "voltage_v",
    "temperature_c",
    "notes",
    "sources",
    "scale",
}
#: tables within tables that a number's path may lead through
_DEEPEST = 4
_SCALES = {"energy": "energy", "power": "power", "area": "area", "delay": "delay", "frequency": "frequency"}


@dataclass(frozen=True, kw_only=True)
class Technology:
    """Numbers of one technology.

    ``numbers`` maps a dotted path (``gates.full_adder.energy_per_switch``) to its quantity; ``unknown`` maps paths that
    nobody has published to the reason, so that a result says "not known" and not zero.
    """

    name: str
    title: str
    kind: Kind
    node_nm: float | None
    voltage_v: float | None
    temperature_c: float | None
    numbers: dict[str, Quantity]
    unknown: dict[str, str] = field(default_factory=dict)
    notes: str = ""
    #: the user's file that it was read from; empty of those that come with setun
    file: str = ""
    #: of kind fpga: the family that synthesis knows (``ice40``, ``ecp5``, ``xilinx``)
    family: str = ""

    @property
    def ternary(self) -> bool:
        """Whether native ternary cells can be built in it."""
        return "per_transistor.cells.energy_per_switch" in self.numbers

    def get(self, path: str) -> Quantity | None:
        """A number, or None where the file has none."""
        return self.numbers.get(path)

    def value(self, path: str) -> float:
        """A number in the base unit of its dimension.

        Raises
        ------
        TechnologyError
            When the file has none.
        """
        if path not in self.numbers:
            why = f" ({self.unknown[path]})" if path in self.unknown else ""
            raise TechnologyError(f"{self.file or f'technology {self.name}'}: {path} is not known{why}")
        return self.numbers[path].value

    def with_value(self, path: str, value: float) -> "Technology":
        """A copy in which one number is another, in its base unit."""
        changed = dataclasses.replace(self.numbers[path], value=value)
        return dataclasses.replace(self, numbers={**self.numbers, path: changed})

    def statuses(self) -> dict[str, int]:
        """How many numbers have each status."""
        return {str(s): sum(q.status is s for q in self.numbers.values()) for s in Status}

    def to_json(self) -> dict[str, Any]:
        """Everything, with units and sources."""
        return {
            **{key: getattr(self, key) for key in ("name", "title", "node_nm", "voltage_v", "temperature_c", "notes")},
            "kind": str(self.kind),
            "ternary": self.ternary,
            "numbers": {path: quantity.to_json() for path, quantity in self.numbers.items()},
            "unknown": dict(self.unknown),
        }


def technologies() -> dict[str, Technology]:
    """The technologies that come with setun, by name."""
    files = resources.files("setun_sim.cost") / "technologies"
    names = sorted(item.name.removesuffix(".toml") for item in files.iterdir() if item.name.endswith(".toml"))
    return {name: _shipped(name) for name in names if not name.startswith("_")}


def technology(name_or_path: str | Path) -> Technology:
    """A technology of :func:`technologies`, or one read from a TOML file.

    Raises
    ------
    TechnologyError
        When the name is unknown and no such file exists, or the file is not clear about a number.
    """
    text = str(name_or_path)
    if text.endswith(".toml"):
        return load(name_or_path)
    known = technologies()
    if text in known:
        return known[text]
    raise TechnologyError(f"technology must be a TOML file or one of {', '.join(known)}, not {text!r}")


def load(path: str | Path) -> Technology:
    """Read a file.

    Raises
    ------
    TechnologyError
        Naming file and field.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise TechnologyError(f"{path}: cannot be read ({error.strerror or error})") from None
    except ValueError:
        raise TechnologyError(f"{path}: cannot be read (it is no text in UTF-8)") from None
    return dataclasses.replace(_parse(text, str(path), path.stem), file=str(path))


@cache
def _shipped(name: str) -> Technology:
    file = resources.files("setun_sim.cost") / "technologies" / f"{name}.toml"
    return _parse(file.read_text(encoding="utf-8"), f"{name}.toml", name)


def _parse(text: str, file: str, stem: str) -> Technology:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TechnologyError(f"{file}: cannot be read as TOML ({error})") from None
    except RecursionError:
        raise TechnologyError(f"{file}: cannot be read as TOML (nested too deeply)") from None
    for key in ("title", "kind"):
        if not isinstance(document.get(key), str):
            raise TechnologyError(f"{file}: {key} must be a string")
    try:
        kind = Kind(document["kind"])
    except ValueError:
        raise TechnologyError(f"{file}: kind must be one of {', '.join(Kind)}, not {document['kind']!r}") from None
    for key in ("name", "notes", "extends", "family"):
        if not isinstance(document.get(key, ""), str):
            raise TechnologyError(f"{file}: {key} must be a string")
    parent = _parent(document, file, kind)
    conditions: dict[str, float | None] = {}
    for key in ("node_nm", "voltage_v", "temperature_c"):
        inherited = getattr(parent, key) if parent else None
        conditions[key] = number(document[key], key, file) if key in document else inherited
        if conditions[key] == 0 and key != "temperature_c":
            raise TechnologyError(f"{file}: {key} must be positive, not 0")
    sources = document.get("sources", {})
    if not isinstance(sources, dict) or not all(isinstance(source, str) for source in sources.values()):
        raise TechnologyError(f"{file}: sources must be a table of strings")
    numbers, unknown = _inherit(document, file, parent, sources, conditions)
    leaves = _leaves({key: value for key, value in document.items() if key not in _PLAIN})
    for path, _ in leaves:
        if path not in NUMBERS[kind]:
            raise TechnologyError(f"{file}: unknown field {path!r}")
        _drop(numbers, unknown, path)
    for path, fields in leaves:
        where = f"{file}: {path}"
        if isinstance(fields, dict) and "unknown" in fields:
            if set(fields) != {"unknown"} or not isinstance(fields["unknown"], str):
                raise TechnologyError(f"{where}: an unknown number has a reason, a string, and nothing else")
            unknown[path] = fields["unknown"]
        else:
            numbers[path] = parse(fields, NUMBERS[kind][path], where, sources, conditions)
    _check(file, kind, numbers, conditions)
    family = document.get("family", parent.family if parent else "")
    if (family in FAMILIES) != (kind is Kind.FPGA) or (bool(family) and kind is not Kind.FPGA):
        raise TechnologyError(
            f"{file}: family must be one of {', '.join(FAMILIES)} for kind fpga, and left out for others"
        )
    return Technology(
        name=document.get("name", stem), title=document["title"], kind=kind, numbers=numbers, unknown=unknown,
        notes=document.get("notes", ""), family=family, node_nm=conditions["node_nm"],
        voltage_v=conditions["voltage_v"], temperature_c=conditions["temperature_c"],
    )  # fmt: skip


def _drop(numbers: dict[str, Quantity], unknown: dict[str, str], path: str) -> None:
    """Forget what a file that is extended said about a number that is given anew, under either name."""
    for twin in {path, path.replace("per_switch", "per_operation"), path.replace("per_operation", "per_switch")}:
        numbers.pop(twin, None)
        unknown.pop(twin, None)


def _check(file: str, kind: Kind, numbers: dict[str, Quantity], conditions: dict[str, float | None]) -> None:
    for path in numbers:
        if path.endswith("energy_per_switch") and path.replace("per_switch", "per_operation") in numbers:
            raise TechnologyError(
                f"{file}: {path.rpartition('.')[0]} has both an energy per switch and one per operation"
            )
    if "wires.capacitance" in numbers and conditions["voltage_v"] is None:
        raise TechnologyError(f"{file}: voltage_v is missing, which wires.capacitance needs")
    for path in ("clock.frequency", "bram.capacity"):
        if path in numbers and numbers[path].value == 0:
            raise TechnologyError(f"{file}: {path} must be positive, not 0")
    for part in ("read", "write", "area"):
        given = [key for key in _BILINEAR if f"sram.{part}.{key}" in numbers]
        if kind is Kind.LOGIC and given and len(given) < 3:
            raise TechnologyError(f"{file}: sram.{part} needs slope, words and width")


def _parent(document: dict[str, Any], file: str, kind: Kind) -> Technology | None:
    """The shipped technology that the file extends."""
    base = document.get("extends")
    if base is None:
        return None
    shipped = {
        item.name.removesuffix(".toml") for item in (resources.files("setun_sim.cost") / "technologies").iterdir()
    }
    if base not in shipped:
        raise TechnologyError(f"{file}: extends names no shipped technology: {base!r}")
    parent = _shipped(base)
    if parent.kind is not kind:
        raise TechnologyError(f"{file}: extends {base!r}, which is of kind {parent.kind}")
    return parent


def _inherit(
    document: dict[str, Any],
    file: str,
    parent: Technology | None,
    sources: dict[str, str],
    conditions: dict[str, float | None],
) -> tuple[dict[str, Quantity], dict[str, str]]:
    """Numbers of the shipped technology that the file extends, carried over by the factors in its table ``scale``."""
    scale = document.get("scale", {})
    if parent is None:
        if scale:
            raise TechnologyError(f"{file}: scale needs extends")
        return {}, {}
    if not isinstance(scale, dict):
        raise TechnologyError(f"{file}: scale must be a table")
    factors: dict[str, Quantity] = {}
    for name, fields in scale.items():
        if name not in _SCALES:
            raise TechnologyError(f"{file}: unknown field 'scale.{name}'")
        factors[name] = parse(fields, "ratio", f"{file}: scale.{name}", sources, conditions)
    numbers = {}
    for path, quantity in parent.numbers.items():
        factor = factors.get(quantity.dimension)
        if factor is None:
            numbers[path] = quantity
            continue
        numbers[path] = quantity.scaled(factor.value, factor.source, **conditions)
        if factor.status is Status.ASSUMED:
            numbers[path] = dataclasses.replace(numbers[path], status=Status.ASSUMED)
    return numbers, dict(parent.unknown)


def _leaves(document: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Dotted paths of everything that looks like a number's table, or is no table at all."""
    found: list[tuple[str, Any]] = []
    for key, value in document.items():
        deep = prefix.count(".") >= _DEEPEST
        if isinstance(value, dict) and not ({"value", "unit", "status", "unknown"} & set(value)) and value and not deep:
            found += _leaves(value, f"{prefix}{key}.")
        else:
            found.append((prefix + key, value))
    return found
