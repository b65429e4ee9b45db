"""Runs a program on many inputs at once: outputs, and counts of what happened, from the real data."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from setun_compiler.program import Program
from setun_hw.descriptor import Region
from setun_sim.errors import SimulationError
from setun_sim.kernels import names
from setun_sim.kernels.compute import compute
from setun_sim.moves import carry_out
from setun_sim.plan import Plan, plan
from setun_sim.words import units, word_type
from setun_sim.work import Work

#: bytes of memories of feature maps that one thread works on at a time; those of one layer should stay in its cache
CHUNK_BYTES = 1 << 21

_FAULTS = {
    names.WRITE_FAULT: "writes",
    names.RESIDUAL_READ_FAULT: "reads a residual",
    names.RESIDUAL_WRITE_FAULT: "writes a residual",
}


@dataclass(frozen=True, kw_only=True)
class Execution:
    """Outputs of all runs, and per COMPUTE of the run list the sums of its counts (:mod:`setun_sim.kernels`)."""

    outputs: NDArray[np.uint8]  #: (runs, output_bytes)
    counts: dict[int, NDArray[np.int64]]
    nonzero_weights: dict[int, int]  #: digits of weight words read for one convolution pixel of every group


def threads() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def execute(program: Program, inputs: NDArray[np.uint8]) -> Execution:
    """Run a program on ``inputs`` (runs, input_bytes), each run from memories that hold only what the init list loads.

    Raises
    ------
    SimulationError
        When the program reads or writes outside its tensors, overflows an accumulator or waits for ever.
    """
    if inputs.ndim != 2 or inputs.shape[1] != program.input_bytes:
        raise SimulationError(f"inputs must have shape (runs, {program.input_bytes}), not {inputs.shape}")
    return execute_runs(program, len(inputs), lambda begin, end: np.array(inputs[begin:end]))


def execute_runs(program: Program, runs: int, read: Callable[[int, int], NDArray[np.uint8]]) -> Execution:
    """:func:`execute` for inputs that are not there at once: ``read(begin, end)`` makes those of some runs.

    It is called from several threads, for arrays of its own: writable and contiguous, one type for the kernels.
    """
    planned, c = plan(program), program.config
    image_bytes = c.strips * planned.activation_words * 2 * units(c) * np.dtype(word_type(c)).itemsize
    image_bytes += c.strips * planned.residual_words * c.post * np.dtype(np.int16).itemsize
    # every thread gets as many chunks, all of one size
    rounds = -(-runs * image_bytes // (CHUNK_BYTES * threads()))
    size = max(1, -(-runs // max(1, threads() * rounds)))

    def chunk(begin: int) -> tuple[NDArray[np.uint8], list[NDArray[np.int64]]]:
        return _execute_chunk(program, planned, read(begin, min(runs, begin + size)))

    with ThreadPoolExecutor(threads()) as pool:
        results = list(pool.map(chunk, range(0, runs, size)))
    works = [operation for operation in planned.operations if isinstance(operation, Work)]
    counts: dict[int, NDArray[np.int64]] = {}
    nonzero: dict[int, int] = {}
    for place, work in enumerate(works):
        found = np.stack([result[1][place] for result in results] or [np.zeros(names.COUNTS, np.int64)])
        _refuse(program, work, found.max(0))
        if work.in_run:
            counts[work.index] = counts.get(work.index, 0) + found.sum(0)
            nonzero[work.index] = nonzero.get(work.index, 0) + work.nonzero_weights
    outputs = np.concatenate([result[0] for result in results] or [np.zeros((0, program.output_bytes), np.uint8)])
    return Execution(outputs=outputs, counts=counts, nonzero_weights=nonzero)


def _refuse(program: Program, work: Work, worst: NDArray[np.int64]) -> None:
    where, limit = f"descriptor {work.index}", program.config.accumulator_limit
    if worst[names.FAULT]:
        raise SimulationError(f"{where} {_FAULTS[int(worst[names.FAULT])]} beyond its tensor's end")
    if worst[names.WORST_SUM] > limit:
        raise SimulationError(
            f"{where}: a sum of magnitude {worst[names.WORST_SUM]} exceeds the accumulator's limit of {limit}"
        )

    if worst[names.WORST_RESIDUAL] >= 1 << program.config.accumulator_bits - 1:
        raise SimulationError(
            f"{where}: a residual sum of magnitude {worst[names.WORST_RESIDUAL]} does not fit the accumulator"
        )


def _execute_chunk(
    program: Program, planned: Plan, inputs: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], list[NDArray[np.int64]]]:
    """Outputs of some runs, and the counts of each piece of work."""
    c, images = program.config, len(inputs)
    memory = np.zeros((images, c.strips, planned.activation_words, 2, units(c)), word_type(c))
    residual = np.zeros((images, c.strips, planned.residual_words * c.post), np.int16)
    outside: dict[int, NDArray[Any]] = {
        Region.INPUT: inputs,
        Region.OUTPUT: np.zeros((images, program.output_bytes), np.uint8),
        Region.SCRATCH: np.zeros((images, program.scratch_bytes), np.uint8),
        Region.PROGRAM: np.broadcast_to(np.frombuffer(program.image, np.uint8), (images, len(program.image))),
    }
    found: list[NDArray[np.int64]] = []
    for operation in planned.operations:
        if isinstance(operation, Work):
            o, counts = operation, np.zeros(names.COUNTS, np.int64)
            compute(
                o.geometry, memory, residual, o.weights, o.pad, o.active, o.thresholds, o.codes, o.pieces, o.fixed,
                o.reads, o.writes, o.first_read, o.word_reads, counts,
            )  # fmt: skip
            counts[names.PADDING_READS] += o.padding_reads * images
            found.append(counts)
            continue
        t, region = operation.transfer, outside[operation.transfer.region]
        if t.offset + t.rows * operation.row_bytes > region.shape[1]:
            raise SimulationError(
                f"descriptor {operation.index}: bytes {t.offset} to {t.offset + t.rows * operation.row_bytes} leave "
                f"a region of {region.shape[1]} bytes"
            )
        carry_out(operation, region, memory, residual, c)
    return outside[Region.OUTPUT], found
