"""A technology whose binary gates are the cells of a Liberty file."""

import dataclasses

from setun_sim.cost.cells import GATES
from setun_sim.cost.errors import TechnologyError
from setun_sim.cost.library import Library
from setun_sim.cost.quantity import Quantity, Status
from setun_sim.cost.technology import Kind, Technology

#: numbers of a technology that a library replaces; without ternary cells of the same library there are none, because
#: published figures of different sources are not set against each other
_REPLACED = ("cells.", "per_transistor.", "ternary.")


def with_library(base: Technology, library: Library) -> Technology:
    """The technology with energy, static power, area and delay of its gates from a library.

    What a Liberty file does not hold (memories, wires, clock rate, glitches, switching of control) stays that of
    ``base``; there are no native ternary cells.

    Raises
    ------
    TechnologyError
        When ``base`` is of another kind than logic.
    """
    if base.kind is not Kind.LOGIC:
        raise TechnologyError(f"technology {base.name} is of kind {base.kind}: a Liberty file needs one of kind logic")
    numbers = {
        path: quantity
        for path, quantity in base.numbers.items()
        if not path.startswith(_REPLACED) and (not path.startswith("gates.") or path.endswith(".transistors"))
    }

    def number(path: str, value: float, dimension: str, status: Status, source: str) -> None:
        numbers[path] = Quantity(
            value=value, dimension=dimension, unit=Quantity.base_of(dimension), status=status, source=source, low=value,
            high=value, node_nm=None, voltage_v=library.voltage_v, temperature_c=library.temperature_c,
        )  # fmt: skip

    for kind in GATES:
        part = library.parts[kind]
        listed = ", ".join(f"{count} {name}" if count > 1 else name for name, count in part.cells.items())
        source = f"{library.file}: {listed}"
        single = Status.PUBLISHED if sum(part.cells.values()) == 1 else Status.DERIVED
        number(f"gates.{kind}.area", part.area_um2, "area", single, source)
        number(f"gates.{kind}.static_rail", part.leakage_nw, "power", single, source)
        number(f"gates.{kind}.energy_per_operation", part.energy_fj, "energy", Status.DERIVED, source)
        if part.delay_ps:  # the file has timing
            number(f"gates.{kind}.delay", part.delay_ps, "delay", Status.DERIVED, source)
    flip_flop = library.parts["flip_flop"]
    source = f"{library.file}: clock pin of {next(iter(flip_flop.cells))}, up and down"
    number("clock.energy_per_flip_flop", flip_flop.clock_fj, "energy", Status.DERIVED, source)
    return dataclasses.replace(
        base,
        name=library.name,
        title=f"Cells of {library.name} ({library.file}) at {library.voltage_v:g} V; memories, wires and clock rate of "
        f"{base.title}",
        node_nm=None,
        voltage_v=library.voltage_v,
        temperature_c=library.temperature_c,
        numbers=numbers,
        unknown={path: why for path, why in base.unknown.items() if not path.startswith((*_REPLACED, "gates."))},
        notes="Gates are cells of the library, or made of them; binary encodings only. "
        "Numbers of other kinds are those of another technology, perhaps of another node.",
    )
