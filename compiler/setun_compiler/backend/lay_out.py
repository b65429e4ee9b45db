"""Pass 6: the input as it is or unfolded, whichever is faster; then channel groups, stages and places."""

from setun_compiler.backend.cut_segments import cut_segments
from setun_compiler.backend.plan import CompileError, Plan
from setun_compiler.backend.plan_stages import plan_stages
from setun_compiler.backend.unfold_input import unfolded_inputs


def lay_out(plan: Plan) -> Plan:
    """Lay out every form of the input and keep the one of fewest estimated cycles.

    Raises
    ------
    CompileError
        When none fits the configuration; the text speaks of the input as it is.
    """
    found: list[Plan] = []
    refusals: list[CompileError] = []
    forms = [plan] if not any(any(op.pool.padding) for op in plan.ops) else []
    for form in (*forms, *unfolded_inputs(plan)):
        try:
            found.append(plan_stages(cut_segments(form)))
        except CompileError as error:
            refusals.append(error)
    if not found and not refusals:
        raise CompileError("no pooling reaches past a map but that of a first layer's patches")
    if not found:
        raise refusals[0]
    return min(found, key=lambda candidate: candidate.cycles)
