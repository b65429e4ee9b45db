"""From a trained ONNX model to a setun program."""

from pathlib import Path
from typing import Literal

from numpy.typing import ArrayLike

from setun_compiler.backend import CompileError, compile_network
from setun_compiler.host import as_array
from setun_compiler.program import Program
from setun_hw.config import Config

__all__ = ["CompileError", "Program", "compile_model", "compile_network"]


def compile_model(
    path: str | Path,
    config: Config,
    *,
    input_range: tuple[float, float] | None = None,
    calibration: ArrayLike | None = None,
    batch: bool = False,
    rounds: int = 1,
    float_layers: Literal["quantise", "refuse"] = "quantise",
) -> Program:
    """Read an ONNX or QONNX file and compile it for one configuration.

    ``input_range`` and ``calibration`` (samples of the input, (samples, *shape of one)) tell the range of inputs that
    the model leaves open, and samples give the ranges of real-valued tensors; with ``batch`` the strips take P images,
    one each, and a run does that ``rounds`` times. Layers with float weights are rounded to six trits, or refused.

    Raises
    ------
    SetunError
        When the file cannot be read, the samples do not fit it, or the configuration cannot run the network.
    """
    # only this entry point needs the model reader and its libraries
    from setun_compiler.frontend import Precision, read
    from setun_compiler.frontend.read import check_calibration

    samples = None if calibration is None else as_array(calibration, "calibration")
    network = read(
        path, input_range=input_range, calibration=samples, float_layers=float_layers,
        precision=Precision.of(config),
    )  # fmt: skip
    if samples is not None:
        check_calibration(samples, network.port.shape)
    return compile_network(network, config, batch=batch, rounds=rounds)
