"""Gates of what is not drawn cell by cell: ternary cells on two rails, control, and fixed-point post-processing.

All were synthesised once for the shipped configurations (``benchmarks/gates.py`` writes the table, a test repeats some
of it and notices when the circuits have changed), so that an estimate needs no synthesis tool.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
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
#: fields that shape the fixed-point unit
FIXED_POINT_FIELDS = (
    "encoding", "strips", "post", "rows", "thresholds", "accumulator_bits", "coefficient_bits", "residual_bits",
    "two_scale", "residual_words", "parameter_words",
)  # fmt: skip


@dataclass(frozen=True)
class Synthesised:
    """What synthesis made of a part."""

    gates: Mapping[str, int]
    held: int  #: flip-flops among them that have an enable
    #: empty when it was synthesised for this very configuration; else a remark that says for which
    note: str


def control_gates(config: Config) -> Synthesised:
    """Sequencer, post-processing control, front end, registers and records.

    For a configuration that was not synthesised those of the one with the most similar bus and memories.
    """
    best, same = _nearest("control", config, CONTROL_FIELDS)
    note = f"control gates are those of configuration {best['name']!r}, the most similar one"
    return Synthesised(best["gates"], best["held"], "" if same else note)


def fixed_point_gates(config: Config) -> Synthesised:
    """The fixed-point unit of a configuration with ``affine``.

    For a configuration that was not synthesised that of the most similar one, by the number of channels that are
    processed at once.
    """
    best, same = _nearest("fixed_point", config, FIXED_POINT_FIELDS)
    fields = best["fields"]
    share = config.strips * config.post / (fields["strips"] * fields["post"])
    scaled = {kind: round(number * share) for kind, number in best["gates"].items()}
    note = f"fixed-point gates are those of configuration {best['name']!r}, by the channels processed at once"
    return Synthesised(scaled, round(best["held"] * share), "" if same else note)


def _nearest(table: str, config: Config, fields: tuple[str, ...]) -> tuple[dict[str, Any], bool]:
    """The entry with the most similar fields, and whether all are equal; words differ more than any number."""

    def distance(entry: dict[str, Any]) -> float:
        return float(sum(map(_apart, (entry["fields"][name] for name in fields), (getattr(config, n) for n in fields))))

    best = min(_table()[table], key=distance)
    return best, all(best["fields"][name] == getattr(config, name) for name in fields)


def _apart(one: Any, other: Any) -> int:
    if isinstance(one, str):
        return 0 if one == other else 1000
    return abs(int(one).bit_length() - int(other).bit_length())
