"""Fixtures every test may use: the trained networks of ``tests/models``."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

# Where a change is judged, the same examples every time; elsewhere hypothesis looks for new ones.
settings.register_profile("ci", derandomize=True, database=None, print_blob=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

MODELS = Path(__file__).parent / "models"


@pytest.fixture(scope="session")
def model_path() -> Callable[[str, str], Path]:
    """``model_path("digits_mlp", "frozen_legacy.onnx")``: a file of a trained network; fails if it is not there."""

    def path(folder: str, file: str) -> Path:
        found = MODELS / folder / file
        assert found.is_file(), f"{found} is missing"
        return found

    return path


@pytest.fixture(scope="session")
def model_data(model_path: Callable[[str, str], Path]) -> Callable[[str, str], dict[str, NDArray[Any]]]:
    """``model_data("digits_mlp", "test256.npz")``: the arrays of one such file (``x``, ``logits``, ``label``...)."""

    def load(folder: str, file: str) -> dict[str, NDArray[Any]]:
        with np.load(model_path(folder, file), allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}

    return load
