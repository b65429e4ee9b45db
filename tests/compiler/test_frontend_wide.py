"""Real-valued activations in fixed point: lines by evaluation, quantisers' grids, two scales, pooling, refusals."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import NodeProto
from onnx.helper import make_node

from setun_compiler import interpret
from setun_compiler.frontend import ModelError
from setun_compiler.frontend.expression import Expression
from setun_compiler.frontend.graph import Node
from setun_compiler.frontend.lines import find_lines
from setun_compiler.network import Affine, Network
from tests.compiler.conftest import Built, float_outputs, trits

Build = Callable[..., Built]
RANDOM = np.random.default_rng(11)
X = (RANDOM.integers(0, 256, (48, 3, 8, 8)) / 255).astype(np.float32)


def normal(*shape: int, spread: float = 0.3, mean: float = 0.0) -> NDArray[Any]:
    return RANDOM.normal(mean, spread, shape).astype(np.float32)


def norm(x: str, y: str) -> NodeProto:
    return make_node("BatchNormalization", [x, "gain", "shift", "mean", "variance"], [y])


CONSTANTS: dict[str, Any] = {
    "gain": normal(8, mean=1) * np.array([1, 1, -1, 1, 1, 1, -1, 1], np.float32), "shift": normal(8), "mean": normal(8),
    "variance": np.full(8, 4, np.float32), "a": normal(8, 1, 1), "c": normal(8, 1, 1),
    "slope": normal(8, 1, 1, spread=0.5), "six": np.float32(6), "zero": np.float32(0), "step": np.float32(0.02),
    "null": np.uint8(0), "w": trits(1, 8, 3, 3, 3), "v": 0.1 * trits(2, 5, 8, 2, 2),
}  # fmt: skip

CHAINS: dict[str, list[NodeProto]] = {
    "relu": [norm("s", "n"), make_node("Relu", ["n"], ["a1"])],
    "relu6": [norm("s", "n"), make_node("Clip", ["n", "zero", "six"], ["a1"])],
    "leaky": [norm("s", "n"), make_node("LeakyRelu", ["n"], ["a1"], alpha=0.1)],
    "rprelu": [
        norm("s", "n"), make_node("Sub", ["n", "a"], ["m"]), make_node("PRelu", ["m", "slope"], ["p"]),
        make_node("Add", ["p", "c"], ["a1"]),
    ],
    "where": [
        norm("s", "n"), make_node("Greater", ["n", "zero"], ["g"]), make_node("Mul", ["n", "slope"], ["m"]),
        make_node("Where", ["g", "n", "m"], ["a1"]),
    ],
    "none": [norm("s", "a1")],
    "relu pool": [
        norm("s", "n"), make_node("Relu", ["n"], ["r"]), make_node("MaxPool", ["r"], ["a1"], kernel_shape=[2, 2]),
    ],
    "pool norm relu": [
        make_node("MaxPool", ["s"], ["r"], kernel_shape=[2, 2]), norm("r", "n"), make_node("Relu", ["n"], ["a1"]),
    ],
    "rprelu pool": [
        norm("s", "n"), make_node("PRelu", ["n", "slope"], ["p"]),
        make_node("MaxPool", ["p"], ["a1"], kernel_shape=[2, 2]),
    ],
    "padded pool": [
        norm("s", "n"), make_node("PRelu", ["n", "slope"], ["p"]),
        make_node("MaxPool", ["p"], ["a1"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    ],
    "average": [
        norm("s", "n"), make_node("Relu", ["n"], ["r"]),
        make_node("AveragePool", ["r"], ["a1"], kernel_shape=[2, 2], strides=[2, 2]),
    ],
    "quantised": [
        norm("s", "n"), make_node("Relu", ["n"], ["r"]), make_node("QuantizeLinear", ["r", "step", "null"], ["q"]),
        make_node("DequantizeLinear", ["q", "step", "null"], ["a1"]),
    ],
}  # fmt: skip


def net(chain: list[NodeProto]) -> list[NodeProto]:
    first = make_node("Conv", ["x", "w"], ["s"], pads=[1, 1, 1, 1], name="first")
    return [first, *chain, make_node("Conv", ["a1", "v"], ["y"], pads=[1, 0, 1, 1], name="second")]


def posts(network: Network) -> list[Affine]:
    return [layer.post for layer in network.layers if isinstance(layer.post, Affine)]


@pytest.mark.parametrize("two_scale", [False, True])
@pytest.mark.parametrize("name", CHAINS)
def test_real_activations_are_close_to_the_float_model(name: str, two_scale: bool, build: Build) -> None:
    w = CONSTANTS["w"]
    constants = {**CONSTANTS, "w": np.where(w > 0, 0.7123, np.where(w < 0, -0.4051, 0)).astype(np.float32)}
    built = build(net(CHAINS[name]), ["N", 3, 8, 8], constants if two_scale else CONSTANTS, calibration=X)
    expected, found = float_outputs(built.model, X), interpret.logits(built.network, X)
    assert found.shape == expected.shape
    # 32 products of trits with values rounded to 8 bits of their range
    assert np.abs(found - expected).max() < 0.03 * np.abs(expected).max()
    assert np.abs(found - expected).mean() < 0.004 * np.abs(expected).max()
    assert posts(built.network)
    assert built.network.layers[0].two_scale == two_scale


@pytest.mark.parametrize("levels", ["sign", "three"])
def test_two_scales_decide_as_the_float_model_does(levels: str, build: Build) -> None:
    w = np.where(CONSTANTS["w"] > 0, 0.7123, np.where(CONSTANTS["w"] < 0, -0.4051, 0)).astype(np.float32)
    compare = {
        "sign": [make_node("Sign", ["n"], ["a1"])],
        "three": [
            make_node("Greater", ["n", "c"], ["g"]), make_node("Cast", ["g"], ["p"], to=1),
            make_node("Less", ["n", "d"], ["l"]), make_node("Cast", ["l"], ["m"], to=1),
            make_node("Sub", ["p", "m"], ["a1"]),
        ],
    }[levels]  # fmt: skip
    constants = {**CONSTANTS, "w": w, "d": CONSTANTS["c"] - np.float32(0.5), "v": trits(2, 5, 8, 2, 2)}
    built = build(net([norm("s", "n"), *compare]), ["N", 3, 8, 8], constants, calibration=X)
    expected, found = float_outputs(built.model, X), interpret.logits(built.network, X)
    # a code in a thousand may lie too close to a threshold; each enters 20 sums
    assert (expected != found).mean() < 0.02


def test_values_that_are_never_negative_get_eight_unsigned_bits(build: Build) -> None:
    built = build(net(CHAINS["relu"]), ["N", 3, 8, 8], CONSTANTS, calibration=X)
    feature = built.network.features[built.network.layers[0].target or ""]
    assert feature.low == 0
    assert 230 < feature.high <= 255


def test_without_calibration_ranges_are_proved_and_the_user_is_told(build: Build) -> None:
    built = build(net(CHAINS["relu"]), ["N", 3, 8, 8], CONSTANTS, input_range=(0, 1))
    assert any("calibration data makes them more precise" in note for note in built.network.notes)
    expected, found = float_outputs(built.model, X), interpret.logits(built.network, X)
    assert np.abs(found - expected).max() < 0.1 * np.abs(expected).max()


def test_a_dead_channel_leaves_the_others_their_precision(build: Build) -> None:
    """A variance of 0 makes a gain of 316, which one shift for all channels could not hold beside the others."""
    variance = np.full(8, 4, np.float32)
    variance[3] = 0
    built = build(net(CHAINS["relu6"]), ["N", 3, 8, 8], {**CONSTANTS, "variance": variance}, calibration=X)
    expected, found = float_outputs(built.model, X), interpret.logits(built.network, X)
    assert np.abs(found - expected).mean() < 0.004 * np.abs(expected).max()


def test_float_layers_first_and_last(build: Build) -> None:
    constants = {**CONSTANTS, "w": normal(8, 3, 3, 3), "v": normal(5, 8, 2, 2)}
    built = build(net(CHAINS["relu"]), ["N", 3, 8, 8], constants, calibration=X)
    expected, found = float_outputs(built.model, X), interpret.logits(built.network, X)
    assert np.abs(found - expected).max() < 0.02 * np.abs(expected).max()
    assert sum("rounded to six trits" in note for note in built.network.notes) == 2
    weights = [layer.weights for layer in built.network.layers if layer.weights is not None]
    assert [int(np.abs(found).max()) for found in weights] == [364, 364]


def test_an_output_behind_an_activation(build: Build) -> None:
    nodes = [make_node("Conv", ["x", "w"], ["s"]), norm("s", "n"), make_node("Relu", ["n"], ["y"])]
    built = build(nodes, ["N", 3, 8, 8], CONSTANTS, calibration=X)
    expected, found = float_outputs(built.model, X), interpret.logits(built.network, X)
    assert np.abs(found - expected).max() < 0.001 * np.abs(expected).max()


def chain(op: str, **attributes: Any) -> Expression:
    node = Node(op=op, name=op, inputs=("a",), outputs=("b",), attributes=attributes)
    return Expression(node=node, arguments=(Expression(),))


def test_lines_are_found_by_evaluation() -> None:
    low, high = np.array([-1000.0, -3.0]), np.array([10.0, 5000.0])
    found = find_lines(chain("LeakyRelu", alpha=-0.25), low, high, -np.inf, np.inf)
    np.testing.assert_allclose(found.slope0, -0.25)
    np.testing.assert_allclose(found.slope1, 1)
    np.testing.assert_allclose(found.start0, 0, atol=1e-9)
    np.testing.assert_allclose(found.pivot, 0, atol=1e-9)


def test_what_is_clipped_anyway_is_no_third_line() -> None:
    low, high = np.array([-40.0]), np.array([40.0])
    clip = Expression(
        node=Node(op="Clip", name="c", inputs=("a",), outputs=("b",), attributes={"min": -1.0, "max": 6.0}),
        arguments=(Expression(),),
    )
    found = find_lines(clip, low, high, -1.0, 6.0)
    np.testing.assert_allclose((found.slope0, found.slope1), 1)
    with pytest.raises(ModelError, match=r"^Clip 'c': channel 0 is not made of one or two straight lines"):
        find_lines(clip, low, high, -2.0, 7.0)


def test_a_curve_is_refused() -> None:
    with pytest.raises(ModelError, match=r"^Sigmoid 'Sigmoid': channel 1 is not made of one or two straight lines"):
        find_lines(chain("Sigmoid"), np.array([20.0, -4.0]), np.array([21.0, 4.0]), 0.0, 1.0)


@pytest.mark.parametrize("op", ["DynamicQuantizeLinear", "ReduceMax", "ReduceMean"])
def test_dynamic_quantisation_is_refused_with_the_reason(op: str, build: Build) -> None:
    nodes = [make_node("Gemm", ["x", "w"], ["s"])]
    if op != "DynamicQuantizeLinear":
        nodes += [
            make_node("Abs", ["s"], ["b"]), make_node(op, ["b"], ["m"], name="top", keepdims=1, axes=[1]),
            make_node("Div", ["s", "m"], ["a"]),
        ]  # fmt: skip
    else:
        nodes += [
            make_node(op, ["s"], ["q", "scale", "zero"], name="dynamic"),
            make_node("DequantizeLinear", ["q", "scale", "zero"], ["a"]),
        ]
    sentence = {
        "ReduceMean": r"^ReduceMean 'top': only .*, not over features, as layer and RMS normalisation take it: ",
        "ReduceMax": r"^ReduceMax 'top': takes a maximum over all of its input, as dynamic quantisation does",
        "DynamicQuantizeLinear": r"^DynamicQuantizeLinear 'dynamic': its scale is computed from its input \(dynamic",
    }[op]
    with pytest.raises(ModelError, match=sentence):
        build([*nodes, make_node("Gemm", ["a", "w"], ["y"])], ["N", 8], {"w": trits(1, 8, 8)})
