"""An op in parts of every strip: some rows, or part of a row, of all strips at a time.

Features that are *streamed* come and go in lines, part by part, while the op computes; the others are whole on chip.
That takes features that the op goes through row by row: what reaches into rows around must be on chip.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import gcd
from typing import NamedTuple

from setun_compiler.backend.plan import Buffer, Fetch, Keep, Op, Plan, Run, Step, Tensors
from setun_compiler.layout import ceil_div
from setun_hw.config import Config
from setun_hw.descriptor import SIZE
from setun_hw.external import map_sharing
from setun_hw.timing import DECODE, SETUP, write_latency

#: cycles from a burst's address to its first beat, for estimates
LATENCY = 8


class Part(NamedTuple):
    """Output rows and columns of each strip."""

    first_row: int
    rows: int
    first_col: int
    cols: int


class Way(NamedTuple):
    """How an op goes through a feature: rows and columns of it to one of the output."""

    row_step: int
    col_step: int
    splits: bool  #: whether columns can come apart


@dataclass(frozen=True, kw_only=True)
class Flow:
    """How an op's features are streamed."""

    names: tuple[str, ...]  #: which of them
    parts: tuple[Part, ...]
    slots: dict[str, tuple[int, ...]]  #: first words of the places that parts of each take in turn


def ways(op: Op, name: str, tensors: Tensors) -> list[Way] | None:
    """Every way in which an op goes through a feature; None if it reaches into other rows, or past the last one."""
    found = []
    if name in op.writes:
        if any(op.at):
            return None
        found.append(Way(1, 1, True))
    if op.operand is not None and op.operand.source == name:
        window = op.operand
        if window.rows > window.row_step:
            return None
        found.append(Way(window.row_step, window.col_step, window.cols <= window.col_step))
    if op.source == name:
        width = (op.pool.cols - 1) * op.stride[1] + (op.kernel[1] - 1) * op.dilation[1] + 1
        end = (op.rows - 1) * op.row_step + op.window_rows
        if op.pad_top or op.window_rows > op.row_step or end > tensors[name].rows or any(op.pool.padding):
            return None
        beside = op.padding[1] or (op.cols - 1) * op.col_step + width > tensors[name].cols
        found.append(Way(op.row_step, op.col_step, width <= op.col_step and not beside))
    return found


def cut(op: Op, names: tuple[str, ...], tensors: Tensors, config: Config, rows: int, count: int) -> tuple[Part, ...]:
    """About ``count`` parts of an op with ``rows`` output rows of a strip; whole rows if that is enough, or if columns
    cannot come apart."""
    found = [(tensors[name], way) for name in names for way in ways(op, name, tensors) or ()]
    height, width = ceil_div(rows, count), op.cols
    if height == 1 and count > rows and all(way.splits for _, way in found):
        # every part of a row begins on a beat
        unit = 1
        for tensor, way in found:
            share = map_sharing(config, residual=tensor.residual, lines=True).words
            unit *= share // gcd(share, unit * way.col_step * tensor.col_words)
        width = min(op.cols, ceil_div(ceil_div(op.cols, ceil_div(count, rows)), unit) * unit)
    return tuple(
        Part(row, min(height, rows - row), col, min(width, op.cols - col))
        for row in range(0, rows, height)
        for col in range(0, op.cols, width)
    )


def part_buffer(plan: Plan, op: Op, name: str, part: Part, base: int) -> Buffer:
    """What a part of the op touches of a streamed feature."""
    tensor, way = plan.tensors[name], (ways(op, name, plan.tensors) or [])[0]
    rows = part.rows * way.row_step
    first, cols = 0, None
    if part.cols < op.cols:
        first = part.first_col * way.col_step
        cols = min(tensor.cols, first + part.cols * way.col_step) - first
    return Buffer(
        tensor=name, base=base, words=rows * (cols or tensor.cols) * tensor.col_words, strip_rows=rows,
        first_row=part.first_row * way.row_step, rows=rows, part=True, first_col=first, cols=cols,
    )  # fmt: skip


