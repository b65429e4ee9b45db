"""What stands between an accumulator and the next linear operator: a small expression of elementwise nodes.

An expression is a graph, not a list, because quantizers read their input more than once (``x + (round(x) - x)``). Its
leaf is one number per element: an accumulator or an input value. Constants are per group: a group is an output channel
of a linear layer, or an element of the model's input.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

import numpy as np
from numpy.typing import NDArray

from setun_compiler.frontend.elementwise import ELEMENTWISE
from setun_compiler.frontend.errors import ModelError
from setun_compiler.frontend.graph import Array, Node

Floats = NDArray[np.float64]
_serial = count()


@dataclass(frozen=True, kw_only=True, eq=False)
class Expression:
    """An elementwise node applied to expressions and constants; without a node, the leaf itself.

    A constant has shape (groups, 1) or (1, 1).
    """

    node: Node | None = None
    arguments: "tuple[Expression | Array | None, ...]" = ()
    #: grows from arguments to results, so sorting by it is an evaluation order
    serial: int = field(default_factory=lambda: next(_serial))

    @property
    def where(self) -> str:
        """The last node, for messages."""
        return str(self.node) if self.node else "the linear operator itself"

    def parts(self) -> "list[Expression]":
        """Every expression this one depends on and itself, arguments first."""
        found: dict[int, Expression] = {self.serial: self}
        waiting: list[Expression] = [self]
        while waiting:
            for argument in waiting.pop().inner():
                if argument.serial not in found:
                    found[argument.serial] = argument
                    waiting.append(argument)
        return [found[serial] for serial in sorted(found)]

    def inner(self) -> "Iterator[Expression]":
        """The arguments that are expressions."""
        return (argument for argument in self.arguments if isinstance(argument, Expression))

    def evaluate(self, leaf: Floats) -> Floats:
        """Values of shape (groups, n) for leaf values of shape (groups, n) or (1, n), in float64.

        Raises
        ------
        ModelError
            Naming the node that makes a NaN or an infinite result.
        """
        values: dict[int, Array] = {}
        with np.errstate(all="ignore"):
            for part in self.parts():
                values[part.serial] = leaf if part.node is None else _apply(part, values)
        result = np.asarray(values[self.serial], np.float64)
        if not np.isfinite(result).all():
            group = int(np.argwhere(~np.isfinite(result))[0][0])
            raise ModelError(f"{self.where}: channel {group} reaches a value that is not a finite number")
        return result

    def rebased(self, at: "Expression", inner: "Expression") -> "Expression | None":
        """The expression with ``inner`` in the place of ``at``; None when it reads the leaf past ``at``."""
        made: dict[int, Expression | None] = {at.serial: inner}
        for part in self.parts():
            if part.serial in made:
                continue
            if part.node is None:
                made[part.serial] = None
                continue
            arguments: list[Expression | Array | None] = []
            for argument in part.arguments:
                arguments.append(made[argument.serial] if isinstance(argument, Expression) else argument)
            pairs = zip(part.arguments, arguments, strict=True)
            lost = any(isinstance(old, Expression) and new is None for old, new in pairs)
            made[part.serial] = None if lost else Expression(node=part.node, arguments=tuple(arguments))
        return made[self.serial]

    def rebased_leaf(self, inner: "Expression") -> "Expression":
        """The expression with ``inner`` in the place of the leaf."""
        found = self.rebased(self.leaf, inner)
        assert found is not None
        return found

    def sliced(self, start: int, stop: int, groups: int) -> "Expression":
        """The expression for groups start..stop-1 alone; itself, where it has no constants per group."""
        made: dict[int, Expression] = {}
        changed = False
        for part in self.parts():
            arguments: list[Expression | Array | None] = []
            for argument in part.arguments:
                if isinstance(argument, Expression):
                    arguments.append(made[argument.serial])
                elif argument is not None and argument.shape[0] == groups > 1:
                    arguments.append(argument[start:stop])
                    changed = True
                else:
                    arguments.append(argument)
            made[part.serial] = part if not part.arguments else Expression(node=part.node, arguments=tuple(arguments))
        return made[self.serial] if changed else self

    @property
    def leaf(self) -> "Expression":
        """The leaf the expression stands on."""
        return self.parts()[0]

    def affine(self, groups: int) -> tuple[Floats, Floats] | None:
        """(a, b), each (groups,), when the expression is a*leaf + b by its operators alone; else None."""
        forms: dict[int, tuple[Floats, Floats]] = {}
        with np.errstate(all="ignore"):
            for part in self.parts():
                form = (np.ones(1), np.zeros(1)) if part.node is None else _affine(part, forms)
                if form is None:
                    return None
                forms[part.serial] = form
        a, b = forms[self.serial]
        return np.broadcast_to(a, groups).copy(), np.broadcast_to(b, groups).copy()


def _apply(part: Expression, values: dict[int, Array]) -> Array:
    node = part.node
    assert node is not None
    arguments = tuple(
        values[argument.serial] if isinstance(argument, Expression) else _wide(argument) for argument in part.arguments
    )
    return ELEMENTWISE[node.domain, node.op](node, arguments)


def _wide(constant: Array | None) -> Array | None:
    return constant.astype(np.float64) if constant is not None and constant.dtype.kind == "f" else constant


def _affine(part: Expression, forms: dict[int, tuple[Floats, Floats]]) -> tuple[Floats, Floats] | None:
    node = part.node
    assert node is not None
    x: list[tuple[Floats, Floats]] = []
    for argument in part.arguments:
        if isinstance(argument, Expression):
            x.append(forms[argument.serial])
        elif argument is not None:
            flat = argument.astype(np.float64).reshape(-1)
            x.append((np.zeros(1), flat))
    key = node.op if not node.domain else ""
    if key in ("Add", "Sum"):
        return sum((a for a, _ in x), np.zeros(1)), sum((b for _, b in x), np.zeros(1))
    if key == "Sub":
        return x[0][0] - x[1][0], x[0][1] - x[1][1]
    if key == "Neg":
        return -x[0][0], -x[0][1]
    if key == "Mul" and not x[1][0].any():
        return x[0][0] * x[1][1], x[0][1] * x[1][1]
    if key == "Mul" and not x[0][0].any():
        return x[1][0] * x[0][1], x[1][1] * x[0][1]
    if key == "Div" and not x[1][0].any() and x[1][1].all():
        return x[0][0] / x[1][1], x[0][1] / x[1][1]
    if key == "BatchNormalization" and not any(a.any() for a, _ in x[1:]):
        gamma, beta, mean, variance = (b for _, b in x[1:])
        gain = gamma / np.sqrt(variance + node.number("epsilon", 1e-5))
        return x[0][0] * gain, (x[0][1] - mean) * gain + beta
    if key == "Cast" and node.integer("to", 0) in (1, 10, 11, 16):
        return x[0]
    return None
