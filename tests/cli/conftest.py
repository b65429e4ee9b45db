"""Running the command inside the test's process, and one compiled program for all tests."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import setun
from setun.cli.app import app

DATA = Path(setun.__file__).parent / "data"
Command = Callable[..., Result]


@pytest.fixture(scope="session")
def command() -> Command:
    """``command("info", path)``: exit status, stdout and stderr of ``setun info path``."""

    def invoke(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "80"})

    return invoke


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory, command: Command) -> Path:
    """The shipped network, compiled by the command for the smallest configuration; its inputs lie in ``DATA``."""
    path = tmp_path_factory.mktemp("digits") / "digits.setun"
    done = command(
        "compile", DATA / "digits.onnx", "-o", path, "--config", "tiny", "--calibration", DATA / "digits.npz"
    )
    assert done.exit_code == 0, done.stderr
    return path
