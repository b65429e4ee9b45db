"""Programs of the kinds, for configurations that the tests of the Verilog build anyway."""

from pathlib import Path

import onnx

from setun_compiler import Program, compile_model
from setun_hw.config import Config
from tests.networks.kinds import Kind
from tests.verify.fixed_matrix import FIXED
from tests.verify.matrix import ROOMY

#: fixed-point post-processing and two scales
FIXED_POINT = FIXED[0]
#: comparators only; binary2, whose digits reach from -170 to 85, so that zero points of 8-bit values move
PLAIN = next(config for config in ROOMY if config.name == "flat-binary2")


def program_of(kind: Kind, config: Config, folder: Path) -> Program:
    """The program, its ranges from the kind's samples."""
    path = folder / "model.onnx"
    onnx.save(kind.model, path)  # type: ignore[no-untyped-call,unused-ignore]
    return compile_model(path, config, calibration=kind.samples)
