"""Pass 5: a first layer with few channels is unfolded by the host, if that pays (im2col).

Three colour channels would leave most lanes idle at each of kh*kw positions; laid out as channels, the kernel's taps
fill them. The price is a larger input to load.
"""

from dataclasses import replace

from setun_compiler.backend.plan import Op, Plan, Tensor, blocks_of
from setun_compiler.layout import ceil_div
from setun_compiler.program import Unfold


def unfold_input(plan: Plan) -> Plan:
    """Choose between the input as it is and its patches by estimated cycles of loading and computing."""
    consumers = [op for op in plan.ops if op.source == plan.input]
    op, tensor = consumers[0], plan.tensors[plan.input]
    if len(consumers) > 1 or op.conv_groups > 1 or op.kernel == (1, 1):
        return plan
    patches, unfolded = _unfold(plan, op, tensor)
    if _cycles(plan, unfolded, patches) >= _cycles(plan, op, tensor):
        return plan
    top, left = op.pad_top, op.pad_left
    layer = next(layer for layer in plan.network.layers if layer.name == op.name and layer.target == op.target)
    unfold = Unfold(
        rows=tensor.rows, cols=tensor.cols, channels=tensor.channels, kernel=op.kernel, stride=op.stride,
        dilation=op.dilation, padding=(top, left, layer.padding[2], layer.padding[3]), pad_value=op.pad_value,
    )  # fmt: skip
    ops = tuple(unfolded if other is op else other for other in plan.ops)
    return plan.with_(unfold=unfold, ops=ops, tensors={**plan.tensors, plan.input: patches})


def _unfold(plan: Plan, op: Op, tensor: Tensor) -> tuple[Tensor, Op]:
    """The input as patches, and the op as a 1 x 1 convolution of them."""
    target = plan.tensors[op.target]
    taps = op.kernel[0] * op.kernel[1] * tensor.channels
    patches = replace(
        tensor,
        channels=taps,
        # only pixels that some pooling window covers
        rows=(target.rows - 1) * op.pool.row_stride + op.pool.rows,
        cols=(target.cols - 1) * op.pool.col_stride + op.pool.cols,
        blocks=blocks_of(taps, plan.config),
    )
    weights = op.weights.transpose(0, 2, 3, 1).reshape(op.channels, taps, 1, 1)
    unfolded = replace(op, weights=weights, stride=(1, 1), dilation=(1, 1), pad_top=0, pad_left=0, pad_value=0)
    return patches, unfolded


def _cycles(plan: Plan, op: Op, tensor: Tensor) -> int:
    """Cycles to load the input and to compute the op, not overlapped."""
    config, target = plan.config, plan.tensors[op.target]
    loading = plan.images * tensor.rows * tensor.row_beats(config)
    steps = op.pool.rows * op.pool.cols * tensor.digits * op.weight_digits * op.kernel[0] * op.kernel[1] * tensor.blocks
    pixel = max(steps, config.chunks * target.digits) * ceil_div(op.channels, config.rows)
    rows = target.rows if plan.batch else ceil_div(target.rows, config.strips)
    return loading + rows * target.cols * pixel
