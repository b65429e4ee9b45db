"""What later operators need of a source, and how precise fixed point is."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from setun_compiler.frontend.expression import Expression
from setun_compiler.frontend.fixed_point import OutGrid
from setun_compiler.frontend.grid import Grid
from setun_compiler.frontend.steps import Steps
from setun_compiler.frontend.tensors import Mapped
from setun_compiler.network import Feature
from setun_hw.config import Config

if TYPE_CHECKING:
    from setun_compiler.frontend.rounded import Rounded


@dataclass(frozen=True, kw_only=True)
class Precision:
    """Widths of fixed point, which the configuration must offer."""

    activation_bits: int = 8  #: real-valued tensors that are convolved
    residual_bits: int = 12  #: real-valued tensors that are added
    coefficient_bits: int = 16  #: factors of the affine step

    @classmethod
    def of(cls, config: Config) -> "Precision":
        """What a configuration offers."""
        return cls(
            activation_bits=min(8, config.residual_bits), residual_bits=config.residual_bits,
            coefficient_bits=config.coefficient_bits,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Demand:
    """A feature some operator reads: ``value`` of a source as codes of ``levels``, or in fixed point on ``out``."""

    source: Mapped
    value: Expression
    feature: Feature
    name: str  #: of the layer that makes it, unless that makes more
    #: for residual memory, not for the banks
    fixed: bool = False
    out: OutGrid | None = None
    levels: Steps | None = None
    code_grid: Grid | None = None
    #: the model's own quantizer, where it decides the grid
    rounded: "Rounded | None" = None
    #: where in the feature it goes: channel, row and column
    at: tuple[int, int, int] = (0, 0, 0)


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """Which of the model's values a feature stands for: real = scale*integer + offset."""

    feature: str
    value: str  #: its name in the model's graph
    scale: float
    offset: float
    #: whether its integers are levels of a step function, not fixed point
    decisions: bool
