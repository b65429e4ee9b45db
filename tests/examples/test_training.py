"""The training examples on a tiny budget: they train, export, compile, and keep their answers on the simulator."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from setun_compiler import compile_model, host
from setun_hw import presets
from setun_sim.execute import execute

pytest.importorskip("torch", reason="the extra `train` is not installed")

SCRIPTS = Path(__file__).parents[2] / "examples" / "training"


@pytest.mark.parametrize(
    ("method", "epochs", "configuration"), [("twn", 2, "resnet20"), ("ttq", 3, "ttq"), ("asymmetric", 24, "resnet20")]
)
def test_a_trained_network_keeps_its_answers(method: str, epochs: int, configuration: str, tmp_path: Path) -> None:
    """A few seconds of training each; exported model and program agree on at least 99 % of the test images."""
    subprocess.run(
        [sys.executable, str(SCRIPTS / f"{method}.py"), "-o", str(tmp_path), "--epochs", str(epochs)],
        check=True,
        timeout=300,
    )
    with np.load(tmp_path / "test.npz", allow_pickle=False) as test:
        x, logits = test["x"], test["logits"]
    program = compile_model(tmp_path / "model.onnx", presets.config(configuration), calibration=x)
    answers = host.decode(program, execute(program, host.encode(program, x)).outputs, len(x)).argmax(1)
    assert (answers == logits.argmax(1)).mean() >= 0.99
