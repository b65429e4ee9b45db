"""Golden interpreter's fixed point against the network's interpreter, and against cases worked out by hand."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from setun_compiler.network import Affine
from setun_hw.config import Config, Encoding
from setun_hw.descriptor import Compute, Descriptor, End, Mode, Opcode, Post, Transfer
from setun_sim import golden, golden_post
from setun_sim.errors import SimulationError
from setun_sim.golden_words import Bits
from tests.sim.cases import SMALL, random_images
from tests.sim.chains import Chain, Conv, reference
from tests.sim.fixed_cases import FIXED, FIXED_CASES
from tests.sim.regions import decode, encode


@pytest.mark.parametrize("name", FIXED_CASES)
def test_chain_equals_the_networks_interpreter(name: str) -> None:
    chain = FIXED_CASES[name]
    program = chain.program()
    images = random_images(chain, program.images, seed=1)
    found = decode(program, golden.run(program, encode(chain, images)))
    expected = np.stack([reference(chain, x) for x in images])
    assert np.array_equal(found, expected)
    assert len(np.unique(expected)) > 1


@pytest.mark.parametrize("name", [name for name in FIXED_CASES if "stream" in name or "projection" in name])
def test_late_groups_give_the_same_bytes_as_early_ones(name: str) -> None:
    program = FIXED_CASES[name].program()
    inputs = encode(FIXED_CASES[name], random_images(FIXED_CASES[name], 1, seed=2))
    assert golden.run(program, inputs, eager=False) == golden.run(program, inputs)


def _affine(**changes: Any) -> Affine:
    """out = acc, for four channels."""
    one, zero = np.ones(4, np.int64), np.zeros(4, np.int64)
    plain = Affine(
        m=one, m2=zero, r=zero, b=zero, shift=0, pivot=zero, m0=one, b0=zero, m1=one, b1=zero, shift1=0, low=-40,
        high=40,
    )  # fmt: skip
    return dataclasses.replace(plain, **changes)


def _out(affine: Affine, config: Config = FIXED, x: tuple[int, ...] = (1, 0, -1, 1)) -> list[int]:
    """Result of a dense layer whose sums are 3, -2, 0 and -3 on x = (+1, 0, -1, +1)."""
    weights = np.array([[1, 1, -1, 1], [0, -1, 1, -1], [0, 0, 0, 0], [-1, 0, 1, -1]]).reshape(4, 4, 1, 1)
    layer = Conv(weights=weights, affine=affine, out_digits=4, two_scale=bool(affine.m2.any()))
    chain = Chain(config=config.replace(strips=1), shape=(4, 1, 1), layers=[layer])
    program = chain.program()
    output, [record] = golden.run_detailed(program, encode(chain, [np.array(x).reshape(4, 1, 1)]))
    assert decode(program, output).ravel().tolist() == record.out.ravel().tolist()
    return list(record.out.ravel().tolist())


@pytest.mark.parametrize("encoding", Encoding)
def test_halves_round_up_and_slopes_meet_at_the_pivot(encoding: Encoding) -> None:
    config = FIXED.replace(encoding=encoding)
    assert _out(_affine(), config) == [3, -2, 0, -3]
    # 3/2, -1, 0, -3/2
    assert _out(_affine(shift=1), config) == [2, -1, 0, -1]
    # a slope of 2 from 0 on, of -1/2 below: 6, 1, 0, 3/2
    assert _out(_affine(m1=np.full(4, 4), m0=np.full(4, -1), shift1=1), config) == [6, 1, 0, 2]
    assert _out(_affine(low=-2, high=1), config) == [1, -2, 0, -2]
    # |w| adds acc2 = 1, 0, 0, 1, ten times each; |x| plays no part
    assert _out(_affine(m2=np.full(4, 10)), config) == [3 + 10, -2, 0, -3 + 10]


def test_everything_saturates_at_the_accumulators_width() -> None:
    """8 bits: sums of 3 times 100 make 127, of -3 make -128; both slopes, and what comes after, likewise."""
    config = FIXED.replace(accumulator_bits=8, residual_bits=7)
    v = _affine(m=np.full(4, 100), m1=np.full(4, 64), m0=np.full(4, 64), shift1=7, low=-64, high=63)
    assert _out(dataclasses.replace(v, low=-40, high=40), config) == [40, -40, 0, -40]
    p = golden_post.Parameters(
        thresholds=np.zeros((4, 0), np.int64),
        codes=np.zeros((4, 0, 1), np.uint8),
        fixed={name: getattr(v, name) for name in ("m", "m2", "r", "m0", "m1", "b", "b0", "b1", "pivot")},
    )
    acc = np.array([3, -2, 0, -3])
    settings = Post(shift1=7, low=-128, high=127)
    assert golden_post.two_slopes(acc, acc, None, p, settings, config).tolist() == [64, -64, 0, -64]
    steep = dataclasses.replace(p, fixed={**p.fixed, "m0": np.full(4, -256), "m1": np.full(4, -256)})
    assert golden_post.two_slopes(acc, acc, None, steep, settings, config).tolist() == [-128, 127, 0, 127]
    assert golden_post.share_of(np.array([100, -100]), dataclasses.replace(
        p, fixed={**p.fixed, "r": np.array([3, 3])}), 1, config).tolist() == [127, -128]  # fmt: skip


def test_settings_hold_until_the_next_ones() -> None:
    """Nothing before the first SET_POST: results are 0. Each result lands in the residual memory."""
    config = FIXED.replace(strips=1, post=4)
    machine = golden.Machine(config, {})
    machine.parameters[:] = _constant(config, 7)

    layer = Compute(affine=1, no_array=1, mode=Mode.NONE, residual_write=1)

    def post(word: int, high: int) -> Post:
        return Post(low=-high, high=high, res_out_base=word, res_out_end=word + 1)

    machine.execute([post(0, 9), layer, post(1, 5), layer, End()], golden.Observer(), True)
    assert machine.residuals[0, :3].tolist() == [[7] * 4, [5] * 4, [0] * 4]
    with pytest.raises(SimulationError, match=r"^descriptor 0 writes residual word 0, beyond its tensor's end 0$"):
        machine.execute([layer, End()], golden.Observer(), True)


def _constant(config: Config, value: int) -> Bits:
    """A parameter word whose channels make ``value`` of anything."""
    bits, place = np.zeros(config.channel_parameter_bits, np.uint8), config.channel_parameter_bits
    for name, width in reversed(config.affine_parameters.items()):
        place -= width
        if name in ("b0", "b1"):
            bits[place : place + width] = value >> np.arange(width) & 1
    return np.tile(bits, config.post)


@pytest.mark.parametrize(
    ("change", "settings", "text"),
    [
        ({"mode": Mode.RAW}, {}, "mode RAW excludes affine"),
        ({"affine": 0, "residual": 1}, {}, "residual needs affine"),
        ({"affine": 0, "mode": Mode.NONE}, {}, "mode NONE needs affine"),
        ({"mode": 7}, {}, "mode 7 is unknown"),
        ({"two_scale": 1, "weight_digits": 2}, {}, "two_scale needs weights of one digit, not 2"),
        ({"residual_after": 1}, {}, "residual_after needs residual"),
        ({"residual": 1, "residual_max": 1}, {}, "residual_max needs residual_after"),
        ({"affine": 0, "pool_carry": 1}, {}, "pool_carry needs affine"),
        ({"residual": 1}, {"res_first": 1}, "its residual operand is empty, or begins beyond its chunks"),
        ({"residual": 1}, {"res_rows": 0}, "its residual operand is empty, or begins beyond its chunks"),
        ({}, {"high": 256}, "results from 0 to 256 do not lie within residual_bits"),
        ({}, {"low": 1}, "results from 1 to 0 do not lie within residual_bits"),
        ({"mode": Mode.DIGITS}, {"high": 2}, "results from 0 to 2 do not fit 1 digits"),
        ({"mode": Mode.NONE, "out_digits": 2}, {}, "mode NONE needs out_digits 1, not 2"),
    ],
)
def test_contradictions_are_refused(change: dict[str, Any], settings: dict[str, Any], text: str) -> None:
    layer = Compute(**{"affine": 1, "in_end": 1, "out_end": 1, **change})
    machine = golden.Machine(FIXED, {})
    with pytest.raises(SimulationError, match=f"^descriptor 1: {text}$"):
        machine.execute([Post(**settings), layer, End()], golden.Observer(), True)


@pytest.mark.parametrize(
    ("descriptor", "text"),
    [
        (Post(), "SET_POST needs a configuration with affine"),
        (Transfer(opcode=Opcode.LOAD_RESIDUAL), "LOAD_RESIDUAL needs a configuration with affine"),
        (Compute(affine=1), "affine needs a configuration with affine"),
    ],
)
def test_fixed_point_needs_its_configuration(descriptor: Descriptor, text: str) -> None:
    with pytest.raises(SimulationError, match=f"^descriptor 0: {text}$"):
        golden.Machine(SMALL, {}).execute([descriptor, End()], golden.Observer(), True)


def test_residual_reads_beyond_their_tensor_are_refused() -> None:
    layer = Compute(affine=1, residual=1, no_array=1, out_cols=3, out_end=9, out_col_stride=1)
    with pytest.raises(SimulationError, match=r"^descriptor 1 reads residual word 6, beyond its tensor's end 6$"):
        golden.Machine(FIXED, {}).execute(
            [Post(res_col_step=2, res_cols=3, res_end=6), layer, End()], golden.Observer(), True
        )
