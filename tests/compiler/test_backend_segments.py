"""Grouped convolutions as block ranges, and layers cut into several COMPUTEs."""

import numpy as np
import pytest

from setun_compiler import CompileError, compile_network
from setun_compiler.backend.check_program import descriptors
from setun_compiler.backend.pack_weights import weight_codes
from setun_compiler.backend.place import Interval, place
from setun_compiler.backend.plan import Op, Segment
from setun_compiler.network import Pool
from setun_compiler.program import Program
from setun_hw.config import Config
from setun_hw.descriptor import Compute
from tests.compiler.small_network import network

CONFIG = Config(name="test", rows=4, lanes=4, strips=2, post=2, accumulator_bits=16)


def computes(program: Program) -> list[Compute]:
    return [d for d in descriptors(program)[1] if isinstance(d, Compute)]


def depthwise(channels: int, config: Config) -> list[Compute]:
    net = network(np.ones((channels, 1, 3, 3), int), (channels, 6, 6), groups=channels)
    return computes(compile_network(net, config))


def test_depthwise_reads_one_block_for_each_channel_group() -> None:
    (d,) = depthwise(16, CONFIG)
    assert (d.groups, d.blocks, d.group_block_step) == (4, 1, 1)


def test_depthwise_with_more_rows_than_lanes_reads_two_blocks() -> None:
    (d,) = depthwise(16, CONFIG.replace(rows=8))
    assert (d.groups, d.blocks, d.group_block_step) == (2, 2, 2)


def test_depthwise_with_fewer_rows_than_lanes_is_cut_where_output_blocks_start() -> None:
    found = depthwise(16, CONFIG.replace(lanes=8))
    assert [(d.groups, d.blocks, d.group_block_step) for d in found] == [(2, 1, 0), (2, 1, 0)]
    assert [d.in_base - found[0].in_base for d in found] == [0, 1]
    assert [d.out_base - found[0].out_base for d in found] == [0, found[0].out_digits]


def test_group_boundaries_inside_words_read_every_block_they_touch() -> None:
    """Three groups of three input and four output channels: channels 0-2, 3-5 (two words) and 6-8 (two words)."""
    net = network(np.ones((12, 3, 1, 1), int), (9, 2, 2), groups=3)
    found = computes(compile_network(net, CONFIG))
    assert sum(d.groups * d.blocks for d in found) == 1 + 2 + 2


def test_weight_words_lie_as_the_machine_page_says() -> None:
    """Word of group g: digit plane, kernel position, block; row m lane n at digit m*N + n; each weight told apart."""
    config = CONFIG.replace(lanes=2, post=1)
    weights = np.arange(5 * 3 * 1 * 2).reshape(5, 3, 1, 2) - 14  # two or three trits each, all different
    op = Op(
        name="op",
        source="x",
        target="y",
        weights=weights,
        conv_groups=1,
        stride=(1, 1),
        dilation=(1, 1),
        padding=(0, 0, 0, 0),
        pad_value=0,
        pool=Pool(rows=1, cols=1, row_stride=1, col_stride=1),
        thresholds=None,
        codes=None,
        scale=np.ones(5),
        bias=np.zeros(5),
        weight_digits=4,
        macs=0,
    )
    codes = weight_codes(op, Segment(first_group=0, groups=2, first_block=0, blocks=2, group_block_step=0), config)
    assert codes.shape == (2, 4 * 2 * 2, 8)
    digits = np.array([0, 1, -1])[codes]
    for out in range(5):
        for channel in range(3):
            for kw in range(2):
                value = sum(
                    3 ** (3 - j) * digits[out // 4, j * 4 + kw * 2 + channel // 2, out % 4 * 2 + channel % 2]
                    for j in range(4)
                )
                assert value == weights[out, channel, 0, kw]
    assert not digits[1, :, 2:].any()  # rows beyond channel 4
    assert not digits[:, 1::2, 1::2].any()  # the lane beyond channel 2


def test_layer_is_cut_when_its_parameters_exceed_their_memory() -> None:
    each = [[channel // 8 - 2, 3] for channel in range(32)]  # pieces of the same parameters are stored once
    net = network(np.ones((32, 4, 1, 1), int), (4, 4, 4), thresholds=each, codes=[[-1, 0, 1]] * 32)
    found = computes(compile_network(net, CONFIG.replace(parameter_words=8)))
    assert [d.groups for d in found] == [2, 2, 2, 2]  # 4 of 8 words at a time: the next half is fetched meanwhile
    assert [d.parameter_base for d in found] == [0, 4, 0, 4]


def test_channel_group_larger_than_the_weight_memory_is_refused() -> None:
    net = network(np.ones((4, 16, 3, 3), int), (16, 4, 4))
    text = "^layer 'layer': one channel group has 36 weight words, but configuration 'test' has weight_words 35$"
    with pytest.raises(CompileError, match=text):
        compile_network(net, CONFIG.replace(weight_words=35))
    compile_network(net, CONFIG.replace(weight_words=36))


def test_smallest_parameters_larger_than_their_memory_are_refused() -> None:
    config = CONFIG.replace(rows=8, parameter_words=3)
    net = network(np.ones((8, 4, 1, 1), int), (4, 1, 1), thresholds=[[0]] * 8, codes=[[0, 1]] * 8)
    text = "^layer 'layer': 4 parameter words are needed at once, but configuration 'test' has parameter_words 3$"
    with pytest.raises(CompileError, match=text):
        compile_network(net, config)


def test_places_overlap_in_time_or_space_but_not_in_both() -> None:
    intervals = [Interval("a", 6, 0, 1), Interval("b", 4, 1, 2), Interval("c", 6, 2, 3), Interval("d", 4, 3, 4)]
    assert place(intervals, 10) == {"a": 0, "b": 6, "c": 0, "d": 6}
    assert place(intervals, 9) is None


def test_second_order_of_placement_helps_when_the_first_fails() -> None:
    """Lowest-first leaves a hole too small for the last; from both ends it fits."""
    intervals = [Interval("a", 3, 0, 1), Interval("b", 4, 1, 2), Interval("c", 6, 2, 3)]
    bases = place(intervals, 10)
    assert bases is not None
    assert bases["b"] >= bases["c"] + 6 or bases["c"] >= bases["b"] + 4
