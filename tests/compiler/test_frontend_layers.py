"""Linear operators, pooling and layout: every shape equals onnxruntime."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import NodeProto
from onnx.helper import make_node

from setun_compiler import interpret
from setun_compiler.frontend import ModelError
from tests.compiler.conftest import float_outputs

Build = Callable[..., Any]
RANGE = (0, 255 / 256)
VALUES: dict[str, NDArray[Any]] = {"zero": np.float32(0), "half": np.float32(0.5), "two": np.float32(2)}


def weights(*shape: int, seed: int = 1) -> NDArray[np.float32]:
    values = np.random.default_rng(seed).integers(-1, 2, shape).astype(np.float32)
    values.reshape(shape[0], -1)[:, 0] = 1
    return values


def samples(*shape: int, seed: int = 2) -> NDArray[np.float32]:
    return (np.random.default_rng(seed).integers(0, 256, shape) / 256).astype(np.float32)


def sign(source: str, target: str) -> list[NodeProto]:
    """A ternary activation of a linear operator's result."""
    return [make_node("Sub", [source, "half"], [f"{target}_h"]), make_node("Sign", [f"{target}_h"], [target])]


@pytest.mark.parametrize(
    ("attributes", "kernel", "groups"),
    [
        ({}, (3, 3), 1),
        ({"strides": [2, 3]}, (3, 2), 1),
        ({"pads": [0, 2, 1, 1]}, (2, 3), 1),
        ({"dilations": [2, 1], "pads": [2, 1, 2, 1]}, (3, 3), 1),
        ({"group": 2}, (3, 3), 2),
        ({"group": 4, "pads": [1, 1, 1, 1]}, (3, 3), 4),
        ({"auto_pad": "SAME_UPPER", "strides": [2, 2]}, (3, 3), 1),
        ({"auto_pad": "SAME_LOWER", "strides": [2, 2]}, (4, 4), 1),
        ({"auto_pad": "VALID"}, (9, 8), 1),
    ],
)
def test_convolutions(attributes: dict[str, Any], kernel: tuple[int, int], groups: int, build: Build) -> None:
    nodes = [
        make_node("Conv", ["x", "w", "b"], ["s"], **attributes),
        *sign("s", "a"),
        make_node("Conv", ["a", "v"], ["y"]),
    ]
    values = {
        **VALUES,
        "w": weights(8, 4 // groups, *kernel) * np.float32(0.31234567),
        "b": samples(8),
        "v": weights(3, 8, 1, 1),
    }
    build(nodes, ["N", 4, 9, 8], values, input_range=RANGE).compare(samples(6, 4, 9, 8))


def test_one_dimensional_convolution_is_a_map_of_one_row(build: Build) -> None:
    nodes = [
        make_node("Conv", ["x", "w"], ["s"], pads=[2, 1], strides=[2], dilations=[2]),
        *sign("s", "a"),
        make_node("MaxPool", ["a"], ["p"], kernel_shape=[2], strides=[2]),
        make_node("Flatten", ["p"], ["f"]),
        make_node("Gemm", ["f", "v"], ["y"]),
    ]
    values = {**VALUES, "w": weights(5, 3, 3), "v": weights(4, 5 * 4, seed=3).T.copy()}
    built = build(nodes, ["N", 3, 18], values, input_range=RANGE)
    built.compare(samples(6, 3, 18))
    assert built.network.layers[0].weights.shape == (5, 3, 1, 3)


@pytest.mark.parametrize("form", ["gemm", "gemm-transposed", "matmul", "matmul-left"])
def test_fully_connected_layers_in_every_form(form: str, build: Build) -> None:
    w, b = weights(7, 20) * np.float32(0.11), samples(7)
    nodes = {
        "gemm": [make_node("Gemm", ["x", "w", "b"], ["y"], alpha=0.5, beta=2.0)],
        "gemm-transposed": [make_node("Gemm", ["x", "wt", "b"], ["y"], transB=1)],
        "matmul": [make_node("MatMul", ["x", "w"], ["s"]), make_node("Add", ["b", "s"], ["y"])],
        "matmul-left": [
            make_node("Transpose", ["x"], ["t"], perm=[1, 0]),
            make_node("MatMul", ["wt", "t"], ["s"]),
            make_node("Transpose", ["s"], ["u"], perm=[1, 0]),
            make_node("Add", ["u", "b"], ["y"]),
        ],
    }[form]
    values = {"w": w.T.copy(), "wt": w, "b": b}
    build(nodes, [1, 20], values, input_range=RANGE).compare(samples(6, 20))


def test_channels_last_graphs_permute_weights_and_input(build: Build) -> None:
    """An NHWC input, transposed before the convolution and back before flattening."""
    nodes = [
        make_node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
        make_node("Conv", ["t", "w"], ["s"], pads=[1, 1, 1, 1]),
        *sign("s", "a"),
        make_node("Transpose", ["a"], ["u"], perm=[0, 2, 3, 1]),
        make_node("Reshape", ["u", "shape"], ["f"]),
        make_node("MatMul", ["f", "v"], ["y"]),
    ]
    values = {
        **VALUES,
        "w": weights(5, 3, 3, 3),
        "shape": np.array([-1, 5 * 4 * 6]),
        "v": weights(4, 5 * 4 * 6, seed=3).T.copy(),
    }
    built = build(nodes, ["N", 4, 6, 3], values, input_range=RANGE)
    built.compare(samples(6, 4, 6, 3))
    assert built.network.port.axes == (2, 0, 1)


def test_an_image_into_a_fully_connected_layer_is_a_vector(build: Build) -> None:
    nodes = [make_node("Flatten", ["x"], ["f"]), make_node("Gemm", ["f", "w"], ["y"])]
    built = build(nodes, ["N", 2, 3, 4], {"w": weights(5, 24).T.copy()}, input_range=RANGE)
    built.compare(samples(6, 2, 3, 4))
    assert built.network.layers[0].weights.shape == (5, 24, 1, 1)


def test_matmul_on_several_positions_is_a_convolution_of_one(build: Build) -> None:
    nodes = [
        make_node("MatMul", ["x", "w"], ["s"]),
        *sign("s", "a"),
        make_node("MatMul", ["a", "v"], ["t"]),
        *sign("t", "c"),
        make_node("Transpose", ["c"], ["u"], perm=[0, 2, 1]),
        make_node("Flatten", ["u"], ["f"]),
        make_node("MatMul", ["f", "z"], ["y"]),
    ]
    values = {
        **VALUES,
        "w": weights(8, 6).T.copy(),
        "v": weights(5, 8, seed=2).T.copy(),
        "z": weights(3, 25, seed=4).T.copy(),
    }
    build(nodes, ["N", 5, 6], values, input_range=RANGE).compare(samples(6, 5, 6))


def test_slices_and_channel_shuffles_select_weights(build: Build) -> None:
    nodes = [
        make_node("Conv", ["x", "w"], ["s"]),
        *sign("s", "a"),
        make_node("Gather", ["a", "order"], ["g"], axis=1),
        make_node("Conv", ["g", "v"], ["t"]),
        *sign("t", "c"),
        make_node("Slice", ["c", "starts", "ends", "axes"], ["l"]),
        make_node("Flatten", ["l"], ["f"]),
        make_node("Gemm", ["f", "z"], ["y"]),
    ]
    values = {
        **VALUES,
        "w": weights(6, 2, 3, 3),
        "order": np.array([4, 0, 2]),
        "v": weights(5, 3, 1, 1, seed=2),
        "starts": np.array([1, 0]),
        "ends": np.array([3, 2]),
        "axes": np.array([2, 1]),
        "z": weights(3, 2 * 2 * 4, seed=4).T.copy(),
    }
    build(nodes, ["N", 2, 6, 6], values, input_range=RANGE).compare(samples(6, 2, 6, 6))


def test_an_explicit_pad_node_becomes_the_convolution_s_padding(build: Build) -> None:
    nodes = [
        make_node("Pad", ["x", "pads"], ["p"]),
        make_node("Conv", ["p", "w"], ["s"], pads=[1, 0, 0, 0]),
        *sign("s", "a"),
        make_node("Pad", ["a", "pads"], ["q"]),
        make_node("Conv", ["q", "v"], ["y"]),
    ]
    values = {
        **VALUES,
        "pads": np.array([0, 0, 1, 2, 0, 0, 0, 1]),
        "w": weights(6, 2, 3, 3),
        "v": weights(5, 6, 2, 2, seed=2),
    }
    built = build(nodes, ["N", 2, 6, 6], values, input_range=RANGE)
    built.compare(samples(6, 2, 6, 6))
    assert built.network.layers[0].padding == (2, 2, 0, 1)


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("gain", [1.0, -1.0])
@pytest.mark.parametrize(
    "attributes",
    [
        {"kernel_shape": [2, 2], "strides": [2, 2]},
        {"kernel_shape": [3, 2], "strides": [1, 2]},
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
        {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1},
    ],
)
def test_max_pooling_before_and_after_the_activation(
    place: str, gain: float, attributes: dict[str, Any], build: Build
) -> None:
    pool = {
        "before": [
            make_node("MaxPool", ["s"], ["p"], **attributes),
            make_node("Mul", ["p", "gain"], ["m"]),
            *sign("m", "a"),
        ],
        "after": [
            make_node("Mul", ["s", "gain"], ["m"]),
            *sign("m", "c"),
            make_node("MaxPool", ["c"], ["a"], **attributes),
        ],
    }[place]
    nodes = [make_node("Conv", ["x", "w"], ["s"]), *pool, make_node("Conv", ["a", "v"], ["y"])]
    values = {**VALUES, "w": weights(6, 2, 3, 3), "v": weights(5, 6, 2, 2, seed=2), "gain": np.float32(gain)}
    reaches_past = "pads" in attributes or "ceil_mode" in attributes
    built = build(nodes, ["N", 2, 9, 9], values, input_range=RANGE)
    if place == "before" and reaches_past:  # the sums are rounded on their way to what pools
        expected = float_outputs(built.model, samples(6, 2, 9, 9))
        assert (interpret.logits(built.network, samples(6, 2, 9, 9)) != expected).mean() < 0.2
    else:
        built.compare(samples(6, 2, 9, 9))
    rides = not reaches_past or place == "before"  # codes are pooled by a layer of their own
    assert len(built.network.layers) == (2 if rides else 3)


def test_pooling_after_a_chain_that_is_not_monotone_is_a_layer_of_its_own(build: Build) -> None:
    nodes = [
        make_node("Conv", ["x", "w"], ["s"]),
        make_node("Abs", ["s"], ["m"]),
        *sign("m", "c"),
        make_node("MaxPool", ["c"], ["a"], kernel_shape=[2, 2]),
        make_node("Conv", ["a", "v"], ["y"]),
    ]
    values = {**VALUES, "w": weights(6, 2, 3, 3), "v": weights(5, 6, 2, 2, seed=2)}
    built = build(nodes, ["N", 2, 8, 8], values, input_range=RANGE)
    built.compare(samples(6, 2, 8, 8))
    assert [layer.pool is not None for layer in built.network.layers] == [False, True, False]


@pytest.mark.parametrize("pool", ["global", "mean", "windows", "windows-conv"])
def test_an_average_folds_into_the_linear_layer_behind_it(pool: str, build: Build) -> None:
    window = make_node("AveragePool", ["a"], ["p"], kernel_shape=[2, 3], strides=[2, 3])
    flat = [make_node("Flatten", ["p"], ["f"]), make_node("Gemm", ["f", "z", "b"], ["y"])]
    behind = {
        "global": [make_node("GlobalAveragePool", ["a"], ["p"]), *flat],
        "mean": [make_node("ReduceMean", ["a"], ["p"], axes=[2, 3], keepdims=0), *flat],
        "windows": [window, *flat],
        "windows-conv": [window, make_node("Conv", ["p", "c"], ["y"])],
    }[pool]
    positions = {"global": 1, "mean": 1, "windows": 6, "windows-conv": 6}[pool]
    nodes = [make_node("Conv", ["x", "w"], ["s"]), *sign("s", "a"), *behind]
    values = {
        **VALUES,
        "w": weights(6, 2, 3, 3),
        "z": weights(4, 6 * positions, seed=3).T.copy(),
        "b": samples(4),
        "c": weights(4, 6, 1, 1),
    }
    built = build(nodes, ["N", 2, 8, 8], values, input_range=RANGE)
    built.compare(samples(6, 2, 8, 8))
    assert len(built.network.layers) == 2


@pytest.mark.parametrize("attributes", [{}, {"pads": [1, 1, 1, 1], "count_include_pad": 1}])
def test_an_average_followed_by_a_quantizer_is_a_layer(attributes: dict[str, Any], build: Build) -> None:
    """Ties included: sums of a 2x2 window over 4 round half to even."""
    nodes = [
        make_node("Conv", ["x", "w"], ["s"]),
        *sign("s", "a"),
        make_node("AveragePool", ["a"], ["p"], kernel_shape=[2, 2], strides=[2, 2], **attributes),
        make_node("Round", ["p"], ["q"]),
        make_node("Conv", ["q", "v"], ["y"]),
    ]
    values = {**VALUES, "w": weights(6, 2, 3, 3), "v": weights(4, 6, 1, 1, seed=3)}
    built = build(nodes, ["N", 2, 8, 8], values, input_range=RANGE)
    built.compare(samples(6, 2, 8, 8))
    assert built.network.layers[1].groups == 6


def test_pooling_of_the_input_itself(build: Build) -> None:
    nodes = [
        make_node("MaxPool", ["x"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        make_node("Conv", ["p", "w"], ["y"]),
    ]
    built = build(nodes, ["N", 2, 8, 8], {"w": weights(4, 2, 3, 3)}, input_range=(0, 7.5))
    built.compare((np.random.default_rng(0).integers(0, 256, (6, 2, 8, 8)) * (7.5 / 255)).astype(np.float32))


def test_8_bit_weights_on_a_grid_are_integers(build: Build) -> None:
    random = np.random.default_rng(0)
    codes = random.integers(-127, 128, (6, 2, 3, 3)).astype(np.int8)
    nodes = [
        make_node("DequantizeLinear", ["codes", "scales"], ["w"], axis=0),
        make_node("Conv", ["x", "w"], ["y"]),
    ]
    values = {"codes": codes, "scales": random.uniform(0.001, 0.01, 6).astype(np.float32)}
    built = build(nodes, ["N", 2, 8, 8], values, input_range=RANGE)
    built.compare(samples(6, 2, 8, 8))
    found = built.network.layers[0].weights
    assert int(np.abs(found).max()) <= 127
    assert (np.abs(found) >= 2).any()


@pytest.mark.parametrize(
    ("expression", "lo", "hi", "pad", "axes"),
    [("none", 0.0, 255 / 256, 1, 0), ("2x-1", 0.0, 1.0, 1, 0), ("2x-1", 0.0, 1.0, 0, 0), ("2x-2", 0.0, 1.0, 1, 0)],
)
def test_normalised_inputs_keep_zero_padding_exact(
    expression: str, lo: float, hi: float, pad: int, axes: int, build: Build
) -> None:
    nodes = {
        "none": [make_node("Identity", ["x"], ["n"])],
        "2x-1": [make_node("Mul", ["x", "two"], ["m"]), make_node("Sub", ["m", "one"], ["n"])],
        "2x-2": [make_node("Mul", ["x", "two"], ["m"]), make_node("Sub", ["m", "two"], ["n"])],
    }[expression]
    nodes = [*nodes, make_node("Conv", ["n", "w"], ["y"], pads=[pad] * 4)]
    values = {"w": weights(4, 2, 3, 3), "two": np.float32(2), "one": np.float32(1)}
    built = build(nodes, ["N", 2, 8, 8], values, input_range=(lo, hi))
    x = lo + np.random.default_rng(0).integers(0, 256, (6, 2, 8, 8)) * ((hi - lo) / 255)
    built.compare(x.astype(np.float32))
    assert built.network.notes == ()


def test_a_grid_without_zero_is_moved_for_padding_and_the_user_told(build: Build) -> None:
    nodes = [make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])]
    built = build(nodes, ["N", 2, 8, 8], {"w": weights(4, 2, 3, 3)}, input_range=(-0.42, 2.82))
    assert "is moved by" in built.network.notes[0]


def test_channelwise_normalisation_without_padding_folds_into_the_bias(build: Build) -> None:
    nodes = [make_node("Sub", ["x", "mean"], ["n"]), make_node("Conv", ["n", "w"], ["y"])]
    mean = np.array([0.485, 0.456], np.float32).reshape(1, 2, 1, 1)
    built = build(nodes, ["N", 2, 8, 8], {"w": weights(4, 2, 3, 3), "mean": mean}, input_range=RANGE)
    built.compare(samples(6, 2, 8, 8))


def test_an_integer_input_needs_no_range(build: Build) -> None:
    nodes = [make_node("Cast", ["x"], ["f"], to=1), make_node("MatMul", ["f", "w"], ["y"])]
    built = build(nodes, ["N", 8], {"w": weights(4, 8).T.copy()}, dtype=2)
    feature = built.network.features[built.network.port.feature]
    assert (feature.low, feature.high, built.network.port.scale) == (0, 255, 1.0)
    assert built.network.notes == ()


def test_two_scales_need_the_second_accumulator(build: Build) -> None:
    w = weights(4, 8)
    w = np.where(w > 0, 0.31234, np.where(w < 0, -0.2177, 0)).astype(np.float32)
    nodes = [make_node("Gemm", ["x", "w"], ["s"]), *sign("s", "a"), make_node("Gemm", ["a", "v"], ["y"])]
    built = build(nodes, ["N", 8], {**VALUES, "w": w.T.copy(), "v": weights(4, 3)}, input_range=RANGE)
    assert [layer.two_scale for layer in built.network.layers] == [True, False]
    built.compare(samples(64, 8))


def test_all_unsupported_operators_are_named_at_once(build: Build) -> None:
    nodes = [
        make_node("LSTM", ["x"], ["a"], name="one"),
        make_node("Einsum", ["a"], ["b"], name="two"),
        make_node("LSTM", ["b"], ["y"]),
    ]
    with pytest.raises(ModelError, match=r"^operators that are not supported: Einsum \('two'\), LSTM \('one', 'y'\)$"):
        build(nodes, ["N", 8], {})
