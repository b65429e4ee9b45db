"""Constant folding: operators that do not depend on the input, every result's size known before it is computed."""

import math
from collections.abc import Callable

import numpy as np

from setun_compiler.frontend.elementwise import ELEMENTWISE, Inputs, aligned, present
from setun_compiler.frontend.errors import ModelError
from setun_compiler.frontend.graph import Array, Node
from setun_compiler.frontend.layout import LAYOUT, axes_of, pad_widths, sized, whole

#: elements of all folded results together; a model far beyond this is an attack, not a network
BUDGET = 1 << 29


class Folder:
    """Evaluates nodes whose inputs are all constants, within a budget."""

    def __init__(self) -> None:
        self._left = BUDGET

    def fold(self, node: Node, inputs: Inputs) -> list[Array]:
        """The node's outputs.

        Raises
        ------
        ModelError
            Naming the node, when a result would be too large or the inputs do not fit the operator.
        """
        if (node.domain, node.op) in ELEMENTWISE:
            shape = inputs[0].shape if inputs and inputs[0] is not None else ()
            arguments = tuple(aligned(node, inputs, shape, index) for index in range(len(inputs)))
            known = [value.shape for value in arguments if value is not None]
            self._charge(math.prod(sized(node, np.broadcast_shapes(*known))))
            with np.errstate(all="ignore"):
                return [np.asarray(ELEMENTWISE[node.domain, node.op](node, arguments))]
        results = LAYOUT[node.op](node, inputs) if node.op in LAYOUT else FOLDED[node.op](node, inputs)
        self._charge(sum(result.size for result in results) + sum(value.size for value in inputs if value is not None))
        return results

    def _charge(self, elements: int) -> None:
        self._left -= elements
        if self._left < 0:
            raise ModelError(f"the model's constant operators make more than {BUDGET} elements")


def _constant(node: Node, x: Inputs) -> list[Array]:
    if len(node.attributes) == 1:
        ((name, value),) = node.attributes.items()
        if name == "value" and isinstance(value, np.ndarray):
            return [value]
        if name in ("value_float", "value_floats") and isinstance(value, float | tuple):
            return [np.asarray(value, np.float32)]
        if name in ("value_int", "value_ints") and isinstance(value, int | tuple):
            return [np.asarray(value, np.int64)]
    raise ModelError(f"{node} must have one value, a tensor or numbers")


def _shape(node: Node, x: Inputs) -> list[Array]:
    return [shape_of(node, present(node, x, 0).shape)]


def shape_of(node: Node, shape: tuple[int, ...]) -> Array:
    """What Shape gives for a value of that shape."""
    return np.array(shape[node.integer("start", 0) : node.integer("end", len(shape))], np.int64)


def _constant_of_shape(node: Node, x: Inputs) -> list[Array]:
    shape = sized(node, whole(node, present(node, x, 0), "the shape"))
    value = node.attributes.get("value", np.zeros(1, np.float32))
    if not isinstance(value, np.ndarray) or value.size != 1:
        raise ModelError(f"{node}: its value must have one element")
    return [np.broadcast_to(value.reshape(()), shape)]


def _range(node: Node, x: Inputs) -> list[Array]:
    start, limit, step = (present(node, x, index) for index in range(3))
    if start.size != 1 or limit.size != 1 or step.size != 1 or not np.all(step):
        raise ModelError(f"{node}: start, limit and step must be single numbers, the step not 0")
    count = (float(limit.item()) - float(start.item())) / float(step.item())
    sized(node, (max(0, math.ceil(min(count, 1e18))),))
    return [np.arange(start.item(), limit.item(), step.item(), dtype=start.dtype)]


def _concat(node: Node, x: Inputs) -> list[Array]:
    parts = [present(node, x, index) for index in range(len(x))]
    return [concatenate(node, parts)]


def concatenate(node: Node, parts: list[Array]) -> Array:
    """The parts joined along the node's axis."""
    axis = node.integer("axis", 0)
    if any(part.ndim != parts[0].ndim or not -part.ndim <= axis < part.ndim for part in parts):
        raise ModelError(f"{node}: the parts' dimensions do not fit axis {axis}")
    shape = list(parts[0].shape)
    shape[axis] = sum(part.shape[axis] for part in parts)
    sized(node, tuple(shape))
    return np.concatenate(parts, axis)


def _pad(node: Node, x: Inputs) -> list[Array]:
    value, widths = present(node, x, 0), pad_widths(node, x)
    fill = x[2].item() if len(x) > 2 and x[2] is not None else node.number("value", 0.0)
    if node.text("mode", "constant") != "constant":
        raise ModelError(f"{node}: only constant padding is supported")
    return [np.pad(value, widths, constant_values=fill)]


def _reduce(function: Callable[..., Array]) -> Callable[[Node, Inputs], list[Array]]:
    def apply(node: Node, x: Inputs) -> list[Array]:
        value = present(node, x, 0)
        axes = axes_of(node, x, value.ndim)
        if not axes and node.integer("noop_with_empty_axes", 0):
            return [value]
        result = function(value, axis=axes or None, keepdims=bool(node.integer("keepdims", 1)))
        return [np.asarray(result).astype(value.dtype)]

    return apply


def _matmul(node: Node, x: Inputs) -> list[Array]:
    a, b = present(node, x, 0), present(node, x, 1)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[0]:
        raise ModelError(f"{node}: shapes {list(a.shape)} and {list(b.shape)} cannot be multiplied")
    sized(node, (a.shape[0], b.shape[1]))
    if a.shape[0] * a.shape[1] * b.shape[1] > BUDGET:
        raise ModelError(f"{node}: the product of its constants is too large")
    return [a @ b]


def _l2(value: Array, **how: object) -> Array:
    return np.sqrt(np.sum(np.square(value), **how))  # type: ignore[call-overload,no-any-return]


FOLDED: dict[str, Callable[[Node, Inputs], list[Array]]] = {
    "Constant": _constant, "Shape": _shape, "Size": lambda node, x: [np.array(present(node, x, 0).size, np.int64)],
    "ConstantOfShape": _constant_of_shape, "Range": _range, "Concat": _concat, "Pad": _pad, "MatMul": _matmul,
    "ReduceSum": _reduce(np.sum), "ReduceMean": _reduce(np.mean), "ReduceMax": _reduce(np.max),
    "ReduceMin": _reduce(np.min), "ReduceProd": _reduce(np.prod), "ReduceL2": _reduce(_l2),
    "ReduceL1": _reduce(lambda value, **how: np.sum(np.abs(value), **how)),
    "ReduceSumSquare": _reduce(lambda value, **how: np.sum(np.square(value), **how)),
}  # fmt: skip
