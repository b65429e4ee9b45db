"""Additions and concatenations of branches, and recurrent layers unrolled in time, against onnxruntime."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import NodeProto
from onnx.helper import make_node

from setun_compiler import interpret
from setun_compiler.frontend import ModelError
from setun_compiler.network import Affine
from tests.compiler.conftest import Built, float_outputs, trits

Build = Callable[..., Built]
RANDOM = np.random.default_rng(7)
IMAGE = (RANDOM.integers(0, 256, (24, 3, 8, 8)) / 256).astype(np.float32)


def normal(*shape: int, spread: float = 0.3, mean: float = 0.0) -> NDArray[Any]:
    return RANDOM.normal(mean, spread, shape).astype(np.float32)


def batch_norm(x: str, y: str, channels: int, spread: float) -> tuple[list[NodeProto], dict[str, NDArray[Any]]]:
    names = [f"{y}.{part}" for part in ("gain", "shift", "mean", "variance")]
    values = [
        normal(channels, mean=1) * np.where(np.arange(channels) % 4 == 1, -1, 1).astype(np.float32),
        normal(channels), normal(channels), np.full(channels, spread**2, np.float32),
    ]  # fmt: skip
    return [make_node("BatchNormalization", [x, *names], [y])], dict(zip(names, values, strict=True))


def ternary(x: str, y: str) -> list[NodeProto]:
    return [
        make_node("Greater", [x, "hi"], [f"{y}.g"]), make_node("Cast", [f"{y}.g"], [f"{y}.p"], to=1),
        make_node("Less", [x, "lo"], [f"{y}.l"]), make_node("Cast", [f"{y}.l"], [f"{y}.m"], to=1),
        make_node("Sub", [f"{y}.p", f"{y}.m"], [y]),
    ]  # fmt: skip


def rprelu(x: str, y: str) -> list[NodeProto]:
    return [
        make_node("Sub", [x, "a"], [f"{y}.s"]), make_node("PRelu", [f"{y}.s", "slope"], [f"{y}.b"]),
        make_node("Add", [f"{y}.b", "c"], [y]),
    ]  # fmt: skip


CONSTANTS: dict[str, Any] = {
    "hi": np.float32(0.4), "lo": np.float32(-0.5), "a": normal(8, 1, 1), "c": normal(8, 1, 1),
    "slope": normal(8, 1, 1, spread=0.4, mean=0.1),
}  # fmt: skip


def stem() -> tuple[list[NodeProto], dict[str, NDArray[Any]]]:
    """A convolution whose real result x and its trits t the rest of a network reads."""
    nodes, values = batch_norm("s", "n", 8, 1.5)
    first = [make_node("Conv", ["image", "w0"], ["s"], pads=[1, 1, 1, 1], name="stem")]
    return [*first, *nodes, *rprelu("n", "x"), *ternary("x", "t")], {"w0": trits(1, 8, 3, 3, 3), **values, **CONSTANTS}


def tail(x: str) -> list[NodeProto]:
    return [*rprelu(x, "last"), *ternary("last", "u"), make_node("Conv", ["u", "wz"], ["z"], name="head")]


def close(built: Built, x: NDArray[Any], share: float = 0.02) -> None:
    """Few sums differ from the float model's: the fixed-point tensors round close decisions."""
    expected, found = float_outputs(built.model, x), interpret.logits(built.network, x)
    assert found.shape == expected.shape
    assert (np.abs(found - expected) > 1e-3).mean() < share * 9
    assert np.abs(found - expected).mean() < share * np.abs(expected).max()


