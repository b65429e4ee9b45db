"""Writes sim/setun_sim/cost/gates.json: binary gates of ternary cells on two rails, of control and of fixed point.

    python benchmarks/gates.py

Takes ten minutes or so; each part is synthesised once and kept in the user's cache directory. A test notices when the
circuits are no longer those that were synthesised.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from setun_hw.cells import CELLS
from setun_hw.cells.models import Cell
from setun_hw.config import Config, Encoding
from setun_hw.presets import configs
from setun_sim.cost.control import CONTROL_FIELDS, FIXED_POINT_FIELDS
from setun_sim.cost.netlist import mapped_gates
from setun_sim.cost.parts import control_parts, fingerprint, fixed_point_parts, gates, held, reduced

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "sim" / "setun_sim" / "cost" / "gates.json"


def chosen() -> list[Config]:
    """The presets, and the configuration of docs/validation.md."""
    return [*configs().values(), Config.load(ROOT / "benchmarks" / "tcn_cutie.toml")]


def control() -> Iterator[dict[str, Any]]:
    """An entry for each configuration."""
    for config in chosen():
        yield entry(config, CONTROL_FIELDS, control_parts)


def fixed_point() -> Iterator[dict[str, Any]]:
    """An entry for each configuration that has the unit, and each encoding."""
    for config in chosen():
        for encoding in Encoding if config.affine else ():
            packed = config.packed_weights and encoding is not Encoding.BINARY2
            yield entry(config.replace(encoding=encoding, packed_weights=packed), FIXED_POINT_FIELDS, fixed_point_parts)


def entry(config: Config, fields: tuple[str, ...], parts: Callable[[Config], list[Any]]) -> dict[str, Any]:
    """Gates, and what they depend on."""
    made = parts(config)
    found = {
        "name": config.name,
        "fields": {field: getattr(config, field) for field in fields},
        "fingerprint": fingerprint(parts(reduced(config))),
        "gates": gates(made),
        "held": held(made),
    }
    print(config.name, str(config.encoding), found["gates"], flush=True)
    return found


def main() -> None:
    """Synthesise and write."""
    table = {
        "cells": {kind: mapped_gates(Cell(kind)) for kind in CELLS},
        "control": list(control()),
        "fixed_point": list(fixed_point()),
    }
    TABLE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
