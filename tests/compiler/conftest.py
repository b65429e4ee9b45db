"""Small ONNX models built by hand, read by the front end and compared with onnxruntime."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from setun_compiler import interpret
from setun_compiler.frontend import read
from setun_compiler.network import Network

Array = NDArray[Any]


def float_outputs(model: onnx.ModelProto | str, x: Array) -> Array:
    """What onnxruntime computes, one sample at a time, without graph optimisation."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    source = model if isinstance(model, str) else model.SerializeToString()
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: sample[None]})[0] for sample in x])


@dataclass(frozen=True)
class Built:
    """A model, its file and what the front end made of it."""

    model: onnx.ModelProto
    path: Path
    network: Network

    def compare(self, x: Array, tolerance: float = 1e-5) -> None:
        """The network's floats equal onnxruntime's."""
        expected = float_outputs(self.model, x)
        found = interpret.logits(self.network, x)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * max(1.0, np.abs(expected).max()))


def make_model(
    nodes: Sequence[onnx.NodeProto],
    shape: Sequence[int | str],
    constants: dict[str, Array],
    *,
    opset: int = 17,
    output: str = "y",
    dtype: int = onnx.TensorProto.FLOAT,
) -> onnx.ModelProto:
    """A model of one input ``x`` and one output."""
    domains = {node.domain for node in nodes} - {""}
    graph = helper.make_graph(
        list(nodes),
        "test",
        [helper.make_tensor_value_info("x", dtype, list(shape))],
        [helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in sorted(domains))]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """``save(nodes, shape, constants, ...)``: the path of a model made by ``make_model``; or ``save(model)``."""

    def write(*arguments: Any, **options: Any) -> Path:
        model = arguments[0] if isinstance(arguments[0], onnx.ModelProto) else make_model(*arguments, **options)
        path = tmp_path / "model.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    return write


@pytest.fixture
def build(save: Callable[..., Path]) -> Callable[..., Built]:
    """``build(nodes, shape, constants, input_range=..., ...)``: a model that was read."""

    def make(
        nodes: Sequence[onnx.NodeProto],
        shape: Sequence[int | str],
        constants: dict[str, Array],
        *,
        input_range: tuple[float, float] | None = None,
        calibration: Array | None = None,
        **options: Any,
    ) -> Built:
        model = make_model(nodes, shape, constants, **options)
        path = save(model)
        network = read(path, input_range=input_range, calibration=calibration)
        return Built(model, path, network)

    return make


def trits(seed: int, *shape: int) -> Array:
    """Random ternary float32 weights, not all zero in any output channel."""
    random = np.random.default_rng(seed)
    values = random.integers(-1, 2, shape).astype(np.float32)
    values.reshape(shape[0], -1)[:, 0] = 1
    return values
