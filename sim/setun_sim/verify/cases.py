"""Cases to verify: turned into jobs for the bench, and the bench's results into a report."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from setun_compiler.layout import unpack_map
from setun_compiler.program import Program
from setun_hw.descriptor import Opcode
from setun_sim.timeline import COMPUTE_COUNTERS, TRANSFER_COUNTERS
from setun_sim.verify.errors import SessionError
from setun_sim.verify.jobs import Job, Launch, Result
from setun_sim.verify.report import Mismatch

#: cycles of slack before a launch counts as hung, beyond ten times what the model says
PATIENCE = 20_000
#: bytes that the bench leaves free between regions, at most
PAGES = 9 * 4096

Regions = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A program, what goes in, and how the memory behaves."""

    program: Program
    #: (runs, input_bytes)
    inputs: Regions
    latency: int = 8
    interval: int = 1
    #: random back-pressure, under which only outputs and counters that do not depend on time are compared
    seed: int | None = None


@dataclass(frozen=True, kw_only=True)
class Counters:
    """What the simulator predicts for one launch."""

    cycles: int
    #: eight words a descriptor
    records: list[list[int]]


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What golden and simulator say about a case."""

    #: of the init list, then of each run
    counters: list[Counters]
    #: (runs, output_bytes)
    golden: Regions
    #: the fast simulator's, same shape
    fast: Regions


def job_of(case: Case, number: int, counters: Sequence[Counters], folder: Path) -> Job:
    """Write the files of one case into the session's folder and describe them.

    Raises
    ------
    SessionError
        When the regions do not fit into the accelerator's address space.
    """
    program = case.program
    size = sum(map(len, (program.image, case.inputs[0] if len(case.inputs) else b"")))
    size += program.output_bytes + program.scratch_bytes + PAGES
    if size > 1 << program.config.axi_address_bits:
        raise SessionError(
            f"the program's regions take {size} bytes, too many for {program.config.axi_address_bits} address bits"
        )
    image = f"{number}.image"
    (folder / image).write_bytes(program.image)
    limits = [10 * c.cycles * (1 if case.seed is None else 4) + PATIENCE for c in counters]
    launches = [Launch(image=image, offset=program.init_offset, count=program.init_count, limit=limits[0])]
    for index, region in enumerate(case.inputs):
        name = f"{number}.{index}.input"
        (folder / name).write_bytes(region.tobytes())
        launches.append(
            Launch(
                image=image, offset=program.run_offset, count=program.run_count, input=name,
                output_bytes=program.output_bytes, limit=limits[index + 1],
            )
        )  # fmt: skip
    return Job(
        scratch_bytes=program.scratch_bytes, latency=case.latency, interval=case.interval,
        seed=-1 if case.seed is None else case.seed, launches=tuple(launches),
    )  # fmt: skip


def launch_name(launch: int) -> str:
    """How reports call a launch of a case."""
    return "init" if launch == 0 else f"run {launch - 1}"


def output_codes(program: Program, region: Regions) -> NDArray[np.uint8]:
    """Two-bit codes of the output values of one run, (values, planes); bits no value owns are left out."""
    port, config = program.output.map, program.config
    data = np.ascontiguousarray(region).reshape(program.images, port.size)
    shape = (port.channels, port.rows, port.cols)
    codes = unpack_map(data, shape, port.digits, config.lanes, config.axi_data_bits)
    values: NDArray[np.uint8] = codes.reshape(port.digits, -1).T
    return values


def compare_outputs(program: Program, launch: int, *, golden: Regions, fast: Regions, got: Regions) -> list[Mismatch]:
    """One entry for each output value on which golden, fast simulator and Verilog do not all agree."""
    gold, quick, found = (output_codes(program, region) for region in (golden, fast, got))
    mismatches = []
    for value in np.flatnonzero((gold != found).any(axis=1) | (gold != quick).any(axis=1)):
        expected, simulated = str(gold[value].tolist()), str(quick[value].tolist())
        if expected != simulated:
            expected = f"{expected} as golden says or {simulated} as the simulator says"
        mismatches.append(
            Mismatch(
                launch=launch_name(launch), descriptor=-1, field=f"output value {value}", expected=expected,
                got=str(found[value].tolist()),
            )
        )  # fmt: skip
    return mismatches


def compare_counters(launch: int, expected: Counters, got: Result, timed: bool) -> tuple[int, list[Mismatch]]:
    """Counter words compared, and one entry for each that differs; only what time leaves alone unless ``timed``."""
    compared = 0
    mismatches: list[Mismatch] = []
    if timed:
        compared += 1
        if expected.cycles != got.cycles:
            mismatches.append(_counter(launch, -1, "cycles", expected.cycles, got.cycles))
    for index, (model, words) in enumerate(zip(expected.records, got.counters, strict=True)):
        names = COMPUTE_COUNTERS if model[7] == Opcode.COMPUTE else TRANSFER_COUNTERS
        for position, name in enumerate(names):
            if timed or name in ("steps", "beats", "words", "opcode"):
                compared += 1
                if model[position] != words[position]:
                    mismatches.append(_counter(launch, index, name, model[position], words[position]))
    return compared, mismatches


def _counter(launch: int, descriptor: int, name: str, expected: int, got: int) -> Mismatch:
    return Mismatch(launch=launch_name(launch), descriptor=descriptor, field=name, expected=str(expected), got=str(got))


def faults_of(launch: int, result: Result) -> list[Mismatch]:
    """What should never happen: an error, no end at all, or accesses outside the regions."""
    found = []
    if not result.ended:
        found.append(Mismatch(launch=launch_name(launch), descriptor=-1, field="state", expected="done", got="running"))
    if result.error:
        found.append(
            Mismatch(
                launch=launch_name(launch),
                descriptor=result.error_index,
                field="error",
                expected="0",
                got=str(result.error),
            )
        )
    found += [
        Mismatch(
            launch=launch_name(launch), descriptor=-1, field="access", expected="none outside the regions", got=text
        )
        for text in result.strayed
    ]
    return found
