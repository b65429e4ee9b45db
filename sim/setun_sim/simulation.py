"""The simulator's front door: outputs, exact cycles and exact activity of a program."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from setun_compiler import host
from setun_compiler.program import Program
from setun_hw.descriptor import Compute
from setun_sim.activity import Activity, activity
from setun_sim.encode import encode
from setun_sim.execute import execute_runs
from setun_sim.layers import LayerResult, Traffic, layer_results, traffic_of, utilisation
from setun_sim.order import posts_of
from setun_sim.table import layer_table
from setun_sim.timeline import DEFAULT_INTERVAL, DEFAULT_LATENCY, Timeline, timeline


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a simulation found. A *run* takes ``program.images`` inputs (one, or P in batch mode) and always as long."""

    program: Program
    #: the model's outputs (images, *shape of one output), floats in its own scale and order; None without samples
    logits: NDArray[np.float64] | None
    #: runs simulated; 0 without samples
    runs: int
    latency: int
    interval: int
    layers: tuple[LayerResult, ...]
    #: times of the run list, and of the init list that loads what stays on chip
    timeline: Timeline
    init_timeline: Timeline
    traffic: Traffic

    @property
    def cycles(self) -> int:
        """Cycles of one run."""
        return self.timeline.cycles

    @property
    def init_cycles(self) -> int:
        """Cycles of the init list, once after reset."""
        return self.init_timeline.cycles

    @property
    def counters(self) -> NDArray[np.int64]:
        """Performance counters of a run, (descriptors, 8), as docs/machine.md orders them."""
        return self.timeline.counters

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one image."""
        return sum(layer.macs for layer in self.layers)

    @property
    def utilisation(self) -> float:
        """Share of the multipliers' cycles of a run that the network's digit products take."""
        return utilisation(self.program, self.program.layers, self.cycles)

    def to_json(self) -> dict[str, Any]:
        """One document with stable keys."""
        return {
            "program": self.program.name,
            "configuration": self.program.config.name,
            "encoding": str(self.program.config.encoding),
            "images_per_run": self.program.images,
            "runs": self.runs,
            "latency": self.latency,
            "interval": self.interval,
            "cycles": self.cycles,
            "init_cycles": self.init_cycles,
            "macs": self.macs,
            "utilisation": self.utilisation,
            "traffic": dataclasses.asdict(self.traffic),
            "layers": [dataclasses.asdict(layer) for layer in self.layers],
        }

    def to_text(self) -> str:
        """The table of layers, for a terminal."""
        tables = layer_table(self.program, self.layers, self.cycles, self.utilisation)
        traffic = f"of external memory, {self.traffic.read_bytes} bytes are read, {self.traffic.written_bytes} written"
        return f"{tables}\n{traffic}\nbefore the first run, {self.init_cycles} cycles load what stays on chip"


def simulate(
    program: Program,
    samples: ArrayLike | None,
    *,
    latency: int = DEFAULT_LATENCY,
    interval: int = DEFAULT_INTERVAL,
    activity: bool = True,
) -> Result:
    """Run a program on samples, or only find out when everything happens.

    Parameters
    ----------
    samples:
        Numbers of shape (images, *shape of one sample as the model has it), or None.
    latency, interval:
        Of the external memory, in cycles (docs/machine.md).
    activity:
        Whether the layers carry counts of events.

    Raises
    ------
    SetunError
        When samples do not fit the program's input, or the program is malformed.
    """
    line = timeline(program, latency=latency, interval=interval)
    logits, runs, activities = None, 0, None
    if samples is not None:
        array = host.as_array(samples, f"input {program.input.name!r}")
        host.quantise(program.input, array[:0] if array.ndim else array)  # refuses a wrong shape before the work
        images, runs = program.images, -(-len(array) // program.images)

        def read(begin: int, end: int) -> NDArray[np.uint8]:
            return encode(program, array[begin * images : end * images], begin * images)

        done = execute_runs(program, runs, read)
        logits = host.decode(program, done.outputs, len(array))
        activities = _activities(program, line, runs, done.counts, done.nonzero_weights) if activity else None
    beat_bytes = program.config.axi_data_bits // 8
    return Result(
        program=program,
        logits=logits,
        runs=runs,
        latency=latency,
        interval=interval,
        layers=tuple(layer_results(program, line, activities)),
        timeline=line,
        init_timeline=timeline(program, latency=latency, interval=interval, init=True),
        traffic=traffic_of(line, iter(range(len(line.descriptors))), beat_bytes),
    )


def _activities(
    program: Program, line: Timeline, runs: int, counts: dict[int, NDArray[np.int64]], nonzero_weights: dict[int, int]
) -> dict[int, Activity]:
    posts = posts_of(line.descriptors)
    return {
        index: activity(d, posts[index], program.config, runs, counts[index], nonzero_weights[index])
        for index, d in enumerate(line.descriptors)
        if isinstance(d, Compute)
    }
