"""The trained networks: integers against the float models, and one network from every spelling."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from setun_compiler import interpret
from setun_compiler.frontend import ModelError, read
from setun_compiler.network import Affine, Layer, Network, Raw, Threshold

Paths = Callable[[str, str], Path]
Data = Callable[[str, str], dict[str, NDArray[Any]]]

VGG = ("frozen_legacy.onnx", "frozen_dynamo.onnx", "qat_legacy.onnx")
DIGITS = ("frozen_legacy.onnx", "frozen_dynamo.onnx", "qat_legacy.onnx", "qat_dynamo.onnx")
BREVITAS = ("qonnx.onnx", "qonnx_legacy.onnx")
ACT8 = ("frozen_act8_legacy.onnx", "frozen_act8_dynamo.onnx")


def assert_float_link(network: Network, x: NDArray[Any], logits: NDArray[Any]) -> None:
    found = interpret.logits(network, x)
    assert int((found.argmax(axis=1) != logits.argmax(axis=1)).sum()) == 0
    np.testing.assert_allclose(found, logits, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("file", VGG)
def test_tnn_vgg_equals_the_float_model_on_all_images(file: str, model_path: Paths, model_data: Data) -> None:
    data = model_data("tnn_vgg_mnist", "test256.npz")
    network = read(model_path("tnn_vgg_mnist", file))
    assert len(data["x"]) == 256
    assert_float_link(network, data["x"], data["logits"])


@pytest.mark.parametrize("file", VGG)
def test_tnn_vgg_accumulators_and_activations_equal_the_reference(
    file: str, model_path: Paths, model_data: Data
) -> None:
    reference = model_data("tnn_vgg_mnist", "layers16.npz")
    network = read(model_path("tnn_vgg_mnist", file))
    results = interpret.run(network, interpret.quantize(network, reference["x"]))
    names = [layer.name for layer in network.layers]
    # all batch-norm gains of this network are positive, so no channel's sums are negated
    for name, stage in zip(names, ("c1", "c2", "c3", "c4", "f1", "f2"), strict=True):
        expected = reference[f"acc.{stage}"]
        np.testing.assert_array_equal(results[name].sums.reshape(expected.shape), expected)
    for name, stage in zip(names, ("a1", "a2", "c3", "a4", "a5"), strict=False):
        if stage == "c3":
            continue  # pooled on the way out here; its activations below
        expected = reference[f"act.{stage}"]
        np.testing.assert_array_equal(results[name].output.reshape(expected.shape), expected)
    a3 = reference["act.a3"]
    pooled = a3.reshape(16, 32, 7, 2, 7, 2).max(axis=(3, 5))
    np.testing.assert_array_equal(results[names[2]].output, pooled)


@pytest.mark.parametrize("file", DIGITS)
def test_digits_equal_the_float_model(file: str, model_path: Paths, model_data: Data) -> None:
    data = model_data("digits_mlp", "test256.npz")
    network = read(model_path("digits_mlp", file), calibration=data["x"])
    assert network.port.scale == 1 / 16
    assert (network.features[network.port.feature].low, network.features[network.port.feature].high) == (0, 16)
    assert_float_link(network, data["x"], data["logits"])


@pytest.mark.parametrize("file", BREVITAS)
def test_brevitas_equals_the_float_model(file: str, model_path: Paths, model_data: Data) -> None:
    data = model_data("brevitas_tnn_mnist", "test256.npz")
    network = read(model_path("brevitas_tnn_mnist", file))
    assert network.port.saturate
    assert network.notes == ()
    assert_float_link(network, data["x"], data["logits"])


def test_tfc_equals_the_float_model(model_path: Paths, model_data: Data) -> None:
    data = model_data("tfc_2w2a_mnist", "TFC_2W2A_mnist400.npz")
    network = read(model_path("tfc_2w2a_mnist", "TFC_2W2A.onnx"))
    feature = network.features[network.port.feature]
    assert (feature.low, feature.high, set(network.port.table)) == (-1, 1, {-1, 0, 1})
    assert_float_link(network, (data["x_u8"] / 255).astype(np.float32)[:, None], data["logits"])


def assert_same_post(a: Layer, b: Layer) -> None:
    if isinstance(a.post, Threshold):
        assert isinstance(b.post, Threshold)
        np.testing.assert_array_equal(a.post.thresholds, b.post.thresholds)
        np.testing.assert_array_equal(a.post.codes, b.post.codes)
    else:
        assert isinstance(a.post, Raw)
        assert isinstance(b.post, Raw)
        # the files store these numbers in float32, rounded at different places
        np.testing.assert_allclose(a.post.scale, b.post.scale, rtol=1e-6)
        np.testing.assert_allclose(a.post.bias, b.post.bias, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("folder", "files"),
    [
        ("tnn_vgg_mnist", VGG),
        ("digits_mlp", DIGITS),
        ("brevitas_tnn_mnist", BREVITAS),
    ],
)
def test_all_spellings_give_one_network(folder: str, files: tuple[str, ...], model_path: Paths) -> None:
    first, *others = (read(model_path(folder, file)) for file in files)
    for other in others:
        assert len(other.layers) == len(first.layers)
        assert [f.shape for f in other.features.values()] == [f.shape for f in first.features.values()]
        for a, b in zip(first.layers, other.layers, strict=True):
            for field in dataclasses.fields(Layer):
                if field.name not in ("name", "source", "target", "post"):
                    np.testing.assert_equal(getattr(a, field.name), getattr(b, field.name))
            ranges = [
                (net.features[layer.target].low, net.features[layer.target].high)
                for net, layer in ((first, a), (other, b))
            ]
            assert ranges[0] == ranges[1]
            assert_same_post(a, b)
        ours, theirs = (dataclasses.replace(net.port, name="") for net in (first, other))
        assert ours == theirs


@pytest.mark.parametrize("file", ACT8)
def test_spellings_with_8_bit_activations_agree_up_to_float32_rounding(file: str, model_path: Paths) -> None:
    first, other = read(model_path("twn_lenet_mnist", ACT8[0])), read(model_path("twn_lenet_mnist", file))
    for a, b in zip(first.layers, other.layers, strict=True):
        np.testing.assert_array_equal(a.weights, b.weights)
        if isinstance(a.post, Affine):
            assert isinstance(b.post, Affine)
            # a fused batch-norm is rounded to float32 once more
            np.testing.assert_allclose(a.post.m, b.post.m, atol=1)
            np.testing.assert_allclose(a.post.b, b.post.b, rtol=1e-5)


def test_tnn_vgg_is_read_in_well_under_three_seconds(model_path: Paths) -> None:
    begin = time.perf_counter()
    read(model_path("tnn_vgg_mnist", "qat_legacy.onnx"))
    assert time.perf_counter() - begin < 1.5


TWN = ("frozen_legacy.onnx", "frozen_dynamo.onnx", "frozen_keepbn_legacy.onnx", "frozen_keepbn_dynamo.onnx")


@pytest.mark.parametrize(
    ("folder", "file"),
    [("twn_lenet_mnist", file) for file in (*TWN, "qat_legacy.onnx", *ACT8)]
    + [("ttq_cnn_mnist", file) for file in ("frozen_legacy.onnx", "frozen_dynamo.onnx")],
)
def test_real_valued_networks_rank_as_the_float_model_does(
    folder: str, file: str, model_path: Paths, model_data: Data
) -> None:
    data = model_data(folder, "test256_act8.npz" if file in ACT8 else "test256.npz")
    network = read(model_path(folder, file), calibration=data["x"][:32])
    found = interpret.logits(network, data["x"])
    assert len(found) == 256
    assert (found.argmax(axis=1) == data["logits"].argmax(axis=1)).sum() >= 255
    accuracy, expected = ((top.argmax(axis=1) == data["label"]).mean() for top in (found, data["logits"]))
    assert abs(accuracy - expected) <= 0.002
    assert np.abs(found - data["logits"]).max() < 0.05 * np.abs(data["logits"]).max()
    assert any(layer.two_scale for layer in network.layers) == (folder == "ttq_cnn_mnist")


def test_float_layers_can_be_refused(model_path: Paths) -> None:
    with pytest.raises(ModelError, match=r"^Conv '/conv1/Conv': output channel 0 has 9 different weights"):
        read(model_path("ttq_cnn_mnist", "frozen_legacy.onnx"), float_layers="refuse")