def _runs(plan: Plan, buffer: Buffer) -> list[Buffer]:
    """Runs of lines in a part: all of it, or each row of which others lie between outside."""
    if buffer.cols is None:
        return [buffer]
    words = buffer.row_words(plan.tensors)
    return [
        replace(
            buffer, base=buffer.base + row * words, words=words, strip_rows=1, rows=1, first_row=buffer.first_row + row
        )
        for row in range(buffer.strip_rows)
    ]


def part_words(plan: Plan, op: Op, name: str, parts: tuple[Part, ...]) -> int:
    """Words of a feature's largest part, which is the first."""
    return part_buffer(plan, op, name, parts[0], 0).words


def in_place(op: Op, names: tuple[str, ...], tensors: Tensors) -> bool:
    """Whether parts of the fixed-point result take the place of the operand's."""
    both = op.operand is not None and op.operand.source in names and op.fixed in names
    return both and op.overwrites_operand(tensors)


def streamed_steps(plan: Plan, index: int, flow: Flow, buffers: dict[str, Buffer]) -> Iterator[Step]:
    """Fetch, compute and store part by part; one is fetched, and the one before stored, while another is computed."""
    op = plan.ops[index]
    waiting: list[Step] = []
    for number, part in enumerate(flow.parts):
        own = dict(buffers)
        for name in flow.names:
            places = flow.slots[name]
            own[name] = part_buffer(plan, op, name, part, places[number % len(places)])
        fetched = [name for name in op.reads if name in flow.names]
        yield from (Fetch(buffer=run, lines=True) for name in fetched for run in _runs(plan, own[name]))
        source = own[op.source] if op.source is not None else None
        top = source.first_row if source is not None and source.part else 0
        for segment in range(len(op.segments)):
            yield Run(
                op=index, segment=segment, source=source,
                target=own[op.target] if op.target is not None else None,
                operand=own[op.operand.source] if op.operand is not None else None,
                fixed=own[op.fixed] if op.fixed is not None else None,
                out_rows=part.rows, out_first=part.first_row, row_step=op.row_step,
                pad_top=op.pad_top - part.first_row * op.row_step + top,
                first_col=part.first_col, cols=part.cols,
            )  # fmt: skip
        yield from waiting
        waiting = [Keep(buffer=own[name], lines=True) for name in op.writes if name in flow.names]
        if any(len(flow.slots[name]) == 1 for name in flow.names):  # the next part takes the same place
            yield from waiting
            waiting = []
    yield from waiting


def streamed_cycles(plan: Plan, index: int, flow: Flow) -> float:
    """Estimate for :func:`streamed_steps`."""
    op, config = plan.ops[index], plan.config
    pixel = op.cycles_per_pixel(plan.tensors, config)
    total = 0.0
    for part in flow.parts:
        computing = part.rows * part.cols * pixel + SETUP + write_latency(config)
        moving = sum(
            transfer_cycles(plan, part_buffer(plan, op, name, part, 0)) * ((name in op.reads) + (name in op.writes))
            for name in flow.names
        ) + descriptor_cycles(config) * (1 + (op.affine is not None))
        alone = any(len(flow.slots[name]) == 1 for name in flow.names)
        total += computing + moving if alone else max(computing, moving)
    return total


def transfer_cycles(plan: Plan, buffer: Buffer) -> float:
    """Cycles of fetching or storing a buffer in lines, its descriptor included."""
    sharing = map_sharing(plan.config, residual=plan.tensors[buffer.tensor].residual, lines=True)
    return max(sharing.run(buffer.words), buffer.words) + LATENCY + descriptor_cycles(plan.config)


def descriptor_cycles(config: Config) -> int:
    """Cycles of fetching a descriptor."""
    return max(1, SIZE * 8 // config.axi_data_bits) + LATENCY + DECODE
