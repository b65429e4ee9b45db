"""Calls of the model's own functions are replaced by their bodies, without recursion and within a limit of nodes."""

import onnx
from onnx import AttributeProto

from setun_compiler.frontend.errors import ModelError, printable

#: functions that call functions that call functions ...
DEPTH_LIMIT = 32
#: bytes of all nodes that came out of functions
SIZE_LIMIT = 1 << 28


def inline(model: onnx.ModelProto, limit: int) -> list[onnx.NodeProto]:
    """The graph's nodes with every call of a function of the model replaced by the function's nodes, renamed apart.

    Raises
    ------
    ModelError
        When there would be more than ``limit`` nodes, or functions call each other in a circle.
    """
    functions = {(function.domain, function.name): function for function in model.functions}
    if len(functions) != len(model.functions):
        raise ModelError("two of the model's functions have the same name")
    nodes: list[onnx.NodeProto] = []
    waiting = [(node, 0) for node in reversed(model.graph.node)]
    calls = size = 0
    while waiting:
        if len(nodes) + len(waiting) > limit:
            raise ModelError(f"the model has more than {limit} nodes")
        node, depth = waiting.pop()
        function = functions.get((node.domain, node.op_type))
        if function is None:
            nodes.append(node)
            continue
        if depth == DEPTH_LIMIT:
            raise ModelError(f"function {printable(node.op_type)} is called more than {DEPTH_LIMIT} levels deep")
        calls += 1
        size += function.ByteSize()
        if size > SIZE_LIMIT:
            raise ModelError(f"the model's functions take more than {SIZE_LIMIT} bytes once every call is expanded")
        waiting.extend((inner, depth + 1) for inner in reversed(_body(node, function, calls)))
    return nodes


def _body(call: onnx.NodeProto, function: onnx.FunctionProto, number: int) -> list[onnx.NodeProto]:
    where = f"{printable(call.op_type)} {printable(call.name)}"
    if len(call.input) > len(function.input) or len(call.output) > len(function.output):
        raise ModelError(
            f"{where}: its function takes {len(function.input)} inputs and has {len(function.output)} outputs"
        )
    given = list(call.input) + [""] * (len(function.input) - len(call.input))
    names = {"": "", **dict(zip(function.input, given, strict=True))}
    results = dict(zip(function.output, call.output, strict=False))
    if set(results) & set(names):
        raise ModelError(f"{where}: its function returns one of its own inputs")
    names.update(results)
    attributes = {attribute.name: attribute for attribute in function.attribute_proto}
    attributes.update({attribute.name: attribute for attribute in call.attribute})
    prefix = f"{call.name or call.op_type}.{number}/"
    nodes = []
    for inner in function.node:
        node = onnx.NodeProto()
        node.CopyFrom(inner)
        node.name = prefix + (inner.name or inner.op_type)
        del node.input[:], node.output[:], node.attribute[:]
        node.input.extend(names.get(name, prefix + name) for name in inner.input)
        node.output.extend(names.get(name, prefix + name) for name in inner.output)
        node.attribute.extend(_attributes(inner, attributes))
        nodes.append(node)
    return nodes


def _attributes(node: onnx.NodeProto, given: dict[str, AttributeProto]) -> list[AttributeProto]:
    """The node's attributes, those that refer to the function's own replaced; one that was not given is left out."""
    attributes = []
    for attribute in node.attribute:
        if not attribute.ref_attr_name:
            attributes.append(attribute)
        elif attribute.ref_attr_name in given:
            copy = AttributeProto()
            copy.CopyFrom(given[attribute.ref_attr_name])
            copy.name = attribute.name
            attributes.append(copy)
    return attributes
