"""Step functions fitted to the comparators."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from setun_compiler import CompileError, compile_network
from setun_compiler.backend.fit_thresholds import reduce_steps
from setun_compiler.backend.pack_weights import parameter_bits
from setun_compiler.backend.plan import Op, Segment
from setun_compiler.network import Pool
from setun_hw.codec import encode_accumulator
from setun_hw.config import Config, Encoding
from tests.compiler.small_network import network

CONFIG = Config(name="test", rows=4, lanes=4, strips=2, post=2, thresholds=2, code_digits=2)


def levels(thresholds: np.ndarray, codes: np.ndarray, x: int) -> int:
    return int(codes[int((thresholds <= x).sum())])


@given(st.data())
def test_reduced_steps_are_the_same_function_with_fewest_steps(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 6))
    thresholds = np.sort(data.draw(st.lists(st.integers(-9, 9), min_size=count, max_size=count)))
    codes = np.array(data.draw(st.lists(st.integers(-1, 1), min_size=count + 1, max_size=count + 1)))
    low = data.draw(st.integers(-8, 0))
    high = data.draw(st.integers(0, 8))
    out, out_codes, steps = reduce_steps(thresholds[None], codes[None], np.array([low]), np.array([high]))
    kept = out[0, : steps[0]]
    wanted = [levels(thresholds, codes, x) for x in range(low, high + 1)]
    assert [levels(kept, out_codes[0], x) for x in range(low, high + 1)] == wanted
    assert steps[0] == sum(a != b for a, b in pairwise(wanted))


def test_too_many_thresholds_are_refused_by_channel() -> None:
    net = network(
        np.ones((2, 4, 1, 1), int),
        (4, 1, 1),
        thresholds=[[-1, 0, 0], [-1, 0, 1]],
        codes=[[0, 1, 9, 2], [0, 1, 0, 1]],
    )
    text = "^layer 'layer': channel 1 needs 3 thresholds, but configuration 'test' has 2; 'tiny' has 4$"
    with pytest.raises(CompileError, match=text):
        compile_network(net, CONFIG.replace(code_digits=3))


@pytest.mark.parametrize("encoding", Encoding)
def test_parameter_words_follow_the_machine_page(encoding: Encoding) -> None:
    """Three channels in words of two: thresholds lowest first, then codes, digits least significant first."""
    config = CONFIG.replace(encoding=encoding)
    never = config.accumulator_limit + 1
    op = Op(
        name="op",
        source="x",
        target="y",
        weights=np.ones((3, 4, 1, 1), int),
        conv_groups=1,
        stride=(1, 1),
        dilation=(1, 1),
        padding=(0, 0, 0, 0),
        pad_value=0,
        pool=Pool(rows=1, cols=1, row_stride=1, col_stride=1),
        thresholds=np.array([[-7, 5], [0, never], [-(1 << 40), 1 << 40]]),
        codes=np.array([[-1, 0, 1], [2, -2, -3], [1, 0, -1]]),
        scale=np.ones(3),
        bias=np.zeros(3),
        weight_digits=1,
        macs=0,
    )
    bits = parameter_bits(op, Segment(first_group=0, groups=1, first_block=0, blocks=1, group_block_step=0), config)
    assert bits.shape == (2, config.parameter_word_bits)

    def channel(word: int, place: int) -> list[int]:
        width = config.channel_parameter_bits
        value = sum(int(bit) << k for k, bit in enumerate(bits[word, place * width : (place + 1) * width]))
        accumulator = (1 << config.accumulator_width) - 1
        fields = [value >> k * config.accumulator_width & accumulator for k in range(2)]
        rest = value >> 2 * config.accumulator_width
        return fields + [rest >> 2 * k & 3 for k in range(6)]

    def thresholds(*values: int) -> list[int]:
        return [encode_accumulator(config, value) for value in values]

    minus = 3 if encoding is Encoding.BINARY2 else 2
    assert channel(0, 0) == [*thresholds(-7, 5), minus, 0, 0, 0, 1, 0]
    two = {Encoding.BINARY2: ([2, 1], [2, 0], [1, 3])}.get(encoding, ([2, 1], [1, 2], [0, 2]))
    assert channel(0, 1) == [*thresholds(0, never), *two[0], *two[1], *two[2]]
    assert channel(1, 0) == [*thresholds(-never, never), 1, 0, 0, 0, minus, 0]
    assert channel(1, 1) == [*thresholds(never, never), 0, 0, 0, 0, 0, 0]
