"""A first layer with few channels, unfolded by the host (im2col).

Three colour channels would leave most lanes idle at each of kh*kw positions; laid out as channels, the kernel's taps
fill them. The price is a larger input to load and to hold.
"""

from dataclasses import replace

from setun_compiler.backend.plan import Plan, blocks_of
from setun_compiler.program import Unfold


def unfold_input(plan: Plan) -> Plan | None:
    """The plan with the input as patches and its only reader as a 1 x 1 convolution; None where that cannot pay."""
    consumers = [op for op in plan.ops if op.source == plan.input]
    op, tensor, target = consumers[0], plan.tensors[plan.input], plan.tensors[consumers[0].target]
    taps = op.kernel[0] * op.kernel[1] * tensor.channels
    blocks = blocks_of(taps, plan.config)
    saves = blocks < op.kernel[0] * op.kernel[1] * tensor.blocks
    if len(consumers) > 1 or op.conv_groups > 1 or not saves:
        return None
    layer = next(layer for layer in plan.network.layers if layer.target == op.target)
    unfold = Unfold(
        rows=tensor.rows, cols=tensor.cols, channels=tensor.channels, kernel=op.kernel, stride=op.stride,
        dilation=op.dilation, padding=layer.padding, pad_value=op.pad_value,
    )  # fmt: skip
    patches = replace(
        tensor,
        channels=taps,
        # only pixels that some pooling window covers
        rows=(target.rows - 1) * op.pool.row_stride + op.pool.rows,
        cols=(target.cols - 1) * op.pool.col_stride + op.pool.cols,
        blocks=blocks,
    )
    unfolded = replace(
        op,
        weights=op.weights.transpose(0, 2, 3, 1).reshape(op.channels, taps, 1, 1),
        stride=(1, 1), dilation=(1, 1), pad_top=0, pad_left=0, pad_value=0,
    )  # fmt: skip
    ops = tuple(unfolded if other is op else other for other in plan.ops)
    return plan.with_(unfold=unfold, ops=ops, tensors={**plan.tensors, plan.input: patches})
