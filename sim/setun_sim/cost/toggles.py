"""Switching of the dot products on the network's real operands, step by step as the hardware takes them.

The golden interpreter runs one run of real samples and is watched; some rows of the array and some successive pixels
of every
layer are evaluated in the netlist of the dot product.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from setun_compiler import host
from setun_compiler.program import Program
from setun_sim import golden
from setun_sim.cost.errors import CostError
from setun_sim.cost.switching import Counts, Switching, of_products

#: steps of a dot product that are looked at, at least, where a layer has as many; rows of the array; groups of a layer
_STEPS, _ROWS, _GROUPS = 2048, 4, 4


def toggles(program: Program, samples: ArrayLike) -> dict[str, Switching]:
    """Switching of a dot product by layer, for :func:`setun_sim.cost.energy.energy`.

    Takes as long as the golden interpreter needs for one run: seconds for small networks, minutes for large ones.

    Raises
    ------
    SetunError
        When samples do not fit the program's input, or there are none.
    """
    inputs = host.encode(program, samples)
    if not len(inputs):
        raise CostError("toggles need samples")
    watcher = _Watcher(program)
    golden.run(program, inputs[0].tobytes(), observer=watcher)
    found = {}
    for layer in program.layers:
        own = [one for index in layer.descriptors for one in watcher.found.get(index, [])]
        if own:
            found[layer.name] = _mean(own)
    return found


class _Watcher(golden.Observer):
    """Keeps the operands of the group under way, and evaluates some of them when it is complete."""

    def __init__(self, program: Program) -> None:
        self.config = program.config
        self.found: dict[int, list[Switching]] = {}
        self._digits: list[NDArray[np.int64]] = []
        self._weights: list[NDArray[np.int64]] = []

    def step(self, index: int, x: NDArray[np.int64], w: NDArray[np.int64], padding: NDArray[np.bool_]) -> None:
        """Keep a middle row of pixels of the first strip, and some rows of weights."""
        if len(self.found.get(index, [])) >= _GROUPS * _ROWS:
            return
        self._digits.append(x[0, x.shape[1] // 2].astype(np.int64))
        self._weights.append(w[:: max(1, len(w) // _ROWS)][:_ROWS].astype(np.int64))

    def group(self, record: golden.ComputeRecord) -> None:
        """Evaluate the group: pixel after pixel, each with all its steps."""
        if not self._digits:
            return
        digits, weights = (
            np.stack(self._digits, 1),
            np.stack(self._weights),
        )  # (pixels, steps, lanes), (steps, rows, lanes)
        self._digits, self._weights = [], []
        pixels = min(len(digits), -(-_STEPS // digits.shape[1]))
        for row in range(weights.shape[1]):
            products = (digits[:pixels] * weights[:, row]).reshape(-1, digits.shape[2])
            length = max(64, len(products) // 64 * 64)  # a short layer goes round
            steps = np.resize(products, (length, products.shape[1]))
            self.found.setdefault(record.index, []).append(of_products(self.config, np.ascontiguousarray(steps.T)))


def _mean(found: Sequence[Switching]) -> Switching:
    def mean(counts: list[Counts]) -> Counts:
        return {kind: float(np.mean([one[kind] for one in counts])) for kind in counts[0]}

    return Switching(
        mean([one.switches for one in found]), mean([one.rails for one in found]), mean([one.middle for one in found])
    )
