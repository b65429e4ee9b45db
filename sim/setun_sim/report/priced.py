"""A simulation and its energy in one go."""

import math

import numpy as np
from numpy.typing import ArrayLike

from setun_compiler.program import Program
from setun_sim.cost.energy import Energy, energy
from setun_sim.cost.errors import CostError
from setun_sim.cost.technology import Technology
from setun_sim.simulation import Result, simulate
from setun_sim.timeline import DEFAULT_INTERVAL, DEFAULT_LATENCY
from setun_sim.verify.verify import random_samples


def simulated(
    program: Program,
    samples: ArrayLike | None,
    *,
    latency: int = DEFAULT_LATENCY,
    interval: int = DEFAULT_INTERVAL,
) -> Result:
    """Simulate samples, or without them the random inputs of one run."""
    inputs = np.asarray(samples if samples is not None else random_samples(program, program.images))
    return simulate(program, inputs, latency=latency, interval=interval)


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


def check_clock(clock_mhz: float | None) -> None:
    """Refuse a clock that no time can be computed with."""
    if clock_mhz is not None and not 0 < clock_mhz < math.inf:
        raise CostError(f"clock must be a positive number of MHz, not {clock_mhz:g}")
