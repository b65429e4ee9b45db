"""Writes sim/setun_sim/cost/gates.json: binary gates of ternary cells on two rails, and of control.

    python benchmarks/gates.py

Takes some minutes; each part is synthesised once and kept in the user's cache directory.
"""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from setun_hw.cells import CELLS
from setun_hw.cells.models import Cell
from setun_hw.config import Config
from setun_hw.engine.drain import DrainControl
from setun_hw.engine.queue import DescriptorQueue
from setun_hw.engine.recorder import Recorder
from setun_hw.engine.sequencer import Sequencer
from setun_hw.frontend.control import Control
from setun_hw.frontend.frontend import FrontEnd
from setun_hw.frontend.records import Records
from setun_hw.presets import configs
from setun_sim.cost.control import CONTROL_FIELDS
from setun_sim.cost.netlist import mapped_gates

TABLE = Path(__file__).resolve().parent.parent / "sim" / "setun_sim" / "cost" / "gates.json"


def control(config: Config) -> dict[str, int]:
    """Gates of everything that is neither datapath nor memory, by kind."""
    total: Counter[str] = Counter()
    for part in _parts(config):
        total.update(mapped_gates(part))
    return dict(sorted(total.items()))


def _parts(config: Config) -> list[Any]:
    return [
        Sequencer(config), DrainControl(config), DescriptorQueue(config), Recorder(),
        FrontEnd(config), Control(config), Records(config),
    ]  # fmt: skip


def main() -> None:
    """Synthesise and write."""
    cells = {kind: mapped_gates(Cell(kind)) for kind in CELLS}
    entries = []
    for name, config in configs().items():
        entries.append(
            {"name": name, "fields": {f: getattr(config, f) for f in CONTROL_FIELDS}, "gates": control(config)}
        )
        print(name, entries[-1]["gates"], flush=True)
        TABLE.write_text(json.dumps({"cells": cells, "control": entries}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
