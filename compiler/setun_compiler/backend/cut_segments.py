"""Which output channels each COMPUTE makes, and which blocks of input channels its groups read.

A descriptor's first block moves by a constant from group to group. Grouped convolutions whose groups do not fall on
whole blocks read a few blocks too many, with weights 0 there: exact, only slower. Where splitting the layer into
several descriptors reads fewer blocks, or its parameters need it, it is split at channels that start both a channel
group and a block of the output.
"""

from dataclasses import replace
from math import lcm

from setun_compiler.backend.plan import CompileError, Op, Plan, Segment, Tensors
from setun_compiler.layout import ceil_div
from setun_hw.config import Config
from setun_hw.descriptor import Mode


def cut_segments(plan: Plan) -> Plan:
    """Give every op its segments.

    Raises
    ------
    CompileError
        When one channel group's weights, or the smallest piece's parameters, exceed their memory.
    """
    chunks = sum(parameter_words(op, plan.config) for op in plan.ops)
    # parameters that cannot stay resident are streamed: half the memory each, so that the next are fetched meanwhile
    room = plan.config.parameter_words if chunks <= plan.config.parameter_words else plan.config.parameter_words // 2
    return plan.with_(ops=tuple(_cut(op, plan.tensors, plan.config, room) for op in plan.ops))


def parameter_words(op: Op, config: Config) -> int:
    """Parameter words of a whole op."""
    return 0 if op.mode is Mode.RAW else ceil_div(op.channels, config.post)


def _cut(op: Op, tensors: Tensors, config: Config, room: int) -> Op:
    held = tensors[op.source].blocks if op.source is not None else 1
    groups = ceil_div(op.channels, config.rows)
    unit = lcm(config.rows, config.lanes) // config.rows  # groups after which an output block starts
    pieces = {groups} | ({unit} if op.conv_groups > 1 else set())
    if parameter_words(op, config) > room:
        unit_words = min(unit * config.chunks, parameter_words(op, config))
        if unit_words > config.parameter_words:
            raise CompileError(
                f"layer {op.name!r}: {unit_words} parameter words are needed at once, but configuration"
                f" {config.name!r} has parameter_words {config.parameter_words}"
            )
        most = max(room, unit_words) // unit_words * unit
        pieces = {min(piece, most) for piece in pieces}
    options = [_segments(op, held, config, piece) for piece in sorted(pieces, reverse=True)]
    best = min(options, key=lambda segments: sum(s.groups * s.blocks for s in segments))
    largest = max(op.group_words(segment) for segment in best)
    if largest > config.weight_words:
        raise CompileError(
            f"layer {op.name!r}: one channel group has {largest} weight words, but configuration {config.name!r} has"
            f" weight_words {config.weight_words}"
        )
    return replace(op, segments=best)


def _segments(op: Op, held: int, config: Config, piece: int) -> tuple[Segment, ...]:
    groups = ceil_div(op.channels, config.rows)
    return tuple(
        _segment(op, held, config, first, min(piece, groups - first)) for first in range(0, groups, piece)
    )  # fmt: skip


def _segment(op: Op, held: int, config: Config, first_group: int, groups: int) -> Segment:
    """Constant stride over blocks with the fewest blocks a group."""
    needs = [_blocks_needed(op, config, first_group + g) for g in range(groups)]
    best: Segment | None = None
    for step in range(max(begin for begin, _ in needs) - min(begin for begin, _ in needs) + 1):
        first = min(begin - g * step for g, (begin, _) in enumerate(needs))
        blocks = max(end - g * step for g, (_, end) in enumerate(needs)) - first
        inside = first >= 0 and first + (groups - 1) * step + blocks <= held
        if inside and (best is None or blocks < best.blocks):
            best = Segment(
                first_group=first_group, groups=groups, first_block=first, blocks=blocks, group_block_step=step
            )  # fmt: skip
    assert best is not None  # step 0 always fits
    return best


def _blocks_needed(op: Op, config: Config, group: int) -> tuple[int, int]:
    """First and one past the last block of input channels that a channel group depends on."""
    out_per = op.channels // op.conv_groups
    in_per = op.weights.shape[1]
    first = group * config.rows // out_per
    last = (min((group + 1) * config.rows, op.channels) - 1) // out_per
    return first * in_per // config.lanes, ceil_div((last + 1) * in_per, config.lanes)
