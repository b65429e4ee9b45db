"""What cells do to random inputs: the yardstick that makes an energy per operation an energy per switch.

A *switch* of a wire is its expected squared change between two steps in units of its full swing: the probability of
a toggle
for a binary wire, a quarter of the expected squared change in levels for a ternary one. A switch of a cell is the
mean over
its outputs.
"""

import itertools
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from setun_hw.cells import CELLS

#: probabilities of a wire's levels along the first axis (2 of a binary, 3 of a ternary wire); further axes are free
Levels = NDArray[np.float64]

#: inputs and outputs of binary gates as functions
_GATES: dict[str, tuple[int, Callable[..., tuple[int, ...]]]] = {
    "inverter": (1, lambda a: (1 - a,)),
    "and2": (2, lambda a, b: (a & b,)),
    "nand2": (2, lambda a, b: (1 - (a & b),)),
    "or2": (2, lambda a, b: (a | b,)),
    "nor2": (2, lambda a, b: (1 - (a | b),)),
    "xor2": (2, lambda a, b: (a ^ b,)),
    "xnor2": (2, lambda a, b: (1 - (a ^ b),)),
    "aoi21": (3, lambda a, b, c: (1 - (a & b | c),)),
    "oai21": (3, lambda a, b, c: (1 - ((a | b) & c),)),
    "aoi22": (4, lambda a, b, c, d: (1 - (a & b | c & d),)),
    "oai22": (4, lambda a, b, c, d: (1 - ((a | b) & (c | d)),)),
    "mux2": (3, lambda a, b, s: (b if s else a,)),
    "carry": (3, lambda a, b, c: (int(a + b + c >= 2),)),
    "half_adder": (2, lambda a, b: (a ^ b, a & b)),
    "full_adder": (3, lambda a, b, c: (a ^ b ^ c, int(a + b + c >= 2))),
    "latch": (1, lambda d: (d,)),
    "flip_flop": (1, lambda d: (d,)),
}

#: binary gates that a technology may have numbers for; ``carry`` is the majority cell of a carry or comparison chain
GATES = tuple(_GATES)


@cache
def gate_table(kind: str) -> dict[tuple[int, ...], tuple[int, ...]]:
    """Truth table of a binary gate; a storing gate passes its input on."""
    inputs, function = _GATES[kind]
    return {row: function(*row) for row in itertools.product((0, 1), repeat=inputs)}


@cache
def cell_table(kind: str) -> tuple[tuple[int, ...], dict[tuple[int, ...], tuple[int, ...]]]:
    """Number of levels of each input, and the truth table with levels counted from 0."""
    cell = CELLS[kind]
    return tuple(2 if name in cell.binary_inputs else 3 for name in cell.inputs), cell.unbalanced()


def through(table: dict[tuple[int, ...], tuple[int, ...]], inputs: list[Levels], output_levels: int) -> list[Levels]:
    """Levels of a cell's outputs when its inputs are independent of each other."""
    outputs = len(next(iter(table.values())))
    shape = np.broadcast_shapes(*(levels.shape[1:] for levels in inputs))
    found = [np.zeros((output_levels, *shape)) for _ in range(outputs)]
    for row, result in table.items():
        weight = np.ones(shape)
        for levels, level in zip(inputs, row, strict=True):
            weight = weight * levels[level]
        for output, level in zip(found, result, strict=True):
            output[level] += weight
    return found


def switches(levels: Levels) -> NDArray[np.float64]:
    """Switches per step of a wire whose levels in successive steps are independent."""
    place = np.arange(len(levels)) / (len(levels) - 1)
    mean = np.tensordot(place, levels, 1)
    spread: NDArray[np.float64] = 2 * (np.tensordot(place**2, levels, 1) - mean**2)
    return spread


@cache
def random_switches(kind: str, ternary: bool) -> float:
    """Switches of a cell in an operation on independent inputs that take all levels equally often."""
    if not ternary:
        table, counts, levels = gate_table(kind), (2,) * _GATES[kind][0], 2
    else:
        (counts, table), levels = cell_table(kind), 3
    outputs = through(table, [np.full(n, 1 / n) for n in counts], levels)
    return float(np.mean([switches(output) for output in outputs]))


@cache
def random_middle(kind: str) -> float:
    """Share of a ternary cell's outputs at the middle level when its inputs take all levels equally often."""
    counts, table = cell_table(kind)
    outputs = through(table, [np.full(n, 1 / n) for n in counts], 3)
    return float(np.mean([output[1] for output in outputs]))
