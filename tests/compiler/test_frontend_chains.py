"""Chains between linear operators, folded by evaluation: whatever the spelling, the integers equal the float model."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import NodeProto
from onnx.helper import make_node

from setun_compiler import interpret
from setun_compiler.frontend import ModelError
from setun_compiler.network import Raw, Threshold

Build = Callable[..., Any]
CHANNELS = 12


def weights(*shape: int, seed: int = 1) -> NDArray[np.float32]:
    values = np.random.default_rng(seed).integers(-1, 2, shape).astype(np.float32)
    values.reshape(shape[0], -1)[:, 0] = 1
    return values


def samples(*shape: int, seed: int = 2) -> NDArray[np.float32]:
    """Values on the grid k/256, so that onnxruntime's float32 sums are exact."""
    return (np.random.default_rng(seed).integers(0, 256, shape) / 256).astype(np.float32)


def batch_norm(seed: int = 3) -> dict[str, NDArray[np.float32]]:
    """Gains above, at and near 0; one variance of 0."""
    random = np.random.default_rng(seed)
    gamma = random.normal(0, 1, CHANNELS).astype(np.float32)
    gamma[:3] = (0, 1e-6, -1e-6)
    variance = random.uniform(0.1, 2, CHANNELS).astype(np.float32)
    variance[3] = 0
    return {
        "gamma": gamma,
        "beta": random.normal(0, 0.7, CHANNELS).astype(np.float32),
        "mean": random.normal(0, 0.5, CHANNELS).astype(np.float32),
        "variance": variance,
    }


NORM = make_node("BatchNormalization", ["s", "gamma", "beta", "mean", "variance"], ["n"])
GREATER = [
    make_node("Greater", ["n", "hi"], ["g"]),
    make_node("Cast", ["g"], ["gf"], to=1),
    make_node("Less", ["n", "lo"], ["l"]),
    make_node("Cast", ["l"], ["lf"], to=1),
    make_node("Sub", ["gf", "lf"], ["a"]),
]
WHERE = [
    make_node("Shape", ["n"], ["shape"]),
    make_node("ConstantOfShape", ["shape"], ["zeros"]),
    make_node("Expand", ["one", "shape"], ["ones"]),
    make_node("Neg", ["ones"], ["minus"]),
    make_node("GreaterOrEqual", ["n", "hi"], ["ge"]),
    make_node("LessOrEqual", ["n", "lo"], ["le"]),
    make_node("Where", ["le", "minus", "zeros"], ["w"]),
    make_node("Where", ["ge", "ones", "w"], ["a"]),
]
ROUND = [
    make_node("Clip", ["n", "minus_one", "one"], ["c"]),
    make_node("Round", ["c"], ["r"]),
    make_node("Sub", ["r", "c"], ["d"]),
    make_node("Add", ["c", "d"], ["a"]),
]
QDQ = [
    make_node("QuantizeLinear", ["n", "step", "zp"], ["q"]),
    make_node("DequantizeLinear", ["q", "step", "zp"], ["a"]),
]
TANH_SIGN = [make_node("Tanh", ["n"], ["t"]), make_node("Sign", ["t"], ["a"])]
RPRELU = [
    make_node("Sub", ["n", "shift"], ["p"]),
    make_node("PRelu", ["p", "slope"], ["pr"]),
    make_node("Add", ["pr", "lift"], ["pa"]),
    make_node("Clip", ["pa", "minus_one", "one"], ["c"]),
    make_node("Round", ["c"], ["a"]),
]
CHAINS: dict[str, list[NodeProto]] = {
    "greater-cast": GREATER,
    "where": WHERE,
    "clip-round": ROUND,
    "qdq": QDQ,
    "tanh-sign": TANH_SIGN,
    "rprelu": RPRELU,
}


def constants(seed: int = 5) -> dict[str, NDArray[Any]]:
    random = np.random.default_rng(seed)
    return {
        **batch_norm(),
        "hi": np.float32(0.6),
        "lo": np.float32(-0.3),
        "one": np.float32(1),
        "minus_one": np.float32(-1),
        "step": np.float32(0.5),
        "zp": np.int8(3),
        "shift": random.normal(0, 0.3, (CHANNELS, 1, 1)).astype(np.float32),
        "slope": random.normal(0, 0.8, (CHANNELS, 1, 1)).astype(np.float32),
        "lift": random.normal(0, 0.3, (CHANNELS, 1, 1)).astype(np.float32),
        "w1": weights(CHANNELS, 3, 3, 3),
        "w2": weights(5, CHANNELS, 3, 3, seed=8),
    }


