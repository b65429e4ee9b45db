"""Networks that do not hold together, and layers of kinds that are refused by name."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from setun_compiler import CompileError, compile_network
from setun_compiler.network import Affine, Network, Residual, Threshold
from setun_hw.config import Config
from tests.compiler.small_network import network

CONFIG = Config(name="test", rows=4, lanes=4, strips=2, post=2, accumulator_bits=16)


@pytest.fixture
def net() -> Network:
    return network(np.ones((2, 2, 3, 3), int), (2, 6, 6), thresholds=[[0, 4]] * 2, codes=[[-1, 0, 1]] * 2)


def affine() -> Affine:
    one, zero = np.ones(2, np.int64), np.zeros(2, np.int64)
    fields: dict[str, Any] = dict.fromkeys(("m2", "r", "b", "pivot", "b0", "b1"), zero)
    return Affine(m=one, m0=one, m1=one, shift=0, shift1=0, low=-9, high=9, **fields)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"weights": None, "source": None},
            "layer 'layer': without weights it needs a residual operand in fixed point, and no input",
        ),
        (
            {"post": affine()},
            "layer 'layer': fixed-point results need affine, but configuration 'test' has none; 'resnet20' has it",
        ),
        ({"residual": Residual(source="x")}, "layer 'layer': a residual operand needs fixed-point post-processing"),
        ({"two_scale": True}, "layer 'layer': two scales need fixed-point post-processing"),
        ({"at": (0, 1, 0)}, r"layer 'layer': makes \(2, 4, 4\) elements, but 'y' has \(2, 4, 4\)"),
        ({"source": "q"}, "layer 'layer': its input 'q' is made by no earlier layer"),
        ({"source": "y"}, "layer 'layer': its input 'y' is made by no earlier layer"),
        ({"target": "x"}, "layer 'layer': its output 'x' is made twice or is no feature"),
        ({"groups": 2}, "layer 'layer': weights for 4 channels do not fit the 2 of 'x'"),
        ({"groups": 0}, "layer 'layer': weights for 0 channels do not fit the 2 of 'x'"),
        ({"stride": (0, 1)}, "layer 'layer': kernel, stride and dilation must be positive"),
        ({"stride": (2, 2)}, r"layer 'layer': makes \(2, 2, 2\) elements, but 'y' has \(2, 4, 4\)"),
        (
            {"post": Threshold(thresholds=np.array([[0, 4], [4, 0]]), codes=np.zeros((2, 3), int))},
            "layer 'layer': thresholds of channel 1 decrease",
        ),
        (
            {"post": Threshold(thresholds=np.zeros((1, 2), int), codes=np.zeros((1, 3), int))},
            r"layer 'layer': thresholds \(1, 2\) and codes \(1, 3\) do not fit 2 channels",
        ),
        (
            {"post": Threshold(thresholds=np.zeros((2, 1), int), codes=np.full((2, 2), 2))},
            "layer 'layer': codes 2 to 2 leave -1 to 1 of 'y'",
        ),
    ],
)
def test_layers_that_do_not_fit_are_refused(net: Network, changes: dict[str, Any], text: str) -> None:
    broken = replace(net, layers=(replace(net.layers[0], **changes),))
    with pytest.raises(CompileError, match=f"^{text}$"):
        compile_network(broken, CONFIG)


def test_network_without_layers_is_refused(net: Network) -> None:
    with pytest.raises(CompileError, match="^network 'small' has no layers$"):
        compile_network(replace(net, layers=()), CONFIG)


def test_output_that_no_layer_makes_is_refused(net: Network) -> None:
    with pytest.raises(CompileError, match="^output feature 'x' is made by no layer$"):
        compile_network(replace(net, output=replace(net.output, feature="x")), CONFIG)


def test_numbers_too_large_for_a_descriptor_name_the_layer() -> None:
    net = network(np.ones((1, 1, 1, 1), int), (1, 1, 600), stride=(1, 300), thresholds=[[0]], codes=[[0, 1]])
    text = "^layer 'layer': descriptor field col_step must be between 0 and 255, not 300$"
    with pytest.raises(CompileError, match=text):
        compile_network(net, CONFIG)


def test_raw_result_cannot_be_read_by_a_layer(net: Network) -> None:
    first = network(np.ones((2, 2, 3, 3), int), (2, 8, 8)).layers[0]
    features = {
        "x": replace(net.features["x"], rows=8, cols=8),
        "m": replace(net.features["x"], name="m"),
        "y": net.features["y"],
    }
    layers = (replace(first, name="first", target="m"), replace(net.layers[0], source="m"))
    port = replace(net.port, shape=(2, 8, 8))
    with pytest.raises(CompileError, match="^layer 'layer': its input 'm' leaves raw, which no layer can read$"):
        compile_network(replace(net, port=port, features=features, layers=layers), CONFIG)
