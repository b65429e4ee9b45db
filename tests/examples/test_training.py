"""The training examples on a tiny budget: they train, export, compile and keep their answers."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from setun_compiler import interpret
from setun_compiler.frontend import read

pytest.importorskip("torch", reason="the extra `train` is not installed")

SCRIPTS = Path(__file__).parents[2] / "examples" / "training"


@pytest.mark.parametrize(("method", "epochs"), [("twn", 2), ("ttq", 3), ("asymmetric", 24)])
def test_a_trained_network_keeps_its_answers_as_integers(method: str, epochs: int, tmp_path: Path) -> None:
    """A few seconds of training each; exported model and integer network agree on at least 99 % of the test images."""
    subprocess.run(
        [sys.executable, str(SCRIPTS / f"{method}.py"), "-o", str(tmp_path), "--epochs", str(epochs)],
        check=True,
        timeout=300,
    )
    with np.load(tmp_path / "test.npz", allow_pickle=False) as test:
        x, logits = test["x"], test["logits"]
    network = read(tmp_path / "model.onnx", calibration=x)
    answers = interpret.logits(network, x).argmax(1)
    assert (answers == logits.argmax(1)).mean() >= 0.99
