"""Strips, places in the activation banks and residual memories, and what spills when not everything fits.

A *stage* is a run of ops whose features stay on chip; features that a later stage reads are stored to external memory
and fetched again. A network that fits is one stage. An op whose own input and output do not fit is a stage of *bands*:
pieces of its output rows, each computed from the input rows it depends on.
"""

from dataclasses import dataclass

from setun_compiler.backend.arrive import arrive
from setun_compiler.backend.bands import banded_stage
from setun_compiler.backend.place import Interval, place
from setun_compiler.backend.plan import Buffer, CompileError, Fetch, Keep, Op, Plan, Step, Tensor
from setun_compiler.backend.runs import runs
from setun_compiler.backend.streams import Streams, find_streams, stores_late, streams_cycles, streams_steps
from setun_compiler.backend.strips import Strips, strip_heights
from setun_compiler.layout import ceil_div


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Steps of some ops and an estimate of their cycles, transfers not overlapped."""

    steps: tuple[Step, ...]
    cycles: float


def plan_stages(plan: Plan) -> Plan:
    """Choose stages of least estimated time and list their steps.

    Raises
    ------
    CompileError
        When a layer does not fit even in bands, naming it and the words it takes.
    """
    stem = any(any(op.pool.padding) for op in plan.ops)  # only parts can do that
    whole = None if stem else whole_stage(plan, 0, len(plan.ops))
    if whole is not None:
        return plan.with_(steps=whole.steps, cycles=whole.cycles)
    options = [streamed] if (streamed := streamed_stage(plan)) is not None else []
    if not stem:
        try:
            options.append(_stages(plan))
        except CompileError:
            if not options:
                raise
    if not options:
        name = next(op.name for op in plan.ops if any(op.pool.padding))
        raise CompileError(
            f"layer {name!r}: configuration {plan.config.name!r} has no room for its patches and results"
        )
    best = min(options, key=lambda stage: stage.cycles)
    return plan.with_(steps=best.steps, cycles=best.cycles)


def _stages(plan: Plan) -> Stage:
    """Stages of whole features, and of bands."""
    count = len(plan.ops)
    # best[i]: cheapest stages for ops i..; found from the end, as far as each stage still fits
    best: list[Stage | None] = [None] * count + [Stage(steps=(), cycles=0)]
    for first in range(count - 1, -1, -1):
        options = []
        if banded := banded_stage(plan, first):
            options.append((Stage(steps=banded[0], cycles=banded[1]), best[first + 1]))
        for end in range(first + 1, count + 1):
            stage = whole_stage(plan, first, end)
            if stage is None:
                break
            options.append((stage, best[end]))
        complete = [(stage, rest) for stage, rest in options if rest is not None]
        if not options:
            raise CompileError(_does_not_fit(plan, plan.ops[first]))
        if complete:
            stage, rest = min(complete, key=lambda pair: pair[0].cycles + pair[1].cycles)
            best[first] = Stage(steps=stage.steps + rest.steps, cycles=stage.cycles + rest.cycles)
    assert best[0] is not None  # every op alone is a stage, or was refused
    return best[0]


def streamed_stage(plan: Plan) -> Stage | None:
    """All ops, the largest features streamed; None if not even that has a place for everything."""
    streams = find_streams(plan)
    if streams is None:
        return None
    stage = _stage(plan, 0, len(plan.ops), streams.strips, streams.buffers, streams)
    return Stage(steps=tuple(stores_late(plan, list(stage.steps))), cycles=stage.cycles)


def whole_stage(plan: Plan, first: int, end: int) -> Stage | None:
    """Ops ``first`` .. ``end - 1`` with all their features on chip; None if they do not fit."""
    for strips in strip_heights(plan.ops[first:end], plan.tensors, plan.config, plan.batch):
        buffers = _placed(plan, first, end, strips, plan.rounds > 1) or _placed(plan, first, end, strips, False)
        if buffers is not None:
            return _stage(plan, first, end, strips, buffers)
    return None


def _placed(plan: Plan, first: int, end: int, strips: Strips, apart: bool) -> dict[str, Buffer] | None:
    """A place for every feature while it is needed (``apart``: none shares that of the input or the output); None if
    there is none."""
    ops, heights = plan.ops[first:end], strips.heights
    lives = {name: [k for k, op in enumerate(ops) if name in (*op.reads, *op.writes)] for name in heights}
    for name in _leaving(plan, first, end):
        lives[name].append(len(ops))
    for name in {plan.input, plan.output} & heights.keys() if apart else ():
        lives[name] += [0, len(ops)]
    shared = _in_place(ops, heights, plan.tensors, lives)
    bases: dict[str, int] = {}
    for residual, capacity in ((False, plan.config.activation_words), (True, plan.config.residual_words)):
        intervals = []
        for name in heights:
            if plan.tensors[name].residual == residual and name not in shared:
                uses = [k for other in heights if shared.get(other, other) == name for k in lives[other]]
                intervals.append(Interval(name, heights[name] * plan.tensors[name].row_words, min(uses), max(uses)))
        found = place(intervals, capacity)
        if found is None:
            return None
        bases |= found
    return {
        name: Buffer(
            tensor=name, base=bases[shared.get(name, name)], words=height * plan.tensors[name].row_words,
            strip_rows=height, first_row=0, rows=plan.tensors[name].rows,
        )
        for name, height in heights.items()
    }  # fmt: skip


def _in_place(
    ops: tuple[Op, ...], heights: dict[str, int], tensors: dict[str, Tensor], lives: dict[str, list[int]]
) -> dict[str, str]:
    """Fixed-point features that take the place of the operand they are made of, read there for the last time."""
    shared: dict[str, str] = {}
    for k, op in enumerate(ops):
        if op.fixed is not None and op.operand is not None and op.overwrites_operand(tensors):
            made, read = op.fixed, op.operand.source
            if heights[made] == heights[read] and max(lives[read]) == k:
                shared[made] = shared.get(read, read)
    return shared


def _leaving(plan: Plan, first: int, end: int) -> list[str]:
    """Features made by ops ``first`` .. ``end - 1`` that are needed behind them."""
    made = dict.fromkeys(name for op in plan.ops[first:end] for name in op.writes)
    later = {name for op in plan.ops[end:] for name in (*op.reads, *op.writes)}
    return [name for name in made if name == plan.output or name in later]


def first_fetch(plan: Plan, index: int, name: str) -> Fetch | None:
    """What must happen before op ``index`` uses a feature, less its buffer's place; None if it makes all of it."""
    earlier = any(name in op.writes for op in plan.ops[:index])
    tensor = plan.tensors[name]
    if name == plan.input or earlier or tensor.blank:
        buffer = Buffer(tensor=name, base=0, words=0, strip_rows=1, first_row=0, rows=tensor.rows)
        return Fetch(buffer=buffer, blank=tensor.blank and not earlier)
    return None


