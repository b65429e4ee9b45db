"""Pass 5: the input as it is or unfolded, whichever makes the faster program; then channel groups, stages and places."""

from setun_compiler.backend.cut_segments import cut_segments
from setun_compiler.backend.plan import CompileError, Plan
from setun_compiler.backend.plan_stages import plan_stages
from setun_compiler.backend.unfold_input import unfold_input


def lay_out(plan: Plan) -> Plan:
    """Lay out both forms of the input and keep the one of fewer estimated cycles.

    Raises
    ------
    CompileError
        When neither fits the configuration; the text speaks of the input as it is.
    """
    unfolded = unfold_input(plan)
    try:
        best = _lay_out(plan)
    except CompileError:
        if unfolded is None:
            raise
        try:
            return _lay_out(unfolded)
        except CompileError:
            pass
        raise
    if unfolded is None:
        return best
    try:
        return min(best, _lay_out(unfolded), key=lambda candidate: candidate.cycles)
    except CompileError:
        return best


def _lay_out(plan: Plan) -> Plan:
    return plan_stages(cut_segments(plan))
