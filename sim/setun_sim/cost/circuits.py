"""The circuits an accelerator consists of, for those who synthesise them one by one (package amaranth)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from setun_hw.codec import sum_width
from setun_hw.config import Config


@dataclass(frozen=True)
class Circuit:
    """``copies`` equal circuits of a part; ``make`` builds one."""

    part: str
    copies: int
    make: Callable[[], Any]


def circuits(config: Config) -> list[Circuit]:
    """All circuits but the registers between dot products and accumulators (:func:`sum_registers`)."""
    from setun_hw.arithmetic import Accumulator, DotProduct
    from setun_hw.engine.banks import Banks
    from setun_hw.engine.drain import DrainControl
    from setun_hw.engine.fixed_point import FixedPoint
    from setun_hw.engine.memories import LEVELS, ParameterMemory, WeightMemory
    from setun_hw.engine.post import StripPost
    from setun_hw.engine.queue import DescriptorQueue
    from setun_hw.engine.recorder import Recorder
    from setun_hw.engine.sequencer import Sequencer
    from setun_hw.frontend.control import Control
    from setun_hw.frontend.frontend import FrontEnd
    from setun_hw.frontend.records import Records

    pairs = config.rows * config.strips
    control = (Sequencer, DrainControl, DescriptorQueue, FrontEnd, Control, Records)
    found = [
        Circuit("dot products", pairs, lambda: DotProduct(config)),
        Circuit("accumulators", pairs * (2 if config.two_scale else 1), lambda: Accumulator(config)),
        Circuit("post-processing", config.strips, lambda: StripPost(config)),
        Circuit("memory logic", 1, lambda: Banks(config)),
        Circuit("memory logic", 1, lambda: WeightMemory(config)),
        Circuit("memory logic", 1, lambda: ParameterMemory(config, LEVELS)),
        *[Circuit("control", 1, lambda part=part: part(config)) for part in control],  # type: ignore[misc]
        Circuit("control", 1, Recorder),
    ]
    if config.affine:  # of one strip each, so with the control that all strips share a little too much
        found.append(Circuit("fixed point", config.strips, lambda: FixedPoint(config.replace(strips=1))))
    return found


def sum_registers(config: Config) -> int:
    """Flip-flops between dot products and accumulators."""
    return config.rows * config.strips * sum_width(config)
