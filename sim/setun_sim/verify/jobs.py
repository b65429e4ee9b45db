"""What the parent process asks of the bench and what it hears back: plain JSON beside raw byte files."""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from setun_hw.registers import WATCHDOG_CYCLES

JOBS = "jobs.json"
RESULTS = "results.jsonl"


@dataclass(frozen=True, kw_only=True)
class Launch:
    """One start of the accelerator on a descriptor list."""

    #: file with the PROGRAM region's bytes
    image: str
    #: bytes from the PROGRAM region's base, and descriptors, END included
    offset: int
    count: int
    #: file with the INPUT region's bytes; empty: no such region
    input: str = ""
    output_bytes: int = 0
    #: give up after this many cycles
    limit: int
    #: use the soft reset before the start, and let the memory answer what it left hanging
    soft_reset: bool = False
    #: cycles without progress that stop the program
    watchdog: int = WATCHDOG_CYCLES
    #: addresses, relative to the PROGRAM and OUTPUT regions, that answer with an error
    read_errors: tuple[int, ...] = ()
    write_errors: tuple[int, ...] = ()
    #: bursts that are answered before the memory falls silent; -1: all
    read_bursts: int = -1
    write_bursts: int = -1


@dataclass(frozen=True, kw_only=True)
class Job:
    """One program after a reset by the pin: its scratch space, the memory's behaviour, and its launches."""

    scratch_bytes: int
    latency: int
    interval: int
    #: random back-pressure instead of ``latency`` and ``interval``; -1: none
    seed: int = -1
    launches: tuple[Launch, ...]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one launch."""

    job: int
    launch: int
    #: whether the accelerator reported an end, of whatever kind, within the limit
    ended: bool
    #: :class:`setun_hw.error_codes.ErrorCode`, and the descriptor it stopped at
    error: int = 0
    error_index: int = 0
    #: cycles the accelerator counted from start to end
    cycles: int = 0
    #: eight words a descriptor
    counters: list[list[int]] = field(default_factory=list)
    #: file with the OUTPUT region's bytes; empty: no such region
    output: str = ""
    #: accesses outside the regions, one sentence each
    strayed: list[str] = field(default_factory=list)


def save_jobs(jobs: list[Job], folder: Path) -> None:
    """Leave the work in the session's folder."""
    (folder / JOBS).write_text(json.dumps([dataclasses.asdict(job) for job in jobs]), encoding="utf-8")


def load_jobs(folder: Path) -> list[Job]:
    """The reverse of :func:`save_jobs`."""
    found: list[dict[str, Any]] = json.loads((folder / JOBS).read_text(encoding="utf-8"))
    jobs = []
    for fields in found:
        launches = []
        for launch in fields.pop("launches"):
            arguments: dict[str, Any] = {
                key: tuple(value) if isinstance(value, list) else value for key, value in launch.items()
            }
            launches.append(Launch(**arguments))
        jobs.append(Job(**fields, launches=tuple(launches)))
    return jobs


def append_result(result: Result, folder: Path) -> None:
    """Add one result; complete even if the simulation dies later."""
    with (folder / RESULTS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(dataclasses.asdict(result)) + "\n")


def load_results(folder: Path) -> list[Result]:
    """All results so far, in the order in which they were added."""
    try:
        lines = (folder / RESULTS).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    return [Result(**json.loads(line)) for line in lines]
