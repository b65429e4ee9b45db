"""Trained networks compiled for real configurations: the program's floats are the network's."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from setun_compiler import compile_model, compile_network, host, interpret
from setun_compiler.frontend import read
from setun_hw import presets
from setun_hw.config import Encoding
from setun_sim import golden

ModelPath = Callable[[str, str], Path]
ModelData = Callable[[str, str], dict[str, NDArray[Any]]]


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("preset", ["tiny", "small", "ice40"])
@pytest.mark.parametrize(
    ("folder", "file", "data"),
    [
        ("digits_mlp", "frozen_legacy.onnx", "test256.npz"),
        ("tfc_2w2a_mnist", "TFC_2W2A.onnx", "TFC_2W2A_mnist400.npz"),
    ],
)
def test_golden_floats_equal_the_networks(
    folder: str, file: str, data: str, preset: str, encoding: Encoding, model_path: ModelPath, model_data: ModelData
) -> None:
    arrays = model_data(folder, data)
    samples = arrays["x"][:2] if "x" in arrays else (arrays["x_u8"][:2, None] / 255).astype(np.float32)
    network = read(model_path(folder, file))
    program = compile_network(network, presets.config(preset).replace(encoding=encoding))
    regions = host.encode(program, samples)
    outputs = [np.frombuffer(golden.run(program, region.tobytes()), np.uint8) for region in regions]
    floats = host.decode(program, np.stack(outputs), len(samples))
    np.testing.assert_allclose(floats, interpret.logits(network, samples), rtol=1e-12, atol=1e-9)


def test_convolutional_network_in_bands_of_a_small_memory(model_path: ModelPath, model_data: ModelData) -> None:
    """``tiny`` holds a part of the first layer's map only."""
    samples = model_data("tnn_vgg_mnist", "test256.npz")["x"][:1]
    network = read(model_path("tnn_vgg_mnist", "frozen_dynamo.onnx"), input_range=(0, 1))
    program = compile_network(network, presets.config("tiny"))
    assert program.scratch_bytes > 0
    output = np.frombuffer(golden.run(program, host.encode(program, samples)[0].tobytes()), np.uint8)
    floats = host.decode(program, output[None], 1)
    np.testing.assert_allclose(floats, interpret.logits(network, samples), rtol=1e-12, atol=1e-9)


def test_all_files_of_a_network_make_the_same_program(model_path: ModelPath) -> None:
    files = ["frozen_dynamo.onnx", "frozen_legacy.onnx", "qat_legacy.onnx"]
    images = {compile_model(model_path("tnn_vgg_mnist", file), presets.config("small")).image for file in files}
    assert len(images) == 1


def test_compiling_takes_less_than_three_seconds(model_path: ModelPath) -> None:
    start = time.perf_counter()
    compile_model(model_path("tnn_vgg_mnist", "qat_legacy.onnx"), presets.config("small"))
    assert time.perf_counter() - start < 3
