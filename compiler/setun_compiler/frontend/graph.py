"""The model as a graph of our own: plain records and NumPy arrays, nothing of protobuf in it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from setun_compiler.frontend.errors import ModelError, printable

Array = NDArray[Any]
Attribute = int | float | str | Array | tuple[int, ...] | tuple[float, ...] | tuple[str, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Node:
    """One operator. ``domain`` is empty for ONNX's own and ``qonnx`` for the three spellings of QONNX's."""

    op: str
    domain: str = ""
    name: str = ""
    inputs: tuple[str, ...]  #: an empty name is an optional input that is left out
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute]

    def __str__(self) -> str:
        return f"{printable(self.op)[1:-1]} {printable(self.name or (self.outputs[0] if self.outputs else ''))}"

    def integer(self, name: str, default: int) -> int:
        """An integer attribute."""
        value = self.attributes.get(name, default)
        if not isinstance(value, int):
            raise ModelError(f"{self}: attribute {name} must be an integer")
        return value

    def number(self, name: str, default: float) -> float:
        """A float attribute."""
        value = self.attributes.get(name, default)
        if not isinstance(value, int | float):
            raise ModelError(f"{self}: attribute {name} must be a number")
        return float(value)

    def text(self, name: str, default: str) -> str:
        """A string attribute."""
        value = self.attributes.get(name, default)
        if not isinstance(value, str):
            raise ModelError(f"{self}: attribute {name} must be a string")
        return value

    def integers(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        """An attribute that is a list of integers."""
        value = self.attributes.get(name, default)
        if not isinstance(value, tuple) or not all(isinstance(item, int) for item in value):
            raise ModelError(f"{self}: attribute {name} must be a list of integers")
        return tuple(int(item) for item in value)


@dataclass(frozen=True, kw_only=True)
class Value:
    """A declared input or output; a dimension that is not fixed is None, a shape that is not declared too."""

    name: str
    shape: tuple[int | None, ...] | None
    dtype: np.dtype[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Graph:
    """Nodes, constants (all of them initializers so far), one input and one output."""

    name: str
    opset: int
    nodes: tuple[Node, ...]
    constants: Mapping[str, Array]
    input: Value
    output: Value
    notes: tuple[str, ...] = ()

    def replace(self, **changes: Any) -> "Graph":
        """A copy with some fields changed."""
        return replace(self, **changes)


def check(graph: Graph) -> None:
    """Every value has one producer and every input of a node exists.

    Raises
    ------
    ModelError
        Naming the value.
    """
    known = {graph.input.name, *graph.constants}
    if graph.input.name in graph.constants:
        raise ModelError(f"input {printable(graph.input.name)} is also an initializer")
    produced = Counter(name for node in graph.nodes for name in node.outputs if name)
    for name, count in produced.items():
        if count > 1 or name in known:
            raise ModelError(f"value {printable(name)} is defined more than once")
    known.update(produced)
    for node in graph.nodes:
        for name in node.inputs:
            if name and name not in known:
                raise ModelError(f"{node}: input {printable(name)} is not defined anywhere in the model")
    if graph.output.name not in known:
        raise ModelError(f"output {printable(graph.output.name)} is not computed by any node")


def producers(nodes: tuple[Node, ...]) -> dict[str, Node]:
    """The node that makes each value."""
    return {name: node for node in nodes for name in node.outputs if name}


def _sources(node: Node, made_by: Mapping[str, Node]) -> Iterator[Node]:
    for name in node.inputs:
        if name in made_by:
            yield made_by[name]


def prune_and_order(graph: Graph) -> Graph:
    """Only the nodes that the output depends on, each after those it reads (depth first, without recursion).

    Raises
    ------
    ModelError
        When nodes read each other in a circle.
    """
    made_by = producers(graph.nodes)
    done: set[int] = set()
    open_nodes: set[int] = set()
    ordered: list[Node] = []
    start = made_by.get(graph.output.name)
    stack = [(start, _sources(start, made_by))] if start else []
    if start:
        open_nodes.add(id(start))
    while stack:
        node, sources = stack[-1]
        following = next(sources, None)
        if following is None:
            stack.pop()
            open_nodes.discard(id(node))
            done.add(id(node))
            ordered.append(node)
        elif id(following) in open_nodes:
            raise ModelError(f"{following} depends on its own output: the graph has a cycle")
        elif id(following) not in done:
            open_nodes.add(id(following))
            stack.append((following, _sources(following, made_by)))
    used = {name for node in ordered for name in node.inputs} | {graph.output.name}
    return graph.replace(
        nodes=tuple(ordered), constants={name: value for name, value in graph.constants.items() if name in used}
    )
