"""The COMPUTE of a run, and the SET_POST before it."""

from typing import Any

import numpy as np

from setun_compiler.backend.pieces import Piece
from setun_compiler.backend.plan import Op, Plan, Run, Segment
from setun_compiler.backend.stream import Slot
from setun_compiler.digits import to_codes
from setun_compiler.layout import ceil_div
from setun_hw.descriptor import Compute, Post


def compute_descriptor(plan: Plan, step: Run, parameters: Slot, weights: Slot, piece: Piece, after: int) -> Compute:
    """The COMPUTE of one run.

    Raises
    ------
    DescriptorError
        When a number does not fit its field.
    """
    config, op = plan.config, plan.ops[step.op]
    segment = op.segments[step.segment]
    channels = min(segment.groups * config.rows, op.channels - segment.first_group * config.rows)
    return Compute(
        mode=op.mode,
        batch=int(plan.batch),
        affine=int(op.affine is not None),
        two_scale=int(op.two_scale),
        no_array=int(op.source is None),
        residual=int(op.operand is not None),
        residual_after=int(op.affine is not None and op.operand is not None and op.affine.residual_after),
        residual_write=int(op.fixed is not None),
        after=after,
        after_step=int(weights.by_group),
        groups=segment.groups,
        weight_digits=op.weight_digits,
        weight_base=weights.base,
        weight_group_step=piece.group_words if segment.groups > 1 else 0,
        weight_ring=weights.ring,
        parameter_base=parameters.base,
        out_rows=step.out_rows,
        out_cols=op.cols,
        chunks=config.chunks,
        last_chunks=ceil_div(channels - (segment.groups - 1) * config.rows, config.post),
        **_input(plan, step, op, segment),
        **_output(plan, step, op, segment),
    )


def _input(plan: Plan, step: Run, op: Op, segment: Segment) -> dict[str, Any]:
    """Fields of the loops over the input; a run without one takes one step a pixel and reads nothing."""
    read = step.source
    if read is None or op.source is None:
        return {"in_strip_rows": step.out_rows, "in_row_stride": 0, "in_col_stride": 0, "in_end": 1}
    source, reach = plan.tensors[op.source], op.reach
    pads = to_codes(np.array(op.pad_value), source.digits, plan.config.encoding)
    return {
        "in_base": read.base + segment.first_block * source.digits,
        "in_end": read.base + read.words,
        "in_digits": source.digits,
        "in_row_stride": source.row_words,
        "in_col_stride": source.col_words,
        "in_cols": source.cols,
        "in_strip_rows": read.strip_rows,
        "in_full_strips": 0 if plan.batch else read.rows // read.strip_rows,
        "in_last_rows": read.rows if plan.batch else read.rows % read.strip_rows,
        "pad_digits": sum(int(code) << 2 * plane for plane, code in enumerate(pads)),
        "blocks": segment.blocks,
        "group_block_step": segment.group_block_step,
        "kernel_rows": op.kernel[0],
        "kernel_cols": op.kernel[1],
        "kernel_row_step": reach[1],
        "kernel_col_step": op.dilation[1] if op.kernel[1] > 1 else 1,
        "pool_rows": op.pool.rows,
        "pool_cols": op.pool.cols,
        "pool_row_step": reach[2],
        "pool_col_step": op.stride[1] if op.pool.cols > 1 else 1,
        "row_step": step.row_step,
        "col_step": op.col_step if op.cols > 1 else 1,
        "pad_top": step.pad_top,
        "pad_left": op.padding[1],
        "weight_plane": op.kernel[0] * op.kernel[1] * segment.blocks,
    }


def _output(plan: Plan, step: Run, op: Op, segment: Segment) -> dict[str, Any]:
    """Fields of what is written to the banks."""
    write = step.target
    if write is None or op.target is None:
        return {"out_row_stride": 0, "out_col_stride": 0}
    target = plan.tensors[op.target]
    block, row, col = op.at
    row += step.out_first
    block += segment.first_group * plan.config.rows // plan.config.lanes
    return {
        "out_base": write.base + row * target.row_words + col * target.col_words + block * target.digits,
        "out_end": write.base + write.words,
        "out_digits": target.digits,
        "out_row_stride": target.row_words,
        "out_col_stride": target.col_words,
    }


def post_descriptor(plan: Plan, step: Run) -> Post:
    """The fixed-point settings of one run.

    Raises
    ------
    DescriptorError
        When a number does not fit its field.
    """
    op = plan.ops[step.op]
    assert op.affine is not None
    first = op.segments[step.segment].first_group * plan.config.chunks
    return Post(
        shift=op.affine.shift,
        shift1=op.affine.shift1,
        low=op.affine.low,
        high=op.affine.high,
        **_operand(plan, step, op, first),
        **_fixed(plan, step, op, first),
    )


def _operand(plan: Plan, step: Run, op: Op, first: int) -> dict[str, Any]:
    read = step.operand
    if read is None or op.operand is None:
        return {}
    tensor = plan.tensors[op.operand.source]
    return {
        "res_base": read.base + step.out_first * op.operand.row_step * tensor.row_words,
        "res_end": read.base + read.words,
        "res_rows": op.operand.rows,
        "res_cols": op.operand.cols,
        "res_row_stride": tensor.row_words,
        "res_col_stride": tensor.col_words,
        "res_chunks": tensor.col_words,
        "res_first": first % tensor.col_words,
        "res_row_step": op.operand.row_step if step.out_rows > 1 else 1,
        "res_col_step": op.operand.col_step if op.cols > 1 else 1,
    }


def _fixed(plan: Plan, step: Run, op: Op, first: int) -> dict[str, Any]:
    write = step.fixed
    if write is None or op.fixed is None:
        return {}
    tensor = plan.tensors[op.fixed]
    return {
        "res_out_base": write.base + step.out_first * tensor.row_words + first,
        "res_out_end": write.base + write.words,
        "res_out_row_stride": tensor.row_words,
        "res_out_col_stride": tensor.col_words,
    }
