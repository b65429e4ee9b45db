"""Damaged and hostile model files: each is refused with one printable sentence, and nothing huge is allocated."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.helper import make_node

from setun_compiler.frontend import ModelError, read
from setun_hw.errors import SetunError

Save = Callable[..., Path]
W = np.eye(4, dtype=np.float32)
MATMUL = make_node("MatMul", ["x", "w"], ["y"], name="fc")


def refused(path: Path, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence) as caught:
        read(path)
    assert str(caught.value).isprintable()


def with_external(save: Save, location: str, offset: int = 0, length: int = 64, dims: tuple[int, ...] = (4, 4)) -> Path:
    path = save([MATMUL], ["N", 4], {})
    model = onnx.load(path)
    tensor = model.graph.initializer.add(
        name="w", data_type=TensorProto.FLOAT, dims=dims, data_location=TensorProto.EXTERNAL
    )
    for key, value in (("location", location), ("offset", str(offset)), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)
    path.write_bytes(model.SerializeToString())
    return path


def test_external_data_beside_the_model_is_read_and_hashed(save: Save, tmp_path: Path) -> None:
    (tmp_path / "w.data").write_bytes(b"12345678" + W.tobytes())
    first = read(with_external(save, "w.data", 8))
    np.testing.assert_array_equal(first.layers[0].weights.reshape(4, 4), W.T)
    (tmp_path / "w.data").write_bytes(b"12345679" + W.tobytes())
    assert read(with_external(save, "w.data", 8)).source_hash != first.source_hash


@pytest.mark.parametrize(
    "location", ["../w.data", "/etc/passwd", "sub/w.data", "..", ".", "", "a\\b", "C:w", "w\0.data", "w\n.data"]
)
def test_external_data_elsewhere_is_refused(location: str, save: Save, tmp_path: Path) -> None:
    (tmp_path.parent / "w.data").write_bytes(W.tobytes())
    refused(with_external(save, location), r"^external data of 'w': .* is not a plain file name beside the model$")


def test_external_data_through_a_link_is_refused(save: Save, tmp_path: Path) -> None:
    (tmp_path / "real.data").write_bytes(W.tobytes())
    (tmp_path / "link.data").symlink_to(tmp_path / "real.data")
    refused(with_external(save, "link.data"), r"^external data of 'w': 'link.data' is a link$")


@pytest.mark.parametrize(
    ("offset", "length", "dims", "sentence"),
    [
        (0, 64, (4, 4), r"bytes 0 to 64 do not lie in 'w.data' of 60 bytes$"),
        (-4, 64, (4, 4), r"bytes -4 to 60 do not lie in"),
        (0, 60, (4, 4), r"the tensor needs 64 bytes, but the length given is 60$"),
        (0, 1 << 40, (1 << 19, 1 << 19), r"274877906944 elements, but a tensor may have at most"),
    ],
)
def test_external_data_that_does_not_fit_is_refused(
    offset: int, length: int, dims: tuple[int, ...], sentence: str, save: Save, tmp_path: Path
) -> None:
    (tmp_path / "w.data").write_bytes(W.tobytes()[:60])
    refused(with_external(save, "w.data", offset, length, dims), sentence)


def test_a_missing_external_file_is_named(save: Save) -> None:
    refused(with_external(save, "gone.data"), r"^external data of 'w': 'gone.data' No such file or directory$")


HUGE = np.array([1 << 20, 1 << 20])
BOMBS = {
    "ConstantOfShape": ([make_node("ConstantOfShape", ["shape"], ["b"], name="bomb")], {"shape": HUGE}),
    "Expand": ([make_node("Expand", ["one", "shape"], ["b"], name="bomb")], {"shape": HUGE, "one": np.float32(1)}),
    "Tile": (
        [make_node("Tile", ["m", "shape"], ["b"], name="bomb")],
        {"shape": HUGE, "m": np.ones((1, 1), np.float32)},
    ),
    "Range": (
        [make_node("Range", ["start", "end", "step"], ["b"], name="bomb")],
        {"start": np.float32(0), "end": np.float32(1e12), "step": np.float32(1)},
    ),
    "Pad": (
        [make_node("Pad", ["m", "pads"], ["b"], name="bomb")],
        {"m": np.ones((1, 1), np.float32), "pads": np.array([1 << 20, 1 << 20, 0, 0])},
    ),
    "Add": (
        [make_node("Add", ["m", "n"], ["b"], name="bomb")],
        {"m": np.ones((1 << 14, 1), np.float32), "n": np.ones((1, 1 << 14), np.float32)},
    ),
    "MatMul": (
        [make_node("MatMul", ["m", "n"], ["b"], name="bomb")],
        {"m": np.ones((1 << 14, 1), np.float32), "n": np.ones((1, 1 << 14), np.float32)},
    ),
    "Gather": (
        [make_node("Gather", ["m", "i"], ["b"], name="bomb")],
        {"m": np.ones((1, 1 << 14), np.float32), "i": np.zeros(1 << 14, np.int64)},
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_results_too_large_to_fold_are_predicted(name: str, save: Save) -> None:
    nodes, values = BOMBS[name]
    path = save([*nodes, make_node("MatMul", ["x", "b"], ["y"])], ["N", 4], values)
    tracemalloc.start()
    try:
        refused(path, rf"^{name} 'bomb': its result would have [\dx]+ elements; a tensor may have at most 67108864$")
        assert tracemalloc.get_traced_memory()[1] < 1 << 26
    finally:
        tracemalloc.stop()


ONE = np.ones((1, 1, 1, 1), np.float32)
LARGE = {
    "input": ([make_node("Conv", ["x", "w"], ["y"])], ["N", 1, 1 << 20, 1 << 20], {"w": ONE}, r"^input 'x': its "),
    "convolution": (
        [make_node("Conv", ["x", "w"], ["y"], name="c", pads=[1000] * 4)], ["N", 1, 4, 4],
        {"w": np.ones((1000, 1, 1, 1), np.float32)}, r"^layer 'c' would make 4016016000 elements, more than",
    ),
    "maximum": (
        [make_node("MaxPool", ["x"], ["y"], name="p", kernel_shape=[1000, 1000], pads=[999] * 4)], ["N", 60000, 1, 1],
        {}, r"^layer 'p' would make 60000000000 elements, more than",
    ),
    "average": (
        [
            make_node(
                "AveragePool", ["x"], ["y"], name="p", kernel_shape=[1000, 1000], pads=[999] * 4, count_include_pad=1
            )
        ],
        ["N", 60000, 1, 1], {}, r"^AveragePool 'p': its result would have 60000x1x1000x1000 elements",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LARGE)
def test_maps_too_large_for_one_sample_are_refused_before_they_are_made(name: str, save: Save) -> None:
    nodes, shape, values, sentence = LARGE[name]
    path = save(nodes, shape, values)
    tracemalloc.start()
    try:
        refused(path, sentence)
        assert tracemalloc.get_traced_memory()[1] < 1 << 26
    finally:
        tracemalloc.stop()


def test_a_doubling_chain_of_constants_runs_out_of_budget(save: Save) -> None:
    nodes = [make_node("Expand", ["one", "shape"], ["b0"])]
    nodes += [make_node("Neg", [f"b{i}"], [f"b{i + 1}"]) for i in range(40)]
    values = {"one": np.float32(1), "shape": np.array([1 << 12, 1 << 13])}
    path = save([*nodes, make_node("MatMul", ["x", "b40"], ["y"])], ["N", 4096], values)
    refused(path, r"^the model's constant operators make more than \d+ elements$")


def test_a_graph_of_fifty_thousand_nodes_needs_no_recursion(save: Save) -> None:
    nodes = [make_node("MatMul", ["x", "w"], ["v0"])]
    nodes += [make_node("Identity", [f"v{i}"], [f"v{i + 1}"]) for i in range(50_000)]
    path = save([*nodes, make_node("Add", ["v50000", "b"], ["y"])], ["N", 4], {"w": W, "b": np.float32(1)})
    assert len(read(path).layers) == 1


def test_a_long_chain_of_elementwise_nodes_needs_no_recursion(save: Save) -> None:
    nodes = [make_node("MatMul", ["x", "w"], ["v0"])]
    nodes += [make_node("Neg", [f"v{i}"], [f"v{i + 1}"]) for i in range(3000)]
    path = save(
        [*nodes, make_node("Sign", ["v3000"], ["a"]), make_node("MatMul", ["a", "w"], ["y"])], ["N", 4], {"w": W}
    )
    assert len(read(path).layers) == 2


def bad(kind: str) -> onnx.ModelProto:
    """A model with one thing wrong."""
    graph = helper.make_graph(
        [MATMUL],
        "g",
        [helper.make_tensor_value_info("x", 1, ["N", 4])],
        [helper.make_tensor_value_info("y", 1, ["N", 4])],
        [numpy_helper.from_array(W, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    graph = model.graph
    if kind == "nan":
        graph.initializer[0].CopyFrom(numpy_helper.from_array(np.full((4, 4), np.nan, np.float32), "w"))
    elif kind == "inf":
        graph.initializer[0].CopyFrom(numpy_helper.from_array(np.full((4, 4), np.inf, np.float32), "w"))
    elif kind == "cycle":
        graph.node.insert(0, make_node("Add", ["x", "d"], ["c"], name="one"))
        graph.node.insert(1, make_node("Relu", ["c"], ["d"], name="two"))
        graph.node[2].input[0] = "c"
    elif kind == "duplicate output":
        graph.node.append(make_node("Relu", ["x"], ["y"]))
    elif kind == "duplicate initializer":
        graph.initializer.append(graph.initializer[0])
    elif kind == "missing input":
        graph.node[0].input[1] = "nowhere\x1b[31m"
    elif kind == "missing output":
        graph.output[0].name = "nothing"
    elif kind == "no nodes":
        del graph.node[:], graph.output[:]
    elif kind == "two inputs":
        graph.input.append(helper.make_tensor_value_info("x2", 1, ["N", 4]))
    elif kind == "two outputs":
        graph.output.append(helper.make_tensor_value_info("x2", 1, ["N", 4]))
    elif kind == "wrong data":
        graph.initializer[0].dims[0] = 5
    elif kind == "negative dimension":
        graph.initializer[0].dims[0] = -4
    elif kind == "wrong output shape":
        graph.output[0].type.tensor_type.shape.dim[1].dim_value = 7
    elif kind == "shapes do not fit":
        graph.input[0].type.tensor_type.shape.dim[1].dim_value = 5
    elif kind == "dynamic":
        graph.input[0].type.tensor_type.shape.dim[1].dim_param = "K"
    elif kind == "fixed batch":
        graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4
    elif kind == "string type":
        graph.initializer[0].data_type = TensorProto.STRING
    elif kind == "float8":
        graph.initializer[0].data_type = TensorProto.FLOAT8E4M3FN
    elif kind == "old":
        model.opset_import[0].version = 6
    elif kind == "new":
        model.opset_import[0].version = 1000
    elif kind == "if":
        graph.node[0].CopyFrom(make_node("If", ["x"], ["y"], name="choice", then_branch=graph, else_branch=graph))
    elif kind == "foreign":
        graph.node[0].domain = "com.microsoft"
    elif kind == "no linear layer":
        graph.node[0].CopyFrom(make_node("Relu", ["x"], ["y"]))
    elif kind == "both from input":
        graph.node[0].input[1] = "x"
    return model


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("nan", r"^initializer 'w': element 0 is NaN$"),
        ("inf", r"^initializer 'w': element 0 is infinite$"),
        ("cycle", r"^\w+ '(one|two)' depends on its own output: the graph has a cycle$"),
        ("duplicate output", r"^value 'y' is defined more than once$"),
        ("duplicate initializer", r"^initializer 'w' is defined more than once or has no name$"),
        ("missing input", r"^MatMul 'fc': input 'nowhere\\x1b\[31m' is not defined anywhere in the model$"),
        ("missing output", r"^output 'nothing' is not computed by any node$"),
        ("no nodes", r"the model's graph is empty$"),
        ("two inputs", r"^the model must have one input, not 2 \('x', 'x2'\)$"),
        ("two outputs", r"^the model must have one output, not 2 \('y', 'x2'\)$"),
        ("wrong data", r"^initializer 'w': 64 bytes of data for 20 elements of float32$"),
        ("negative dimension", r"^initializer 'w': shape \[-4, 4\] is not one of a tensor$"),
        ("wrong output shape", r"^output 'y' does not have the shape it declares: the model computes \[1, 4\]$"),
        ("shapes do not fit", r"^MatMul 'fc': shapes \[1, 5\] and \[4, 4\] cannot be multiplied$"),
        ("dynamic", r"^input 'x': only the batch axis may be dynamic, but its shape is \?x\?$"),
        ("fixed batch", r"^input 'x' has a fixed batch of 4: export the model with a batch of 1 or a dynamic one$"),
        ("string type", r"^initializer 'w': elements of type STRING are not supported$"),
        ("float8", r"^initializer 'w': elements of type FLOAT8E4M3FN are not supported$"),
        ("old", r"^operator set 6 is too old: export the model with 13 or later$"),
        ("new", r"^operator set 1000 is newer than \d+, the newest that the installed onnx knows$"),
        ("if", r"^operators that are not supported: If \('choice'\)$"),
        ("foreign", r"^operators that are not supported: com.microsoft.MatMul \('fc'\)$"),
        ("no linear layer", r"^the model's output does not depend on its input through a Conv, Gemm or MatMul$"),
        (
            "both from input",
            r"^MatMul 'fc' multiplies two tensors that both depend on the input, which is not supported$",
        ),
    ],
)
def test_broken_models_are_refused_by_name(kind: str, sentence: str, save: Save) -> None:
    refused(save(bad(kind)), sentence)


def test_the_unbroken_model_is_read(save: Save) -> None:
    assert len(read(save(bad("nothing"))).layers) == 1


def function_model(*, recursive: bool, deep: int = 0) -> onnx.ModelProto:
    """A model whose matrix product stands in a function; or functions that double, or call themselves."""
    model = bad("nothing")
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    model.opset_import.append(opsets[1])
    body = make_node("Linear" if recursive else "MatMul", ["a", "b"], ["c"], domain="local" if recursive else "")
    model.functions.append(helper.make_function("local", "Linear", ["a", "b"], ["c"], [body], opsets))
    for level in range(deep):
        inner = "Linear" if level == 0 else f"L{level - 1}"
        nodes = [make_node(inner, ["a", "b"], [f"c{i}"], domain="local") for i in range(4)]
        nodes.append(make_node("Sum", [f"c{i}" for i in range(4)], ["c"]))
        model.functions.append(helper.make_function("local", f"L{level}", ["a", "b"], ["c"], nodes, opsets))
    model.graph.node[0].CopyFrom(
        make_node(f"L{deep - 1}" if deep else "Linear", ["x", "w"], ["y"], domain="local", name="call")
    )
    return model


def test_functions_of_the_model_are_expanded(save: Save) -> None:
    network = read(save(function_model(recursive=False)))
    assert [layer.name for layer in network.layers] == ["call.1/MatMul"]


def test_functions_that_call_themselves_are_refused(save: Save) -> None:
    refused(save(function_model(recursive=True)), r"^function 'Linear' is called more than 32 levels deep$")


def test_functions_that_multiply_are_refused(save: Save) -> None:
    refused(save(function_model(recursive=False, deep=12)), r"^the model has more than 100000 nodes$")


@pytest.mark.parametrize("content", [b"", b"not a model", b"\xff" * 100, b"\x0a" * 1000])
def test_files_that_are_no_models_are_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    refused(path, r"(not an ONNX model|graph is empty)$")


def test_paths_that_are_no_files_are_refused(tmp_path: Path) -> None:
    refused(tmp_path, r"not a regular file$")
    refused(tmp_path / "gone.onnx", r"cannot be read \(No such file or directory\)$")


@pytest.mark.parametrize("limits", [(0.0, 0.0), (1.0, 0.0), (float("nan"), 1.0), (0.0, float("inf"))])
def test_an_impossible_input_range_is_refused(limits: tuple[float, float], save: Save) -> None:
    with pytest.raises(ModelError, match=r"^the input range must be two finite numbers, the first smaller, not"):
        read(save(bad("nothing")), input_range=limits)


REAL = [
    ("digits_mlp", "qat_legacy.onnx"),
    ("brevitas_tnn_mnist", "qonnx.onnx"),
    ("tnn_vgg_mnist", "frozen_dynamo.onnx"),
    ("tfc_2w2a_mnist", "TFC_2W2A.onnx"),
]


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_corrupted_models_give_nothing_but_one_sentence(
    data: st.DataObject, model_path: Callable[[str, str], Path], tmp_path: Path
) -> None:
    """Bytes of real models changed, removed or repeated; weights are skipped over half of the time."""
    folder, file = data.draw(st.sampled_from(REAL))
    content = bytearray(model_path(folder, file).read_bytes())
    structure = [i for i in range(len(content)) if i % 997 == 0] if data.draw(st.booleans()) else _structure(content)
    for _ in range(data.draw(st.integers(1, 6))):
        if not content:  # all of it was cut off
            break
        place = data.draw(st.sampled_from(structure))
        change = data.draw(st.sampled_from(["byte", "cut", "repeat", "end"]))
        if change == "byte":
            content[min(place, len(content) - 1)] = data.draw(st.integers(0, 255))
        elif change == "cut":
            del content[place : place + data.draw(st.integers(1, 30))]
        elif change == "repeat":
            content[place:place] = content[place : place + data.draw(st.integers(1, 60))]
        else:
            del content[max(1, place) :]
    path = tmp_path / "corrupted.onnx"
    path.write_bytes(bytes(content))
    sentence = ""
    try:
        read(path)
    except SetunError as error:
        sentence = str(error)
    assert sentence.isprintable()


def _structure(content: bytearray) -> list[int]:
    """Places of printable text, where node types, names and attributes are."""
    text = np.frombuffer(bytes(content), np.uint8)
    printable = (text >= 32) & (text < 127)
    dense = np.convolve(printable, np.ones(12), "same") > 9
    return np.flatnonzero(dense).tolist() or [0]


@pytest.mark.parametrize(
    ("node", "values", "sentence"),
    [
        (make_node("Div", ["s"], ["a"], name="n"), {}, r"^Div 'n' must have 2 inputs, not 1$"),
        (make_node("Where", ["s", "", "s"], ["a"], name="n"), {}, r"^Where 'n' must have 3 inputs, not 2$"),
        (make_node("Relu", ["s", "s"], ["a"], name="n"), {}, r"^Relu 'n' must have 1 inputs, not 2$"),
        (
            make_node("QuantizeLinear", ["s", "step"], ["a"], name="n"),
            {"step": np.float32(0)},
            r"^QuantizeLinear 'n': its scale must be positive and finite$",
        ),
        (
            make_node("Add", ["s", "two"], ["a"], name="n"),
            {"two": np.ones(2, np.float32)},
            r"^Add 'n' is malformed \(shape",
        ),
    ],
)
def test_elementwise_nodes_with_wrong_inputs_are_named(
    node: onnx.NodeProto, values: dict[str, Any], sentence: str, save: Save
) -> None:
    nodes = [make_node("MatMul", ["x", "w"], ["s"]), node, make_node("MatMul", ["a", "w"], ["y"])]
    refused(save(nodes, ["N", 4], {"w": W, **values}), sentence)


def test_malformed_attributes_are_reported_with_the_node(save: Save) -> None:
    nodes: list[Any] = [make_node("Conv", ["x", "w"], ["y"], name="c", strides=[0, 1])]
    path = save(nodes, ["N", 1, 4, 4], {"w": np.ones((1, 1, 2, 2), np.float32)})
    refused(path, r"^Conv 'c': kernel, strides, dilations or pads are out of range$")


def test_a_name_that_is_not_utf_8_is_refused(save: Save) -> None:
    path = save(bad("nothing"))
    path.write_bytes(path.read_bytes().replace(b"fc", b"\xff\xfe"))
    refused(path, r"a name in the model is not valid UTF-8$")
