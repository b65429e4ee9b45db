"""Runs a cocotb test module against a built simulation in a process of its own."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping
from pathlib import Path

from setun_sim.verify import tools
from setun_sim.verify.build import Simulation
from setun_sim.verify.errors import SessionError

#: start of the lines by which a bench reports progress to its parent
MARK = "setun-progress "
#: environment variable that tells a bench its folder
FOLDER = "SETUN_VERIFY_FOLDER"


def run_session(
    simulation: Simulation,
    module: str,
    folder: Path,
    *,
    seed: int = 1,
    report: Callable[[str], None] | None = None,
    extra_paths: tuple[Path, ...] = (),
    variables: Mapping[str, str] | None = None,
) -> None:
    """Run every cocotb test of ``module`` in the simulation, with ``folder`` as its working folder.

    The process reads its work from the folder and leaves its results there, besides ``log``. ``seed`` draws the values
    that registers hold before they are written. ``report`` receives what the bench prints behind :data:`MARK`.

    Raises
    ------
    SessionError
        When a test fails or the process ends early, with the test's own sentence.
    """
    tools.require(*tools.NEEDED)
    command = [str(simulation.executable), "+verilator+rand+reset+2", f"+verilator+seed+{seed}"]
    environment = {**_environment(simulation, module, folder, extra_paths), **(variables or {})}
    with (folder / "log").open("w", encoding="utf-8") as log, subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, errors="replace",
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            for line in process.stdout:
                log.write(line)
                if line.startswith(MARK) and report is not None:
                    report(line[len(MARK) :].strip())
        except BaseException:
            process.kill()
            raise
    _check_results(folder, process.returncode)


def _environment(simulation: Simulation, module: str, folder: Path, extra_paths: tuple[Path, ...]) -> dict[str, str]:
    import find_libpython
    from cocotb_tools import config

    library = find_libpython.find_libpython()
    if library is None:
        raise SessionError(
            "this Python has no shared library, which cocotb needs: use a Python built with --enable-shared"
        )
    paths = [*map(str, extra_paths), *sys.path]
    return {
        **tools.environment(),
        "GPI_USERS": f"{library};{config.pygpi_entry_point()}",
        "PYGPI_PYTHON_BIN": sys.executable,
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "COCOTB_TOPLEVEL": simulation.top,
        "COCOTB_TEST_MODULES": module,
        "COCOTB_RESULTS_FILE": str(folder / "results.xml"),
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
        "COCOTB_ANSI_OUTPUT": "0",
        "COCOTB_LOG_LEVEL": "WARNING",
        "TOPLEVEL_LANG": "verilog",
        FOLDER: str(folder),
    }


def _check_results(folder: Path, status: int) -> None:
    """Raise the first failure that cocotb recorded, or that nothing was recorded."""
    try:
        cases = ElementTree.parse(folder / "results.xml").getroot().iter("testcase")
    except (OSError, ElementTree.ParseError):
        raise SessionError(f"the simulation ended with status {status} before the bench had finished") from None
    found = False
    for case in cases:
        found = True
        for problem in (*case.iter("failure"), *case.iter("error")):
            message = problem.get("error_msg") or problem.get("message") or "it failed"
            raise SessionError(f"bench {case.get('name')}: {message}")
    if not found:
        raise SessionError("the simulation ran no bench at all")
