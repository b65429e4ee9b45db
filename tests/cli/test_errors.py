"""Every failure of the user's input is one sentence on stderr and exit status 2, never a traceback."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

import setun

DATA = Path(setun.__file__).parent / "data"
Command = Callable[..., Result]


def refused(done: Result) -> str:
    """The one sentence of a refusal."""
    assert done.exit_code == 2, (done.exit_code, done.stdout, done.stderr, done.exception)
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("Error: ")
    return lines[0].removeprefix("Error: ")


@pytest.mark.parametrize("verb", ["info", "simulate", "verify"])
def test_a_missing_a_foreign_and_an_empty_program_are_refused(command: Command, tmp_path: Path, verb: str) -> None:
    (tmp_path / "empty.setun").write_bytes(b"")
    for path in (tmp_path / "none.setun", tmp_path / "empty.setun", DATA / "digits.onnx", tmp_path, "/dev/null"):
        assert str(path) in refused(command(verb, path))


def test_a_program_truncated_or_altered_anywhere_is_refused(command: Command, digits: Path, tmp_path: Path) -> None:
    whole = digits.read_bytes()
    damaged = tmp_path / "damaged.setun"
    for keep in sorted({0, 1, 7, 8, 9, 100, *range(0, len(whole), max(1, len(whole) // 25)), len(whole) - 1}):
        damaged.write_bytes(whole[:keep])
        assert str(damaged) in refused(command("info", damaged))
    for position in range(0, len(whole), max(1, len(whole) // 50)):
        damaged.write_bytes(whole[:position] + bytes([whole[position] ^ 0x41]) + whole[position + 1 :])
        assert str(damaged) in refused(command("info", damaged))


def test_a_model_that_is_missing_truncated_or_foreign_is_refused(command: Command, tmp_path: Path) -> None:
    (tmp_path / "short.onnx").write_bytes((DATA / "digits.onnx").read_bytes()[:5000])
    for model in (tmp_path / "none.onnx", tmp_path / "short.onnx", DATA / "digits.npz", tmp_path):
        assert str(model) in refused(command("compile", model, "-o", tmp_path / "n.setun", "--config", "tiny"))
    assert not (tmp_path / "n.setun").exists()


def test_an_unknown_configuration_is_refused(command: Command, tmp_path: Path) -> None:
    sentence = refused(command("compile", DATA / "digits.onnx", "-o", tmp_path / "n.setun", "--config", "huge"))
    assert "huge" in sentence
    (tmp_path / "bad.toml").write_text("rows = 'many'\n")
    sentence = refused(command("verilog", "--config", tmp_path / "bad.toml", "-o", tmp_path / "rtl"))
    assert sentence == f"{tmp_path}/bad.toml: rows must be a non-negative integer, not 'many'"
    assert not (tmp_path / "rtl").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("compile", DATA / "digits.onnx", "--config", "tiny", "-o"),
        ("run", "PROGRAM", "--input", DATA / "digits.npz", "-o"),
        ("simulate", "PROGRAM", "--trace"),
    ],
)
def test_an_output_in_a_missing_folder_is_refused(
    command: Command, digits: Path, tmp_path: Path, arguments: tuple[object, ...]
) -> None:
    target = tmp_path / "none" / "file"
    given = [digits if argument == "PROGRAM" else argument for argument in arguments]
    sentence = refused(command(*given, target))
    assert sentence == f"{target}: cannot be written, folder {tmp_path / 'none'} does not exist"


def test_a_file_where_a_folder_should_be_is_refused(command: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for verb in ("demo", "verilog"):
        sentence = refused(command(verb, "-o", tmp_path / "file"))
        assert sentence == f"{tmp_path / 'file'}: cannot be created (File exists)"


def test_inputs_of_the_wrong_kind_are_refused(command: Command, digits: Path, tmp_path: Path) -> None:
    cases = {
        "shape.npy": np.zeros((2, 63), np.float32),
        "scalar.npy": np.float32(0),
        "range.npy": np.full((1, 64), 7.0),
        "nan.npy": np.full((1, 64), np.nan),
        "object.npy": np.array([None]),
        "none.npy": np.zeros((0, 64)),
    }
    for name, array in cases.items():
        np.save(tmp_path / name, array, allow_pickle=True)
        for verb in (("run", "-o", tmp_path / "y.npz"), ("simulate",), ("verify",)):
            refused(command(verb[0], digits, "--input", tmp_path / name, *verb[1:]))
    assert not (tmp_path / "y.npz").exists()


def test_an_output_never_takes_the_place_of_an_input(command: Command, digits: Path, tmp_path: Path) -> None:
    model, program, samples = tmp_path / "m.onnx", tmp_path / "n.setun", tmp_path / "x.npz"
    model.write_bytes((DATA / "digits.onnx").read_bytes())
    program.write_bytes(digits.read_bytes())
    samples.write_bytes((DATA / "digits.npz").read_bytes())
    for arguments, output in (
        (("compile", model, "--config", "tiny", "-o"), model),
        (("compile", model, "--calibration", samples, "-o"), samples),
        (("run", program, "--input", samples, "-o"), program),
        (("run", program, "--input", samples, "-o"), samples),
        (("simulate", program, "--trace"), program),
        (("report", program, "--input", samples, "-o"), samples),
        (("compare", program, "--input", samples, "-o"), program),
        (("ternarize", model, "-o"), model),
    ):
        before = output.read_bytes()
        assert refused(command(*arguments, output)) == f"{output}: cannot be written, it is read as input"
        assert output.read_bytes() == before


def test_calibration_of_another_shape_is_refused(command: Command, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((3, 8, 8), np.float32) + np.arange(8, dtype=np.float32) / 8)
    given = ("compile", DATA / "digits.onnx", "-o", tmp_path / "n.setun", "--calibration", tmp_path / "x.npy")
    assert refused(command(*given)) == "calibration samples must have shape (samples, 64), not (3, 8, 8)"
    assert not (tmp_path / "n.setun").exists()


def test_a_memory_slower_than_can_be_counted_is_refused(command: Command, digits: Path) -> None:
    for option, most in (("--latency", 65536), ("--interval", 4096)):
        sentence = refused(command("simulate", digits, option, 10**20))
        assert sentence == f"memory {option[2:]} must be at most {most}, not {10**20}"


def test_a_name_with_control_characters_cannot_reach_the_terminal(command: Command) -> None:
    sentence = refused(command("info", "a\x1b[2J\nb"))
    assert "\x1b" not in sentence


def test_running_out_of_memory_is_a_sentence(
    command: Command, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, key: str) -> None:
        raise MemoryError

    monkeypatch.setattr("setun.arrays.load_array", refuse)
    done = command("run", digits, "--input", "x.npy", "-o", tmp_path / "y.npz")
    assert refused(done) == "there is not enough memory for this input"


@pytest.mark.parametrize(
    "arguments", [("nothing",), ("run",), ("info", "a", "b"), ("verify", "a", "--images", "0"), ("models", "lenet5")]
)
def test_wrong_usage_ends_with_status_2(command: Command, arguments: tuple[str, ...]) -> None:
    done = command(*arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert "Error: " in done.stderr


def test_an_interrupt_ends_quietly_with_status_130(tmp_path: Path) -> None:
    # The command waits for data from a named pipe, and the test knows when it has opened it.
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    arguments = ["compile", DATA / "digits.onnx", "-o", tmp_path / "n.setun", "--calibration", pipe]
    command = [sys.executable, "-m", "setun", *arguments]
    # A shell starts what it runs in the background with interrupts ignored, and children inherit that.
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, heard)
    with process:
        writer = open_when_read(pipe, seconds=60)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        try:
            _, stderr = process.communicate(timeout=60)
        finally:
            process.kill()
            os.close(writer)
    assert process.returncode == 130
    assert stderr == ""
    assert not (tmp_path / "n.setun").exists()


def open_when_read(pipe: Path, seconds: float) -> int:
    """A descriptor that writes to a pipe, as soon as somebody reads it."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            assert time.monotonic() < deadline, "nobody reads the pipe"
            time.sleep(0.05)


def test_an_unknown_network_is_refused(command: Command, tmp_path: Path) -> None:
    assert refused(command("models", "resnet21", "-o", tmp_path / "m.onnx")).startswith("unknown network 'resnet21': ")
    assert list(tmp_path.iterdir()) == []
