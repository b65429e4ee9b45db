"""ONNX file -> Graph. The file is hostile until proved otherwise: every size is checked before it is used."""

import math
import stat
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import AttributeProto, TensorProto

from setun_compiler.frontend.errors import ModelError, printable
from setun_compiler.frontend.external import ExternalFiles
from setun_compiler.frontend.functions import inline
from setun_compiler.frontend.graph import Array, Attribute, Graph, Node, Value

#: bytes of the model file itself; protobuf cannot hold more than twice this
FILE_LIMIT = 1 << 30
#: elements of one tensor: 64 Mi, almost twice AlexNet's largest
ELEMENT_LIMIT = 1 << 26
#: dimensions of one tensor; NumPy's own limit is 64
RANK_LIMIT = 32
NODE_LIMIT = 100_000
OLDEST_OPSET = 7

QONNX_DOMAINS = ("onnx.brevitas", "finn.custom_op.general", "qonnx.custom_op.general")
_ONNX_DOMAINS = ("", "ai.onnx")

_DTYPES: dict[int, np.dtype[Any]] = {
    TensorProto.FLOAT: np.dtype(np.float32), TensorProto.DOUBLE: np.dtype(np.float64),
    TensorProto.FLOAT16: np.dtype(np.float16), TensorProto.BFLOAT16: np.dtype(ml_dtypes.bfloat16),
    TensorProto.INT8: np.dtype(np.int8), TensorProto.UINT8: np.dtype(np.uint8),
    TensorProto.INT16: np.dtype(np.int16), TensorProto.UINT16: np.dtype(np.uint16),
    TensorProto.INT32: np.dtype(np.int32), TensorProto.UINT32: np.dtype(np.uint32),
    TensorProto.INT64: np.dtype(np.int64), TensorProto.UINT64: np.dtype(np.uint64),
    TensorProto.BOOL: np.dtype(np.bool_),
}  # fmt: skip


def load(path: Path) -> tuple[Graph, str]:
    """Read a model file and the external data beside it.

    Returns
    -------
    tuple[Graph, str]
        The graph, and the SHA-256 of everything that was read, hex.

    Raises
    ------
    ModelError
        When the file is not an ONNX model of one input and one output within the limits of this module.
    """
    data = _read(path)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, RuntimeError):
        raise ModelError(f"{path}: not an ONNX model") from None
    if not model.HasField("graph") or (not model.graph.node and not model.graph.output):
        raise ModelError(f"{path}: the model's graph is empty")
    if not all(isinstance(text, str) for text in _texts(model)):
        raise ModelError(f"{path}: a name in the model is not valid UTF-8")
    if model.graph.sparse_initializer:
        raise ModelError(f"{path}: sparse initializers are not supported")
    files = ExternalFiles(path.parent)
    opset = _opset(model)
    nodes = inline(model, NODE_LIMIT)
    constants: dict[str, Array] = {}
    for tensor in model.graph.initializer:
        if not tensor.name or tensor.name in constants:
            raise ModelError(f"initializer {printable(tensor.name)} is defined more than once or has no name")
        constants[tensor.name] = to_array(tensor, f"initializer {printable(tensor.name)}", files)
    inputs = [value for value in model.graph.input if value.name not in constants]
    graph = Graph(
        name=path.stem, opset=opset, nodes=tuple(_node(node, files) for node in nodes), constants=constants,
        input=_value(_only(inputs, "input")), output=_value(_only(list(model.graph.output), "output")),
    )  # fmt: skip
    return graph, files.digest(data)


def _texts(model: onnx.ModelProto) -> Iterator[object]:
    """Every string the front end reads; protobuf hands out those that are not UTF-8 as bytes."""
    graph = model.graph
    for function in model.functions:
        yield from (function.name, function.domain, *function.input, *function.output)
    for node in chain(graph.node, *(function.node for function in model.functions)):
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        for attribute in node.attribute:
            yield from (attribute.name, attribute.ref_attr_name)
            yield from _tensor_texts(attribute.t)
    for tensor in graph.initializer:
        yield from _tensor_texts(tensor)
    yield from (value.name for value in chain(graph.input, graph.output))
    yield from (entry.domain for entry in model.opset_import)


def _tensor_texts(tensor: onnx.TensorProto) -> Iterator[object]:
    yield tensor.name
    for entry in tensor.external_data:
        yield from (entry.key, entry.value)


def _read(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ModelError(f"{path}: not a regular file")
        if status.st_size > FILE_LIMIT:
            raise ModelError(f"{path}: {status.st_size} bytes, but a model file may have at most {FILE_LIMIT}")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ModelError(f"{path}: cannot be read ({reason})") from None


def _opset(model: onnx.ModelProto) -> int:
    versions = [int(entry.version) for entry in model.opset_import if entry.domain in _ONNX_DOMAINS]
    if not versions:
        raise ModelError("the model does not say which ONNX operator set it uses")
    version, newest = max(versions), onnx.defs.onnx_opset_version()
    if version < OLDEST_OPSET:
        raise ModelError(f"operator set {version} is too old: export the model with 13 or later")
    if version > newest:  # whose operators may mean something else
        raise ModelError(f"operator set {version} is newer than {newest}, the newest that the installed onnx knows")
    return version


def _only(values: list[onnx.ValueInfoProto], kind: str) -> onnx.ValueInfoProto:
    if len(values) != 1:
        names = ", ".join(printable(value.name) for value in values[:8])
        raise ModelError(f"the model must have one {kind}, not {len(values)}" + (f" ({names})" if names else ""))
    return values[0]


def _value(value: onnx.ValueInfoProto) -> Value:
    tensor = value.type.tensor_type
    if tensor.elem_type not in _DTYPES:
        raise ModelError(f"{printable(value.name)} is not a tensor of numbers")
    shape: tuple[int | None, ...] | None = None
    if tensor.HasField("shape"):
        shape = tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim)
        if any(extent is not None and extent <= 0 for extent in shape):
            raise ModelError(f"{printable(value.name)} has a dimension that is not positive")
    return Value(name=value.name, shape=shape, dtype=_DTYPES[tensor.elem_type])


