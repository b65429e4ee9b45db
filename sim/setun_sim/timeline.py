"""When everything happens: the performance counters of docs/machine.md, exactly, without any data."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setun_compiler.program import Program
from setun_hw import external, timing
from setun_hw.config import Config
from setun_hw.descriptor import Compute, Descriptor, Mode, Opcode, Post, Transfer
from setun_sim import timeline_kernels as kernels
from setun_sim.activity import convolution_pixels, steps
from setun_sim.errors import SimulationError
from setun_sim.order import descriptors_of, posts_of
from setun_sim.remember import remembered

#: cycles from a burst's address to its first beat where nothing else is said: a memory on the chip
DEFAULT_LATENCY = 8
#: cycles from one beat to the next
DEFAULT_INTERVAL = 1
#: slowest external memory: time is counted cycle by cycle
SLOWEST = {"latency": 1 << 16, "interval": 1 << 12}

#: names of the counters by kind of descriptor, in the order of the words; all but COMPUTE share theirs
COMPUTE_COUNTERS = ("start", "end", "steps", "wait_load", "wait_drain", "wait_store", "words", "opcode")
TRANSFER_COUNTERS = ("start", "end", "beats", "wait_compute", "wait_memory", "wait_port", "words", "opcode")


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Times of one descriptor list, in cycles from the start bit."""

    descriptors: tuple[Descriptor, ...]
    counters: NDArray[np.int64]  #: (descriptors, 8), the words of docs/machine.md
    act: NDArray[np.int64]  #: cycle from which each descriptor, fetched and checked, could act
    begin: NDArray[np.int64]  #: cycle in which it was queued (COMPUTE) or began (transfers)
    fetch: NDArray[np.int64]  #: cycle in which its fetch began

    @property
    def cycles(self) -> int:
        """Cycles of the whole list: the END's end."""
        return int(self.counters[-1, kernels.END])

    def record(self, index: int) -> dict[str, int]:
        """One descriptor's counters by name."""
        opcode = self.counters[index, kernels.OPCODE]
        names = COMPUTE_COUNTERS if opcode == Opcode.COMPUTE else TRANSFER_COUNTERS
        return dict(zip(names, (int(word) for word in self.counters[index]), strict=True))


@remembered
def timeline(
    program: Program, *, latency: int = DEFAULT_LATENCY, interval: int = DEFAULT_INTERVAL, init: bool = False
) -> Timeline:
    """Times of a program's run list, or with ``init`` of its init list.

    ``latency`` and ``interval`` are those of the external memory (docs/machine.md). Regions are taken to begin at
    multiples of 4096 bytes.

    Raises
    ------
    SimulationError
        When latency or interval is below 1 or above :data:`SLOWEST`, or a descriptor waits for ever.
    """
    offset, count = (program.init_offset, program.init_count) if init else (program.run_offset, program.run_count)
    return times(descriptors_of(program.image, offset, count), program.config, latency=latency, interval=interval)


def times(descriptors: Sequence[Descriptor], config: Config, *, latency: int, interval: int) -> Timeline:
    """Like :func:`timeline`, of a list of descriptors that ends with END."""
    for name, value in (("latency", latency), ("interval", interval)):
        if value < 1:
            raise SimulationError(f"memory {name} must be at least 1, not {value}")
        if value > SLOWEST[name]:
            raise SimulationError(f"memory {name} must be at most {SLOWEST[name]}, not {value}")
    table = np.zeros((len(descriptors), kernels.COLUMNS), np.int64)
    for row, descriptor, post in zip(table, descriptors, posts_of(descriptors), strict=True):
        row[kernels.KIND] = descriptor.opcode
        if isinstance(descriptor, Compute):
            _compute_row(row, descriptor, post)
        elif isinstance(descriptor, Transfer):
            _transfer_row(row, descriptor, config)
    found = kernels.simulate(table, _parameters(config, latency, interval))
    stuck = np.flatnonzero(found[:, kernels.END] == kernels.STUCK)
    if stuck.size:
        raise SimulationError(f"descriptor {stuck[0]} waits for ever")
    fetch = np.concatenate(
        [[0], np.where(found[:-1, 7] == Opcode.COMPUTE, found[:-1, kernels.BEGIN] + 1, found[:-1, 1])]
    )
    return Timeline(
        descriptors=tuple(descriptors),
        counters=found[:, :8],
        act=found[:, kernels.ACT],
        begin=found[:, kernels.BEGIN],
        fetch=fetch,
    )


def _compute_row(row: NDArray[np.int64], d: Compute, post: Post) -> None:
    pixels = convolution_pixels(d)
    row[kernels.AFTER], row[kernels.AFTER_STEP], row[kernels.GROUPS] = d.after, d.after_step, d.groups
    row[kernels.PIXELS], row[kernels.WINDOW] = pixels, d.pool_rows * d.pool_cols
    row[kernels.PIXEL_STEPS] = steps(d) // (d.groups * pixels)
    row[kernels.CHUNKS], row[kernels.LAST_CHUNKS] = d.chunks, d.last_chunks
    row[kernels.CHUNK_CYCLES] = max(1, timing.chunk_cycles(d, post))
    row[kernels.CHUNK_WORDS] = 0 if d.mode == Mode.NONE else d.out_digits
    row[kernels.LEAD] = post.res_window - 1 if d.residual else 0
    row[kernels.RESIDUAL_READ], row[kernels.RESIDUAL_WRITE] = d.residual, d.residual_write


def _transfer_row(row: NDArray[np.int64], t: Transfer, config: Config) -> None:
    row[kernels.AFTER], row[kernels.ADDRESS], row[kernels.BEATS] = t.after, t.offset, external.transfer_beats(config, t)
    if t.opcode is Opcode.LOAD_WEIGHTS:
        sharing, runs, words = external.weight_sharing(config), 1, t.words
    elif t.opcode is Opcode.LOAD_PARAMETERS:
        sharing, runs, words = external.parameter_sharing(config), 1, t.words
    else:
        residual = t.opcode in (Opcode.LOAD_RESIDUAL, Opcode.STORE_RESIDUAL)
        sharing, runs, words = external.map_sharing(config, residual=residual, lines=bool(t.lines)), t.rows, t.row_words
    row[kernels.RUNS], row[kernels.RUN_WORDS] = runs, words
    row[kernels.SHARE], row[kernels.WORD_BEATS] = sharing.words, sharing.beats


def _parameters(config: Config, latency: int, interval: int) -> NDArray[np.int64]:
    p = np.zeros(kernels.PARAMETERS, np.int64)
    p[kernels.LATENCY], p[kernels.INTERVAL], p[kernels.QUEUE_DEPTH] = latency, interval, config.queue_depth
    p[kernels.BEAT_BYTES], p[kernels.WRITE] = config.axi_data_bits // 8, timing.write_latency(config)
    p[kernels.READ] = timing.write_latency(config) - timing.AFFINE - 1
    p[kernels.DECODE], p[kernels.SETUP] = timing.DECODE, timing.SETUP
    p[kernels.BURST_BEATS], p[kernels.BURST_BOUNDARY] = timing.BURST_BEATS, timing.BURST_BOUNDARY
    p[kernels.IN_FLIGHT] = timing.BURSTS_IN_FLIGHT
    p[kernels.STORE_LATENCY], p[kernels.STORE_ENTRIES] = timing.STORE_LATENCY, timing.STORE_ENTRIES
    return p
