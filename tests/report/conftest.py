"""One report of the shipped network for all tests, with its real inputs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import setun
from setun_compiler import compile_model
from setun_compiler.program import Program
from setun_hw import presets
from setun_sim.cost import technology
from setun_sim.report import Report, report

DATA = Path(setun.__file__).parent / "data"


@pytest.fixture(scope="session")
def samples() -> Any:
    """Eight handwritten digits."""
    with np.load(DATA / "digits.npz") as data:
        return data["x"][:8]


@pytest.fixture(scope="session")
def program(samples: Any) -> Program:
    """The shipped network on the smallest configuration."""
    return compile_model(DATA / "digits.onnx", presets.config("tiny"), calibration=samples)


@pytest.fixture(scope="session")
def found(program: Program, samples: Any) -> Report:
    """Its report in 22FDX with LPDDR4."""
    return report(program, samples, technology("22fdx"), memory=technology("lpddr4"))


@pytest.fixture(scope="session")
def named(program: Program, samples: Any) -> Callable[[str], Report]:
    """The report of the same program with another name for the network and its first layer."""
    import dataclasses

    def make(name: str) -> Report:
        layers = (dataclasses.replace(program.layers[0], name=name), *program.layers[1:])
        return report(
            dataclasses.replace(program, name=name, layers=layers), samples, technology("22fdx"),
            memory=technology("lpddr4"),
        )  # fmt: skip

    return make
