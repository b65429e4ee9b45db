"""A run as a trace that ui.perfetto.dev and chrome://tracing show; a microsecond of theirs is a cycle of ours."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from setun_hw.descriptor import Compute, Opcode, Transfer
from setun_sim.simulation import Result

#: tracks, in the order shown
TRACKS = ("front end", "array", "memory reads", "memory writes")
_FRONT, _ARRAY, _READS, _WRITES = range(len(TRACKS))


def events(result: Result) -> Iterator[dict[str, Any]]:
    """Trace events of one run, in the Trace Event Format's JSON objects."""
    yield {"ph": "M", "name": "process_name", "pid": 0, "args": {"name": f"{result.program.name}, one run"}}
    for track, name in enumerate(TRACKS):
        yield {"ph": "M", "name": "thread_name", "pid": 0, "tid": track, "args": {"name": name}}
        yield {"ph": "M", "name": "thread_sort_index", "pid": 0, "tid": track, "args": {"sort_index": track}}
    line = result.timeline
    layers = {index: layer.name for layer in result.program.layers for index in layer.descriptors}
    for index, descriptor in enumerate(line.descriptors):
        fetch, act, begin = int(line.fetch[index]), int(line.act[index]), int(line.begin[index])
        record, name = line.record(index), layers.get(index, descriptor.opcode.name)
        yield _span(_FRONT, f"fetch {descriptor.opcode.name}", fetch, act, {"descriptor": index, "layer": name})
        if begin > act:
            yield _span(_FRONT, "wait", act, begin, {"descriptor": index, "layer": name})
        if isinstance(descriptor, Compute):
            yield _span(_ARRAY, name, record["start"], record["end"], {"descriptor": index, **record})
        elif isinstance(descriptor, Transfer):
            track = _WRITES if descriptor.opcode in (Opcode.STORE_ACTIVATIONS, Opcode.STORE_RESIDUAL) else _READS
            yield _span(_FRONT, descriptor.opcode.name, begin, record["end"], {"descriptor": index, "layer": name})
            yield _span(
                track, f"{descriptor.opcode.name} {name}", begin, record["end"], {"descriptor": index, **record}
            )


def write(result: Result, path: str | Path) -> None:
    """Write the trace as one JSON document."""
    document = {"traceEvents": list(events(result)), "displayTimeUnit": "ms", "otherData": {"unit": "cycle"}}
    Path(path).write_text(json.dumps(document) + "\n", encoding="utf-8")


def _span(track: int, name: str, start: int, end: int, args: dict[str, Any]) -> dict[str, Any]:
    return {"ph": "X", "name": name, "pid": 0, "tid": track, "ts": start, "dur": end - start, "args": args}
