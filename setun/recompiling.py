"""The network of a program in the other encodings, compiled anew from its model."""

from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from setun_compiler import compile_model
from setun_compiler.program import Program
from setun_hw.config import Encoding
from setun_hw.errors import SetunError


class RecompileError(SetunError):
    """A model that is not the one a program was compiled from, or was compiled differently."""


def in_every_encoding(
    program: Program,
    model: Path,
    *,
    input_range: tuple[float, float] | None = None,
    calibration: NDArray[Any] | None = None,
) -> dict[Encoding, Program]:
    """Compile the model for the program's configuration in each encoding; the program's own must come out again.

    Parameters
    ----------
    input_range, calibration:
        What the program was compiled with.

    Raises
    ------
    SetunError
        When the model is another one, other options lead to the program, or an encoding cannot hold the network.
    """
    batch = program.images > 1
    found = {}
    for encoding in Encoding:
        packed = program.config.packed_weights and encoding is not Encoding.BINARY2
        config = program.config.replace(encoding=encoding, packed_weights=packed)
        if encoding is program.config.encoding:
            config = program.config
        found[encoding] = compile_model(model, config, input_range=input_range, calibration=calibration, batch=batch)
    again = found[program.config.encoding]
    if again.source_hash != program.source_hash:
        raise RecompileError(f"{model}: the program was compiled from another model")
    if again.image != program.image:
        raise RecompileError(
            f"{model}: the program was compiled with another input range, other calibration data or another version"
        )
    return found
