"""Pass 4: fixed-point post-processing never saturates where the network does not, proved from the sums' ranges."""

from dataclasses import replace

import numpy as np

from setun_compiler.backend.plan import CompileError, Op, Plan, Tensors
from setun_compiler.network import Affine, Integers
from setun_hw.config import Config
from setun_hw.presets import having

Range = tuple[Integers, Integers]  #: smallest and largest of each channel
#: largest shift a descriptor can hold
MOST_SHIFT = 31


def prove_affine(plan: Plan) -> Plan:
    """Check every fixed-point layer's numbers, and cut its pivots to what they are compared with.

    Raises
    ------
    CompileError
        When a coefficient, an intermediate or a result may exceed its bits, naming the layer and the bits it takes.
    """
    return plan.with_(ops=tuple(_prove(op, plan.tensors, plan.config) for op in plan.ops))


def _prove(op: Op, tensors: Tensors, config: Config) -> Op:
    post = op.affine
    if post is None:
        return op
    need = _Need(op.name, config)
    need.shifts(post)
    for name in ("m", "m2", "r", "m0", "m1"):
        need.bits(f"coefficient {name}", getattr(post, name), getattr(post, name), "coefficient_bits")
    for name in ("b", "b0", "b1"):
        need.wide(f"offset {name}", getattr(post, name))
    need.bits("result", np.array([post.low]), np.array([post.high]), "residual_bits")
    share = _share(op, tensors, need)
    v = _plus(_product(op, tensors), (post.b, post.b))
    after: Range | None = None
    if share is not None and post.residual_after:
        after = _rounded(share, post.shift)
        need.bits("residual share", *after, "accumulator_bits")
    elif share is not None:
        v = _plus(v, share)
    v = _rounded(v, post.shift)
    need.bits("value before the slopes", *v, "accumulator_bits")
    y = _slopes(post, *v)
    need.bits("value behind the slopes", *y, "accumulator_bits")
    limit = 1 << config.accumulator_bits - 1
    return replace(op, affine=replace(post, pivot=np.clip(post.pivot, -limit, limit - 1)))


def _product(op: Op, tensors: Tensors) -> Range:
    """acc*m + acc2*m2."""
    post = op.affine
    assert post is not None
    assert op.low is not None
    assert op.high is not None
    if not op.two_scale:
        return _times(post.m, op.low, op.high)
    assert op.source is not None
    # a weight +1 adds x*(m2 + m), a weight -1 adds x*(m2 - m)
    source = tensors[op.source]
    low, high = min(source.low, 0), max(source.high, 0)
    plus, minus = ((op.weights == w).sum(axis=(1, 2, 3)) for w in (1, -1))
    return _plus(_times(post.m2 + post.m, plus * low, plus * high), _times(post.m2 - post.m, minus * low, minus * high))


def _share(op: Op, tensors: Tensors, need: "_Need") -> Range | None:
    if op.operand is None or op.affine is None:
        return None
    operand, window = tensors[op.operand.source], op.operand.rows * op.operand.cols
    low, high = np.array([operand.low * window]), np.array([operand.high * window])
    need.bits("sum of the residual operand's window", low, high, "accumulator_bits")
    return _times(op.affine.r, low, high)


def _slopes(post: Affine, low: Integers, high: Integers) -> Range:
    """The range of y for v in a range: each slope over its own part, if it has one."""
    upper = _rounded(_plus(_times(post.m1, np.maximum(low, post.pivot), high), (post.b1, post.b1)), post.shift1)
    lower = _rounded(_plus(_times(post.m0, low, np.minimum(high, post.pivot - 1)), (post.b0, post.b0)), post.shift1)
    some_upper, some_lower = high >= post.pivot, low < post.pivot
    return (
        np.minimum(np.where(some_upper, upper[0], lower[0]), np.where(some_lower, lower[0], upper[0])),
        np.maximum(np.where(some_upper, upper[1], lower[1]), np.where(some_lower, lower[1], upper[1])),
    )


def _times(factor: Integers, low: Integers, high: Integers) -> Range:
    return np.minimum(factor * low, factor * high), np.maximum(factor * low, factor * high)


def _plus(a: Range, b: Range) -> Range:
    return a[0] + b[0], a[1] + b[1]


def _rounded(x: Range, shift: int) -> Range:
    half = 1 << shift >> 1
    return (x[0] + half) >> shift, (x[1] + half) >> shift


class _Need:
    """Compares ranges with a configuration's widths."""

    def __init__(self, layer: str, config: Config) -> None:
        self.layer, self.config = layer, config

    def bits(self, what: str, low: Integers, high: Integers, field: str) -> None:
        """Refuse a range that the signed field does not hold."""
        self._check(what, low, high, getattr(self.config, field), field)

    def wide(self, what: str, values: Integers) -> None:
        """Refuse an offset wider than an accumulator times a coefficient."""
        bits = self.config.accumulator_bits + self.config.coefficient_bits
        self._check(what, values, values, bits, "accumulator_bits and coefficient_bits, together")

    def shifts(self, post: Affine) -> None:
        """Refuse a shift that a descriptor cannot hold."""
        if not (0 <= post.shift <= MOST_SHIFT and 0 <= post.shift1 <= MOST_SHIFT):
            raise CompileError(f"layer {self.layer!r}: shifts {post.shift} and {post.shift1} must be 0 to {MOST_SHIFT}")

    def _check(self, what: str, low: Integers, high: Integers, bits: int, field: str) -> None:
        least, most = int(low.min()), int(high.max())
        needed = max(most.bit_length(), (~least).bit_length() if least < 0 else 0) + 1
        if needed > bits:
            largest = least if most.bit_length() + 1 < needed else most
            raise CompileError(
                f"layer {self.layer!r}: {what} of {largest} takes {field} {needed}, but configuration"
                f" {self.config.name!r} has {bits}{having(field, needed) if hasattr(self.config, field) else ''}"
            )