def _stage(
    plan: Plan, first: int, end: int, strips: Strips, buffers: dict[str, Buffer], streams: Streams | None = None
) -> Stage:
    steps: list[Step] = []
    cycles = 0.0
    present: set[str] = set()
    for index in range(first, end):
        op, rows = plan.ops[index], strips.out_rows[index - first]
        flows = streams is not None and streams.has(index)
        arrives = op.source == plan.input and plan.input not in present and not flows
        for name in (name for name in (*op.reads, *op.writes) if name in buffers):
            fetch = first_fetch(plan, index, name) if name not in present else None
            if arrives and name == plan.input:
                fetch = None
            if fetch is not None:
                steps.append(Fetch(buffer=buffers[name], blank=fetch.blank))
                cycles += plan.images * plan.tensors[name].rows * plan.tensors[name].row_cycles(plan.config)
            present.add(name)
        if streams is not None and flows:
            steps += streams_steps(plan, streams, index)
            cycles += streams_cycles(plan, streams, index)
            continue
        if arrives:
            found, taken = arrive(plan, index, end, buffers, rows)
            steps += found
            cycles += taken
            continue
        steps += runs(op, index, buffers, rows)
        cycles += rows * op.cols * op.cycles_per_pixel(plan.tensors, plan.config)
    for name in _leaving(plan, first, end):
        steps.append(Keep(buffer=buffers[name]))
        cycles += plan.images * plan.tensors[name].rows * plan.tensors[name].row_cycles(plan.config)
    return Stage(steps=tuple(steps), cycles=cycles)


def _does_not_fit(plan: Plan, op: Op) -> str:
    """What the smallest piece of an op would take."""
    found = strip_heights([op], plan.tensors, plan.config, plan.batch)
    if not found:
        need = f"padding or dilation of {max(op.reach)} rows reaches past a strip of every height that fits"
        return f"layer {op.name!r}: {need}"
    banded = not plan.batch and op.rows > 1
    hint = "; without batch mode its map could be cut into bands" if plan.batch and op.rows > 1 else ""
    for residual, field in ((False, "activation_words"), (True, "residual_words")):
        tensors = [plan.tensors[name] for name in dict.fromkeys((*op.reads, *op.writes))]
        words = sum(found[0].heights[t.name] * t.row_words for t in tensors if t.residual == residual)
        if banded:
            words = min(words, _least_band(plan, op, residual))
        if words > getattr(plan.config, field):
            what = "residual operand and fixed-point output" if residual else "input and output"
            return (
                f"layer {op.name!r}: its {what} take {words} {field.replace('_', ' ')} in each bank, but configuration"
                f" {plan.config.name!r} has {field} {getattr(plan.config, field)}{hint}"
            )
    return f"layer {op.name!r}: its feature maps fit configuration {plan.config.name!r} neither whole nor in bands"


def _least_band(plan: Plan, op: Op, residual: bool) -> int:
    """Words of the smallest band's share of one kind of memory."""
    rows = max(op.row_step, *op.reach, ceil_div(op.window_rows, plan.config.strips)) if op.source is not None else 1
    out = ceil_div(rows, op.row_step) if op.source is not None else 1
    words = sum(out * plan.tensors[name].row_words for name in op.writes if plan.tensors[name].residual == residual)
    if residual and op.operand is not None:
        if op.overwrites_operand(plan.tensors):
            return words
        words += out * op.operand.row_step * plan.tensors[op.operand.source].row_words
    if not residual and op.source is not None:
        words += rows * plan.tensors[op.source].row_words
    return words
