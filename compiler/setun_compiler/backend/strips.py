"""Strip heights: how many rows of each feature map one bank holds.

A layer whose output spans several strips needs in_strip_rows = row_step * out_rows, which ties heights along the
network. A layer whose output lies in strip 0 alone reads any strips and leaves its input's height free. Each layer has
one input, so the features form a tree; the cheapest heights are found from its leaves, exactly.
"""

from collections.abc import Sequence

from setun_compiler.backend.plan import Op, Tensor
from setun_compiler.layout import ceil_div
from setun_hw.config import Config

#: cycles that a word of activation memory is worth when computing costs the same
WORD_COST = 1e-6

Heights = dict[str, int]


def strip_heights(ops: Sequence[Op], tensors: dict[str, Tensor], config: Config, batch: bool) -> Heights | None:
    """Rows of a strip for every feature that ``ops`` read or write; None if there are no heights that work.

    In batch mode every strip holds a whole map, and heights only have to let padding reach past it.
    """
    names = list(dict.fromkeys(name for op in ops for name in (op.source, op.target)))
    needs = {name: max((least_height(op, tensors) for op in ops if op.source == name), default=1) for name in names}
    if batch:
        return {name: max(tensors[name].rows, needs[name]) for name in names}
    # best[name][height]: cycles of all layers that follow, and the heights they take
    best: dict[str, dict[int, tuple[float, Heights]]] = {}
    for name in names:
        tensor = tensors[name]
        top = max(tensor.rows, needs[name])
        heights = range(max(needs[name], ceil_div(tensor.rows, config.strips)), top + 1)
        best[name] = {h: (WORD_COST * h * tensor.row_words, {name: h}) for h in heights}
    for op in reversed(ops):
        source, target = tensors[op.source], tensors[op.target]
        pixel = op.cycles_per_pixel(source, target, config)
        for height, (cost, chosen) in list(best[op.source].items()):
            options = [
                (cost + out_rows(op, target, height, h) * target.cols * pixel + after, chosen | rest)
                for h in _following(op, target, height, best[op.target])
                for after, rest in [best[op.target][h]]
            ]
            if options:
                best[op.source][height] = min(options, key=lambda option: option[0])
            else:
                del best[op.source][height]
    roots = [name for name in names if all(op.target != name for op in ops)]
    result: Heights = {}
    for root in roots:
        if not best[root]:
            return None
        result |= min(best[root].values(), key=lambda option: option[0])[1]
    return result


def least_height(op: Op, tensors: dict[str, Tensor]) -> int:
    """Rows a strip of the input must have so that no step reaches past the next one."""
    return max(*op.reach, op.row_step if tensors[op.target].rows > 1 else 1)


def out_rows(op: Op, target: Tensor, in_height: int, out_height: int) -> int:
    """Rows each strip computes: its own part of the map, or the whole map where that lies in strip 0."""
    return out_height if op.row_step * out_height == in_height else target.rows


def _following(op: Op, target: Tensor, height: int, heights: dict[int, tuple[float, Heights]]) -> list[int]:
    """Heights of the output that go with one of the input."""
    found = [h for h in heights if op.row_step * h == height]
    # the whole output in strip 0
    return found + [h for h in heights if h >= target.rows and op.row_step * h != height]
