"""Gates of what is not drawn cell by cell: ternary cells on two rails, and the control of the accelerator.

Both were synthesised once for the shipped configurations (``benchmarks/gates.py`` writes the table, a test repeats
some of it),
so that an estimate needs no synthesis tool.
"""

import json
from functools import cache
from importlib import resources
from typing import Any

from setun_hw.config import Config


@cache
def _table() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        (resources.files("setun_sim.cost") / "gates.json").read_text(encoding="utf-8")
    )
    return document


def cell_gates(kind: str) -> dict[str, int]:
    """Binary gates of a ternary cell's model on two rails."""
    gates: dict[str, int] = _table()["cells"][kind]
    return gates


#: fields of a configuration that shape its control
CONTROL_FIELDS = (
    "strips", "post", "rows", "lanes", "activation_words", "weight_words", "parameter_words", "axi_data_bits",
    "axi_address_bits", "queue_depth", "tree_registers", "packed_weights", "counter_records", "code_digits",
    "affine", "two_scale",
)  # fmt: skip


def control_gates(config: Config) -> tuple[dict[str, int], str]:
    """Binary gates of sequencer, post-processing control, front end, registers and records.

    Returns
    -------
    Gates by kind, and a remark, empty when they were synthesised for this very configuration; else those of the shipped
    configuration with the most similar bus and memories.
    """
    entries = _table()["control"]

    def distance(entry: dict[str, Any]) -> float:
        return float(sum(
            abs(int(entry["fields"][name]).bit_length() - int(getattr(config, name)).bit_length()) for name in
            CONTROL_FIELDS
        ))  # fmt: skip

    best = min(entries, key=distance)
    same = all(best["fields"][name] == getattr(config, name) for name in CONTROL_FIELDS)
    return best[
        "gates"
    ], "" if same else f"control gates are those of configuration {best['name']!r}, the most similar one"