def network_of(chain: list[NodeProto]) -> list[NodeProto]:
    return [
        make_node("Conv", ["x", "w1"], ["s"], name="first", pads=[1, 1, 1, 1]),
        NORM,
        *chain,
        make_node("Conv", ["a", "w2"], ["y"], name="second", strides=[2, 2], pads=[1, 0, 0, 1]),
    ]


@pytest.mark.parametrize("name", CHAINS)
def test_a_quantizer_in_any_spelling_equals_the_float_model(name: str, build: Build) -> None:
    built = build(network_of(CHAINS[name]), ["N", 3, 8, 7], constants(), input_range=(0, 255 / 256))
    first, second = built.network.layers
    assert isinstance(second.post, Raw)
    if name == "qdq":  # 256 levels are scaled, not compared; few sums get the code next to the model's
        (note,) = built.network.notes
        wrong, sums = (int(word) for word in note.split()[1:4:2])
        assert note.endswith(" sums get another code than in the model's quantiser, by at most 1")
        assert wrong < 0.01 * sums
        return
    built.compare(samples(20, 3, 8, 7))
    assert isinstance(first.post, Threshold)
    assert first.post.thresholds.shape[1] <= {"rprelu": 4}.get(name, 2)


def test_negative_gains_negate_the_weights_so_codes_rise(build: Build) -> None:
    built = build(network_of(GREATER), ["N", 3, 8, 7], constants(), input_range=(0, 255 / 256))
    layer = built.network.layers[0]
    gamma, original = constants()["gamma"], constants()["w1"]
    used = np.abs(gamma) > 1e-3
    np.testing.assert_array_equal(
        layer.weights[used], (original * np.sign(gamma)[:, None, None, None])[used].astype(int)
    )
    assert (np.diff(layer.post.codes, axis=1) >= 0).all()


def test_gain_zero_is_a_constant_channel(build: Build) -> None:
    built = build(network_of(GREATER), ["N", 3, 8, 7], constants(), input_range=(0, 255 / 256))
    codes = built.network.layers[0].post.codes
    assert len(set(codes[0].tolist())) == 1
    beta = constants()["beta"][0]
    assert codes[0, 0] == (1 if beta > 0.6 else -1 if beta < -0.3 else 0)


def test_a_negative_rprelu_slope_gives_codes_that_rise_and_fall(build: Build) -> None:
    built = build(network_of(RPRELU), ["N", 3, 8, 7], constants(), input_range=(0, 255 / 256))
    change = np.diff(built.network.layers[0].post.codes, axis=1)
    assert ((change > 0).any(axis=1) & (change < 0).any(axis=1)).any()


@pytest.mark.parametrize(
    ("op", "limit", "threshold"),
    [("Greater", 1.0, 3), ("GreaterOrEqual", 1.0, 2), ("Greater", 0.75, 2), ("GreaterOrEqual", 0.75, 2)],
)
def test_equality_at_the_threshold_lands_on_the_right_integer(
    op: str, limit: float, threshold: int, build: Build
) -> None:
    """sums are multiples of 0.5, so 1.0 is reached exactly by the sum 2."""
    nodes = [
        make_node("MatMul", ["x", "w"], ["s"]),
        make_node(op, ["s", "limit"], ["g"]),
        make_node("Cast", ["g"], ["a"], to=1),
        make_node("MatMul", ["a", "v"], ["y"]),
    ]
    values = {"w": np.full((8, 1), 0.5, np.float32), "limit": np.float32(limit), "v": np.ones((1, 1), np.float32)}
    built = build(nodes, ["N", 8], values, input_range=(0, 255))
    np.testing.assert_array_equal(built.network.layers[0].post.thresholds, [[threshold]])


