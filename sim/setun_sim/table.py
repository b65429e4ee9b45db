"""Per-layer tables as plain text, at most 80 columns wide for networks of up to a billion MACs."""

from collections.abc import Sequence

from setun_compiler.program import Program
from setun_sim.layers import LayerResult

TIME_COLUMNS = ("layer", "cycles", "MACs", "util.", "idle", "load", "drain", "store", "pipe")
TRAFFIC_COLUMNS = ("layer", "read bytes", "written bytes")
#: shares of non-zero products, and of accumulator updates that change something
ACTIVITY_COLUMNS = ("products", "updates")
#: longer layer names lose their middle
WIDEST_NAME = 20

Rows = list[list[str]]


def time_rows(layers: Sequence[LayerResult]) -> Rows:
    """A header and one row a layer: cycles, work, and cycles without a step by cause."""
    rows: Rows = [list(TIME_COLUMNS)]
    for layer in layers:
        s = layer.stalls
        stalls = [f"{count}" for count in (s.idle, s.load, s.drain, s.store, s.pipeline)]
        rows.append([_short(layer.name), f"{layer.cycles}", f"{layer.macs}", f"{layer.utilisation:.1%}", *stalls])
    return rows


def traffic_rows(layers: Sequence[LayerResult]) -> Rows:
    """A header and one row a layer: bytes of external memory, and shares of activity where it is known."""
    counted = any(layer.activity for layer in layers)
    rows: Rows = [[*TRAFFIC_COLUMNS, *(ACTIVITY_COLUMNS if counted else ())]]
    for layer in layers:
        a = layer.activity
        row = [_short(layer.name), f"{layer.traffic.read_bytes}", f"{layer.traffic.written_bytes}"]
        if a:
            row += [_share(a.products, a.multiplications), _share(a.updates, a.accumulations)]
        rows.append(row)
    return rows


def layer_table(program: Program, layers: Sequence[LayerResult], cycles: int, utilisation: float) -> str:
    """Both tables, and a line about the whole run."""
    macs = sum(layer.macs for layer in layers) * program.images
    inputs = "1 input" if program.images == 1 else f"{program.images} inputs"
    total = f"a run takes {inputs} and {cycles} cycles: {macs} MACs, utilisation {utilisation:.1%}"
    return "\n\n".join([_aligned(time_rows(layers)), _aligned(traffic_rows(layers)), total])


def _aligned(rows: Rows) -> str:
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = []
    for first, *others in rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        lines.append("  ".join(cells))
    return "\n".join(lines)


def _short(name: str) -> str:
    text = "".join(c if c.isprintable() else " " for c in name)
    half = (WIDEST_NAME - 2) // 2
    return text if len(text) <= WIDEST_NAME else f"{text[:half]}..{text[-half:]}"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"
