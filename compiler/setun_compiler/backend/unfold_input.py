"""A first layer with few channels, unfolded by the host (im2col).

Three colour channels would leave most lanes idle at each of kh*kw positions; laid out as channels, the kernel's taps
fill them. The price is a larger input to load and to hold. Unfolding only the kernel's columns is the middle way.
"""

from dataclasses import replace

from setun_compiler.backend.plan import Op, Plan, Tensor, blocks_of
from setun_compiler.backend.stem import as_stem, is_stem
from setun_compiler.network import Integers
from setun_compiler.program import Unfold


def unfolded_inputs(plan: Plan) -> list[Plan]:
    """Plans whose input is laid out as patches of the whole kernel, or of a kernel row; none where it cannot pay."""
    consumers = [op for op in plan.ops if op.source == plan.input]
    tensor = plan.tensors[plan.input]
    if len(consumers) != 1:
        return []
    op = consumers[0]
    if op.conv_groups > 1 or min(op.padding) < 0:
        return []
    whole, row = op.kernel, (1, op.kernel[1])
    if any(op.pool.padding):
        return _stems(plan, op, tensor)
    taken = [kernel for kernel in dict.fromkeys((whole, row)) if _saves(plan, op, tensor, kernel)]
    return [_unfold(plan, op, tensor, kernel) for kernel in taken]


def _stems(plan: Plan, op: Op, tensor: Tensor) -> list[Plan]:
    """Patches of the whole kernel for a pooling that only they can have."""
    unfolded = _unfold(plan, op, tensor, op.kernel)
    stem = next(other for other in unfolded.ops if other.source == plan.input)
    made = _patches(tensor, op, 0), _patches(tensor, op, 1)
    fits = is_stem(stem) and made[0] >= 2 * op.rows - 1 and made[1] == 2 * op.cols
    return [as_stem(unfolded, stem)] if fits else []


def _patches(tensor: Tensor, op: Op, axis: int) -> int:
    """Pixels of the convolution before pooling, in rows (0) or columns (1)."""
    size = (tensor.rows, tensor.cols)[axis] + op.padding[axis] + op.padding[axis + 2]
    return (size - op.dilation[axis] * (op.kernel[axis] - 1) - 1) // op.stride[axis] + 1


def _saves(plan: Plan, op: Op, tensor: Tensor, kernel: tuple[int, int]) -> bool:
    """Whether patches of ``kernel`` take fewer steps than its positions one by one."""
    return blocks_of(kernel[0] * kernel[1] * tensor.channels, plan.config) < kernel[0] * kernel[1] * tensor.blocks


def _unfold(plan: Plan, op: Op, tensor: Tensor, kernel: tuple[int, int]) -> Plan:
    """The plan with patches of ``kernel`` (the op's own, or one row of it) as channels."""
    rows_too = kernel == op.kernel
    top, left, bottom, right = op.padding
    unfold = Unfold(
        rows=tensor.rows, cols=tensor.cols, channels=tensor.channels, kernel=kernel,
        stride=op.stride if rows_too else (1, op.stride[1]),
        dilation=op.dilation if rows_too else (1, op.dilation[1]),
        padding=(top, left, bottom, right) if rows_too else (0, left, 0, right),
        pad_value=op.pad_value,
    )  # fmt: skip
    patches = replace(
        tensor,
        channels=kernel[0] * kernel[1] * tensor.channels,
        # only pixels that some pooling window covers
        rows=min(_patches(tensor, op, 0), _covered(op, 0)) if rows_too else tensor.rows,
        cols=min(_patches(tensor, op, 1), _covered(op, 1)),
        blocks=blocks_of(kernel[0] * kernel[1] * tensor.channels, plan.config),
    )
    unfolded = replace(
        op,
        weights=_as_channels(op.weights, kernel),
        stride=(1 if rows_too else op.stride[0], 1),
        dilation=(1 if rows_too else op.dilation[0], 1),
        padding=(0, 0, 0, 0) if rows_too else (top, 0, bottom, 0),
    )
    ops = tuple(unfolded if other is op else other for other in plan.ops)
    return plan.with_(unfold=unfold, ops=ops, tensors={**plan.tensors, plan.input: patches})


def _covered(op: Op, axis: int) -> int:
    """Pixels that pooling windows reach to in rows (0) or columns (1)."""
    windows, stride, window = (
        (op.rows, op.pool.row_stride, op.pool.rows), (op.cols, op.pool.col_stride, op.pool.cols),
    )[axis]  # fmt: skip
    return (windows - 1) * stride + window - op.pool.padding[axis]


def _as_channels(weights: Integers, kernel: tuple[int, int]) -> Integers:
    """Weights (out, in, kh, kw) with the patch's taps as input channels, in the order of :class:`Unfold`."""
    out, _, rows, _ = weights.shape
    taps = weights.transpose(0, 2, 3, 1)  # (out, kh, kw, in)
    return taps.reshape(out, rows // kernel[0], -1).transpose(0, 2, 1).reshape(out, -1, rows // kernel[0], 1)