@pytest.mark.parametrize(("tie", "rounded"), [(1, 0), (3, 2), (5, 2), (7, 4)])
def test_round_half_even_at_exact_ties(tie: int, rounded: int, build: Build) -> None:
    """0.5*sum lies half way for odd sums."""
    nodes = [
        make_node("MatMul", ["x", "w"], ["s"]),
        make_node("Round", ["s"], ["a"]),
        make_node("MatMul", ["a", "v"], ["y"]),
    ]
    values = {"w": np.full((2, 1), 0.5, np.float32), "v": np.ones((1, 1), np.float32)}
    built = build(nodes, ["N", 2], values, calibration=np.arange(9, dtype=np.float32))
    post = built.network.layers[0].post
    level = int((post.thresholds[0] <= tie).sum())
    assert post.codes[0, level] == rounded


def test_thresholds_that_no_sum_reaches_are_left_out(build: Build) -> None:
    values = {**constants(), "hi": np.float32(1e6), "lo": np.float32(-1e6)}
    built = build(network_of(GREATER), ["N", 3, 8, 7], values, input_range=(0, 255 / 256))
    assert built.network.layers[0].post.thresholds.shape[1] == 0


@pytest.mark.parametrize("domain", ["onnx.brevitas", "finn.custom_op.general", "qonnx.custom_op.general"])
@pytest.mark.parametrize(
    ("signed", "narrow", "bits", "mode", "low", "high"),
    [(1, 1, 2, "ROUND", -1, 1), (1, 0, 2, "FLOOR", -2, 1), (0, 0, 2, "CEIL", 0, 3), (0, 1, 3, "ROUND", 0, 6)],
)
def test_quant_nodes_in_every_domain(
    domain: str, signed: int, narrow: int, bits: int, mode: str, low: int, high: int, build: Build
) -> None:
    quant = make_node(
        "Quant", ["s", "scale", "z", "bits"], ["a"], domain=domain, signed=signed, narrow=narrow, rounding_mode=mode
    )
    nodes = [make_node("MatMul", ["x", "w"], ["s"]), quant, make_node("MatMul", ["a", "v"], ["y"])]
    values = {
        "w": weights(CHANNELS, 16).T.copy(),
        "v": np.ones((CHANNELS, 1), np.float32),
        "scale": np.float32(0.5),
        "z": np.float32(0),
        "bits": np.float32(bits),
    }
    built = build(nodes, ["N", 16], values, input_range=(0, 255 / 64))
    feature = built.network.features[built.network.layers[1].source]
    assert (feature.low, feature.high) == (low, high)
    rounding = {"ROUND": np.rint, "FLOOR": np.floor, "CEIL": np.ceil}[mode]
    x = (np.random.default_rng(0).integers(0, 256, (30, 16)) / 64).astype(np.float32)
    expected = rounding(np.clip(x @ values["w"] / 0.5, low, high)) * 0.5 @ values["v"]
    np.testing.assert_allclose(interpret.logits(built.network, x), expected)


def test_bipolar_quant_gives_minus_and_plus_one(build: Build) -> None:
    nodes = [
        make_node("MatMul", ["x", "w"], ["s"]),
        make_node("BipolarQuant", ["s", "scale"], ["a"], domain="qonnx.custom_op.general"),
        make_node("MatMul", ["a", "v"], ["y"]),
    ]
    values = {
        "w": weights(CHANNELS, 16).T.copy(),
        "v": np.ones((CHANNELS, 1), np.float32),
        "scale": np.float32(0.25),
    }
    built = build(nodes, ["N", 16], values)
    post = built.network.layers[0].post
    assert set(post.codes.ravel().tolist()) == {-1, 1}
    np.testing.assert_array_equal(post.thresholds, np.zeros((CHANNELS, 1)))


def test_levels_on_a_shifted_grid_fold_their_offset_into_the_next_bias(build: Build) -> None:
    """Activations 0.3 and 0.7: codes 0 and 1, the offset is the next layer's bias."""
    nodes = [
        make_node("MatMul", ["x", "w"], ["s"]),
        make_node("Greater", ["s", "zero"], ["g"]),
        make_node("Where", ["g", "b", "a"], ["t"]),
        make_node("MatMul", ["t", "v"], ["y"]),
    ]
    values = {
        "w": weights(CHANNELS, 16).T.copy(),
        "v": weights(4, CHANNELS, seed=4).T.copy(),
        "zero": np.float32(1),
        "a": np.float32(0.31234567),
        "b": np.float32(0.7183),
    }
    built = build(nodes, ["N", 16], values, input_range=(0, 255 / 256))
    built.compare(samples(20, 16))
    assert set(built.network.layers[0].post.codes.ravel().tolist()) == {0, 1}


