"""The fast simulator's fixed point against the golden interpreter: bytes that leave, and every event one by one."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from setun_compiler.program import Program
from setun_hw.descriptor import Compute, Descriptor, Mode, Post
from setun_sim.errors import SimulationError
from setun_sim.execute import execute
from setun_sim.order import descriptors_of
from tests.sim import fixed_cases
from tests.sim.cases import random_images
from tests.sim.chains import Chain
from tests.sim.counting import compare
from tests.sim.fixed_cases import FIXED, FIXED_CASES
from tests.sim.regions import encode


def changed(program: Program, changes: dict[int, dict[str, Any]]) -> Program:
    """A program with some fields of its run list's descriptors changed."""
    descriptors = descriptors_of(program.image, program.run_offset, program.run_count)
    replaced: list[Descriptor] = [dataclasses.replace(d, **changes.get(k, {})) for k, d in enumerate(descriptors)]
    packed = b"".join(d.pack() for d in replaced)
    image = program.image[: program.run_offset] + packed + program.image[program.run_offset + len(packed) :]
    return dataclasses.replace(program, image=image)


def places(program: Program, kind: type[Descriptor]) -> list[int]:
    """Where descriptors of a kind stand in the run list."""
    descriptors = descriptors_of(program.image, program.run_offset, program.run_count)
    return [k for k, d in enumerate(descriptors) if isinstance(d, kind)]


@pytest.mark.parametrize("name", FIXED_CASES)
def test_outputs_and_activity_equal_golden(name: str) -> None:
    chain = FIXED_CASES[name]
    program = chain.program()
    compare(program, [encode(chain, random_images(chain, program.images, seed=seed)) for seed in range(3)])


@pytest.mark.parametrize("name", [name for name in FIXED_CASES if "identity-batch" not in name])
@pytest.mark.parametrize("seed", range(3))
def test_extreme_coefficients_saturate_alike(name: str, seed: int) -> None:
    chain, rng = FIXED_CASES[name], np.random.default_rng(seed)
    layers = []
    for layer in chain.layers:
        a = layer.affine
        if a is not None:
            a = fixed_cases.extreme(rng, chain.config, a.m.size, a.low, a.high, a.residual_after)
        layers.append(dataclasses.replace(layer, affine=a))
    chain = dataclasses.replace(chain, layers=layers)
    compare(chain.program(), [encode(chain, random_images(chain, 1, seed=seed))])


def test_groups_that_overwrite_what_earlier_groups_read_run_one_by_one() -> None:
    """One chunk a group, six pixels four words apart: group 1 overwrites group 0's operand three pixels on."""
    config = FIXED.replace(post=4, strips=1)
    layers = [
        fixed_cases.layer(41, 8, 4, (1, 1), config=config, keep=True),
        fixed_cases.layer(42, 8, 8, (1, 1), config=config, operand=0, keep=True),
        fixed_cases.layer(43, 8, 8, (1, 1), config=config, operand=1, levels=0, out_digits=4),
    ]
    chain = Chain(config=config, shape=(4, 1, 6), layers=layers)
    program = chain.program()
    first, second, third = places(program, Post)
    apart = changed(program, {
        first: {"res_out_col_stride": 4, "res_out_end": 24},
        second: {"res_col_stride": 4, "res_end": 24, "res_out_base": 11, "res_out_col_stride": 4, "res_out_end": 35},
        third: {"res_base": 11, "res_col_stride": 4, "res_end": 35},
    })  # fmt: skip
    inputs = [encode(chain, random_images(chain, 1, seed=seed)) for seed in range(3)]
    assert compare(apart, inputs) == compare(program, inputs)


@pytest.mark.parametrize("encoding", ["ternary", "rails", "binary2"])
def test_groups_with_inputs_of_their_own(encoding: str) -> None:
    chain = FIXED_CASES[f"fixed-identity-{encoding}"]
    program = chain.program()
    grouped = changed(program, {k: {"blocks": 1, "group_block_step": 1} for k in places(program, Compute)[1:3]})
    compare(grouped, [encode(chain, random_images(chain, 1, seed=seed)) for seed in range(2)])


@pytest.mark.parametrize("name", ["fixed-shortcuts-ternary", "fixed-identity-rails"])
def test_operands_that_begin_at_another_chunk(name: str) -> None:
    chain = FIXED_CASES[name]
    program = chain.program()
    moved = changed(program, {places(program, Post)[1]: {"res_first": 1}})
    inputs = [encode(chain, random_images(chain, 1, seed=1))]
    assert compare(moved, inputs) != compare(program, inputs)


@pytest.mark.parametrize(
    ("place", "change", "text"),
    [
        (1, {"res_end": 50}, r"^descriptor 4 reads a residual beyond its tensor's end$"),
        (1, {"res_out_end": 50}, r"^descriptor 4 writes a residual beyond its tensor's end$"),
        (1, {"res_end": 1 << 20}, r"^descriptor 4: COMPUTE leaves a memory or contradicts itself$"),
        (1, {"res_out_end": 1 << 20}, r"^descriptor 4: COMPUTE leaves a memory or contradicts itself$"),
        (1, {"res_first": 4}, r"^descriptor 4: its residual operand is empty, or begins beyond its chunks$"),
        (2, {"high": 99}, r"^descriptor 6: results from -13 to 99 do not fit 3 digits$"),
    ],
)
def test_settings_that_leave_their_tensors_are_refused(place: int, change: dict[str, int], text: str) -> None:
    chain = FIXED_CASES["fixed-identity-ternary"]
    program = chain.program()
    broken = changed(program, {places(program, Post)[place]: change})
    inputs = np.frombuffer(encode(chain, random_images(chain, 1, seed=0)), np.uint8)[None]
    with pytest.raises(SimulationError, match=text):
        execute(broken, inputs)


def test_residual_sums_beyond_the_accumulator_are_refused() -> None:
    """Five words of 31 are 155, more than 8 bits hold."""
    config = FIXED.replace(strips=1, accumulator_bits=8, residual_bits=6)
    a = fixed_cases.layer(44, 4, 4, (1, 1), config=config, keep=True, levels=0, out_digits=0)
    assert a.affine is not None
    high = dataclasses.replace(
        a.affine, m=a.affine.m * 0, r=a.affine.r * 0, b0=a.affine.b0 * 0 + 8000, b1=a.affine.b1 * 0 + 8000
    )
    last = fixed_cases.layer(
        45, 4, 4, (1, 1), config=config, operand=0, no_array=True, window=fixed_cases.window(1, 5, 1, 5), levels=0,
        out_digits=3,
    )  # fmt: skip
    chain = Chain(config=config, shape=(4, 1, 5), layers=[dataclasses.replace(a, affine=high), last])
    inputs = np.frombuffer(encode(chain, random_images(chain, 1, seed=0)), np.uint8)[None]
    assert last.mode == Mode.DIGITS
    with pytest.raises(SimulationError, match=r"^descriptor 4: a residual sum of magnitude 155 does not fit"):
        execute(chain.program(), inputs)
