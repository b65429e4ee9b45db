"""The binary adder trees as data, built by the same compression as the circuit."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from setun_hw.cells.compression import StagedTree
from setun_hw.codec import sum_width
from setun_hw.config import Config, Encoding

#: a wire of a binary tree: a number, or one of the constants
LOW, HIGH = -1, -2

#: gates of one product of digits as the generator draws it (setun_hw.arithmetic.dot_product)
_PRODUCTS = {
    Encoding.RAILS: {"aoi22": 2, "inverter": 1},
    Encoding.BINARY2: {"and2": 5, "inverter": 1, "xnor2": 1},
}


def product_gates(encoding: Encoding) -> dict[str, int]:
    """Binary gates of one multiplier."""
    return _PRODUCTS[encoding]


@dataclass(frozen=True)
class Tree:
    """Adders of a dot product in two's complement.

    ``nodes`` are (gate, inputs, outputs), inputs before the gates that use them; wires 0 to ``inputs - 1`` come from
    the
    products, lane by lane.
    """

    inputs: int
    nodes: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]
    outputs: tuple[int, ...]
    wires: int
    depth: int

    def tally(self) -> dict[str, int]:
        """Gates by kind."""
        return dict(sorted(Counter(node[0].removesuffix("_one") for node in self.nodes).items()))


def tree_of(config: Config) -> Tree:
    """The adder tree of an encoding other than ``ternary``, constants folded."""
    return _tree(config.encoding, config.lanes, config.tree_registers, sum_width(config))


@cache
def _tree(encoding: Encoding, lanes: int, registers: int, width: int) -> Tree:
    per_lane = 2 if encoding is Encoding.RAILS else 3
    builder = _Builder(lanes * per_lane)
    columns: list[list[int]] = [[] for _ in range(max(width, per_lane))]
    for bit in range(per_lane):  # rails: all positive ones, then all others, as the generator orders them
        columns[0 if encoding is Encoding.RAILS else bit] += range(bit, lanes * per_lane, per_lane)
    constant = -lanes * (2 if encoding is Encoding.BINARY2 else 1)
    for weight in range(width):
        columns[weight].append(HIGH if constant >> weight & 1 else LOW)
    staged = StagedTree(columns[:width], 3, registers, builder.add, builder.register)
    outputs = tuple(LOW if wire is None else wire for wire in staged.total)
    kept = _used(builder.nodes, outputs)
    return Tree(inputs=lanes * per_lane, nodes=kept, outputs=outputs, wires=builder.wires, depth=staged.depth)


def _used(
    nodes: list[tuple[str, tuple[int, ...], tuple[int, ...]]], outputs: Sequence[int]
) -> tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]:
    """The gates of which some output is read: what synthesis leaves."""
    read, kept = set(outputs), []
    for node in reversed(nodes):
        if read & set(node[2]):
            kept.append(node)
            read.update(node[1])
    return tuple(reversed(kept))


class _Builder:
    """Adder cells with constant inputs reduced to what remains of them."""

    def __init__(self, inputs: int) -> None:
        self.wires = inputs
        self.nodes: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = []

    def _gate(self, kind: str, inputs: Sequence[int], outputs: int = 1) -> tuple[int, ...]:
        made = tuple(range(self.wires, self.wires + outputs))
        self.wires += outputs
        self.nodes.append((kind, tuple(inputs), made))
        return made

    def register(self, wire: int, _stage: int) -> int:
        return wire if wire in (LOW, HIGH) else self._gate("flip_flop", (wire,))[0]

    def add(self, taken: Sequence[int]) -> tuple[int, int]:
        live = [wire for wire in taken if wire >= 0]
        ones = sum(wire == HIGH for wire in taken)
        if not live:
            return (HIGH if ones & 1 else LOW), (HIGH if ones >> 1 else LOW)
        if len(live) == 1:
            if ones == 1:
                return self._gate("inverter", live)[0], live[0]
            return live[0], HIGH if ones else LOW
        total, carry = self._gate("full_adder" if len(live) == 3 else "half_adder", live, 2)
        if len(live) == 2 and ones:  # total is the complement, carry an OR: as large as a half adder
            self.nodes[-1] = ("half_adder_one", tuple(live), (total, carry))
        return total, carry
