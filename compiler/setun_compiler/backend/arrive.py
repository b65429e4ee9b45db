"""How the input arrives: row by row of each bank or in lines, and piece by piece while its first reader computes.

In lines every word outside holds the words of all banks at one address, so P words are written a cycle. Rows arrive in
the order in which strips need them: output rows of a strip are computed as soon as what they depend on is there, all
strips alike.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from setun_compiler.backend.plan import Buffer, Fetch, Op, Plan, Step, Tensor
from setun_compiler.backend.residency import total_words
from setun_compiler.backend.runs import runs
from setun_compiler.layout import ceil_div
from setun_hw.config import Config
from setun_hw.descriptor import SIZE
from setun_hw.external import map_sharing
from setun_hw.timing import DECODE, SETUP, write_latency

#: numbers of pieces that are tried
PARTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
#: cycles from a burst's address to its first beat, for estimates
LATENCY = 8


class Piece(NamedTuple):
    """Output rows of every strip, the runs of rows fetched before them, and those they read, as (first, end)."""

    out_first: int
    out_end: int
    fetched: tuple[tuple[int, int], ...]
    read: tuple[tuple[int, int], ...]


def arrive(plan: Plan, index: int, end: int, buffers: dict[str, Buffer], out_rows: int) -> tuple[list[Step], float]:
    """Steps that fetch the input and run op ``index``, the first to read it, and an estimate of their cycles.

    ``end`` is the end of the stage, ``out_rows`` the op's output rows of a strip.
    """
    op, buffer = plan.ops[index], buffers[plan.input]
    options = []
    for lines in (False, True):
        if lines and not _can_be_lines(plan, index, end):
            continue
        divisible = _can_be_pieces(plan, op, buffer, lines, out_rows)
        heights = {ceil_div(out_rows, parts) for parts in PARTS} if divisible else {out_rows}
        for height in sorted(heights, reverse=True):
            pieces = list(_pieces(plan, op, buffer, lines, out_rows, height))
            options.append((_cycles(plan, op, buffer, lines, pieces), lines, pieces))
    cycles, lines, pieces = min(options, key=lambda option: option[0])
    return list(_steps(plan, index, buffers, lines, pieces)), cycles


def line_words_fit(tensor: Tensor, config: Config) -> bool:
    """Whether a row of lines fills whole beats, so that every row can be fetched by itself."""
    return tensor.row_words % map_sharing(config, lines=True).words == 0


def _can_be_lines(plan: Plan, index: int, end: int) -> bool:
    """Whether the input is fetched in this stage only, and several banks are to be filled."""
    elsewhere = (*plan.ops[:index], *plan.ops[end:])
    only_here = not any(plan.input in (*op.reads, *op.writes) for op in elsewhere)
    return plan.config.strips > 1 and only_here and line_words_fit(plan.tensors[plan.input], plan.config)


def _can_be_pieces(plan: Plan, op: Op, buffer: Buffer, lines: bool, out_rows: int) -> bool:
    """Whether rows of strips can be fetched one by one, and output rows be computed one by one."""
    top = (out_rows - 1) * op.row_step - op.pad_top
    if top >= buffer.strip_rows:  # a descriptor's pad_top could not say where they begin
        return False
    # in later rounds all of the input comes early anyway; weights should stay from piece to piece
    if plan.rounds > 1 or len(op.segments) > 1 or 4 * total_words(op) > plan.config.weight_words:
        return False
    if lines:
        return plan.batch or buffer.strip_rows == op.row_step * out_rows
    return not plan.batch and buffer.strip_rows >= buffer.rows


def _pieces(plan: Plan, op: Op, buffer: Buffer, lines: bool, out_rows: int, height: int) -> Iterator[Piece]:
    """Pieces of ``height`` output rows, but one row at either end, where nothing else happens meanwhile; the last one
    fetches whatever else there is."""
    held = range(min(buffer.strip_rows, buffer.rows) if lines else buffer.rows)
    # a row past a strip's edge lies at the other edge of a neighbour
    around = not plan.batch and (lines or out_rows < op.rows)
    missing = set(held)
    begins = [0] if height == out_rows else sorted({0, *range(1, out_rows - 1, height), out_rows - 1})
    for first, last in pairwise((*begins, out_rows)):
        top = first * op.row_step - op.pad_top
        rows = range(top, (last - 1) * op.row_step - op.pad_top + op.window_rows)
        needed = {row % buffer.strip_rows if around else row for row in rows} & set(held)
        fetched = missing if last == out_rows else missing & needed
        yield Piece(first, last, tuple(_runs(fetched)), tuple(_runs(needed)))
        missing = missing - fetched


def _runs(rows: set[int]) -> Iterator[tuple[int, int]]:
    """Rows as runs (first, end)."""
    first = None
    for row in sorted(rows):
        if first is None:
            first = row
        if row + 1 not in rows:
            yield first, row + 1
            first = None


def _cycles(plan: Plan, op: Op, buffer: Buffer, lines: bool, pieces: list[Piece]) -> float:
    """Cycles until the op is complete, pieces fetched while others are computed."""
    config, tensor = plan.config, plan.tensors[plan.input]
    row = max(map_sharing(config, lines=True).run(tensor.row_words), tensor.row_words)
    if not lines:
        row = plan.images * tensor.row_cycles(config)
    descriptor = max(1, SIZE * 8 // config.axi_data_bits) + LATENCY + DECODE
    pixel = op.cycles_per_pixel(plan.tensors, config)
    writes = min(0.9, op.words_per_pixel(plan.tensors, config) / pixel)  # share of cycles in which nothing is loaded
    fetched = computed = 0.0
    for piece in pieces:
        for first, end in piece.fetched:
            fetched += descriptor + LATENCY
            loading = row * (end - first) / plan.rounds  # only the first round waits
            fetched += loading + writes * min(loading / (1 - writes), max(0, computed - fetched))
        fetched += descriptor * (2 if op.affine is not None else 1)
        start = max(fetched, computed)
        computed = start + SETUP + write_latency(config) + (piece.out_end - piece.out_first) * op.cols * pixel
    return computed


def _steps(plan: Plan, index: int, buffers: dict[str, Buffer], lines: bool, pieces: list[Piece]) -> Iterator[Step]:
    op, buffer = plan.ops[index], buffers[plan.input]
    row_words = plan.tensors[plan.input].row_words
    for piece in pieces:
        for first, end in piece.fetched:
            whole = not lines and len(pieces) == 1
            yield Fetch(lines=lines, buffer=buffer if whole else Buffer(
                tensor=plan.input, base=buffer.base + first * row_words, words=(end - first) * row_words,
                strip_rows=end - first, first_row=first, rows=end - first,
            ))  # fmt: skip
        for run in runs(op, index, buffers, piece.out_end - piece.out_first):
            yield run if len(pieces) == 1 else replace(
                run, out_first=piece.out_first, pad_top=op.pad_top - piece.out_first * op.row_step, read=piece.read
            )  # fmt: skip
