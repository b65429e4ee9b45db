"""Fixed-point post-processing worked out by hand: ends of ranges, rounding, pivots, and what a window costs."""

import dataclasses
import random

import pytest

from setun_hw.config import Config, Encoding
from setun_hw.descriptor import Compute, Mode, Post
from tests.hw.engine.bench import Plan, check
from tests.hw.engine.fixed_layers import fixed_memories, random_residuals
from tests.hw.engine.fixed_reference import Parameters
from tests.hw.engine.layers import random_banks
from tests.hw.engine.reference import Outcome, Record
from tests.hw.engine.test_fixed_point import FIXED

#: 17 bits of accumulator, 9 of coefficients, 10 of residuals
SMALL = FIXED.replace(activation_words=90, weight_words=8, parameter_words=8, residual_words=40)
TOP, PLAIN = (1 << 16) - 1, {"m": 0, "m2": 0, "r": 1, "m0": 1, "m1": 1, "b": 0, "b0": 0, "b1": 0, "pivot": 0}


def outcome(encoding: Encoding, d: Compute, post: Post, parameters: Parameters, values: list[int]) -> Outcome:
    """Of a layer in which residual word x holds ``values[x]``; compared with the engine's."""
    (found,) = outcomes(SMALL.replace(encoding=encoding), [d], [post], [parameters], values)
    return found


def outcomes(
    config: Config, layers: list[Compute], posts: list[Post], parameters: list[Parameters], values: list[int]
) -> list[Outcome]:
    """Of layers, number k of which uses ``parameters[k]`` for all channels."""
    rng = random.Random(3)
    memories = fixed_memories(config, rng, 6)
    per_layer = config.parameter_words // 2 // len(layers)
    layers = [dataclasses.replace(d, parameter_base=memories.fixed_from + k * per_layer) for k, d in enumerate(layers)]
    words = [[p] * config.post for p in parameters for _ in range(per_layer)]
    words = [words[0]] * memories.fixed_from + words
    words += [words[0]] * (config.parameter_words - len(words))
    residuals = random_residuals(config, rng)
    for memory in residuals:
        memory[: len(values)] = [[value] * config.post for value in values]
    plan = Plan(rng, layers, stores=0, loads=0, gap=0, transfer_gap=0, posts=posts)
    memories = dataclasses.replace(memories, parameters=words)
    return check(config, plan, random_banks(config, rng), memories, 3, residuals)


CASES: dict[str, tuple[Parameters, dict[str, int], list[int], list[int]]] = {
    "nothing is done": ({}, {}, [-512, -1, 0, 1, 511], [-512, -1, 0, 1, 511]),
    "clamped": ({}, {"low": -3, "high": 4}, [-4, -3, 0, 4, 5], [-3, -3, 0, 4, 4]),
    "one value only": ({}, {"low": 7, "high": 7}, [-4, 7, 8], [7, 7, 7]),
    "rounds half up": ({}, {"shift": 1}, [-3, -2, -1, 0, 1, 2, 3], [-1, -1, 0, 0, 1, 1, 2]),
    "rounds half up twice": ({}, {"shift": 1, "shift1": 1}, [-7, -5, -3, 3, 5], [-1, -1, 0, 1, 2]),
    "largest shift": ({"r": 255}, {"shift": 31}, [-512, 511], [0, 0]),
    "first product saturates above": ({"b": (1 << 25) - 1, "m0": -1, "m1": -1}, {"shift1": 8}, [0], [-256]),
    "first product saturates below": ({"b": -(1 << 25)}, {"shift1": 8}, [0, 511], [-256, -256]),
    "second product saturates": ({"r": -256, "m0": -256, "m1": 255}, {}, [1, -1], [511, 511]),
    "second product saturates below": ({"r": 255, "m0": 255, "m1": -256}, {}, [1, -1], [-512, -512]),
    "largest products": ({"r": -256, "m1": -256, "b1": -(1 << 25)}, {"shift": 1, "shift1": 17}, [-512], [-384]),
    "offsets decide": ({"m0": 0, "m1": 0, "b0": -9, "b1": 9}, {}, [-1, 0], [-9, 9]),
    "pivot reached": ({"pivot": 5, "m0": -1, "m1": 2}, {}, [4, 5, 6], [-4, 10, 12]),
    "pivot below everything": ({"pivot": -TOP - 1, "m0": 0}, {}, [-512, 511], [-512, 511]),
    "pivot above everything": ({"pivot": TOP, "m1": 0}, {}, [-512, 511], [-512, 511]),
    "PReLU": ({"m0": 3, "m1": 8, "b0": 1}, {"shift1": 3}, [-8, -1, 0, 5], [-3, 0, 0, 5]),
}


