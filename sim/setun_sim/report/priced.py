"""A simulation and its energy in one go, with switching expected from densities or counted on real operands."""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from setun_compiler.program import Program
from setun_sim.cost.energy import Energy, energy
from setun_sim.cost.errors import CostError
from setun_sim.cost.technology import Technology
from setun_sim.cost.toggles import toggles
from setun_sim.simulation import Result, simulate
from setun_sim.timeline import DEFAULT_INTERVAL, DEFAULT_LATENCY
from setun_sim.verify.verify import random_samples

#: components whose switching :func:`counted` finds
DOT_PRODUCTS = ("multipliers", "adder tree")


def inputs_of(program: Program, samples: ArrayLike | None) -> NDArray[Any]:
    """The samples, or without them the random inputs of one run, the same every time."""
    return np.asarray(samples if samples is not None else random_samples(program, program.images))


def simulated(
    program: Program,
    samples: ArrayLike | None,
    *,
    latency: int = DEFAULT_LATENCY,
    interval: int = DEFAULT_INTERVAL,
) -> Result:
    """Simulate samples, or without them the random inputs of one run."""
    return simulate(program, inputs_of(program, samples), latency=latency, interval=interval)


def priced(
    program: Program,
    samples: ArrayLike | None,
    technology: Technology,
    *,
    memory: Technology | None = None,
    clock_mhz: float | None = None,
    latency: int = DEFAULT_LATENCY,
    interval: int = DEFAULT_INTERVAL,
) -> tuple[Result, Energy]:
    """Simulate, and say what an input costs; parameters are those of :func:`setun_sim.report.report`.

    Raises
    ------
    SetunError
        When samples do not fit the program, the program is malformed, a technology is of the wrong kind, or the clock
        is no positive number.
    """
    check_clock(clock_mhz)
    result = simulated(program, samples, latency=latency, interval=interval)
    return result, energy(result, technology, memory=memory, clock_mhz=clock_mhz)


def counted(result: Result, expected: Energy, samples: ArrayLike | None) -> Energy:
    """The same energy with the dot products' switching counted on the operands of the first run of ``samples``.

    Parameters
    ----------
    expected:
        What :func:`priced` found for ``result``.
    """
    inputs = inputs_of(result.program, samples)
    return energy(
        result, expected.technology, memory=expected.memory, clock_mhz=expected.clock_mhz,
        native=expected.structure.native, toggles=toggles(result.program, inputs),
    )  # fmt: skip


def toggles_section(expected: Energy, found: Energy) -> dict[str, Any]:
    """What counting changes, in fJ of an input: the whole, and multipliers and adder trees by layer."""

    def dot_products(one: Energy) -> list[float]:
        return [sum(layer.components.get(name, 0.0) for name in DOT_PRODUCTS) for layer in one.layers]

    return {
        "expected_energy_fj": expected.total_fj,
        "energy_fj": found.total_fj,
        "layers": [
            {"name": layer.name, "expected_dot_products_fj": before, "dot_products_fj": after}
            for layer, before, after in zip(found.layers, dot_products(expected), dot_products(found), strict=True)
        ],
    }


def check_clock(clock_mhz: float | None) -> None:
    """Refuse a clock that no time can be computed with."""
    if clock_mhz is not None and not 0 < clock_mhz < math.inf:
        raise CostError(f"clock must be a positive number of MHz, not {clock_mhz:g}")
