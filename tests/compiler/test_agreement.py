"""Agreement with the float model: exact networks agree, fixed-point ones tell by how much not."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx.helper import make_node

from setun_compiler import compile_model, interpret
from setun_compiler.agreement import compare, compile_compared
from setun_compiler.frontend.read import measured, read_meant
from setun_compiler.margins import undecided
from setun_compiler.network import Affine, Layer, Residual, Threshold
from setun_hw import presets
from setun_hw.errors import SetunError
from tests.compiler.conftest import trits
from tests.networks.kinds import ttq_ternary_bias
from tests.networks.programs import FIXED_POINT

Paths = Callable[[str, str], Path]
Data = Callable[[str, str], dict[str, NDArray[Any]]]


def test_a_ternary_network_agrees_in_every_decision(model_path: Paths, model_data: Data) -> None:
    data = model_data("tnn_vgg_mnist", "test256.npz")
    path = model_path("tnn_vgg_mnist", "frozen_legacy.onnx")
    program, found = compile_compared(path, presets.config("small"), data["x"], data["label"], count=32)
    assert program.image == compile_model(path, presets.config("small"), calibration=data["x"]).image
    assert found.samples == 32
    assert [(layer.changed, layer.could_change) for layer in found.layers] == [(0.0, 0.0)] * 5
    assert found.same_argmax == 1
    assert found.accuracy == found.float_accuracy
    assert found.largest_error < 1e-4


def test_fixed_point_tells_its_largest_error(model_path: Paths, model_data: Data) -> None:
    data = model_data("twn_lenet_mnist", "test256.npz")
    path = model_path("twn_lenet_mnist", "frozen_legacy.onnx")
    _, found = compile_compared(path, FIXED_POINT, data["x"], count=8)
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
        compile_compared(path, FIXED_POINT, x, np.zeros(3, np.int64))
    with pytest.raises(SetunError, match=r"^calibration .* must have shape \(samples, 1, 28, 28\), not \(4, 784\)$"):
        compile_compared(path, FIXED_POINT, x.reshape(4, 784))


@pytest.mark.parametrize(("bits", "some"), [(16, False), (7, True)])
def test_two_scale_decisions_that_could_change_are_at_least_those_that_do(
    bits: int, some: bool, save: Callable[..., Path]
) -> None:
    """With 16 bits for coefficients no decision changes; with 7 some do, and more could."""
    kind = ttq_ternary_bias()
    config = FIXED_POINT.replace(coefficient_bits=bits)
    _, found = compile_compared(save(kind.model), config, kind.samples)
    first = found.layers[0]  # what reaches the next one differs already
    assert first.changed is not None
    assert first.could_change is not None
    assert (first.changed > 0) == some
    assert first.changed <= first.could_change < (0.5 if some else 0.01)


def layer(**fields: Any) -> Layer:
    """One channel: out = (10*acc + 3*res + 5 + 4) >> 3, code 1 from 20 on; thresholds of 100 are never reached."""
    numbers = {"m": 10, "m2": 0, "r": 3, "b": 5, "pivot": 0, "m0": 1, "b0": 0, "m1": 1, "b1": 0}
    arrays = {name: np.array([fields.pop(name, value)]) for name, value in numbers.items()}
    table = Threshold(thresholds=np.array([[20, 100]]), codes=np.array([[0, 1, 1]]))
    after = fields.pop("after", False)
    post = Affine(**arrays, shift=3, shift1=0, low=-99, high=99, residual_after=after, threshold=table)
    return Layer(
        name="layer", source="x", target="y", weights=np.ones((1, 1, 1, 1), np.int64), post=post,
        residual=Residual(source="r"), **fields,
    )  # fmt: skip


def test_results_within_the_rounding_of_their_coefficients_are_undecided() -> None:
    """By hand: with acc = 15 and res = 0 half a unit of each coefficient is 16/16 + 1/2 of the result's units."""
    sums = np.array([13, 14, 15, 16, 17, 90])
    out = (10 * sums + 5 + 4) >> 3
    assert out.tolist() == [17, 18, 19, 21, 22, 113]
    found = interpret.run_layer(layer(), sums.reshape(1, 1, 1, -1), np.zeros((1, 1, 1, 6), np.int64))
    # the real threshold lies in 19..20: 17 can reach 18.4, 18 19.4, 21 can be 19.4, 22 is at least 20.4
    assert undecided(layer(), found).ravel().tolist() == [False, True, True, True, False, False]


def test_a_residual_widens_what_is_undecided_whether_before_or_after() -> None:
    sums, residual = np.full((1, 1, 1, 1), 3), np.full((1, 1, 1, 1), 50)
    for late in (False, True):
        found = interpret.run_layer(layer(after=late), sums, residual)
        assert found.fixed is not None
        assert abs(int(found.fixed.item()) - 20) <= 4
        assert undecided(layer(after=late), found).all()
    assert not undecided(layer(r=0), interpret.run_layer(layer(r=0), sums, residual * 0)).any()


def test_fewer_large_samples_are_measured() -> None:
    assert measured(np.zeros((400, 1, 28, 28), np.float32)) == 256
    assert measured(np.zeros((20, 3, 224, 224), np.float32)) == 13
    assert measured(np.zeros((9, 1 << 20), np.float32)) == 8
    assert measured(np.zeros((2, 1 << 20), np.float32)) == 2
    assert measured(np.zeros((0, 4), np.float32)) == 1
