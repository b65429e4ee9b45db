"""Column compression: many digits of equal weight become one number, in a given number of pipeline stages."""

import heapq
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Wire = TypeVar("Wire")

#: adds up digits of one weight at a depth; returns the sum, of the same weight, and the carry, of the next
Adder = Callable[[int, Sequence[Wire]], tuple[Wire, Wire]]


def compress(columns: Sequence[Sequence[Wire]], widest: int, adder: Adder[Wire]) -> list[tuple[int, Wire] | None]:
    """Reduce every column to one digit, column 0 first.

    In every column as many of the ``widest`` adder cells are used as possible, which gives the fewest cells, for they
    take away the most digits each; the digits that are ready first are added first, which keeps the tree shallow.

    Parameters
    ----------
    columns:
        Digits by weight, all ready at depth 1. Carries out of the last column are dropped, so there must be
        columns enough for the largest sum.
    widest:
        Digits the widest adder cell takes: 3 or 4.
    adder:
        Makes an adder cell of two to ``widest`` inputs.

    Returns
    -------
    (depth, digit) by weight; None where there never is one.
    """
    made = 0
    heaps: list[list[tuple[int, int, Wire]]] = [[] for _ in range(len(columns) + 1)]
    for heap, column in zip(heaps, columns, strict=False):
        for wire in column:
            heapq.heappush(heap, (1, made, wire))
            made += 1
    result: list[tuple[int, Wire] | None] = []
    for weight in range(len(columns)):
        heap = heaps[weight]
        while len(heap) > 1:
            taken = [heapq.heappop(heap) for _ in range(min(widest, len(heap)))]
            depth = 1 + max(ready for ready, _, _ in taken)
            total, carry = adder(depth, [wire for _, _, wire in taken])
            heapq.heappush(heap, (depth, made, total))
            heapq.heappush(heaps[weight + 1], (depth, made + 1, carry))
            made += 2
        result.append((heap[0][0], heap[0][2]) if heap else None)
    return result


class StagedTree(Generic[Wire]):
    """A compression tree with ``registers`` pipeline registers on every path, which cut its depth into even parts.

    Parameters
    ----------
    columns, widest:
        As for :func:`compress`.
    registers:
        Pipeline stages.
    adder:
        Makes an adder cell of the wires it is given.
    register:
        Makes a pipeline register for a wire, given the register's stage, 0 the first.
    """

    def __init__(
        self,
        columns: Sequence[Sequence[Wire]],
        widest: int,
        registers: int,
        adder: Callable[[Sequence[Wire]], tuple[Wire, Wire]],
        register: Callable[[Wire, int], Wire],
    ) -> None:
        none = compress([[None] * len(column) for column in columns], widest, lambda _depth, _wires: (None, None))
        #: cells on the longest path, the products included
        self.depth = max((digit[0] for digit in none if digit), default=0)
        self._cuts = [-(-self.depth * stage // (registers + 1)) for stage in range(1, registers + 1)]
        self._register = register
        self._adder = adder
        #: each wire behind 0, 1, ... registers, and the stage in which the first of them is driven
        timed = [[(0, [wire]) for wire in column] for column in columns]
        digits = compress(timed, widest, self._add)
        #: the sum's digits by weight; None where there never is one
        self.total = [digit and self._at(registers, digit[1]) for digit in digits]

    def _stage(self, depth: int) -> int:
        return sum(cut < depth for cut in self._cuts)

    def _at(self, stage: int, timed: tuple[int, list[Wire]]) -> Wire:
        born, wires = timed
        while len(wires) <= stage - born:
            wires.append(self._register(wires[-1], born + len(wires) - 1))
        return wires[stage - born]

    def _add(
        self, depth: int, taken: Sequence[tuple[int, list[Wire]]]
    ) -> tuple[tuple[int, list[Wire]], tuple[int, list[Wire]]]:
        stage = self._stage(depth)
        total, carry = self._adder([self._at(stage, timed) for timed in taken])
        return (stage, [total]), (stage, [carry])
