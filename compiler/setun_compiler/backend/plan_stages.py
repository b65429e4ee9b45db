"""Strips, places in the activation banks, and what spills when not everything fits.

A *stage* is a run of ops whose features stay on chip; features that a later stage reads are stored to external memory
and fetched again. A network that fits is one stage. An op whose own input and output do not fit is a stage of *bands*:
pieces of its output rows, each computed from the input rows it depends on.
"""

from dataclasses import dataclass

from setun_compiler.backend.bands import banded_stage
from setun_compiler.backend.place import Interval, place
from setun_compiler.backend.plan import Buffer, CompileError, Fetch, Keep, Op, Plan, Run, Step, Tensor
from setun_compiler.backend.strips import Heights, out_rows, strip_heights
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
    count = len(plan.ops)
    whole = whole_stage(plan, 0, count)
    if whole is not None:
        return plan.with_(steps=whole.steps, cycles=whole.cycles)
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
    return plan.with_(steps=best[0].steps, cycles=best[0].cycles)


def whole_stage(plan: Plan, first: int, end: int) -> Stage | None:
    """Ops ``first`` .. ``end - 1`` with all their features on chip; None if they do not fit."""
    ops = plan.ops[first:end]
    heights = strip_heights(ops, plan.tensors, plan.config, plan.batch)
    if heights is None:
        return None
    made = {op.target for op in ops}
    leaving = [
        name for name in made if name == plan.output or any(op.source == name for op in plan.ops[end:])
    ]  # fmt: skip
    intervals = []
    for name in heights:
        uses = [k for k, op in enumerate(ops) if name in (op.source, op.target)]
        last = len(ops) if name in leaving else max(uses)
        intervals.append(Interval(name, heights[name] * plan.tensors[name].row_words, min(uses), last))
    bases = place(intervals, plan.config.activation_words)
    if bases is None:
        return None
    buffers = {
        i.name: Buffer(
            tensor=i.name, base=bases[i.name], words=i.words, strip_rows=heights[i.name], first_row=0,
            rows=plan.tensors[i.name].rows,
        )
        for i in intervals
    }  # fmt: skip
    return _stage(plan, first, end, heights, buffers, made, leaving)


def _stage(
    plan: Plan, first: int, end: int, heights: Heights, buffers: dict[str, Buffer], made: set[str], leaving: list[str]
) -> Stage:
    steps: list[Step] = []
    cycles = 0.0
    fetched: set[str] = set()
    for index in range(first, end):
        op = plan.ops[index]
        source, target = plan.tensors[op.source], plan.tensors[op.target]
        if op.source not in made | fetched:
            fetched.add(op.source)
            steps.append(Fetch(buffer=buffers[op.source]))
            cycles += plan.images * source.rows * source.row_cycles(plan.config)
        in_height = heights[op.source]
        rows = target.rows if plan.batch else out_rows(op, target, in_height, heights[op.target])
        steps += runs(op, index, buffers[op.source], buffers[op.target], rows, op.pad_top)
        cycles += rows * target.cols * op.cycles_per_pixel(source, target, plan.config)
    for name in leaving:
        steps.append(Keep(buffer=buffers[name]))
        cycles += plan.images * plan.tensors[name].rows * plan.tensors[name].row_cycles(plan.config)
    return Stage(steps=tuple(steps), cycles=cycles)


def runs(op: Op, index: int, source: Buffer, target: Buffer, rows: int, pad_top: int) -> list[Step]:
    """One Run for each segment of an op."""
    # a single output row never advances; this keeps in_strip_rows = row_step * out_rows where the field is wide enough
    single = source.strip_rows if source.strip_rows < 256 else 1
    step = op.row_step if rows > 1 else single
    return [
        Run(op=index, segment=segment, source=source, target=target, out_rows=rows, row_step=step, pad_top=pad_top)
        for segment in range(len(op.segments))
    ]


def _does_not_fit(plan: Plan, op: Op) -> str:
    """What the smallest piece of an op would take."""
    source, target = plan.tensors[op.source], plan.tensors[op.target]
    heights = strip_heights([op], plan.tensors, plan.config, plan.batch)
    if heights is None:
        need = f"padding or dilation of {max(op.reach)} rows reaches past a strip of every height that fits"
        return f"layer {op.name!r}: {need}"
    words = _words(source, heights[op.source]) + _words(target, heights[op.target])
    if not plan.batch and target.rows > 1:
        rows = max(op.row_step, *op.reach, ceil_div(op.window_rows, plan.config.strips))
        words = min(words, _words(source, rows) + _words(target, ceil_div(rows, op.row_step)))
    hint = "; without batch mode its map could be cut into bands" if plan.batch and target.rows > 1 else ""
    return (
        f"layer {op.name!r}: its input and output take {words} activation words in each bank, but configuration"
        f" {plan.config.name!r} has activation_words {plan.config.activation_words}{hint}"
    )


def _words(tensor: Tensor, rows: int) -> int:
    return rows * tensor.row_words