def test_padding_reads_as_the_code_of_zero(build: Build) -> None:
    """Activations 1, 2 and 3 become one trit; zero padding is then the code -2."""
    nodes = [
        make_node("Conv", ["x", "w1"], ["s"], pads=[1, 1, 1, 1]),
        make_node("Clip", ["s", "minus", "one"], ["c"]),
        make_node("Round", ["c"], ["r"]),
        make_node("Add", ["r", "two"], ["a"]),
        make_node("Conv", ["a", "w2"], ["y"], pads=[1, 1, 1, 1]),
    ]
    values = {**constants(), "minus": np.float32(-1), "two": np.float32(2)}
    built = build(nodes, ["N", 3, 6, 6], values, input_range=(0, 255 / 256))
    layer = built.network.layers[1]
    assert layer.pad_value == -2
    assert (built.network.features[layer.source].low, built.network.features[layer.source].high) == (-1, 1)
    built.compare(samples(10, 3, 6, 6))


def test_an_activation_that_is_no_lines_is_refused_with_node_and_channel(build: Build) -> None:
    nodes = [
        make_node("MatMul", ["x", "w"], ["s"]),
        make_node("Tanh", ["s"], ["a"], name="act\n1"),
        make_node("MatMul", ["a", "v"], ["y"]),
    ]
    values = {"w": weights(CHANNELS, 16).T.copy(), "v": np.ones((CHANNELS, 1), np.float32)}
    with pytest.raises(ModelError, match=r"^Tanh 'act\\x0a1': channel \d+ is not made of one or two straight lines, "):
        build(nodes, ["N", 16], values)


def test_a_chain_that_divides_by_zero_is_refused(build: Build) -> None:
    nodes = [
        make_node("MatMul", ["x", "w"], ["s"]),
        make_node("Reciprocal", ["s"], ["r"]),
        make_node("Sign", ["r"], ["a"]),
        make_node("Log", ["a"], ["b"], name="log"),
        make_node("MatMul", ["b", "v"], ["y"]),
    ]
    values = {"w": weights(CHANNELS, 16).T.copy(), "v": np.ones((CHANNELS, 1), np.float32)}
    with pytest.raises(ModelError, match=r"^Log 'log': channel 0 reaches a value that is not a finite number$"):
        build(nodes, ["N", 16], values)


def test_trailing_scale_and_bias_fold_into_the_output(build: Build) -> None:
    nodes = [
        make_node("MatMul", ["x", "w"], ["s"]),
        make_node("Sub", ["s", "mean"], ["m"]),
        make_node("Div", ["m", "spread"], ["d"]),
        make_node("Mul", ["d", "gain"], ["g"]),
        make_node("Add", ["g", "shift"], ["y"]),
    ]
    random = np.random.default_rng(0)
    values: dict[str, Any] = {key: random.normal(0, 1, 6).astype(np.float32) for key in ("mean", "gain", "shift")}
    values |= {"w": weights(6, 16).T.copy() * np.float32(0.37), "spread": np.float32(1.7)}
    built = build(nodes, ["N", 16], values, input_range=(0, 255 / 256))
    built.compare(samples(20, 16))
    assert (built.network.layers[0].post.scale > 0).all()


def test_a_quantised_output_leaves_through_an_identity_layer(build: Build) -> None:
    nodes = [
        make_node("MatMul", ["x", "w"], ["s"]),
        make_node("Sub", ["s", "four"], ["t"]),
        make_node("Sign", ["t"], ["u"]),
        make_node("Mul", ["u", "half"], ["y"]),
    ]
    values = {"w": weights(6, 16).T.copy(), "four": np.float32(1.3), "half": np.float32(0.5)}
    built = build(nodes, ["N", 16], values, input_range=(0, 255 / 256))
    built.compare(samples(20, 16))
    assert len(built.network.layers) == 2


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
def test_softmax_at_the_end_is_left_to_the_host_with_a_note(op: str, build: Build) -> None:
    nodes = [make_node("MatMul", ["x", "w"], ["s"]), make_node(op, ["s"], ["y"], name="probabilities")]
    built = build(nodes, ["N", 16], {"w": weights(6, 16).T.copy()})
    assert built.network.notes[0].startswith(f"{op} 'probabilities' at the end is left to the host")
    assert built.network.output.shape == (6,)
