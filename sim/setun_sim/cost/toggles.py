"""Switching of the dot products on the network's real operands, step by step as the hardware takes them.

The golden interpreter runs one run of real samples and is watched; some rows of the array and, all over the map and in
every strip, some successive pixels of every layer are evaluated in the netlist of the dot product.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from setun_compiler import host
from setun_compiler.program import Program
from setun_hw.config import Config
from setun_hw.descriptor import Compute
from setun_sim import golden
from setun_sim.cost.errors import CostError
from setun_sim.cost.switching import Counts, Switching, of_products
from setun_sim.order import descriptors_of

#: steps that are looked at, about, where a layer has as many; rows of the array; channel groups of a layer
_STEPS, _ROWS, _GROUPS = 2048, 4, 4


def toggles(program: Program, samples: ArrayLike) -> dict[str, Switching]:
    """Switching of a dot product by layer, for :func:`setun_sim.cost.energy.energy`.

    Takes as long as the golden interpreter needs for one run: seconds for small networks, minutes for large ones.

    Raises
    ------
    SetunError
        When samples do not fit the program's input, or there are none.
    """
    return toggles_in(program, samples, [program.config])[0]


def toggles_in(program: Program, samples: ArrayLike, configs: Sequence[Config]) -> list[dict[str, Switching]]:
    """The same for dot products of several configurations that get the very same digits, in one run.

    Raises
    ------
    SetunError
        When samples do not fit the program's input, or there are none.
    """
    inputs = host.encode(program, samples)
    if not len(inputs):
        raise CostError("toggles need samples")
    run = descriptors_of(program.image, program.run_offset, program.run_count)
    computes = {index: d for index, d in enumerate(run) if isinstance(d, Compute)}
    watcher = _Watcher(configs, computes)
    golden.run(program, inputs[0].tobytes(), observer=watcher)
    found: list[dict[str, Switching]] = [{} for _ in configs]
    for layer in program.layers:
        own = [one for index in layer.descriptors for one in watcher.found.get(index, [])]
        for place, counted in enumerate(zip(*own, strict=True)):
            found[place][layer.name] = _mean(counted)
    return found


class _Watcher(golden.Observer):
    """Keeps the operands of the group under way, and evaluates some of them when it is complete."""

    def __init__(self, configs: Sequence[Config], computes: dict[int, Compute]) -> None:
        self.configs, self.computes = configs, computes
        #: by descriptor: the switching of some rows, in each configuration
        self.found: dict[int, list[list[Switching]]] = {}
        self._pixels: tuple[NDArray[np.int64], ...] | None = None
        self._digits: list[NDArray[np.int64]] = []
        self._weights: list[NDArray[np.int64]] = []

    def step(self, index: int, x: NDArray[np.int64], w: NDArray[np.int64], padding: NDArray[np.bool_]) -> None:
        """Keep pixels from all over the map, and some rows of weights."""
        if len(self.found.get(index, [])) >= _GROUPS * _ROWS:
            return
        if self._pixels is None:
            self._pixels = _chosen(x.shape[:3], self.computes[index])
        self._digits.append(x[self._pixels].astype(np.int64))
        self._weights.append(w[:: max(1, len(w) // _ROWS)][:_ROWS].astype(np.int64))

    def group(self, record: golden.ComputeRecord) -> None:
        """Evaluate the group: pixel after pixel, each with all its steps."""
        if not self._digits:
            return
        digits = np.stack(self._digits, 1)  # (pixels, steps, lanes)
        weights = np.stack(self._weights)  # (steps, rows, lanes)
        self._pixels, self._digits, self._weights = None, [], []
        for row in range(weights.shape[1]):
            products = (digits * weights[:, row]).reshape(-1, digits.shape[2])
            length = max(64, len(products) // 64 * 64)  # a short layer goes round
            steps = np.resize(products, (length, products.shape[1]))
            lanes = np.ascontiguousarray(steps.T)
            self.found.setdefault(record.index, []).append([of_products(config, lanes) for config in self.configs])


def _chosen(shape: tuple[int, ...], d: Compute) -> tuple[NDArray[np.int64], ...]:
    """Strips, rows and columns of runs of successive pixels, as many in each strip, at random places."""
    strips, rows, cols = shape
    positions = d.kernel_rows * d.kernel_cols * d.blocks * d.pool_rows * d.pool_cols
    wanted = -(-_STEPS // (positions * d.in_digits * d.weight_digits * (1 + d.two_scale)))
    length = min(cols, max(2, -(-wanted // strips)))
    runs = max(1, -(-wanted // (strips * length)))
    random = np.random.default_rng(1958)
    strip = np.repeat(np.arange(strips), runs * length)
    row = np.repeat(random.integers(rows, size=strips * runs), length)
    first = np.repeat(random.integers(cols - length + 1, size=strips * runs), length)
    return strip, row, first + np.tile(np.arange(length), strips * runs)


def _mean(found: Sequence[Switching]) -> Switching:
    def mean(counts: list[Counts]) -> Counts:
        return {kind: float(np.mean([one[kind] for one in counts])) for kind in counts[0]}

    return Switching(
        mean([one.switches for one in found]), mean([one.rails for one in found]), mean([one.middle for one in found])
    )
