"""Which sums a network's layers really form, and where their thresholds lie among them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from setun_compiler.program import Program
from setun_hw.descriptor import Compute, Opcode, Post, Region, Transfer
from setun_sim.golden import ComputeRecord, Machine, Observer
from setun_sim.golden_post import Parameters
from setun_sim.order import descriptors_of

#: most bars of a histogram
BINS = 48


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """Values of one layer in bins of equal width: bin k holds first + k*width .. first + (k+1)*width - 1."""

    layer: str
    first: int
    width: int
    sums: tuple[int, ...]  #: values that met the thresholds, or left raw, of real pixels and channels
    thresholds: tuple[int, ...]  #: thresholds of real channels that some value of the bins' range can reach
    #: what the values are: the accumulators themselves, or results of fixed-point post-processing
    fixed_point: bool
    smallest: int
    largest: int

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "name": self.layer, "first": self.first, "width": self.width, "sums": list(self.sums),
            "thresholds": list(self.thresholds), "fixed_point": self.fixed_point, "smallest": self.smallest,
            "largest": self.largest,
        }  # fmt: skip


class _Watched(Machine):
    """Golden interpreter that keeps the parameters each channel group found."""

    found: Parameters | None = None

    def read_parameters(self, d: Compute, group: int, channels: int) -> Parameters:
        self.found = super().read_parameters(d, group, channels)
        return self.found


class _Values(Observer):
    """Collects values and thresholds by descriptor."""

    def __init__(self, machine: _Watched, valid: "dict[int, _Extent]", compute: dict[int, Compute]) -> None:
        self.machine, self.valid, self.compute = machine, valid, compute
        self.values: dict[int, list[NDArray[np.int64]]] = {}
        self.thresholds: dict[int, list[NDArray[np.int64]]] = {}

    def group(self, record: ComputeRecord) -> None:
        if record.index not in self.valid:
            return
        d, extent = self.compute[record.index], self.valid[record.index]
        out = record.out
        channels = min(out.shape[3], extent.channels - record.group * self.machine.config.rows)
        # in batch mode every strip holds a map of its own
        kept = out[:, : extent.rows] if d.batch else out.reshape(-1, *out.shape[2:])[: extent.rows]
        self.values.setdefault(record.index, []).append(kept[..., :channels].ravel())
        if self.machine.found is not None and d.mode == 0:
            self.thresholds.setdefault(record.index, []).append(self.machine.found.thresholds[:channels].ravel())


@dataclass(frozen=True)
class _Extent:
    """Rows and channels of a COMPUTE that belong to the map; what lies beyond fills up strips and groups."""

    rows: int
    channels: int


def histograms(program: Program, inputs: bytes) -> list[Histogram]:
    """Histograms of every layer for one run, by the golden interpreter.

    Parameters
    ----------
    inputs:
        The INPUT region of one run.

    Raises
    ------
    SimulationError
        When the program cannot be run.
    """
    run = descriptors_of(program.image, program.run_offset, program.run_count)
    machine = _Watched(
        program.config,
        {
            int(Region.PROGRAM): bytearray(program.image),
            int(Region.INPUT): bytearray(inputs),
            int(Region.OUTPUT): bytearray(program.output_bytes),
            int(Region.SCRATCH): bytearray(program.scratch_bytes),
        },
    )
    computes = {index: d for index, d in enumerate(run) if isinstance(d, Compute)}
    valid: dict[int, _Extent] = {}
    for layer in program.layers:
        valid |= _extents(layer.descriptors, layer.out_shape, run, program.config.rows, program.config.strips)
    observer = _Values(machine, valid, computes)
    machine.execute(descriptors_of(program.image, program.init_offset, program.init_count), Observer(), True)
    machine.execute(run, observer, True)
    found = []
    for layer in program.layers:
        values = [part for index in layer.descriptors for part in observer.values.get(index, ())]
        if values:
            thresholds = [part for index in layer.descriptors for part in observer.thresholds.get(index, ())]
            fixed = any(computes[index].affine for index in layer.descriptors if index in computes)
            found.append(histogram(layer.name, np.concatenate(values), thresholds, fixed_point=fixed))
    return found


def histogram(
    name: str, values: NDArray[np.int64], thresholds: Iterable[NDArray[np.int64]], *, fixed_point: bool = False
) -> Histogram:
    """Values and thresholds counted in the same bins, which just cover the values."""
    low, high = int(values.min()), int(values.max())
    width = -(-(high - low + 1) // BINS)
    bins = -(-(high - low + 1) // width)
    edges = low + width * np.arange(bins + 1)
    marks = np.concatenate([np.zeros(0, np.int64), *thresholds])
    return Histogram(
        layer=name, first=low, width=width, smallest=low, largest=high, fixed_point=fixed_point,
        sums=tuple(np.histogram(values, edges)[0].tolist()),
        thresholds=tuple(np.histogram(marks[marks < edges[-1]], edges)[0].tolist()),
    )  # fmt: skip


def _extents(
    own: tuple[int, ...], shape: tuple[int, int, int], run: "list[Any]", rows: int, strips: int
) -> dict[int, _Extent]:
    """What each COMPUTE of a layer makes of the layer's output, (channels, rows, cols)."""
    found: dict[int, _Extent] = {}
    first = 0
    for index in own:
        d = run[index]
        if not isinstance(d, Compute):
            continue
        # a band's rows are those that are stored from where it was written
        held = shape[1] if d.batch or strips * d.out_rows >= shape[1] else _stored_rows(run, index, d, shape[1])
        found[index] = _Extent(held, min(d.groups * rows, shape[0] - first))
        first += d.groups * rows
        first = 0 if first >= shape[0] else first
    return found


def _stored_rows(run: "list[Any]", index: int, d: Compute, rows: int) -> int:
    for later in run[index:]:
        if isinstance(later, Transfer) and later.opcode is Opcode.STORE_ACTIVATIONS:
            if later.base <= d.out_base < d.out_end <= later.base + later.strip_rows * later.row_words:
                return later.rows
        elif isinstance(later, Post):
            continue
    return min(rows, d.out_rows)
