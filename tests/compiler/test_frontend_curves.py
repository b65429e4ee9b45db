"""Smooth activations: with a quantiser behind them they are step functions, without one they are refused."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import NodeProto
from onnx.helper import make_node

from setun_compiler import interpret
from setun_compiler.frontend import ModelError
from setun_compiler.network import Affine, Threshold
from tests.compiler.conftest import Built, float_outputs, trits

Build = Callable[..., Built]
RANDOM = np.random.default_rng(17)
X = (RANDOM.integers(0, 256, (24, 3, 6, 6)) / 256).astype(np.float32)

CURVES: dict[str, list[NodeProto]] = {
    "sigmoid": [make_node("Sigmoid", ["s"], ["c"], "curve")],
    "tanh": [make_node("Tanh", ["s"], ["c"], "curve")],
    "silu": [make_node("Sigmoid", ["s"], ["g"]), make_node("Mul", ["s", "g"], ["c"], "curve")],
    "gelu": [
        make_node("Div", ["s", "root"], ["d"]), make_node("Erf", ["d"], ["e"]), make_node("Add", ["e", "one"], ["f"]),
        make_node("Mul", ["s", "f"], ["h"]), make_node("Mul", ["h", "half"], ["c"], "curve"),
    ],
    "gelu-node": [make_node("Gelu", ["s"], ["c"], "curve")],
    "gelu-tanh": [make_node("Gelu", ["s"], ["c"], "curve", approximate="tanh")],
    "mish": [make_node("Mish", ["s"], ["c"], "curve")],
    "softplus": [make_node("Softplus", ["s"], ["c"], "curve")],
    "hard-swish": [make_node("HardSwish", ["s"], ["c"], "curve")],
}  # fmt: skip
CONSTANTS: dict[str, Any] = {
    "w": 0.3 * trits(1, 8, 3, 3, 3), "v": trits(2, 5, 8, 2, 2), "one": np.float32(1), "half": np.float32(0.5),
    "root": np.float32(np.sqrt(2)), "zero": np.int8(0), "six": np.float32(1.3), "null": np.float32(0),
}  # fmt: skip


def build_chain(build: Build, chain: list[NodeProto], step: float | None, **options: Any) -> Built:
    nodes = [make_node("Conv", ["x", "w"], ["s"]), *chain]
    last = "c"
    if step is not None:
        nodes.append(make_node("QuantizeLinear", ["c", "step", "zero"], ["q"]))
        nodes.append(make_node("DequantizeLinear", ["q", "step", "zero"], ["a"]))
        last = "a"
    nodes.append(make_node("Conv", [last, "v"], ["y"]))
    constants = {**CONSTANTS, "step": np.float32(step or 1)}
    return build(nodes, ["N", 3, 6, 6], constants, calibration=X, opset=20, **options)


@pytest.mark.parametrize("name", CURVES)
def test_a_quantised_curve_is_a_step_function(name: str, build: Build) -> None:
    built = build_chain(build, CURVES[name], 0.14)
    built.compare(X)
    post = built.network.layers[0].post
    assert isinstance(post, Threshold)
    assert 5 < post.thresholds.shape[1] <= 64


@pytest.mark.parametrize("name", CURVES)
def test_a_curve_of_many_levels_is_refused_with_its_name(name: str, build: Build) -> None:
    text = (
        r"^\S+ 'curve': channel \d is a curve in front of a quantiser of \d+ levels, but thresholds make at most 65: "
        r"quantise it to fewer, or use ReLU, PReLU or RPReLU, which are straight lines$"
    )
    with pytest.raises(ModelError, match=text):
        build_chain(build, CURVES[name], 0.004)


@pytest.mark.parametrize("name", CURVES)
def test_a_curve_without_quantiser_is_refused_with_its_name(name: str, build: Build) -> None:
    with pytest.raises(ModelError, match=r"^\S+ 'curve': channel \d is not made of one or two straight lines, and no "):
        build_chain(build, CURVES[name], None)


@pytest.mark.parametrize("limits", [("null", "six"), ("", "six")])
def test_what_clips_inside_a_wide_quantiser_is_no_third_line(limits: tuple[str, str], build: Build) -> None:
    """ReLU6 in front of 8 bits that reach further: its flat end is the last code."""
    built = build_chain(build, [make_node("Clip", ["s", *limits], ["c"])], 0.02)
    post = built.network.layers[0].post
    assert isinstance(post, Affine)
    assert post.high == 65
    expected, found = float_outputs(built.model, X), interpret.logits(built.network, X)
    # a sum in a thousand rounds to the code beside the model's, and enters 20 outputs
    assert (np.abs(expected - found) > 0.01).mean() < 0.02
