"""From a trained ONNX model to a setun program."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from setun_compiler.backend import CompileError, compile_network
from setun_compiler.program import Program
from setun_hw.config import Config

__all__ = ["CompileError", "Program", "compile_model", "compile_network"]


def compile_model(
    path: str | Path,
    config: Config,
    *,
    input_range: tuple[float, float] | None = None,
    calibration: NDArray[np.floating] | None = None,
    batch: bool = False,
) -> Program:
    """Read an ONNX or QONNX file and compile it for one configuration.

    ``input_range`` and ``calibration`` (samples of the input) tell the range of inputs that the model leaves open; with
    ``batch`` a run takes P images, one in each strip.

    Raises
    ------
    SetunError
        When the file cannot be read, or the configuration cannot run the network.
    """
    from setun_compiler.frontend import read  # only this entry point needs the model reader and its libraries

    network = read(path, input_range=input_range, calibration=calibration)
    return compile_network(network, config, batch=batch)
