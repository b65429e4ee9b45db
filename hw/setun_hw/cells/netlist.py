"""Circuits of named cells as data: which cells there are and what is connected to what."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

#: a wire is a number; this one always carries the level 0
ZERO = 0


@dataclass(frozen=True)
class Node:
    """One cell: kind, wires of its inputs (the stored level is none) and of its outputs, in the order of its ports."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass
class CellNetlist:
    """A circuit under construction.

    Combinational nodes stand after the nodes they read from; only flip-flops may be read before they are added.
    """

    #: wires of each input and output port, least significant first
    inputs: dict[str, list[int]] = field(default_factory=dict)
    outputs: dict[str, list[int]] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    #: wires in use, ``ZERO`` included
    wires: int = 1

    def wire(self) -> int:
        """A new wire."""
        self.wires += 1
        return self.wires - 1

    def port(self, name: str, width: int) -> list[int]:
        """New input wires under a name."""
        self.inputs[name] = [self.wire() for _ in range(width)]
        return self.inputs[name]

    def add(self, kind: str, inputs: Sequence[int], outputs: int | Iterable[int] = 1) -> tuple[int, ...]:
        """Add a cell; ``outputs`` are their number, or wires made before. Returns the output wires."""
        driven = tuple(self.wire() for _ in range(outputs)) if isinstance(outputs, int) else tuple(outputs)
        self.nodes.append(Node(kind, tuple(inputs), driven))
        return driven

    def tally(self) -> dict[str, int]:
        """Number of cells of each kind that occurs, by name."""
        return dict(sorted(Counter(node.kind for node in self.nodes).items()))
