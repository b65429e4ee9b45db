"""One op in row bands: its map exceeds the activation memory, so pieces are fetched, computed and stored in turn."""

from typing import NamedTuple

from setun_compiler.backend.plan import Buffer, Fetch, Keep, Op, Plan, Run, Step, Tensor


class Band(NamedTuple):
    """Output rows ``out_first`` .. ``out_end - 1`` and the input rows they depend on."""

    out_first: int
    out_end: int
    in_first: int
    in_end: int
    pad_top: int  #: padding rows above the band's first input row


def banded_stage(plan: Plan, index: int) -> tuple[tuple[Step, ...], float] | None:
    """Steps of one op in bands, and an estimate of their cycles; None if no band is small enough.

    With room for two input and two output bands, the next band is fetched and the last one
    stored while one is computed.
    """
    if plan.batch:
        return None
    op = plan.ops[index]
    source, target, config = plan.tensors[op.source], plan.tensors[op.target], plan.config
    pixel = op.cycles_per_pixel(source, target, config)
    best: tuple[float, int, int, list[Band]] | None = None
    for out_height in range(1, -(-target.rows // config.strips) + 1):
        in_height = op.row_step * out_height
        words = in_height * source.row_words + out_height * target.row_words
        copies = min(2, config.activation_words // words)
        if not copies:
            break
        found = cut_bands(op, source, target, in_height, out_height, config.strips)
        if not found:
            continue
        computing = out_height * target.cols * pixel
        moving = [
            (b.in_end - b.in_first) * source.row_cycles(config) + (b.out_end - b.out_first) * target.row_cycles(config)
            for b in found
        ]
        if copies == 2:
            cycles: float = moving[0] + sum(max(computing, m) for m in moving)
        else:
            cycles = len(found) * computing + sum(moving)
        if best is None or cycles < best[0]:
            best = cycles, out_height, copies, found
    if best is None:
        return None
    cycles, out_height, copies, found = best
    return _steps(plan, index, found, out_height, copies), cycles


def cut_bands(op: Op, source: Tensor, target: Tensor, in_height: int, out_height: int, strips: int) -> list[Band]:
    """Bands of as many rows as fit strips of the given heights; empty if not even one row does."""
    if max(op.reach) > in_height:
        return []
    bands: list[Band] = []
    first = 0
    while first < target.rows:
        end = min(target.rows, first + strips * out_height)
        while end > first:
            band = _band(op, source, first, end)
            if band.in_end - band.in_first <= strips * in_height and -in_height < band.pad_top <= in_height:
                break
            end -= 1
        else:
            return []
        bands.append(band)
        first = end
    return bands


def _band(op: Op, source: Tensor, first: int, end: int) -> Band:
    top = first * op.row_step - op.pad_top
    bottom = (end - 1) * op.row_step - op.pad_top + op.window_rows
    in_first = min(max(0, top), source.rows - 1)
    in_end = max(min(source.rows, bottom), in_first + 1)
    return Band(first, end, in_first, in_end, in_first - top)


def _steps(plan: Plan, index: int, bands: list[Band], out_height: int, copies: int) -> tuple[Step, ...]:
    op = plan.ops[index]
    source, target = plan.tensors[op.source], plan.tensors[op.target]
    in_height = op.row_step * out_height
    in_words, out_words = in_height * source.row_words, out_height * target.row_words
    steps: list[Step] = []
    waiting: Keep | None = None
    for number, band in enumerate(bands):
        copy = number % copies
        read = Buffer(
            tensor=source.name, base=copy * in_words, words=in_words, strip_rows=in_height,
            first_row=band.in_first, rows=band.in_end - band.in_first,
        )  # fmt: skip
        write = Buffer(
            tensor=target.name, base=copies * in_words + copy * out_words, words=out_words, strip_rows=out_height,
            first_row=band.out_first, rows=band.out_end - band.out_first,
        )  # fmt: skip
        steps.append(Fetch(buffer=read))
        steps += [
            Run(
                op=index, segment=segment, source=read, target=write, out_rows=out_height, row_step=op.row_step,
                pad_top=band.pad_top,
            )
            for segment in range(len(op.segments))
        ]  # fmt: skip
        if waiting is not None:
            steps.append(waiting)
        waiting = Keep(buffer=write)
        if copies == 1:
            steps.append(waiting)
            waiting = None
    if waiting is not None:
        steps.append(waiting)
    return tuple(steps)
