"""The circuits whose gates are kept in a table (``gates.json``): needs the hardware library, estimates do not."""

import hashlib
from collections import Counter
from collections.abc import Sequence

from amaranth import Elaboratable

from setun_hw.config import Config
from setun_hw.engine.drain import DrainControl
from setun_hw.engine.fixed_point import FixedPoint
from setun_hw.engine.queue import DescriptorQueue
from setun_hw.engine.recorder import Recorder
from setun_hw.engine.sequencer import Sequencer
from setun_hw.frontend.control import Control
from setun_hw.frontend.frontend import FrontEnd
from setun_hw.frontend.records import Records
from setun_hw.library import convert
from setun_sim.cost.netlist import held_flip_flops, mapped_gates


def control_parts(config: Config) -> list[Elaboratable]:
    """Everything that is neither datapath nor memory."""
    return [
        Sequencer(config), DrainControl(config), DescriptorQueue(config), Recorder(),
        FrontEnd(config), Control(config), Records(config),
    ]  # fmt: skip


def fixed_point_parts(config: Config) -> list[Elaboratable]:
    """The fixed-point unit of all strips (``affine`` only)."""
    return [FixedPoint(config)]


def reduced(config: Config) -> Config:
    """The same with as few channels as there can be: its parts are quickly written, and change with the others."""
    return config.replace(rows=2, lanes=2, strips=2, post=1)


def fingerprint(parts: Sequence[Elaboratable]) -> str:
    """Changes when what is generated for the parts does."""
    texts = (convert(part, "design") for part in parts)
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()


def gates(parts: Sequence[Elaboratable]) -> dict[str, int]:
    """Gates of the parts by kind, from synthesis.

    Raises
    ------
    StructureError
        When yosys is missing or refuses.
    """
    total: Counter[str] = Counter()
    for part in parts:
        total.update(mapped_gates(part))
    return dict(sorted(total.items()))


def held(parts: Sequence[Elaboratable]) -> int:
    """Flip-flops of the parts that have an enable, from the same synthesis."""
    return sum(map(held_flip_flops, parts))