def shortcut(kind: str) -> tuple[list[NodeProto], dict[str, NDArray[Any]], int]:
    """Nodes from x and t to the residual "r", constants, and the stride."""
    if kind == "identity":
        return [make_node("Identity", ["x"], ["r"])], {}, 1
    if kind == "average":
        pool = make_node("AveragePool", ["x"], ["r"], kernel_shape=[2, 2], strides=[2, 2])
        return [pool], {}, 2
    if kind == "strided":
        cut = make_node("Slice", ["x", "from", "to", "axes", "by"], ["r"])
        numbers = {"from": [0, 0], "to": [99, 99], "axes": [2, 3], "by": [2, 2]}
        return [cut], {name: np.array(value) for name, value in numbers.items()}, 2
    if kind == "trits":
        return [make_node("Identity", ["t"], ["r"])], {}, 1
    if kind == "input":
        cut = make_node("Conv", ["t", "wi"], ["i"])
        return [cut, make_node("Relu", ["i"], ["r"])], {"wi": trits(11, 8, 8, 1, 1)}, 1
    nodes, values = batch_norm("p", "r", 8, 2.0)
    return [make_node("Conv", ["t", "wp"], ["p"], strides=[2, 2], name="projection"), *nodes], {
        "wp": trits(5, 8, 8, 1, 1), **values
    }, 2  # fmt: skip


@pytest.mark.parametrize("kind", ["identity", "average", "strided", "trits", "projection", "input"])
@pytest.mark.parametrize("order", [("y", "r"), ("r", "y")])
def test_shortcuts_of_every_kind(kind: str, order: tuple[str, str], build: Build) -> None:
    nodes, values = stem()
    path, more, stride = shortcut(kind)
    norm, parameters = batch_norm("k", "y", 8, 4.0)
    body = [make_node("Conv", ["t", "w1"], ["k"], pads=[1, 1, 1, 1], strides=[stride, stride], name="body"), *norm]
    graph = [*nodes, *path, *body, make_node("Add", list(order), ["v"]), *tail("v")]
    constants = {**values, **more, **parameters, "w1": trits(2, 8, 8, 3, 3), "wz": trits(3, 5, 8, 2, 2)}
    graph = [rename(node) for node in graph]
    built = build(graph, ["N", 3, 8, 8], constants, output="z", calibration=IMAGE)
    close(built, IMAGE)
    assert any(layer.residual is not None for layer in built.network.layers)


def rename(node: NodeProto) -> NodeProto:
    """The model's input is called x by the fixture: the graphs here call it image, and a real tensor x."""
    copy = type(node)()
    copy.CopyFrom(node)
    swap = {"image": "x", "x": "real"}
    for names in (copy.input, copy.output):
        for place, name in enumerate(names):
            names[place] = swap.get(name, name)
    return copy


def test_channels_are_doubled_by_concatenating_an_average_with_itself(build: Build) -> None:
    nodes, values = stem()
    norm, parameters = batch_norm("k", "y", 16, 4.0)
    graph = [
        *nodes,
        make_node("AveragePool", ["x"], ["half"], kernel_shape=[2, 2], strides=[2, 2]),
        make_node("Concat", ["half", "half"], ["r"], axis=1),
        make_node("Conv", ["t", "w1"], ["k"], pads=[1, 1, 1, 1], strides=[2, 2]), *norm,
        make_node("Add", ["y", "r"], ["v"]), *ternary("v", "u"),
        make_node("Conv", ["u", "wz"], ["z"]),
    ]  # fmt: skip
    constants = {**values, **parameters, "w1": trits(2, 16, 8, 3, 3), "wz": trits(3, 5, 16, 2, 2)}
    built = build([rename(node) for node in graph], ["N", 3, 8, 8], constants, output="z", calibration=IMAGE)
    close(built, IMAGE)
    layer = next(layer for layer in built.network.layers if layer.residual is not None)
    assert layer.residual is not None
    assert (layer.residual.rows, layer.residual.row_step) == (2, 2)
    assert built.network.features[layer.residual.source].channels == 8