@pytest.mark.parametrize("encoding", Encoding)
def test_slopes_and_ends_of_ranges(encoding: Encoding) -> None:
    values = [value for _, _, values, _ in CASES.values() for value in values]
    config = SMALL.replace(encoding=encoding, parameter_words=4 * len(CASES), residual_words=3 * len(values) + 4)
    layers, posts, base = [], [], 0
    for _, settings, case_values, _ in CASES.values():
        cols, first = len(case_values), len(values) + 2 * base
        # Two chunks to a pixel of which the operand has one: both see the same.
        posts.append(Post(
            **{"low": -512, "high": 511, **settings},
            res_base=base, res_row_stride=cols, res_end=base + cols,
            res_out_base=first, res_out_col_stride=2, res_out_end=first + 2 * cols,
        ))  # fmt: skip
        layers.append(Compute(
            affine=1, no_array=1, residual=1, residual_write=1, mode=Mode.NONE, out_cols=cols, chunks=2, last_chunks=2,
        ))  # fmt: skip
        base += cols
    found = outcomes(config, layers, posts, [{**PLAIN, **parameters} for parameters, *_ in CASES.values()], values)
    for (name, (_, _, _, expected)), layer in zip(CASES.items(), found, strict=True):
        writes = [write.values for write in layer.residual_writes]
        assert writes == [[[value]] * config.strips for value in expected for _ in range(2)], name


@pytest.mark.parametrize("encoding", Encoding)
def test_a_residual_behind_the_slopes_is_clamped_with_them(encoding: Encoding) -> None:
    post = Post(
        shift=1, low=-512, high=511, res_row_stride=3, res_end=3, res_out_base=20, res_out_end=23,
    )  # fmt: skip
    d = Compute(
        affine=1, no_array=1, residual=1, residual_after=1, residual_write=1, mode=Mode.NONE, out_cols=3,
    )  # fmt: skip
    parameters = {**PLAIN, "r": -3, "b": -7, "m0": -2, "m1": 0}
    # v = (-7 + 1) >> 1 = -3, y = 6, share = (-3*res + 1) >> 1
    found = outcome(encoding, d, post, parameters, [-512, 0, 3])
    assert [write.values[0] for write in found.residual_writes] == [[511], [6], [2]]


@pytest.mark.parametrize("encoding", Encoding)
def test_numbers_leave_as_digits(encoding: Encoding) -> None:
    digits = FIXED.replace(encoding=encoding).value_digits
    values = [-512, -341, -170, -14, -1, 0, 1, 13, 14, 364, 511]
    cols = len(values)
    post = Post(low=-512, high=511, res_row_stride=cols, res_end=cols)
    d = Compute(
        affine=1, no_array=1, residual=1, mode=Mode.DIGITS, out_digits=digits, out_cols=cols, out_col_stride=digits,
        out_end=cols * digits,
    )  # fmt: skip
    found = outcome(encoding, d, post, PLAIN, values)
    assert found.record.words == cols * digits
    decoded = {0: 0, 1: 1, 2: -2, 3: -1} if encoding is Encoding.BINARY2 else {0: 0, 1: 1, 2: -1}
    for k, value in enumerate(values):
        total = 0
        for write in found.writes[k * digits : (k + 1) * digits]:
            total = encoding.radix * total + decoded[write.codes[0][0]]
        assert total == value


def test_a_window_is_read_word_by_word_before_the_first_digit() -> None:
    post = Post(low=-512, high=511, res_rows=2, res_cols=2, res_row_stride=2, res_end=4)
    d = Compute(
        affine=1, residual=1, mode=Mode.DIGITS, out_digits=7, in_end=1, out_base=10, out_end=17,
    )  # fmt: skip
    found = outcome(Encoding.TERNARY, d, post, PLAIN, [100, -7, 3, 4])
    # Step in cycle 3; 6 cycles and tree register and 11 more to the first write, 3 more for the window, 7 digits.
    assert [write.cycle for write in found.writes] == list(range(3 + 18 + 3, 3 + 18 + 3 + 7))
    assert found.residual_reads == {9, 10, 11, 12}
    assert found.record == Record(start=1, end=31, steps=1, words=7)


def test_both_passes_of_two_scales_take_a_step_each() -> None:
    parameters = {**PLAIN, "r": 0, "m": 1, "m2": 1}
    post = Post(low=-512, high=511, res_out_end=20)
    d = Compute(
        affine=1, two_scale=1, residual_write=1, mode=Mode.NONE, in_digits=2, kernel_cols=3, weight_plane=3, in_cols=5,
        in_col_stride=2, in_row_stride=10, out_cols=3, in_end=10,
    )  # fmt: skip
    found = outcome(Encoding.RAILS, d, post, parameters, [])
    assert found.record.steps == 3 * 2 * 2 * 3
