"""Agreement with the float model: exact networks agree, fixed-point ones tell by how much not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx.helper import make_node

from setun_compiler.agreement import agreement, compare
from setun_compiler.frontend.read import read_meant
from setun_compiler.network import Threshold
from setun_hw.errors import SetunError
from tests.compiler.conftest import trits

Paths = Callable[[str, str], Path]
Data = Callable[[str, str], dict[str, NDArray[Any]]]


def test_a_ternary_network_agrees_in_every_decision(model_path: Paths, model_data: Data) -> None:
    data = model_data("tnn_vgg_mnist", "test256.npz")
    found = agreement(model_path("tnn_vgg_mnist", "frozen_legacy.onnx"), data["x"], data["label"], count=32)
    assert found.samples == 32
    assert [layer.changed for layer in found.layers] == [0.0] * 5
    assert found.same_argmax == 1
    assert found.accuracy == found.float_accuracy
    assert found.largest_error < 1e-4


def test_fixed_point_tells_its_largest_error(model_path: Paths, model_data: Data) -> None:
    data = model_data("twn_lenet_mnist", "test256.npz")
    found = agreement(model_path("twn_lenet_mnist", "frozen_legacy.onnx"), data["x"], count=8)
    assert [layer.changed for layer in found.layers] == [None] * 3
    for layer in found.layers:
        assert 0 < layer.largest_error < 0.02 * layer.largest_value
    assert found.accuracy is None


def test_changed_decisions_are_counted(save: Callable[..., Path]) -> None:
    """A threshold moved by hand changes the codes of just the sums between."""
    nodes = [
        make_node("MatMul", ["x", "w"], ["s"]), make_node("Sub", ["s", "half"], ["h"]), make_node("Sign", ["h"], ["a"]),
        make_node("MatMul", ["a", "v"], ["y"]),
    ]  # fmt: skip
    constants = {"w": np.eye(4, dtype=np.float32), "v": trits(1, 4, 3), "half": np.float32(0.5)}
    path = save(nodes, ["N", 4], constants)
    x = np.array([[0, 1, 2, 3], [3, 3, 3, 3]], np.float32)
    network, meanings = read_meant(path, calibration=np.array([[0, 1, 2, 3]], np.float32))
    assert [layer.changed for layer in compare(path, network, meanings, x).layers] == [0.0]
    first = network.layers[0]
    assert isinstance(first.post, Threshold)
    moved = replace(first, post=replace(first.post, thresholds=first.post.thresholds + 1))
    found = compare(path, replace(network, layers=(moved, *network.layers[1:])), meanings, x)
    assert found.layers[0].changed == 1 / 8
    assert found.layers[0].largest_error == 2


def test_samples_and_labels_must_fit(model_path: Paths) -> None:
    path = model_path("twn_lenet_mnist", "frozen_legacy.onnx")
    x = np.linspace(0, 1, 4 * 784, dtype=np.float32).reshape(4, 1, 28, 28)
    with pytest.raises(SetunError, match=r"^labels must have shape \(4,\), not \(3,\)$"):
        agreement(path, x, np.zeros(3, np.int64))
    with pytest.raises(SetunError, match=r"^calibration .* must have shape \(samples, 1, 28, 28\), not \(4, 784\)$"):
        agreement(path, x.reshape(4, 784))
