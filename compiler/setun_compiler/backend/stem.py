"""The first convolution of an ImageNet network, pooled 3 x 3 every second pixel, straight from unfolded patches.

Windows overlap by one row and one column. Columns share their pixel inside post-processing (``carry``). Rows meet in
the residual memory: of every two rows of pixels the odd one is pooled along its columns and left there, in two places
in turn; the even one then takes the largest of itself and the odd rows above and below. So every pixel is computed
once, but for a row above each strip and two columns where a row is cut, as patches of a whole row are too much to hold.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from setun_compiler.backend.parts import descriptor_cycles, transfer_cycles
from setun_compiler.backend.plan import Buffer, Fetch, Keep, Op, Plan, Run, Step, Tensor
from setun_compiler.layout import ceil_div
from setun_compiler.network import Pool, Residual
from setun_hw.timing import SETUP, write_latency


def is_stem(op: Op) -> bool:
    """Whether an op on patches is pooled so that it can be done in this way."""
    pool = op.pool
    every_second = (pool.rows, pool.cols, pool.row_stride, pool.col_stride) == (3, 3, 2, 2)
    return every_second and pool.padding[:2] == (1, 1) and op.kernel == (1, 1) and not any(op.at)


def as_stem(plan: Plan, op: Op) -> Plan:
    """The plan with a place for odd rows; what they leave is compared as it is."""
    assert op.affine is not None
    rows = Tensor(
        name=odd_rows(op), channels=op.channels, rows=op.rows + 1, cols=op.cols, digits=1, shift=0,
        low=op.affine.low, high=op.affine.high, blocks=ceil_div(op.channels, plan.config.post), residual=True,
    )  # fmt: skip
    kept = replace(op, affine=replace(op.affine, r=np.ones_like(op.affine.r)))
    ops = tuple(kept if other is op else other for other in plan.ops)
    return plan.with_(ops=ops, tensors={**plan.tensors, rows.name: rows}, halo=1)


def odd_rows(op: Op) -> str:
    """Name of what odd rows leave."""
    return f"{op.name}.odd rows"


@dataclass(frozen=True, kw_only=True)
class StemFlow:
    """Where a stem's parts lie: patches in one or two places, two odd rows, the result's rows if they are streamed."""

    pieces: int  #: of a row
    patches: tuple[int, ...]
    odd: int
    fixed: tuple[int, ...] = ()


def piece_cols(op: Op, pieces: int) -> list[tuple[int, int]]:
    """Output columns of each piece of a row, as (first, end), from the right: a piece but the first spoils the column
    before it, which the next one makes."""
    width = ceil_div(op.cols, pieces)
    return [(first, min(op.cols, first + width)) for first in range(0, op.cols, width)][::-1]


def patch_words(plan: Plan, op: Op, pieces: int) -> int:
    """Words of the widest piece's patches."""
    widest = max(end - max(0, first - 1) for first, end in piece_cols(op, pieces))
    return 2 * widest * plan.tensors[plan.input].col_words


def stem_steps(plan: Plan, index: int, flow: StemFlow, buffers: dict[str, Buffer], rows: int) -> Iterator[Step]:
    """Odd rows and even rows in turn, ``rows`` of the output in each strip."""
    op = plan.ops[index]
    waiting: list[Step] = []
    number = 0
    # rows of patches: 0 is the last of the strip above, odd as all even numbers are here
    for row in [0, *(row for a in range(rows) for row in (2 * a + 2, 2 * a + 1))]:
        even, a = row % 2 == 1, row // 2
        variant = _variant(op, even)
        fixed = _result(plan, op, flow, buffers, a) if even else _odd(plan, op, flow, a % 2, 1, a)
        for first, end in piece_cols(op, flow.pieces):
            begin = max(0, first - 1)
            patches = Buffer(
                tensor=plan.input, base=flow.patches[number % len(flow.patches)],
                words=2 * (end - begin) * plan.tensors[plan.input].col_words, strip_rows=1, first_row=row, rows=1,
                part=True, first_col=2 * begin, cols=2 * (end - begin),
            )  # fmt: skip
            number += 1
            yield Fetch(buffer=patches, lines=True)
            for segment in range(len(op.segments)):
                yield Run(
                    op=index, segment=segment, variant=variant, source=patches,
                    target=buffers[variant.target] if variant.target is not None else None,
                    operand=_odd(plan, op, flow, 0, 2, a) if even else None, fixed=fixed,
                    out_rows=1, out_first=a, row_step=1, pad_top=0, first_col=begin, cols=end - begin,
                )  # fmt: skip
            yield from waiting
            waiting = []
        if even and flow.fixed and fixed is not None:
            waiting = [Keep(buffer=fixed, lines=True)]
    yield from waiting


def _variant(op: Op, even: bool) -> Op:
    """What is done with a row of pixels."""
    pairs = Pool(rows=1, cols=2, row_stride=1, col_stride=2)
    if not even:
        return replace(op, target=None, fixed=odd_rows(op), thresholds=None, codes=None, pool=pairs, carry=True)
    assert op.affine is not None
    return replace(
        op, pool=pairs, carry=True, largest=True, affine=replace(op.affine, residual_after=True),
        operand=Residual(source=odd_rows(op), rows=2),
    )  # fmt: skip


def _odd(plan: Plan, op: Op, flow: StemFlow, place: int, rows: int, a: int) -> Buffer:
    """Odd row a of a strip, in its place of two; or both places, a window."""
    words = plan.tensors[odd_rows(op)].row_words
    return Buffer(
        tensor=odd_rows(op), base=flow.odd + place * words, words=rows * words, strip_rows=rows, first_row=a, rows=rows,
        part=True,
    )  # fmt: skip


def _result(plan: Plan, op: Op, flow: StemFlow, buffers: dict[str, Buffer], a: int) -> Buffer | None:
    """Where row a of the fixed-point result goes."""
    if op.fixed is None:
        return None
    if not flow.fixed:
        return buffers[op.fixed]
    return Buffer(
        tensor=op.fixed, base=flow.fixed[a % len(flow.fixed)], words=plan.tensors[op.fixed].row_words, strip_rows=1,
        first_row=a, rows=1, part=True,
    )  # fmt: skip


def stem_cycles(plan: Plan, index: int, flow: StemFlow, rows: int) -> float:
    """Estimate for :func:`stem_steps`."""
    op, config = plan.ops[index], plan.config
    total = 0.0
    for even in (False, True):
        pixel = _variant(op, even).cycles_per_pixel(plan.tensors, config)
        for first, end in piece_cols(op, flow.pieces):
            cols = end - max(0, first - 1)
            buffer = Buffer(
                tensor=plan.input, base=0, words=2 * cols * plan.tensors[plan.input].col_words, strip_rows=1,
                first_row=0, rows=1,
            )  # fmt: skip
            computing = cols * pixel + SETUP + write_latency(config)
            moving = transfer_cycles(plan, buffer) + 2 * descriptor_cycles(config)
            together = max(computing, moving) if len(flow.patches) == 2 else computing + moving
            total += together * (rows + (not even))
    return total
