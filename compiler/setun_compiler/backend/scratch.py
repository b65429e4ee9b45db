"""Where feature maps lie in external memory."""

from dataclasses import dataclass

from setun_compiler.backend.place import Interval, place
from setun_compiler.backend.plan import CompileError, Fetch, Keep, Plan, Run, run_buffers
from setun_compiler.program import ExternalMap
from setun_hw.descriptor import Region


@dataclass(frozen=True, kw_only=True)
class External:
    """Region and layout of every feature that crosses the chip's edge."""

    regions: dict[str, Region]
    maps: dict[str, ExternalMap]
    scratch_bytes: int

    def round_bytes(self, plan: Plan, name: str) -> int:
        """Bytes of the input or output of one round."""
        outside = self.maps[name]
        return outside.size if outside.line_rows else plan.images * outside.size


def place_scratch(plan: Plan) -> External:
    """Lay out the input, the output and, for as long as each is needed, what spills in between.

    Raises
    ------
    CompileError
        When that is more than a descriptor can address.
    """
    regions = {plan.input: Region.INPUT, plan.output: Region.OUTPUT}
    spilled = dict.fromkeys(
        step.buffer.tensor for step in plan.steps if isinstance(step, Keep) and step.buffer.tensor not in regions
    )
    intervals = []
    for name in spilled:
        uses = [
            k
            for k, step in enumerate(plan.steps)
            if name in ([b.tensor for b in run_buffers(step)] if isinstance(step, Run) else [step.buffer.tensor])
        ]
        tensor, lines = plan.tensors[name], _line_rows(plan, name)
        rows = lines or plan.images * tensor.rows
        intervals.append(
            Interval(name, rows * tensor.row_bytes(plan.config, lines=lines > 0), min(uses), max(uses))
        )
    offsets = place(intervals, 1 << 32)
    if offsets is None:
        raise CompileError("feature maps that spill take more than 4 GiB of external memory")
    regions |= dict.fromkeys(spilled, Region.SCRATCH)
    maps = {}
    for name in regions:
        tensor = plan.tensors[name]
        lines = _line_rows(plan, name)
        row_bytes = tensor.row_bytes(plan.config, lines=lines > 0)
        maps[name] = ExternalMap(
            channels=tensor.channels, rows=tensor.rows, cols=tensor.cols, digits=tensor.digits,
            offset=offsets.get(name, 0), row_words=tensor.row_words, row_bytes=row_bytes,
            size=(lines or tensor.rows) * row_bytes, line_rows=lines, line_halo=plan.halo if name == plan.input else 0,
        )  # fmt: skip
    return External(
        regions=regions,
        maps=maps,
        scratch_bytes=max((offsets[i.name] + i.words for i in intervals), default=0),
    )


def _line_rows(plan: Plan, name: str) -> int:
    """Rows of a strip of a feature that comes and goes in lines; else 0."""
    moves = [s.buffer for s in plan.steps if isinstance(s, (Fetch, Keep)) and s.lines and s.buffer.tensor == name]
    return max((buffer.first_row + buffer.strip_rows for buffer in moves), default=0)
