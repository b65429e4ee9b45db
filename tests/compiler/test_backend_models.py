"""Trained networks compiled for real configurations: the program's floats are the network's."""

import dataclasses
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from setun_compiler import compile_model, compile_network, host, interpret
from setun_compiler.backend.check_program import descriptors
from setun_compiler.frontend import read
from setun_compiler.program import Program
from setun_hw import presets
from setun_hw.config import Encoding
from setun_hw.descriptor import Opcode, Transfer
from setun_hw.external import transfer_beats
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
    """``tiny`` holds a part of the first layer's map only, and of the input."""
    samples = model_data("tnn_vgg_mnist", "test256.npz")["x"][:1]
    network = read(model_path("tnn_vgg_mnist", "frozen_dynamo.onnx"), input_range=(0, 1))
    program = compile_network(network, presets.config("tiny"))
    assert sum(isinstance(d, Transfer) and d.lines for d in descriptors(program)[1]) > 1
    output = np.frombuffer(golden.run(program, host.encode(program, samples)[0].tobytes()), np.uint8)
    floats = host.decode(program, output[None], 1)
    np.testing.assert_allclose(floats, interpret.logits(network, samples), rtol=1e-12, atol=1e-9)


#: one array, so that it equals itself
FLOATS = np.zeros(0)


def without_names(program: Program) -> Program:
    """The program but for what the files call things, and for the floats around it, which they round differently."""
    return dataclasses.replace(
        program, name="", source_hash="", placements=(),
        input=dataclasses.replace(program.input, name=""),
        output=dataclasses.replace(program.output, name="", scale=FLOATS, bias=FLOATS),
        layers=tuple(dataclasses.replace(layer, name="") for layer in program.layers),
    )  # fmt: skip


@pytest.mark.parametrize("encoding", list(Encoding))
@pytest.mark.parametrize(
    ("folder", "files"),
    [
        ("tnn_vgg_mnist", ("frozen_dynamo", "frozen_legacy", "qat_legacy")),
        ("digits_mlp", ("frozen_dynamo", "frozen_legacy", "qat_dynamo", "qat_legacy")),
        ("brevitas_tnn_mnist", ("qonnx", "qonnx_legacy")),
    ],
)
def test_all_files_of_a_network_make_the_same_program(
    folder: str, files: tuple[str, ...], encoding: Encoding, model_path: ModelPath
) -> None:
    """The same descriptors, weights and parameters, byte for byte."""
    config = presets.config("small").replace(encoding=encoding, packed_weights=False)
    first, *others = (compile_model(model_path(folder, f"{file}.onnx"), config, input_range=(0, 1)) for file in files)
    for other in others:
        assert other.image == first.image
        assert without_names(other) == without_names(first)
        np.testing.assert_allclose(other.output.scale, first.output.scale, rtol=1e-6)
        np.testing.assert_allclose(other.output.bias, first.output.bias, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("folder", "files"),
    [
        ("ttq_cnn_mnist", ("frozen_dynamo", "frozen_legacy")),
        (
            "twn_lenet_mnist",
            ("frozen_dynamo", "frozen_legacy", "frozen_keepbn_dynamo", "frozen_keepbn_legacy", "qat_legacy"),
        ),
    ],
)
def test_files_of_a_network_with_real_values_differ_in_coefficients_only(
    folder: str, files: tuple[str, ...], model_path: ModelPath
) -> None:
    """The exporters fold batch-norms in float32, so a coefficient may be rounded to its neighbour."""
    config = presets.config("ttq")
    programs = [compile_model(model_path(folder, f"{file}.onnx"), config, input_range=(0, 1)) for file in files]
    first = programs[0]
    coefficients = np.zeros(len(first.image), bool)
    for transfer in chain(*descriptors(first)):
        if transfer.opcode is Opcode.LOAD_PARAMETERS:
            assert isinstance(transfer, Transfer)
            size = transfer_beats(config, transfer) * config.axi_data_bits // 8
            coefficients[transfer.offset : transfer.offset + size] = True
    assert 0 < coefficients.sum() < coefficients.size
    for other in programs[1:]:
        assert len(other.image) == len(first.image)
        differs = np.frombuffer(other.image, np.uint8) != np.frombuffer(first.image, np.uint8)
        assert not differs[~coefficients].any()
        assert differs.sum() <= 32


def test_compiling_takes_less_than_three_seconds(model_path: ModelPath) -> None:
    start = time.perf_counter()
    compile_model(model_path("tnn_vgg_mnist", "qat_legacy.onnx"), presets.config("small"))
    assert time.perf_counter() - start < 3
