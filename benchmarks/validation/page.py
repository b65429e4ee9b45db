"""What the sections of the page share."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx

from setun_compiler import compile_model
from setun_compiler.program import Program
from setun_hw.config import Config


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """A Markdown table."""
    yield "| " + " | ".join(head) + " |"
    yield "| " + " | ".join("---" for _ in head) + " |"
    for row in rows:
        yield "| " + " | ".join(str(cell) for cell in row) + " |"
    yield ""


def verdict(ours: float, theirs: float, within: float = 1.5) -> str:
    """Ratio, and whether it lies within a factor."""
    ratio = ours / theirs
    return f"{ratio:.2f} ({'within' if 1 / within <= ratio <= within else '**outside**'} {within:g} x)"


def compiled(model: onnx.ModelProto, parameters: Config, samples: np.ndarray, batch: bool = False) -> Program:
    """Compile a model of the zoo."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "model.onnx")
        onnx.save(model, path)
        return compile_model(path, parameters, calibration=samples, batch=batch)
