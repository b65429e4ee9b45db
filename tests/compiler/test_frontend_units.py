"""The front end's small parts by themselves: grids, weight recognition, step tables, input grids."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from setun_compiler.frontend.elementwise import quant_range
from setun_compiler.frontend.errors import ModelError, printable
from setun_compiler.frontend.expression import Expression
from setun_compiler.frontend.graph import Node
from setun_compiler.frontend.grid import Grid, common_scale, find_grid
from setun_compiler.frontend.inputs import from_calibration
from setun_compiler.frontend.steps import code_table, direction, mirrored, read_steps, trend
from setun_compiler.frontend.tensors import synthetic
from setun_compiler.frontend.weights import recognise
from setun_compiler.network import Threshold


def levels(*values: float) -> NDArray[np.float64]:
    return np.array(sorted(values))


@pytest.mark.parametrize(
    ("values", "codes"),
    [
        (levels(-0.7, 0, 0.7), [-1, 0, 1]),
        (levels(-1, 1), [-1, 1]),
        (levels(0, 0.5, 1), [-1, 0, 1]),  # three levels always fit one trit
        (levels(0, 0.25, 0.5, 0.75), [0, 1, 2, 3]),
        (levels(-0.4, 0, 0.6), [-2, 0, 3]),
        (levels(1, 2, 3, 4, 5), [0, 1, 2, 3, 4]),
        (levels(0.31234567, 0.7183), [0, 1]),
        (levels(0), [0]),
        (levels(0.3), [0]),
    ],
)
def test_levels_become_the_smallest_codes(values: NDArray[np.float64], codes: list[int]) -> None:
    grid = find_grid(values)
    assert grid is not None
    found = (values - grid.offset) / grid.scale
    np.testing.assert_allclose(found, codes, atol=1e-6)


def test_levels_of_a_chance_ratio_are_no_grid() -> None:
    assert find_grid(levels(-0.41234567, 0, 0.6198232)) is None
    assert common_scale(np.random.default_rng(0).normal(size=40)) is None


@given(st.lists(st.integers(-127, 127), min_size=8, max_size=60), st.floats(1e-4, 1e3), st.integers(0, 9))
def test_the_scale_of_an_integer_grid_is_found_in_float32_noise(codes: list[int], scale: float, seed: int) -> None:
    codes = [*codes, 1]
    noise = 1 + np.random.default_rng(seed).uniform(-1e-7, 1e-7, len(codes))
    found = common_scale((np.array(codes) * scale * noise).astype(np.float32).astype(np.float64))
    if found is not None:  # sparse codes may be refused, a scale that is found must be right
        np.testing.assert_allclose(np.rint(np.array(codes) * scale / found) * found, np.array(codes) * scale, rtol=1e-4)
    if len(set(map(abs, codes)) - {0}) >= 8:
        assert found == pytest.approx(scale, rel=1e-5)


def test_ternary_weights_are_recognised_per_channel_through_noise() -> None:
    codes = np.array([[1, 0, -1, 1], [-1, -1, 0, 0], [0, 0, 0, 0]])
    scale = np.array([0.3, 7.0, 1.0])
    noise = np.array([[1e-7, 1e-7, -1e-7, 0]] * 3)
    found = recognise((codes * scale[:, None] + noise * codes.any(axis=1)[:, None]).astype(np.float32), "w")
    np.testing.assert_array_equal(found.codes, codes)
    np.testing.assert_allclose(found.scale, scale, rtol=1e-5)


def test_the_scale_of_exact_ternary_weights_is_exact() -> None:
    value = np.float32(0.1)
    found = recognise(np.array([[value, -value, 0, -0.0] * 7]), "w")
    assert found.scale[0] == float(value)


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        ([[0.5, np.nan]], r"^w: a weight of output channel 0 is not a finite number$"),
        (
            [[1.0, 1, 1], [0.512345, -0.31, 0.7712]],
            r"^w: output channel 1 has 3 different weights that are not integers",
        ),
    ],
)
def test_weights_that_are_no_integers_are_refused(weights: list[list[float]], sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        recognise(np.array(weights), "w", "refuse")


def test_two_scales_of_a_channel_are_half_their_sum_and_half_their_difference() -> None:
    found = recognise(np.array([[0.512345, -0.3, 0, 0.512345], [0, 0.251, 0, 0], [0, 0, 0, 0]]), "w")
    assert found.second is not None
    np.testing.assert_array_equal(found.codes, [[1, -1, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_allclose(found.scale, [0.4061725, 0.251, 1])
    np.testing.assert_allclose(found.second, [0.1061725, 0, 0])


def test_float_weights_become_six_trits_and_the_error_is_told() -> None:
    real = np.array([[1.0, -0.5003, 0.25, 0.1], [0.03, 0.01, 0.02, -0.0171]])
    found = recognise(real, "w")
    assert np.abs(found.codes).max() == 364
    np.testing.assert_allclose(found.codes * found.scale[:, None], real, atol=0.5 / 364)
    assert found.note.startswith("w: its float weights are rounded to six trits, with an error of at most 0.1")


def test_weights_that_are_nearly_ternary_are_pointed_out() -> None:
    found = recognise(np.array([[0.5, -0.5001, 0.0, 0.4999], [0.3, 0.3001, 0.0, -0.2]]), "w")
    assert "1 of its 2 output channels" not in found.note
    found = recognise(np.array([[0.5, -0.5001, 0.0, 0.4999], [0.3, 0.3001, 0.0, -0.2999]]), "w")
    assert found.note.endswith("2 of its 2 output channels are within 2% of ternary, so was it meant to be?")


def chain(*nodes: tuple[str, float | None]) -> Expression:
    value = Expression()
    for op, constant in nodes:
        node = Node(op=op, name=op, inputs=("a", "b"), outputs=("c",), attributes={})
        value = Expression(node=node, arguments=(value,) if constant is None else (value, np.full((1, 1), constant)))
    return value


ONE, RANGE = np.ones(1, np.int64), np.array([20])


def test_a_step_function_is_read_off_by_hand() -> None:
    """round(acc / 8) for acc in -20..20: ties at 4 and 12 go to even."""
    found = read_steps(chain(("Div", 8.0), ("Round", None)), -RANGE, RANGE, ONE)
    table = code_table(found, Grid(1.0, 0.0), RANGE)
    np.testing.assert_array_equal(table.codes, [[-2, -1, 0, 1, 2]])
    np.testing.assert_array_equal(table.thresholds, [[-11, -4, 5, 12]])
    assert direction(table).tolist() == [1]


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=5), st.data())
def test_a_mirrored_table_is_the_function_of_the_negated_sum(codes: list[int], data: st.DataObject) -> None:
    codes = [code for i, code in enumerate(codes) if i == 0 or code != codes[i - 1]]
    cuts = sorted(
        data.draw(st.lists(st.integers(-19, 20), min_size=len(codes) - 1, max_size=len(codes) - 1, unique=True))
    )
    table = Threshold(thresholds=np.array([[*cuts, 21]]), codes=np.array([[*codes, codes[-1]]]))
    other = mirrored(table, np.array([True]), np.array([20]))
    sums = np.arange(-20, 21)

    def value(step: Threshold, sums: NDArray[np.int64]) -> NDArray[np.int64]:
        return step.codes[0, (sums[:, None] >= step.thresholds[0]).sum(axis=1)]

    np.testing.assert_array_equal(value(other, -sums), value(table, sums))
    assert (np.diff(other.thresholds) >= 0).all()


def test_a_creeping_value_is_not_a_step() -> None:
    wide = np.array([3_000_000])
    with pytest.raises(ModelError, match=r"^Mul 'Mul': channel 0 takes more than 1024 different values"):
        read_steps(chain(("Mul", 1e-3)), -wide, wide, ONE)


def test_trend_tells_rising_falling_constant_and_neither() -> None:
    assert trend(chain(("Mul", 2.0)), -RANGE, RANGE, ONE).tolist() == [1]
    assert trend(chain(("Neg", None)), -RANGE, RANGE, ONE).tolist() == [-1]
    assert trend(chain(("Mul", 0.0)), -RANGE, RANGE, ONE).tolist() == [0]
    assert trend(chain(("Abs", None)), -RANGE, RANGE, ONE).tolist() == [2]


@pytest.mark.parametrize(
    ("signed", "narrow", "bits", "expected"),
    [(1, 1, 8, (-127, 127)), (1, 0, 8, (-128, 127)), (0, 0, 8, (0, 255)), (0, 1, 8, (0, 254)), (1, 1, 2, (-1, 1))],
)
def test_quant_ranges(signed: int, narrow: int, bits: int, expected: tuple[int, int]) -> None:
    node = Node(op="Quant", domain="qonnx", inputs=(), outputs=(), attributes={"signed": signed, "narrow": narrow})
    assert quant_range(node, np.array(float(bits))) == expected


@pytest.mark.parametrize(
    ("values", "scale", "offset", "low", "high"),
    [
        (np.arange(17) / 16, 1 / 16, 0.0, 0, 16),
        (np.array([0, 10, 255]) / 255, 1 / 255, 0.0, 0, 255),
        (np.arange(-128, 128) / 128, 1 / 128, 0.0, -128, 128),
        (np.array([0.0, 3, 255]), 1.0, 0.0, 0, 255),
        (0.1 + np.arange(20) * 0.37, 0.37, 0.1, 0, 19),
    ],
)
def test_the_grid_of_calibration_samples(
    values: NDArray[np.float64], scale: float, offset: float, low: int, high: int
) -> None:
    found = from_calibration(values.astype(np.float32))
    assert found is not None
    assert (found.low, found.high) == (low, high)
    assert (found.scale, found.offset) == (pytest.approx(scale), pytest.approx(offset))


def test_calibration_samples_on_no_grid() -> None:
    assert from_calibration(np.random.default_rng(0).normal(size=1000)) is None


def test_names_are_printed_safely_and_not_at_length() -> None:
    assert printable("a\n\x1b[31m'") == r"'a\x0a\x1b[31m''"
    assert printable("x" * 500) == "'" + "x" * 80 + "...'"
    assert str(synthetic("Mul", "m")) == "Mul 'm'"