def test_a_shortcut_around_the_activation_is_added_behind_it(build: Build) -> None:
    nodes, values = stem()
    graph = [
        *nodes, make_node("Conv", ["t", "w1"], ["k"], pads=[1, 1, 1, 1]), *rprelu("k", "y"),
        make_node("Add", ["y", "x"], ["v"]), *ternary("v", "u"), make_node("Conv", ["u", "wz"], ["z"]),
    ]  # fmt: skip
    constants = {**values, "w1": trits(2, 8, 8, 3, 3), "wz": trits(3, 5, 8, 2, 2)}
    built = build([rename(node) for node in graph], ["N", 3, 8, 8], constants, output="z", calibration=IMAGE)
    close(built, IMAGE)
    post = next(layer.post for layer in built.network.layers if layer.residual is not None)
    assert isinstance(post, Affine)
    assert post.residual_after


def test_two_quantizers_of_a_residual_tensor_give_a_layer_without_weights(build: Build) -> None:
    nodes, values = stem()
    graph = [
        *nodes, make_node("Conv", ["t", "w1"], ["k"], pads=[1, 1, 1, 1]), make_node("Add", ["k", "x"], ["v"]),
        make_node("Sign", ["x"], ["e"]), make_node("Conv", ["e", "w2"], ["f"], pads=[1, 1, 1, 1]),
        make_node("Add", ["v", "f"], ["q"]), *ternary("q", "u"), make_node("Conv", ["u", "wz"], ["z"]),
    ]  # fmt: skip
    constants = {**values, "w1": trits(2, 8, 8, 3, 3), "w2": trits(4, 8, 8, 3, 3), "wz": trits(3, 5, 8, 2, 2)}
    built = build([rename(node) for node in graph], ["N", 3, 8, 8], constants, output="z", calibration=IMAGE)
    close(built, IMAGE)
    assert sum(layer.weights is None for layer in built.network.layers) == 1


def test_global_average_of_a_real_tensor_sums_rows_first(build: Build) -> None:
    nodes, values = stem()
    graph = [
        *nodes, make_node("Conv", ["t", "w1"], ["k"], pads=[1, 1, 1, 1]), make_node("Add", ["k", "x"], ["v"]),
        make_node("GlobalAveragePool", ["v"], ["g"]), make_node("Flatten", ["g"], ["h"]),
        make_node("Gemm", ["h", "wz", "bias"], ["z"], transB=1),
    ]  # fmt: skip
    constants = {**values, "w1": trits(2, 8, 8, 3, 3), "wz": 0.1 * trits(3, 5, 8), "bias": normal(5)}
    built = build([rename(node) for node in graph], ["N", 3, 8, 8], constants, output="z", calibration=IMAGE)
    expected, found = float_outputs(built.model, IMAGE), interpret.logits(built.network, IMAGE)
    assert np.abs(found - expected).max() < 0.03 * np.abs(expected).max()
    rows = next(layer for layer in built.network.layers if layer.weights is None)
    assert rows.residual is not None
    assert (rows.residual.rows, rows.residual.cols) == (1, 8)


