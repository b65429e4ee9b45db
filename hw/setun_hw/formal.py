"""Proofs that a circuit keeps a claim, by the satisfiability solver inside yosys (package ``pyosys``)."""

import importlib.util
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from amaranth import Elaboratable

from setun_hw.errors import SetunError
from setun_hw.library import convert

#: the solver ends the process when a claim fails, so it gets a process of its own
_SOLVER = "import sys; from pyosys import libyosys; libyosys.run_pass('script ' + sys.argv[1], libyosys.Design())"


#: the log's line for inputs that meet the assumption
_MET = "SAT solving finished - model found"


class ProofError(SetunError):
    """A claim that does not hold, with the inputs that break it, or one that could not be decided."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A design with the one-bit outputs ``assumption`` and ``claim``: wherever the first is 1, the second shall be 1.

    The design is a component whose signature lists all ports.
    """

    #: name of the module, letters only
    name: str
    design: Elaboratable
    #: FPGA family the design is shaped for, as for :func:`setun_hw.library.convert`
    family: str | None = None


def prove(claim: Claim, *, cycles: int = 0, timeout_seconds: float = 300) -> None:
    """Prove a claim for all inputs, and that some inputs meet its assumption.

    Parameters
    ----------
    claim:
        What to prove.
    cycles:
        0 for a circuit without registers. Otherwise the claim is proved for all time by induction: it holds from the
        registers' initial values on, and after at most so many cycles in which it held it holds in the next. The
        assumption is made in every cycle.
    timeout_seconds:
        How long the solver may take.

    Raises
    ------
    ProofError
        When the claim does not hold, the assumption excludes everything, the solver gives up, or there is no solver.
    """
    if importlib.util.find_spec("pyosys") is None:
        raise ProofError("proofs need the package pyosys, which is not installed")
    induction = f"-tempinduct -maxsteps {cycles} " if cycles else ""
    commands = [
        "read_rtlil design.il",
        f"hierarchy -top {claim.name}",
        "proc -norom",
        "flatten",
        "opt -full",
        "async2sync",
        "dffunmap",
        f"sat {'-seq 2 ' if cycles else ''}-set assumption 1 -verify",
        f"sat {induction}-set assumption 1 -prove claim 1 -show-inputs -verify",
    ]
    with tempfile.TemporaryDirectory() as directory:
        text = convert(claim.design, claim.name, family=claim.family)
        Path(directory, "design.il").write_text(text, encoding="utf-8")
        Path(directory, "proof.ys").write_text("\n".join(commands) + "\n", encoding="utf-8")
        command = [sys.executable, "-c", _SOLVER, "proof.ys"]
        try:
            done = subprocess.run(
                command, cwd=directory, capture_output=True, encoding="utf-8", check=False, timeout=timeout_seconds
            )
        except subprocess.TimeoutExpired:
            raise ProofError(f"{claim.name}: not decided in {timeout_seconds} seconds") from None
    if done.returncode:
        raise ProofError(f"{claim.name}: {_reason(done.stdout, done.stderr)}")


def _reason(log: str, errors: str) -> str:
    """What the solver's log says went wrong."""
    if _MET not in log:
        return "no input meets the assumption" if "no model found" in log else f"the solver failed ({errors.strip()})"
    _, *tables = re.split(r"model found.*: FAIL!", log)
    if not tables:
        return "the claim was not decided"
    signals = re.findall(r"^ +(\d+ +)?\\(\w+) +\S+ +\S+ +([01]+)", tables[0], re.MULTILINE)
    shown = ", ".join(f"{name}={bits}" + (f" in cycle {time.strip()}" if time else "") for time, name, bits in signals)
    return f"the claim does not hold for {shown}"
