"""Library calls with arguments of the wrong kind: an error of this project that says what is wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import setun
from setun import Program, SetunError, compile_model, load, simulate, verify, write_verilog

MODEL = Path(setun.__file__).parent / "data" / "digits.onnx"
CONFIG = setun.config("tiny")


@pytest.fixture(scope="module")
def program() -> Program:
    return compile_model(MODEL, CONFIG)


@pytest.mark.parametrize(
    ("samples", "sentence"),
    [
        (np.float32(1), r"input 'input' must have shape \(images, 64\), not \(\)"),
        ([], r"input 'input' must have shape \(images, 64\), not \(0,\)"),
        ([[1, 2], [3]], "input 'input' must be an array, but its rows differ in length"),
        ([["a"] * 64], "input 'input' must hold real numbers, not <U1"),
        (np.full((1, 64), None), "input 'input' must hold real numbers, not object"),
        (np.full((1, 64), np.nan), "input 'input': image 0 holds a number that is not finite"),
    ],
)
def test_samples_that_do_not_fit_are_refused(program: Program, samples: Any, sentence: str) -> None:
    with pytest.raises(SetunError, match=f"^{sentence}$"):
        simulate(program, samples)


def test_no_samples_give_no_answers(program: Program) -> None:
    logits = simulate(program, np.zeros((0, 64))).logits
    assert logits is not None
    assert logits.shape == (0, 10)


@pytest.mark.parametrize(
    ("samples", "images", "sentence"),
    [
        (np.float32(1), None, r"there are no samples to run, their shape is \(\)"),
        (np.zeros((0, 64)), None, r"there are no samples to run, their shape is \(0, 64\)"),
        ([[1, 2], [3]], None, "the samples must be an array, but its rows differ in length"),
        (np.zeros((2, 64)), 0, "at least one image must be run, not 0"),
        (None, -1, "at least one image must be run, not -1"),
    ],
)
def test_nothing_to_verify_is_refused(program: Program, samples: Any, images: int | None, sentence: str) -> None:
    with pytest.raises(SetunError, match=f"^{sentence}$"):
        verify(program, samples, images=images)


@pytest.mark.parametrize(
    ("samples", "sentence"),
    [
        (np.float32(1), r"calibration samples must have shape \(samples, 64\), not \(\)"),
        ([0.0, 1.0], r"calibration samples must have shape \(samples, 64\), not \(2,\)"),
        ([[0.0], [1.0, 2.0]], "calibration must be an array, but its rows differ in length"),
        ("abc", "calibration samples must be numbers, at least one"),
        (np.zeros((0, 64)), "calibration samples must be numbers, at least one"),
        (np.full((1, 64), np.inf), "calibration samples hold NaN or infinite values"),
    ],
)
def test_calibration_that_does_not_fit_is_refused(samples: Any, sentence: str) -> None:
    with pytest.raises(SetunError, match=f"^{sentence}$"):
        compile_model(MODEL, CONFIG, calibration=samples, input_range=(0, 1))


def test_calibration_may_be_a_list() -> None:
    assert compile_model(MODEL, CONFIG, calibration=[[k / 63 for k in range(64)]]).input.shape == (64,)


@pytest.mark.parametrize("limits", [(1.0, 0.0), (np.nan, 1.0), (0.0, np.inf), (-1e308, 1e308), (0.0, 1e-320)])
def test_an_input_range_without_255_steps_is_refused(limits: tuple[float, float]) -> None:
    with pytest.raises(SetunError, match=r"^the input range must be two finite numbers, the first smaller, not "):
        compile_model(MODEL, CONFIG, input_range=limits)


def test_an_input_range_of_three_numbers_is_refused() -> None:
    with pytest.raises(SetunError, match=r"^the input range must be two numbers, not 3$"):
        compile_model(MODEL, CONFIG, input_range=(0, 1, 2))  # type: ignore[arg-type]


def test_names_that_no_file_can_have_are_refused() -> None:
    for call in (load, setun.load_array, lambda path: compile_model(path, CONFIG)):
        with pytest.raises(SetunError, match=r"cannot be read \(embedded null byte\)$"):
            call("a\0b")


def test_a_file_where_the_verilog_should_go_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SetunError, match=r"^.*file/setun\.v: cannot be written \(Not a directory\)$"):
        write_verilog(CONFIG, tmp_path / "file")
