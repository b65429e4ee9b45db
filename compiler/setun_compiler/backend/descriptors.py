"""The COMPUTE of a run, and the SET_POST before it."""

from typing import Any

import numpy as np

from setun_compiler.backend.pieces import Piece
from setun_compiler.backend.plan import Buffer, Op, Plan, Run, Segment
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
    config, op = plan.config, step.variant or plan.ops[step.op]
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
        pool_carry=int(op.carry),
        residual_max=int(op.largest),
        after=after,
        after_step=int(weights.by_group),
        groups=segment.groups,
        weight_digits=op.weight_digits,
        weight_base=weights.base,
        weight_group_step=piece.group_words if segment.groups > 1 else 0,
        weight_ring=weights.ring,
        parameter_base=parameters.base,
        out_rows=step.out_rows,
        out_cols=step.cols or op.cols,
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
        "in_row_stride": read.row_words(plan.tensors),
        "in_col_stride": source.col_words,
        "in_cols": read.cols or source.cols,
        "in_strip_rows": read.strip_rows,
        **_rows_held(plan, read),
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
        "pad_left": op.padding[1] - step.first_col * op.col_step + read.first_col,
        "weight_plane": op.kernel[0] * op.kernel[1] * segment.blocks,
    }


def _rows_held(plan: Plan, read: Buffer) -> dict[str, int]:
    if read.part and not plan.batch:  # beyond the map too, for results that nobody looks at
        return {"in_full_strips": plan.config.strips, "in_last_rows": 0}
    rows = read.strip_rows if read.part else read.rows
    return {
        "in_full_strips": 0 if plan.batch else rows // read.strip_rows,
        "in_last_rows": rows if plan.batch else rows % read.strip_rows,
    }


def _skipped(plan: Plan, buffer: Buffer, row: int, col: int) -> int:
    """Words from a buffer's begin to a position of its tensor's strips."""
    row -= buffer.first_row if buffer.part else 0
    return row * buffer.row_words(plan.tensors) + (col - buffer.first_col) * plan.tensors[buffer.tensor].col_words


def _output(plan: Plan, step: Run, op: Op, segment: Segment) -> dict[str, Any]:
    """Fields of what is written to the banks."""
    write = step.target
    if write is None or op.target is None:
        return {"out_row_stride": 0, "out_col_stride": 0}
    target = plan.tensors[op.target]
    block, row, col = op.at
    block += segment.first_group * plan.config.rows // plan.config.lanes
    skipped = _skipped(plan, write, row + step.out_first, col + step.first_col)
    return {
        "out_base": write.base + skipped + block * target.digits,
        "out_end": write.base + write.words,
        "out_digits": target.digits,
        "out_row_stride": write.row_words(plan.tensors),
        "out_col_stride": target.col_words,
    }


def post_descriptor(plan: Plan, step: Run) -> Post:
    """The fixed-point settings of one run.

    Raises
    ------
    DescriptorError
        When a number does not fit its field.
    """
    op = step.variant or plan.ops[step.op]
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
        "res_base": read.base
        + _skipped(plan, read, step.out_first * op.operand.row_step, step.first_col * op.operand.col_step),
        "res_end": read.base + read.words,
        "res_rows": op.operand.rows,
        "res_cols": op.operand.cols,
        "res_row_stride": read.row_words(plan.tensors),
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
        "res_out_base": write.base + _skipped(plan, write, step.out_first, step.first_col) + first,
        "res_out_end": write.base + write.words,
        "res_out_row_stride": write.row_words(plan.tensors),
        "res_out_col_stride": tensor.col_words,
    }