def to_array(tensor: onnx.TensorProto, where: str, files: ExternalFiles) -> Array:
    """A tensor's numbers; half precision becomes float32.

    Raises
    ------
    ModelError
        Naming ``where``, when type, shape and data do not fit together, or a number is not one (NaN).
    """
    dtype = _DTYPES.get(tensor.data_type)
    if dtype is None:
        kinds = {value: name for name, value in TensorProto.DataType.items()}
        raise ModelError(f"{where}: elements of type {kinds.get(tensor.data_type, tensor.data_type)} are not supported")
    shape = tuple(tensor.dims)
    if any(extent < 0 for extent in shape) or len(shape) > RANK_LIMIT:
        raise ModelError(f"{where}: shape {list(shape[:RANK_LIMIT])} is not one of a tensor")
    count = math.prod(shape)
    if count > ELEMENT_LIMIT:
        raise ModelError(f"{where}: {count} elements, but a tensor may have at most {ELEMENT_LIMIT}")
    if tensor.HasField("segment"):
        raise ModelError(f"{where}: tensors in segments are not supported")
    if tensor.data_location == TensorProto.EXTERNAL:
        fields = {entry.key: entry.value for entry in tensor.external_data}
        flat = np.frombuffer(files.read(tensor.name, fields, count * dtype.itemsize), dtype)
    elif tensor.HasField("raw_data"):
        if len(tensor.raw_data) != count * dtype.itemsize:
            raise ModelError(f"{where}: {len(tensor.raw_data)} bytes of data for {count} elements of {dtype.name}")
        flat = np.frombuffer(tensor.raw_data, dtype)
    else:
        flat = _typed(tensor, dtype, count, where)
    if dtype.itemsize == 2 and dtype.kind not in "iu":
        flat = flat.astype(np.float32)
    if dtype.kind == "b":
        flat = flat.view(np.uint8) != 0
    if flat.dtype.kind == "f" and np.isnan(flat).any():
        raise ModelError(f"{where}: element {int(np.isnan(flat).argmax())} is NaN")
    if flat.dtype.kind == "f" and shape and np.isinf(flat).any():
        raise ModelError(f"{where}: element {int(np.isinf(flat).argmax())} is infinite")
    return flat.reshape(shape)


def _typed(tensor: onnx.TensorProto, dtype: np.dtype[Any], count: int, where: str) -> Array:
    """Data in one of the protobuf's number lists."""
    lists = {
        "float32": tensor.float_data, "float64": tensor.double_data, "int64": tensor.int64_data,
        "uint32": tensor.uint64_data, "uint64": tensor.uint64_data,
    }  # fmt: skip
    numbers = lists.get(dtype.name, tensor.int32_data)
    if len(numbers) != count:
        raise ModelError(f"{where}: {len(numbers)} values for {count} elements")
    if dtype.name in ("float16", "bfloat16"):
        return np.array(numbers, np.int64).astype(np.uint16).view(dtype)
    if dtype.kind in "iu":
        wide = np.array(numbers, np.uint64 if dtype.name == "uint64" else np.int64)
        bounds = np.iinfo(dtype)
        if count and (wide.min() < bounds.min or wide.max() > bounds.max):
            raise ModelError(f"{where}: a value does not fit {dtype.name}")
        return wide.astype(dtype)
    return np.array(numbers, dtype)


def _node(node: onnx.NodeProto, files: ExternalFiles) -> Node:
    domain = "qonnx" if node.domain in QONNX_DOMAINS else "" if node.domain in _ONNX_DOMAINS else node.domain
    plain = Node(
        op=node.op_type,
        domain=domain,
        name=node.name,
        inputs=tuple(node.input),
        outputs=tuple(node.output),
        attributes={},
    )
    attributes: dict[str, Attribute] = {}
    for attribute in node.attribute:
        if attribute.name in attributes:
            raise ModelError(f"{plain}: attribute {printable(attribute.name)} is given twice")
        attributes[attribute.name] = _attribute(attribute, plain, files)
    return Node(
        op=plain.op, domain=domain, name=plain.name, inputs=plain.inputs, outputs=plain.outputs, attributes=attributes
    )


def _attribute(attribute: onnx.AttributeProto, node: Node, files: ExternalFiles) -> Attribute:
    kind = attribute.type
    if kind == AttributeProto.INT:
        return int(attribute.i)
    if kind == AttributeProto.FLOAT:
        return float(attribute.f)
    if kind == AttributeProto.STRING:
        return attribute.s.decode("utf-8", "backslashreplace")
    if kind == AttributeProto.INTS:
        return tuple(int(item) for item in attribute.ints)
    if kind == AttributeProto.FLOATS:
        return tuple(float(item) for item in attribute.floats)
    if kind == AttributeProto.STRINGS:
        return tuple(item.decode("utf-8", "backslashreplace") for item in attribute.strings)
    if kind == AttributeProto.TENSOR:
        return to_array(attribute.t, f"{node}: attribute {printable(attribute.name)}", files)
    if kind in (AttributeProto.GRAPH, AttributeProto.GRAPHS):
        return ""  # the operator itself is refused by name later: no operator with a subgraph is supported
    raise ModelError(f"{node}: attribute {printable(attribute.name)} has a type that is not supported")
