"""One op in row bands: its map exceeds the memories, so pieces are fetched, computed and stored in turn."""

from typing import NamedTuple

from setun_compiler.backend.plan import Buffer, Fetch, Keep, Op, Plan, Run, Step, Tensor


class Band(NamedTuple):
    """Output rows ``out_first`` .. ``out_end - 1`` and the input rows they depend on."""

    out_first: int
    out_end: int
    in_first: int
    in_end: int
    pad_top: int  #: padding rows above the band's first input row


class Share(NamedTuple):
    """A tensor's part in bands: rows of it to an output row, and whether it comes and goes."""

    tensor: Tensor
    step: int
    fetched: bool
    kept: bool
    in_place: bool = False  #: takes the place of the share before it


def banded_stage(plan: Plan, index: int) -> tuple[tuple[Step, ...], float] | None:
    """Steps of one op in bands, and an estimate of their cycles; None if no band is small enough.

    With room for two bands of everything, the next band is fetched and the last one
    stored while one is computed.
    """
    op, config = plan.ops[index], plan.config
    if plan.batch or any(op.at[1:]) or (op.operand is not None and op.operand.rows > op.operand.row_step):
        return None
    if any(plan.tensors[name].rows != op.rows for name in op.writes):
        return None
    shares = _shares(plan, index)
    pixel = op.cycles_per_pixel(plan.tensors, config)
    source = plan.tensors[op.source] if op.source is not None else None
    best: tuple[float, int, int, list[Band]] | None = None
    for out_height in range(1, -(-op.rows // config.strips) + 1):
        copies = 2
        for residual, capacity in ((False, config.activation_words), (True, config.residual_words)):
            words = sum(
                out_height * s.step * s.tensor.row_words
                for s in shares
                if s.tensor.residual == residual and not s.in_place
            )
            copies = min(copies, capacity // words) if words else copies
        if not copies:
            break
        found = cut_bands(op, source, op.row_step * out_height, out_height, config.strips)
        if not found:
            continue
        computing = out_height * op.cols * pixel
        moving = [sum(_moved(op, s, b) * s.tensor.row_cycles(config) for s in shares) for b in found]
        if copies == 2:
            cycles: float = moving[0] + sum(max(computing, m) for m in moving)
        else:
            cycles = len(found) * computing + sum(moving)
        if best is None or cycles < best[0]:
            best = cycles, out_height, copies, found
    if best is None:
        return None
    cycles, out_height, copies, found = best
    return _steps(plan, index, shares, found, out_height, copies), cycles


def _shares(plan: Plan, index: int) -> list[Share]:
    """What the op touches, in the order of its fields: input, operand, outputs."""
    op = plan.ops[index]
    shares = []
    if op.source is not None:
        shares.append(Share(plan.tensors[op.source], op.row_step, True, False))
    if op.operand is not None:
        shares.append(Share(plan.tensors[op.operand.source], op.operand.row_step, True, False))
    for name in op.writes:
        earlier = any(name in other.writes for other in plan.ops[:index])
        needed = name == plan.output or any(name in (*o.reads, *o.writes) for o in plan.ops[index + 1 :])
        in_place = name == op.fixed and op.overwrites_operand(plan.tensors)
        share = Share(plan.tensors[name], 1, earlier or plan.tensors[name].blank, needed, in_place)
        shares.insert(len(op.reads) if in_place else len(shares), share)
    return shares


def _moved(op: Op, share: Share, band: Band) -> int:
    """Rows of a tensor that come and go for a band."""
    _, rows = _held(op, share, band)
    return rows * (share.fetched + share.kept)


def _held(op: Op, share: Share, band: Band) -> tuple[int, int]:
    """First row and number of rows of a tensor that a band touches."""
    if share.tensor.name == op.source:
        return band.in_first, band.in_end - band.in_first
    first = band.out_first * share.step
    return first, min(band.out_end * share.step, share.tensor.rows) - first


def cut_bands(op: Op, source: Tensor | None, in_height: int, out_height: int, strips: int) -> list[Band]:
    """Bands of as many rows as fit strips of the given heights; empty if not even one row does."""
    if source is None:
        firsts = range(0, op.rows, strips * out_height)
        return [Band(first, min(op.rows, first + strips * out_height), 0, 0, 0) for first in firsts]
    if max(op.reach) > in_height:
        return []
    bands: list[Band] = []
    first = 0
    while first < op.rows:
        end = min(op.rows, first + strips * out_height)
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


def _steps(
    plan: Plan, index: int, shares: list[Share], bands: list[Band], out_height: int, copies: int
) -> tuple[Step, ...]:
    op = plan.ops[index]
    steps: list[Step] = []
    waiting: list[Keep] = []
    for number, band in enumerate(bands):
        free = {False: 0, True: 0}
        buffers: dict[str, Buffer] = {}
        for share in shares:
            tensor, height = share.tensor, out_height * share.step
            words = height * tensor.row_words
            first, rows = _held(op, share, band)
            begin = free[tensor.residual] - (copies * words if share.in_place else 0)
            buffers[tensor.name] = Buffer(
                tensor=tensor.name, base=begin + number % copies * words, words=words,
                strip_rows=height, first_row=first, rows=rows,
            )  # fmt: skip
            free[tensor.residual] = begin + copies * words
        blank = {s.tensor.name for s in shares if s.tensor.blank and not _written(plan, index, s.tensor.name)}
        steps += [
            Fetch(buffer=buffers[s.tensor.name], blank=s.tensor.name in blank) for s in shares if s.fetched
        ]  # fmt: skip
        steps += [
            Run(
                op=index, segment=segment, source=buffers[op.source] if op.source is not None else None,
                target=buffers[op.target] if op.target is not None else None,
                operand=buffers[op.operand.source] if op.operand is not None else None,
                fixed=buffers[op.fixed] if op.fixed is not None else None,
                out_rows=out_height, row_step=op.row_step, pad_top=band.pad_top,
            )
            for segment in range(len(op.segments))
        ]  # fmt: skip
        kept = [Keep(buffer=buffers[s.tensor.name]) for s in shares if s.kept]
        steps += waiting
        waiting = kept
        if copies == 1:
            steps += waiting
            waiting = []
    return (*steps, *waiting)


def _written(plan: Plan, index: int, name: str) -> bool:
    return any(name in op.writes for op in plan.ops[:index])
