"""Which layers' weights and parameters stay on chip for good, and which are fetched in every run."""

from typing import NamedTuple

from setun_compiler.backend.cut_segments import parameter_words
from setun_compiler.backend.plan import Op, Plan, Run
from setun_hw.external import weight_sharing


class Residency(NamedTuple):
    """Indices of resident ops, and the words their weights (parameters) take from word 0."""

    weights: frozenset[int]
    weight_words: int
    parameters: frozenset[int]
    parameter_words: int


def total_words(op: Op) -> int:
    """Weight words of a whole op."""
    return sum(segment.groups * op.group_words(segment) for segment in op.segments)


def choose_residency(plan: Plan) -> Residency:
    """Everything stays if it fits; otherwise what gains most per word, leaving room to stream the others."""
    ops, config = plan.ops, plan.config
    sizes = [total_words(op) for op in ops]
    parameters = [parameter_words(op, config) for op in ops]
    all_ops = frozenset(range(len(ops)))
    resident_parameters = all_ops if sum(parameters) <= config.parameter_words else frozenset()
    resident = all_ops if sum(sizes) <= config.weight_words else _gain_most(plan, sizes)
    return Residency(
        weights=resident,
        weight_words=sum(sizes[k] for k in resident),
        parameters=resident_parameters,
        parameter_words=sum(parameters[k] for k in resident_parameters),
    )


def _gain_most(plan: Plan, sizes: list[int]) -> frozenset[int]:
    """Ops in the order of what streaming them would cost: cycles that computing does not hide, then traffic."""
    groups = [max(op.group_words(segment) for segment in op.segments) for op in plan.ops]
    rings = [min(size, 2 * group) for size, group in zip(sizes, groups, strict=True)]
    gains = [_exposed(plan, k, size) / max(1, size) for k, size in enumerate(sizes)]
    resident: set[int] = set()
    taken = 0
    for k in sorted(range(len(sizes)), key=lambda k: -gains[k]):
        ring = max((rings[other] for other in range(len(sizes)) if other != k and other not in resident), default=0)
        if taken + sizes[k] + ring <= plan.config.weight_words:
            resident.add(k)
            taken += sizes[k]
    return frozenset(resident)


def _exposed(plan: Plan, index: int, words: int) -> float:
    """Cycles of loading an op that its own computing does not hide, and a little for each beat saved."""
    op = plan.ops[index]
    rows = sum(step.out_rows for step in plan.steps if isinstance(step, Run) and step.op == index and not step.segment)
    computing = rows * op.cols * op.cycles_per_pixel(plan.tensors, plan.config)
    loading = weight_sharing(plan.config).run(words)
    return max(0, loading - computing) + 1e-3 * loading
