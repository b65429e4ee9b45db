"""Rows of the per-layer table, and the table as plain text."""

from collections.abc import Sequence

from setun_compiler.program import Program
from setun_sim.layers import LayerResult

COLUMNS = (
    "layer", "cycles", "MACs", "utilisation", "idle", "load", "drain", "store", "pipeline", "read bytes", "written bytes",
)  # fmt: skip
ACTIVITY_COLUMNS = ("products", "updates")


def layer_rows(layers: Sequence[LayerResult]) -> list[list[str]]:
    """A header and one row a layer; shares of non-zero products and of effective updates where activity is known."""
    counted = any(layer.activity for layer in layers)
    rows = [[*COLUMNS, *(ACTIVITY_COLUMNS if counted else ())]]
    for layer in layers:
        s, t, a = layer.stalls, layer.traffic, layer.activity
        row = [
            layer.name, f"{layer.cycles}", f"{layer.macs}", f"{layer.utilisation:.1%}", f"{s.idle}", f"{s.load}", f"{s.drain}",
            f"{s.store}", f"{s.pipeline}", f"{t.read_bytes}", f"{t.written_bytes}",
        ]  # fmt: skip
        if a:
            row += [f"{_share(a.products, a.multiplications)}", f"{_share(a.updates, a.accumulations)}"]
        rows.append(row)
    return rows


def layer_table(program: Program, layers: Sequence[LayerResult], cycles: int, utilisation: float) -> str:
    """The table in aligned columns, with a line about the whole run under it."""
    rows = layer_rows(layers)
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) if k == 0 else cell.rjust(width) for k, (cell, width) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]
    macs = sum(layer.macs for layer in layers) * program.images
    return "\n".join([*lines, f"a run of {program.images}: {cycles} cycles, {macs} MACs, utilisation {utilisation:.1%}"])


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"
