"""Post-training ternarization: the papers' formulas by hand, and whole models."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from onnx.helper import make_node

from setun_compiler.frontend import ModelError, read
from setun_compiler.ternarize import METHODS, accuracy, asymmetric, ternarize, ttq, twn, uniform
from tests.compiler.conftest import float_outputs

Save = Callable[..., Path]
RANDOM = np.random.default_rng(3)


def test_twn_by_hand() -> None:
    """E|w| = 0.5, so delta = 0.35; 0.4, 0.6 and 0.9 are above it and their mean is 0.6333."""
    found = twn(np.array([[0.4, -0.6, 0.9, 0.1, -0.5, 0.5]]))
    alpha = (0.4 + 0.6 + 0.9 + 0.5 + 0.5) / 5
    np.testing.assert_allclose(found, [[alpha, -alpha, alpha, 0, -alpha, alpha]])


def test_ttq_by_hand() -> None:
    """The threshold is 0.05 of the layer's largest weight; the scales are the layer's."""
    found = ttq(np.array([[1.0, -0.04, 0.06], [0.5, -0.2, -0.4]]))
    plus, minus = (1.0 + 0.06 + 0.5) / 3, 0.3
    np.testing.assert_allclose(found, [[plus, 0, plus], [plus, -minus, -minus]])


def test_asymmetric_by_hand() -> None:
    """Positive mean 0.5: above 0.35 lie 0.8 and 0.6; negative mean 0.2: above 0.14 lies 0.3."""
    found = asymmetric(np.array([[0.8, 0.6, 0.1, -0.3, -0.1]]))
    np.testing.assert_allclose(found, [[0.7, 0.7, 0, -0.3, 0]])


def test_uniform_gives_a_normal_distribution_equal_shares() -> None:
    found = uniform(RANDOM.normal(0.3, 2.0, (4, 20000)))
    for row in found:
        values, counts = np.unique(row, return_counts=True)
        assert values.size == 3
        np.testing.assert_allclose(counts / row.size, 1 / 3, atol=0.01)


@pytest.mark.parametrize("method", METHODS)
def test_channels_of_zeros_stay_zero(method: str) -> None:
    assert not METHODS[method](np.zeros((2, 5))).any()


def mlp(save: Save) -> Path:
    nodes = [
        make_node("Gemm", ["x", "a", "p"], ["s"], name="one", transB=1), make_node("Relu", ["s"], ["r"]),
        make_node("MatMul", ["r", "b"], ["t"], name="two"), make_node("Relu", ["t"], ["u"]),
        make_node("Gemm", ["u", "c"], ["y"], name="three"),
    ]  # fmt: skip
    constants: dict[str, Any] = {
        "a": RANDOM.normal(0, 1, (12, 8)), "b": RANDOM.normal(0, 1, (12, 10)), "c": RANDOM.normal(0, 1, (10, 3)),
        "p": RANDOM.normal(0, 1, 12),
    }  # fmt: skip
    return save(nodes, ["N", 8], {name: value.astype(np.float32) for name, value in constants.items()})


def weights(model: onnx.ModelProto) -> dict[str, Any]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def test_the_ends_are_kept_and_columns_of_a_matmul_are_channels(save: Save) -> None:
    path = mlp(save)
    before, result = weights(onnx.load(str(path))), ternarize(path)
    after = weights(result.model)
    assert [layer.layer for layer in result.layers] == ["two"]
    assert result.kept == ("one", "three")
    np.testing.assert_array_equal(after["a"], before["a"])
    assert all(np.unique(np.abs(column)).size == 2 for column in after["b"].T)
    assert result.layers[0].zeros == (after["b"] == 0).mean()


def test_layers_are_chosen_by_name(save: Save) -> None:
    path = mlp(save)
    assert [layer.layer for layer in ternarize(path, "ttq", ("one", "three")).layers] == ["one", "three"]
    assert [layer.layer for layer in ternarize(path, keep_ends=False).layers] == ["one", "two", "three"]
    with pytest.raises(ModelError, match=r"^no layer 'four' with constant weights; there are 'one', 'two', 'three'$"):
        ternarize(path, "twn", ("four",))


@pytest.mark.parametrize("method", METHODS)
def test_what_comes_out_is_compiled_with_ternary_weights(method: str, save: Save, tmp_path: Path) -> None:
    result = ternarize(mlp(save), method, keep_ends=False)  # type: ignore[arg-type]
    path = tmp_path / "ternary.onnx"
    path.write_bytes(result.model.SerializeToString())
    network = read(path, calibration=RANDOM.normal(0, 1, (16, 8)).astype(np.float32))
    assert all(layer.weights is None or np.abs(layer.weights).max() == 1 for layer in network.layers)
    two = any(layer.two_scale for layer in network.layers)
    assert two == (method in ("ttq", "asymmetric"))


def test_accuracy_is_that_of_the_float_model(save: Save) -> None:
    path = mlp(save)
    x = RANDOM.normal(0, 1, (40, 8)).astype(np.float32)
    labels = float_outputs(onnx.load(str(path)), x).argmax(axis=1)
    labels[:10] = (labels[:10] + 1) % 3
    assert accuracy(path, x, labels) == 0.75
    with pytest.raises(ModelError, match=r"^40 samples and 3 labels: there must be as many, and at least one$"):
        accuracy(path, x, labels[:3])
