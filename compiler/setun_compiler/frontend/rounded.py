"""Chains with a quantiser of many levels: the straight lines in front of its rounding, and the grid it rounds to."""

from dataclasses import dataclass

import numpy as np

from setun_compiler.frontend import elementwise
from setun_compiler.frontend.expression import Expression
from setun_compiler.frontend.fixed_point import OutGrid
from setun_compiler.frontend.graph import Array, Node
from setun_compiler.frontend.grid import find_grid
from setun_compiler.frontend.lines import spread, values
from setun_compiler.frontend.tensors import Mapped, leaf_range, synthetic

#: operators that round; what stands in front of the last of them is a real function
ROUNDING = ("Round", "QuantizeLinear", "Quant", "IntQuant")
#: most integers a rounding may give
COUNT_LIMIT = 1 << 12


@dataclass(frozen=True, kw_only=True)
class Rounded:
    """round(surrogate/scale) clipped to the grid is what the chain computes, up to ties and float noise."""

    grid: OutGrid
    surrogate: Expression  #: on the chain's leaf
    before: Expression  #: the model's own value that is rounded

    @property
    def levels(self) -> int:
        """How many integers there are."""
        return self.grid.high - self.grid.low + 1


def rounded_grid(source: Mapped, value: Expression) -> Rounded | None:
    """The quantiser through which all of a chain goes, where there is one and what follows it is a scale and a clip."""
    node = next((part for part in reversed(value.parts()) if _dominates(part, value)), None)
    if node is None or node.node is None:
        return None
    inner, outer = node.arguments[0], value.rebased(node, Expression())
    assert isinstance(inner, Expression)
    assert outer is not None
    before = _steps_of(node.node, node.arguments)
    if before is None:
        return None
    scale, zero, limits = before
    position = _line(inner, 1 / scale, zero)  # in steps, not yet rounded
    first, last = limits if limits is not None else _reached(source, position)
    if last - first >= COUNT_LIMIT or last <= first:
        return None
    numbers = np.arange(first, last + 1, dtype=np.float64)
    made = numbers if node.node.op in ("QuantizeLinear", "Round") else (numbers - zero) * scale
    after = outer.evaluate(made[None, :])
    if after.shape[0] != 1 and (after != after[:1]).any():
        return None
    levels = after[0]
    grid = find_grid(np.unique(levels))
    if grid is None or grid.offset != 0:
        return None
    codes = np.rint(levels / grid.scale)
    rises = np.flatnonzero(np.diff(codes))
    if not rises.size or (np.diff(codes)[rises[0] : rises[-1] + 1] != np.diff(codes)[rises[0]]).any():
        return None
    step = float(np.diff(codes)[rises[0]])
    origin = float(codes[rises[0]] - step * numbers[rises[0]])
    surrogate = _line(position, step * grid.scale, origin * grid.scale)
    low, high = int(codes.min()), int(codes.max())
    if abs(step) != 1:
        return None
    seen = values(value, spread(*leaf_range(source)))
    change = np.diff(seen, axis=1)
    if ((change >= 0).all(axis=1) | (change <= 0).all(axis=1)).all():
        # so that what the chain itself clips (ReLU6) is no line of its own inside a wider quantiser
        reached = np.rint(seen[:, [0, -1]] / grid.scale)
        low, high = max(low, int(reached.min())), min(high, int(reached.max()))
    return Rounded(grid=OutGrid(scale=grid.scale, low=low, high=high), surrogate=surrogate, before=inner)


def _dominates(part: Expression, value: Expression) -> bool:
    return (
        part.node is not None
        and part.node.op in ROUNDING
        and isinstance(part.arguments[0], Expression)
        and value.rebased(part, Expression()) is not None
    )


def _steps_of(node: Node, arguments: tuple[Expression | Array | None, ...]) -> (
    tuple[float, float, tuple[int, int] | None] | None
):
    """Scale, zero and limits of a rounding operator; None when they differ between channels."""
    constants = [argument for argument in arguments[1:] if isinstance(argument, np.ndarray)]
    if any(constant.size != 1 for constant in constants):
        return None
    if node.op == "Round":
        return 1.0, 0.0, None
    zero_point = constants[1] if len(constants) > 1 else None
    zero = 0.0 if zero_point is None else float(zero_point.item())
    if node.op == "QuantizeLinear":
        return float(constants[0].item()), zero, elementwise.quantize_range(node, zero_point)
    if node.text("rounding_mode", "ROUND").upper() not in ("ROUND", "HALF_EVEN", "HALF_UP", "HALF_DOWN"):
        return None
    return float(constants[0].item()), zero, elementwise.quant_range(node, constants[2])


def _line(inner: Expression, gain: float, offset: float) -> Expression:
    scaled = Expression(node=synthetic("Mul", "grid"), arguments=(inner, np.full((1, 1), gain)))
    return Expression(node=synthetic("Add", "grid"), arguments=(scaled, np.full((1, 1), offset)))


def _reached(source: Mapped, position: Expression) -> tuple[int, int]:
    """Smallest and largest integer that is reached."""
    low, high = leaf_range(source)
    seen = values(position, spread(low, high))
    return round(float(seen.min())), round(float(seen.max()))