def test_ternary_branches_side_by_side_are_exact(build: Build) -> None:
    nodes = [
        make_node("Conv", ["x", "wa"], ["a"], pads=[1, 1, 1, 1]), *ternary("a", "ta"),
        make_node("Conv", ["x", "wb"], ["b"]), *ternary("b", "tb"),
        make_node("Concat", ["ta", "tb"], ["both"], axis=1),
        make_node("Conv", ["both", "wc"], ["c"], pads=[1, 1, 1, 1]), *ternary("c", "tc"),
        make_node("Concat", ["both", "tc"], ["all"], axis=1),
        make_node("MaxPool", ["all"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        make_node("Conv", ["p", "wz"], ["y"]),
    ]  # fmt: skip
    constants = {
        "hi": np.float32(0.4), "lo": np.float32(-0.5), "wa": trits(1, 4, 3, 3, 3), "wb": trits(2, 6, 3, 1, 1),
        "wc": trits(3, 5, 10, 3, 3), "wz": trits(4, 3, 15, 2, 2),
    }  # fmt: skip
    built = build(nodes, ["N", 3, 8, 8], constants, input_range=(0, 255 / 256))
    built.compare(IMAGE)
    assert any(any(layer.at) for layer in built.network.layers)


def recurrent(spelling: str, steps: int, inputs: int, hidden: int) -> tuple[list[NodeProto], dict[str, NDArray[Any]]]:
    """h_t = ternary(Wx x_t + Wh h_{t-1} + b), unrolled, and a fully connected layer on the last h."""
    wx, wh = 0.5 * trits(1, hidden, inputs), 0.5 * trits(2, hidden, hidden)
    constants: dict[str, Any] = {
        "hi": np.float32(0.4), "lo": np.float32(-0.6), "h0": np.zeros((1, hidden), np.float32), "wx": wx, "wh": wh,
        "b": normal(hidden), "wz": trits(3, 4, hidden), "w": np.concatenate((wx, wh), axis=1),
        "parts": np.full(steps, 1), "axis": np.array([1]),
    }  # fmt: skip
    nodes = []
    if spelling == "split":
        nodes.append(make_node("Split", ["x", "parts"], [f"s{t}" for t in range(steps)], axis=1))
    for t in range(steps):
        if spelling == "split":
            nodes.append(make_node("Squeeze", [f"s{t}", "axis"], [f"x{t}"]))
        else:
            constants[f"i{t}"] = np.array(t)
            nodes.append(make_node("Gather", ["x", f"i{t}"], [f"x{t}"], axis=1))
        if spelling == "concat":
            nodes.append(make_node("Concat", [f"x{t}", f"h{t}"], [f"c{t}"], axis=1))
            nodes.append(make_node("Gemm", [f"c{t}", "w", "b"], [f"v{t}"], transB=1))
        else:
            nodes.append(make_node("Gemm", [f"x{t}", "wx", "b"], [f"p{t}"], transB=1))
            nodes.append(make_node("Gemm", [f"h{t}", "wh"], [f"q{t}"], transB=1))
            nodes.append(make_node("Add", [f"p{t}", f"q{t}"], [f"v{t}"]))
        nodes += ternary(f"v{t}", f"h{t + 1}")
    return [*nodes, make_node("Gemm", [f"h{steps}", "wz"], ["y"], transB=1)], constants


@pytest.mark.parametrize("spelling", ["concat", "sum", "split"])
def test_recurrent_layers_with_ternary_inputs_and_states_are_exact(spelling: str, build: Build) -> None:
    nodes, constants = recurrent(spelling, 5, 6, 7)
    x = RANDOM.integers(-1, 2, (32, 5, 6)).astype(np.float32)
    built = build(nodes, ["N", 5, 6], constants, calibration=x)
    built.compare(x)


@pytest.mark.parametrize("spelling", ["concat", "sum"])
def test_recurrent_layers_with_8_bit_inputs(spelling: str, build: Build) -> None:
    nodes, constants = recurrent(spelling, 4, 6, 7)
    x = (RANDOM.integers(0, 256, (64, 4, 6)) / 255).astype(np.float32)
    built = build(nodes, ["N", 4, 6], constants, calibration=x)
    expected, found = float_outputs(built.model, x), interpret.logits(built.network, x)
    assert (expected != found).mean() < 0.03


def test_branches_that_only_addition_can_join(build: Build) -> None:
    nodes = [
        make_node("MatMul", ["x", "w"], ["s"]), make_node("MatMul", ["x", "v"], ["t"]),
        make_node("Mul", ["s", "t"], ["y"], name="gate"),
    ]  # fmt: skip
    with pytest.raises(
        ModelError, match=r"^Mul 'gate' joins branches of the network, which only Add, Sum, Sub and Concat can do$"
    ):
        build(nodes, ["N", 8], {"w": trits(1, 8, 8), "v": trits(2, 8, 8)})
