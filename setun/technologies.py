"""Technologies as text for a terminal of 80 columns, and as a document."""

import textwrap
from collections.abc import Sequence
from typing import Any

from setun.costs import WIDTH, wrapped
from setun.tables import table
from setun_sim.cost.quantity import Quantity, Status
from setun_sim.cost.technology import Technology


def technologies_text(known: Sequence[Technology]) -> str:
    """One line a technology with how many of its numbers have which status, then the titles."""
    header = ("name", "kind", "ternary", *Status, "unknown")
    rows = []
    for one in known:
        counts = one.statuses()
        numbers = [counts[str(status)] for status in Status]
        rows.append((one.name, one.kind, "yes" if one.ternary else "no", *numbers, len(one.unknown)))
    titles = [
        textwrap.fill(_printable(one.title), WIDTH, initial_indent=f"{one.name:<12}", subsequent_indent=" " * 12)
        for one in known
    ]
    return "\n".join([table(header, rows), "", *titles])


def technology_text(one: Technology) -> str:
    """Every number of a technology with its range, its status and its source."""
    conditions = [f"{value:g} {unit}" for value, unit in ((one.node_nm, "nm"), (one.voltage_v, "V")) if value]
    lines = [wrapped(f"{one.name}: {one.title}"), ", ".join([f"kind {one.kind}", *conditions])]
    lines += [wrapped(one.notes)] if one.notes else []
    counts = [f"{number} {status}" for status, number in one.statuses().items() if number]
    counts += [f"{len(one.unknown)} not known"] if one.unknown else []
    lines.append(f"numbers: {', '.join(counts)}")
    by_source: dict[str, list[tuple[str, Quantity]]] = {}
    for path, quantity in one.numbers.items():
        by_source.setdefault(quantity.source, []).append((path, quantity))
    for source, numbers in by_source.items():
        lines += ["", wrapped(source), *(_number(path, quantity) for path, quantity in numbers)]
    if one.unknown:
        lines += ["", "not known:"]
        for path, why in one.unknown.items():
            lines.append(
                textwrap.fill(_printable(f"{path}: {why}"), WIDTH, initial_indent="  ", subsequent_indent="    ")
            )
    return "\n".join(lines)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _number(path: str, q: Quantity) -> str:
    spread = f" ({q.low:.6g} to {q.high:.6g})" if q.low < q.high else ""
    value = f"{q.value:.6g} {'' if q.base_unit == q.dimension else q.base_unit}".rstrip()
    line = f"  {path:<40} {q.status:<9} {value}"
    return line + spread if len(line + spread) <= WIDTH else f"{line}\n{spread:>{WIDTH}}"


def technology_document(known: Sequence[Technology]) -> dict[str, Any]:
    """Everything, with units, statuses and sources."""
    return {"technologies": [one.to_json() for one in known]}
