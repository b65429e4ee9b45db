"""Trained networks with real values, in every spelling, as compiled programs on the simulator."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray

from setun_compiler import compile_model, host
from setun_sim.execute import execute
from tests.networks.programs import FIXED_POINT

Paths = Callable[[str, str], Path]
Data = Callable[[str, str], dict[str, NDArray[Any]]]

SPELLINGS = {
    "twn_lenet_mnist": (
        "frozen_legacy.onnx", "frozen_dynamo.onnx", "frozen_keepbn_legacy.onnx", "frozen_keepbn_dynamo.onnx",
        "qat_legacy.onnx", "frozen_act8_legacy.onnx", "frozen_act8_dynamo.onnx",
    ),
    "ttq_cnn_mnist": ("frozen_legacy.onnx", "frozen_dynamo.onnx"),
}  # fmt: skip


@pytest.mark.parametrize(("folder", "file"), [(folder, file) for folder in SPELLINGS for file in SPELLINGS[folder]])
def test_the_program_decides_like_the_float_model(folder: str, file: str, model_path: Paths, model_data: Data) -> None:
    data = model_data(folder, "test256_act8.npz" if "act8" in file else "test256.npz")
    program = compile_model(model_path(folder, file), FIXED_POINT, calibration=data["x"][:64])
    found = host.decode(program, execute(program, host.encode(program, data["x"])).outputs, 256)
    assert (found.argmax(axis=1) == data["logits"].argmax(axis=1)).sum() >= 255
    accuracy, expected = ((top.argmax(axis=1) == data["label"]).mean() for top in (found, data["logits"]))
    assert abs(accuracy - expected) <= 0.002


def test_the_model_folders_hold_no_other_spelling(model_path: Paths) -> None:
    for folder, files in SPELLINGS.items():
        assert {path.name for path in model_path(folder, files[0]).parent.glob("*.onnx")} == set(files)
