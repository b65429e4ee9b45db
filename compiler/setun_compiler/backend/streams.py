"""A whole network as one stage whose largest features are streamed: they are never whole on chip, and come and go part
by part while ops compute (:mod:`setun_compiler.backend.parts`)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from setun_compiler.backend.parts import (
    Flow,
    Part,
    cut,
    in_place,
    part_words,
    streamed_cycles,
    streamed_steps,
    ways,
)
from setun_compiler.backend.place import Interval, place
from setun_compiler.backend.plan import Buffer, Fetch, Keep, Op, Plan, Run, Step
from setun_compiler.backend.rounds import share_words
from setun_compiler.backend.stem import StemFlow, is_stem, odd_rows, patch_words, stem_cycles, stem_steps
from setun_compiler.backend.strips import Strips, strip_heights

#: times that what is streamed of residuals is chosen anew in view of activations
ROUNDS = 3
#: parts that an op is cut into, and places that they take in turn, in the order in which they are tried
CUTS = tuple((count, copies) for copies in (2, 1) for count in (8, 16, 32, 64, 128, 256))


@dataclass(frozen=True, kw_only=True)
class Streams:
    """What is streamed, and where everything lies."""

    strips: Strips
    buffers: dict[str, Buffer]
    flows: dict[int, Flow]
    stems: dict[int, StemFlow]

    def has(self, index: int) -> bool:
        """Whether an op streams or is a stem."""
        return index in self.flows or index in self.stems


@dataclass(frozen=True, kw_only=True)
class _Choice:
    """What is streamed of one kind of memory, and how finely; grows until everything has a place."""

    names: tuple[str, ...] = ()
    count: int = 1
    copies: int = 2
    bases: dict[str, int] = field(default_factory=dict)


def find_streams(plan: Plan) -> Streams | None:
    """Places for everything with as little streamed as possible, activations and residuals apart; None if there are
    none."""
    for strips in strip_heights(plan.ops, plan.tensors, plan.config, plan.batch):
        residual = _choose(plan, strips, True, _Choice())
        for _ in range(ROUNDS):
            found = _choose(plan, strips, False, residual) if residual is not None else None
            again = _choose(plan, strips, True, found) if found is not None else None
            if residual is None or found is None or again is None:
                break
            if replace(again, bases={}) == replace(residual, bases={}):
                return _settled(plan, strips, again, found)
            residual = again  # what is streamed of one kind may keep columns of the other together
    return None


def streams_steps(plan: Plan, streams: Streams, index: int) -> Iterator[Step]:
    """Steps of an op that streams or is a stem."""
    if index in streams.stems:
        return stem_steps(plan, index, streams.stems[index], streams.buffers, streams.strips.out_rows[index])
    return streamed_steps(plan, index, streams.flows[index], streams.buffers)


def stores_late(plan: Plan, steps: list[Step]) -> list[Step]:
    """The same steps, but stores behind the next Run where neither cares, so that it need not wait in line."""
    found: list[Step] = []
    late: list[Step] = []
    for step in steps:
        if isinstance(step, Keep):
            late.append(step)
            continue
        if any(share_words(plan, step, keep) or _again(step, keep) for keep in late):
            found += late
            late = []
        found.append(step)
        if isinstance(step, Run):
            found += late
            late = []
    return found + late


def _again(step: Step, keep: Step) -> bool:
    """Whether a step fetches what another one stores."""
    if not isinstance(step, Fetch) or not isinstance(keep, Keep) or step.buffer.tensor != keep.buffer.tensor:
        return False
    a, b = step.buffer, keep.buffer
    return a.first_row < b.first_row + b.strip_rows and b.first_row < a.first_row + a.strip_rows


def streams_cycles(plan: Plan, streams: Streams, index: int) -> float:
    """Estimate for an op that streams or is a stem."""
    if index in streams.stems:
        return stem_cycles(plan, index, streams.stems[index], streams.strips.out_rows[index])
    return streamed_cycles(plan, index, streams.flows[index])


def _choose(plan: Plan, strips: Strips, residual: bool, other: _Choice) -> _Choice | None:
    """The first choice with a place for everything in one kind of memory; ``other`` is the one for the other kind."""
    for names in _candidates(plan, strips, residual):
        for count, copies in CUTS if names or _stems(plan) else CUTS[:1]:
            choice = _Choice(names=names, count=count, copies=copies)
            bases = place(
                list(_intervals(plan, strips, choice, other, residual)),
                plan.config.residual_words if residual else plan.config.activation_words,
            )
            if bases is not None:
                return _Choice(names=names, count=count, copies=copies, bases=bases)
    return None


def _candidates(plan: Plan, strips: Strips, residual: bool) -> Iterator[tuple[str, ...]]:
    """Nothing, then the largest features, then ever smaller ones as well."""
    sizes = {
        name: height * plan.tensors[name].row_words
        for name, height in strips.heights.items()
        if plan.tensors[name].residual == residual and _can_stream(plan, strips, name)
    }
    for least in [1 << 60, *sorted(set(sizes.values()), reverse=True)]:
        yield tuple(name for name, size in sizes.items() if size >= least)


def _can_stream(plan: Plan, strips: Strips, name: str) -> bool:
    """Whether every op that touches a feature goes through it row by row, strips side by side."""
    tensor = plan.tensors[name]
    makers = [op for op in plan.ops if name in op.writes]
    if name == plan.output or tensor.blank or len(makers) != (name != plan.input):
        return False
    if any(plan.ops[index].target == name for index in _stems(plan)):
        return False
    for op, rows in zip(plan.ops, strips.out_rows, strict=True):
        found = ways(op, name, plan.tensors)
        if found is None or len(found) > 1:
            return False
        if found and strips.heights[name] != found[0].row_step * rows:
            return False
        # a descriptor's pad_top must be able to say where the last rows begin
        last = (rows - 1) * op.row_step - op.pad_top
        if found and op.source is not None and last >= strips.heights[op.source]:
            return False
    return True


def _stems(plan: Plan) -> list[int]:
    return [index for index, op in enumerate(plan.ops) if op.source == plan.input and is_stem(op)]


def _parts(
    plan: Plan, strips: Strips, index: int, choices: Sequence[_Choice]
) -> tuple[tuple[str, ...], tuple[Part, ...]]:
    """Streamed features of an op, and its parts."""
    op = plan.ops[index]
    names = tuple(
        name for name in dict.fromkeys((*op.reads, *op.writes)) if any(name in choice.names for choice in choices)
    )
    count = max((choice.count for choice in choices if set(names) & set(choice.names)), default=1)
    return names, cut(op, names, plan.tensors, plan.config, strips.out_rows[index], count)


def _intervals(plan: Plan, strips: Strips, choice: _Choice, other: _Choice, residual: bool) -> Iterator[Interval]:
    """What needs a place, and from which op to which; features that lie where another one is named for that one."""
    stems = _stems(plan)
    shared = _in_place(plan, strips, choice)
    spoken = {plan.input} if stems else set()
    uses: dict[str, list[int]] = {}
    for k, op in enumerate(plan.ops):
        for name in (*op.reads, *op.writes):
            uses.setdefault(shared.get(name, name), []).append(k)
    for name, height in strips.heights.items():
        tensor = plan.tensors[name]
        if tensor.residual == residual and name not in choice.names and name not in shared and name not in spoken:
            last = len(plan.ops) if name == plan.output else uses[name][-1]
            yield Interval(name, height * tensor.row_words, uses[name][0], last)
    for index, op in enumerate(plan.ops):
        if index in stems:
            yield from _stem_intervals(plan, op, index, choice, residual)
            continue
        names, parts = _parts(plan, strips, index, (choice, other))
        for name in names:
            if name in choice.names and not (name == op.fixed and in_place(op, names, plan.tensors)):
                for turn in range(choice.copies):
                    yield Interval(_slot(index, name, turn), part_words(plan, op, name, parts), index, index)


def _stem_intervals(plan: Plan, op: Op, index: int, choice: _Choice, residual: bool) -> Iterator[Interval]:
    if not residual:
        words = patch_words(plan, op, _pieces(choice))
        yield from (Interval(_slot(index, plan.input, turn), words, index, index) for turn in range(choice.copies))
        return
    row = plan.tensors[odd_rows(op)].row_words
    yield Interval(odd_rows(op), 2 * row, index, index)
    if op.fixed in choice.names:
        yield from (Interval(_slot(index, op.fixed, turn), row, index, index) for turn in range(choice.copies))


def _pieces(choice: _Choice) -> int:
    """Of a row of a stem's patches."""
    return max(1, choice.count // CUTS[0][0])


def _in_place(plan: Plan, strips: Strips, choice: _Choice) -> dict[str, str]:
    """Results that stay on chip and take the place of the operand they are made of, read there for the last time."""
    shared: dict[str, str] = {}
    for k, op in enumerate(plan.ops):
        if op.fixed is not None and op.operand is not None and op.overwrites_operand(plan.tensors):
            made, read = op.fixed, op.operand.source
            last = max(n for n, other in enumerate(plan.ops) if read in (*other.reads, *other.writes))
            if strips.heights[made] == strips.heights[read] and last == k and not {made, read} & set(choice.names):
                shared[made] = shared.get(read, read)
    return shared


def _slot(index: int, name: str, turn: int) -> str:
    return f"{index} {turn} {name}"


def _settled(plan: Plan, strips: Strips, residual: _Choice, other: _Choice) -> Streams:
    bases = {**residual.bases, **other.bases}
    shared = _in_place(plan, strips, residual)
    buffers = {
        name: Buffer(
            tensor=name, base=bases[shared.get(name, name)], words=height * plan.tensors[name].row_words,
            strip_rows=height, first_row=0, rows=plan.tensors[name].rows,
        )
        for name, height in strips.heights.items()
        if shared.get(name, name) in bases
    }  # fmt: skip
    flows: dict[int, Flow] = {}
    stems: dict[int, StemFlow] = {}
    for index, op in enumerate(plan.ops):

        def slots(name: str, index: int = index) -> tuple[int, ...]:
            return tuple(bases[key] for turn in range(2) if (key := _slot(index, name, turn)) in bases)

        if index in _stems(plan):
            fixed = slots(op.fixed) if op.fixed is not None else ()
            stems[index] = StemFlow(
                pieces=_pieces(other), patches=slots(plan.input), odd=bases[odd_rows(op)], fixed=fixed
            )  # fmt: skip
            continue
        names, parts = _parts(plan, strips, index, (residual, other))
        if names:
            places = {name: slots(name) for name in names}
            if op.operand is not None and op.fixed is not None and in_place(op, names, plan.tensors):
                places[op.fixed] = places[op.operand.source]
            flows[index] = Flow(names=names, parts=parts, slots=places)
    return Streams(strips=strips, buffers=buffers, flows=flows, stems=stems)
