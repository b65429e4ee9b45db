"""Which layers' weights stay on chip for good, and which are fetched in every run."""

from typing import NamedTuple

from setun_compiler.backend.plan import Op, Plan, Run
from setun_hw.external import weight_sharing


class Residency(NamedTuple):
    """Indices of resident ops, and the words their weights take from word 0."""

    #: for each op the first with the same weights, which it shares
    alike: tuple[int, ...]
    weights: frozenset[int]
    weight_words: int


def total_words(op: Op) -> int:
    """Weight words of a whole op."""
    return sum(segment.groups * op.group_words(segment) for segment in op.segments)


def first_alike(ops: tuple[Op, ...]) -> tuple[int, ...]:
    """For each op the first one whose weight words are the same, as those of all steps of a recurrent layer are."""
    seen: dict[object, int] = {}
    found = []
    for k, op in enumerate(ops):
        form = op.source is None, op.weight_digits, op.conv_groups, op.segments, op.weights.shape, op.weights.tobytes()
        found.append(seen.setdefault(form, k))
    return tuple(found)


def choose_residency(plan: Plan) -> Residency:
    """Everything stays if it fits; otherwise what gains most per word, leaving room to stream the others."""
    ops, config = plan.ops, plan.config
    alike = first_alike(ops)
    sizes = [total_words(op) if alike[k] == k else 0 for k, op in enumerate(ops)]
    fits = sum(sizes) <= config.weight_words
    resident = frozenset(range(len(ops))) if fits else _gain_most(plan, sizes, alike)
    return Residency(alike=alike, weights=resident, weight_words=sum(sizes[k] for k in resident))


def _gain_most(plan: Plan, sizes: list[int], alike: tuple[int, ...]) -> frozenset[int]:
    """Ops in the order of what streaming them would cost: cycles that computing does not hide, then traffic."""
    firsts = sorted(set(alike))
    groups = [max(op.group_words(segment) for segment in op.segments) for op in plan.ops]
    exposed, loading = [0.0] * len(sizes), [0.0] * len(sizes)
    for k, first in enumerate(alike):
        exposed[first] += _exposed(plan, k, sizes[first])
        loading[first] += weight_sharing(plan.config).run(sizes[first])
    # what loading delays gains by every word of it that comes while the op before computes; others need two groups
    rings = [size if late else min(size, 2 * group) for size, group, late in zip(sizes, groups, exposed, strict=True)]
    gains = [(exposed[k], loading[k]) for k in range(len(sizes))]
    resident: set[int] = set()
    taken = 0
    for k in sorted(firsts, key=lambda k: [-gain / max(1, sizes[k]) for gain in gains[k]]):
        ring = max((rings[other] for other in firsts if other != k and other not in resident), default=0)
        if exposed[k]:  # a delay less is worth more than one that is shorter
            ring = min(ring, 2 * max(groups))
        if taken + sizes[k] + ring <= plan.config.weight_words:
            resident.add(k)
            taken += sizes[k]
    return frozenset(k for k, first in enumerate(alike) if first in resident)


def _exposed(plan: Plan, index: int, words: int) -> float:
    """Cycles of loading an op that its own computing does not hide."""
    op = plan.ops[index]
    computing = sum(
        step.out_rows * (step.cols or op.cols) * (step.variant or op).cycles_per_pixel(plan.tensors, plan.config)
        for step in plan.steps
        if isinstance(step, Run) and step.op == index and not step.segment
    )
    loading = weight_sharing(plan.config).run(words)
    return max(0, loading - computing)
