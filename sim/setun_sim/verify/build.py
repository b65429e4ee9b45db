"""Builds Verilog into a simulation once, and keeps it: the same text, tools and flags are never compiled twice."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from setun_sim.verify import tools
from setun_sim.verify.errors import BuildError

#: Verilator options. Lint has its own test, so warnings do not stop a build. Values a register holds before its first
#: write are drawn at random from the seed given at run time: an answer that depends on one differs from golden.
VERILATOR_FLAGS = (
    "--cc", "--exe", "--vpi", "--prefix", "Vtop", "-O3", "--inline-mult", "1", "-Wno-fatal", "-Wno-lint", "-Wno-style",
    "--x-initial", "unique", "--x-assign", "fast", "--no-assert", "--no-timing",
)  # fmt: skip
#: C++ options: -O1 runs within a few per cent of -O2 and compiles in two thirds of its time
MAKE_FLAGS = ("OPT_FAST=-O1", "OPT_SLOW=-O0", "OPT_GLOBAL=-O1")
#: name of the program; not the design's own, because a file called like a C++ header breaks the compilation
EXECUTABLE = "simulation"


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """A compiled design, ready for sessions."""

    executable: Path
    #: name of the top module
    top: str
    #: whether it came from the cache
    cached: bool


def cache_folder() -> Path:
    """Where built simulations are kept: ``verilator`` under the user's cache folder for setun."""
    return Path(platformdirs.user_cache_dir("setun")) / "verilator"


def port_names(verilog: str, top: str) -> list[str]:
    """Ports of one module, read from its declarations.

    Raises
    ------
    BuildError
        When the text does not hold the module, or the module has no ports.
    """
    body = re.search(rf"^\s*module\s+{re.escape(top)}\b(.*?)^\s*endmodule", verilog, re.S | re.M)
    if body is None:
        raise BuildError(f"the Verilog text has no module {top}")
    declaration = r"\b(?:input|output)\b\s*(?:wire|reg|logic)?\s*(?:signed)?\s*(?:\[[^\]]*\])?\s*([A-Za-z_]\w*)"
    names = re.findall(declaration, body.group(1))
    if not names:
        raise BuildError(f"module {top} has no ports")
    return names


def key_of(verilog: str, top: str) -> str:
    """Hash of everything a built simulation depends on."""
    parts = [verilog, top, *VERILATOR_FLAGS, *MAKE_FLAGS]
    for name in ("verilator", "c++", "cocotb"):
        tool = tools.find(name)
        parts += [name, tool.version, str(tool.path)]
    return _hash(parts)


def _hash(parts: Sequence[str]) -> str:
    """One name for some texts in their order."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part.encode()).digest())
    return digest.hexdigest()[:32]


def build(verilog: str, top: str, cache: Path | None = None) -> Simulation:
    """Compile ``verilog`` with module ``top`` on top, or fetch the result of an earlier call.

    Only the ports of ``top`` can be seen from the bench: everything inside may be optimised away.

    Raises
    ------
    ToolError
        When a tool is missing.
    BuildError
        When Verilator or the C++ compiler fails, with its first complaint.
    """
    tools.require(*tools.NEEDED)
    folder = cache if cache is not None else cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    key = key_of(verilog, top)
    executable = folder / key / EXECUTABLE
    with _locked(folder / f"{key}.lock"):
        if executable.is_file():
            return Simulation(executable=executable, top=top, cached=True)
        work = Path(tempfile.mkdtemp(prefix=f"{key}.", dir=folder))
        try:
            _compile(verilog, top, work)
            finished = work / "finished"
            finished.mkdir()
            os.replace(work / "objects" / EXECUTABLE, finished / EXECUTABLE)
            os.replace(work / "top.v", finished / "top.v")
            os.replace(finished, folder / key)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return Simulation(executable=executable, top=top, cached=False)


def kept_text(parts: Sequence[str], make: Callable[[], str], cache: Path | None = None) -> str:
    """``make()``, or what it returned when it was last called for the same ``parts``."""
    folder = cache if cache is not None else cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{_hash(parts)}.v"
    with _locked(path.with_suffix(".lock")):
        if not path.is_file():
            work = path.with_suffix(f".{os.getpid()}")
            work.write_text(make(), encoding="utf-8")
            os.replace(work, path)
        return path.read_text(encoding="utf-8")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock file, so that of two processes wanting the same design one compiles and the other waits."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _compile(verilog: str, top: str, work: Path) -> None:
    from cocotb_tools import config

    (work / "top.v").write_text(verilog, encoding="utf-8")
    public = "".join(f'public_flat_rw -module "{top}" -var "{name}"\n' for name in port_names(verilog, top))
    (work / "ports.vlt").write_text(f"`verilator_config\n{public}", encoding="utf-8")
    libs = config.libs_dir
    main = config.share_dir / "lib" / "verilator" / "verilator.cpp"
    _run(
        [
            str(tools.require("verilator")["verilator"]), *VERILATOR_FLAGS, "--top-module", top, "--Mdir", "objects",
            "-o", EXECUTABLE, "-LDFLAGS", f"-Wl,-rpath,{libs} -L{libs} -lcocotbvpi_verilator",
            str(main), "ports.vlt", "top.v",
        ],
        work,
        "Verilator",
    )  # fmt: skip
    variables = [f"{name}={value}" for name, value in tools.make_variables().items()]
    jobs = min(4, os.cpu_count() or 1)
    make = str(tools.require("make")["make"])
    _run([make, "-j", str(jobs), "-C", "objects", "-f", "Vtop.mk", *MAKE_FLAGS, *variables], work, "the C++ compiler")


def _run(command: list[str], work: Path, who: str) -> None:
    done = subprocess.run(
        command, cwd=work, env=tools.environment(), capture_output=True, text=True, check=False, errors="replace",
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode:
        lines = (done.stderr + "\n" + done.stdout).splitlines()
        complaint = next((line for line in lines if re.search(r"error", line, re.I)), f"status {done.returncode}")
        raise BuildError(f"{who} failed: {complaint.replace(str(work), '').strip()}")
