"""A number with its unit, where it comes from and how far it may be trusted."""

import dataclasses
import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from setun_sim.cost.errors import TechnologyError


class Status(StrEnum):
    """How a number was obtained."""

    MEASURED = "measured"  #: measured, simulated or synthesised for this project
    PUBLISHED = "published"  #: read in the source
    DERIVED = "derived"  #: computed from published or measured numbers as the source line says
    ASSUMED = "assumed"  #: nobody's measurement: a plausible value, and its share of a result is printed


#: factor from a unit to the base unit of its dimension; the first unit of each dimension is the base
UNITS: dict[str, dict[str, float]] = {
    "energy": {"fJ": 1.0, "aJ": 1e-3, "pJ": 1e3, "nJ": 1e6},
    "power": {"nW": 1.0, "pW": 1e-3, "uW": 1e3, "mW": 1e6},
    "area": {"um2": 1.0, "mm2": 1e6},
    "delay": {"ps": 1.0, "ns": 1e3},
    "capacitance": {"fF": 1.0, "aF": 1e-3, "pF": 1e3},
    "frequency": {"MHz": 1.0, "GHz": 1e3},
    "transistors": {"transistors": 1.0},
    "ratio": {"ratio": 1.0},
    "words": {"words": 1.0},
    "bits": {"bits": 1.0},
}


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A number in the base unit of its dimension, with its provenance."""

    value: float
    dimension: str
    unit: str  #: the unit it was written in
    status: Status
    source: str  #: the source in words
    low: float  #: smallest published or plausible value; the value itself where no range is known
    high: float
    node_nm: float | None
    voltage_v: float | None
    temperature_c: float | None
    note: str = ""

    @property
    def base_unit(self) -> str:
        """The unit of ``value``, ``low`` and ``high``."""
        return self.base_of(self.dimension)

    @staticmethod
    def base_of(dimension: str) -> str:
        """The unit in which values of a dimension are kept."""
        return next(iter(UNITS[dimension]))

    @property
    def written(self) -> str:
        """Value and unit as the file has them."""
        return f"{self.value / UNITS[self.dimension][self.unit]:g} {self.unit}"

    def scaled(self, factor: float, why: str, **conditions: float | None) -> "Quantity":
        """The same number carried to other conditions; what was assumed stays so, the rest becomes derived."""
        return dataclasses.replace(
            self,
            value=self.value * factor,
            low=self.low * factor,
            high=self.high * factor,
            status=self.status if self.status is Status.ASSUMED else Status.DERIVED,
            source=f"{self.source}; x {factor:g}: {why}",
            **conditions,  # type: ignore[arg-type]
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values with the unit they are in."""
        return {**dataclasses.asdict(self), "unit": self.base_unit, "status": str(self.status)}


_KEYS = {"value", "unit", "status", "source", "low", "high", "node_nm", "voltage_v", "temperature_c", "note"}


def parse(
    fields: Any, dimension: str, where: str, sources: dict[str, str], defaults: dict[str, float | None]
) -> Quantity:
    """Read one inline table.

    Raises
    ------
    TechnologyError
        On anything but a finite, non-negative number of the right dimension with a known source; ``where`` names
        file and field.
    """
    if not isinstance(fields, dict):
        raise TechnologyError(f"{where} must be a table with value, unit, status and source, not {fields!r}")
    for key in fields:
        if key not in _KEYS:
            raise TechnologyError(f"{where}: unknown key {key!r}")
    for key in ("value", "unit", "status", "source"):
        if key not in fields:
            raise TechnologyError(f"{where}: {key} is missing")
    unit = fields["unit"]
    if not isinstance(unit, str) or unit not in UNITS[dimension]:
        raise TechnologyError(f"{where}: unit must be one of {', '.join(UNITS[dimension])}, not {unit!r}")
    try:
        status = Status(fields["status"])
    except ValueError:
        raise TechnologyError(f"{where}: status must be one of {', '.join(Status)}, not {fields['status']!r}") from None
    source = fields["source"]
    if not isinstance(source, str) or source not in sources:
        raise TechnologyError(f"{where}: source {source!r} is not among the file's sources")
    if not isinstance(fields.get("note", ""), str):
        raise TechnologyError(f"{where}: note must be a string, not {fields['note']!r}")
    numbers = {
        key: number(fields[key], key, where) for key in fields if key not in ("unit", "status", "source", "note")
    }
    value = numbers["value"]
    low, high = numbers.get("low", value), numbers.get("high", value)
    if not low <= value <= high:
        raise TechnologyError(f"{where}: value {value:g} must lie between low {low:g} and high {high:g}")
    factor = UNITS[dimension][unit]
    return Quantity(
        value=value * factor, dimension=dimension, unit=unit, status=status, source=sources[source],
        low=low * factor, high=high * factor, note=fields.get("note", ""),
        **{key: numbers.get(key, defaults[key]) for key in ("node_nm", "voltage_v", "temperature_c")},
    )  # fmt: skip


def number(value: Any, key: str, where: str) -> float:
    """A finite number, not negative unless a temperature.

    Raises
    ------
    TechnologyError
        On anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TechnologyError(f"{where}: {key} must be a finite number, not {value!r}")
    if value < 0 and key != "temperature_c":
        raise TechnologyError(f"{where}: {key} must not be negative, but is {value!r}")
    return float(value)
