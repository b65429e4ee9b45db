"""Golden interpreter against the definition of convolution, and against cases worked out by hand."""

import dataclasses

import numpy as np
import pytest

from setun_hw.config import Config, Encoding
from setun_hw.descriptor import Compute, Descriptor, End, Opcode, Transfer
from setun_sim import golden
from setun_sim.errors import SimulationError
from setun_sim.order import Action, actions
from tests.sim.cases import CASES, SMALL, random_images
from tests.sim.chains import Chain, Conv, reference
from tests.sim.regions import decode, encode


@pytest.mark.parametrize("name", CASES)
def test_chain_equals_convolution(name: str) -> None:
    chain = CASES[name]
    program = chain.program()
    images = random_images(chain, program.images, seed=1)
    found = decode(program, golden.run(program, encode(chain, images)))
    expected = np.stack([reference(chain, x) for x in images])
    assert np.array_equal(found, expected)
    assert len(np.unique(expected)) > 1


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("stream")])
def test_late_groups_give_the_same_bytes_as_early_ones(name: str) -> None:
    program = CASES[name].program()
    inputs = encode(CASES[name], random_images(CASES[name], 1, seed=2))
    assert golden.run(program, inputs, eager=False) == golden.run(program, inputs)


@pytest.mark.parametrize("encoding", Encoding)
def test_dense_layer_worked_out_by_hand(encoding: Encoding) -> None:
    """x = (+1, 0, -1, +1): sums 1-0+1+1 = 3, 0-0-1-1 = -2, 0; thresholds -1 and 3 make +1, -1, 0 of them."""
    config = SMALL.replace(encoding=encoding, strips=1)
    weights = np.array([[1, 1, -1, 1], [0, -1, 1, -1], [0, 0, 0, 0]]).reshape(3, 4, 1, 1)
    layer = Conv(weights=weights, thresholds=np.array([[-1, 3]] * 3), codes=np.array([[-1, 0, 1]] * 3))
    chain = Chain(config=config, shape=(4, 1, 1), layers=[layer])
    program = chain.program()
    output, [record] = golden.run_detailed(program, encode(chain, [np.array([1, 0, -1, 1]).reshape(4, 1, 1)]))
    assert record.pooled.tolist() == [[[[3, -2, 0, 0]]]]
    assert record.levels[0, 0, 0, :3].tolist() == [2, 0, 1]
    # channels 0..2 are +1, -1, 0; minus one is the rail code 10, or 11 in two's complement
    assert output[0] == (0b00_11_01 if encoding is Encoding.BINARY2 else 0b00_10_01)
    assert decode(program, output).ravel().tolist() == [1, -1, 0]


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("sign", [1, -1])
def test_widest_sums_are_exact_and_beyond_the_limit_refused(encoding: Encoding, sign: int) -> None:
    """27 products of 9 lanes: +27 fits 6 bits' limit of 30, 36 does not."""
    config = Config(name="narrow", encoding=encoding, rows=3, lanes=9, strips=1, post=3, accumulator_bits=6)
    for kernel, total in ((3, 27), (4, 36)):
        weights = np.full((3, 9, 1, kernel), sign)
        chain = Chain(config=config, shape=(9, 1, kernel), layers=[Conv(weights=weights)])
        program, inputs = chain.program(), encode(chain, [np.ones((9, 1, kernel), np.int64)])
        if total == 27:
            assert decode(program, golden.run(program, inputs)).ravel().tolist() == [sign * total] * 3
        else:
            with pytest.raises(SimulationError, match=r"^descriptor 1: a sum of magnitude 36 exceeds .* limit of 30$"):
                golden.run(program, inputs)


def test_refuses_reads_and_writes_beyond_their_tensors() -> None:
    machine = golden.Machine(SMALL, {})
    with pytest.raises(SimulationError, match=r"^descriptor 0 reads word 5, beyond its tensor's end 5$"):
        machine.execute([Compute(in_base=5, in_end=5, out_end=9), End()], golden.Observer(), True)
    with pytest.raises(SimulationError, match=r"^descriptor 0 writes word 7, beyond its tensor's end 7$"):
        machine.execute([Compute(in_end=1, out_base=7, out_end=7), End()], golden.Observer(), True)


def test_refuses_wrong_input_size_and_regions_left() -> None:
    chain = CASES["pad-ternary"]
    program = chain.program()
    with pytest.raises(SimulationError, match=r"^input region must have \d+ bytes, not 3$"):
        golden.run(program, b"abc")
    short = dataclasses.replace(program, output_bytes=8)
    with pytest.raises(SimulationError, match=r"leaves a region of 8 bytes$"):
        golden.run(short, encode(chain, random_images(chain, 1, seed=0)))


def test_order_respects_both_counters() -> None:
    load = Transfer(opcode=Opcode.LOAD_WEIGHTS)
    late = dataclasses.replace(load, after=1)
    program: list[Descriptor] = [load, Compute(after=1, after_step=1, groups=2), late, End()]
    found = [Action(0, 0), Action(1, 0), Action(2, 0), Action(1, 1)]
    assert list(actions(program)) == list(actions(program, eager=False)) == found
    with pytest.raises(SimulationError, match=r"^descriptor 1 waits for 1 groups, but only 0 can complete$"):
        list(actions([load, late, End()]))
    with pytest.raises(SimulationError, match=r"^descriptor 0 waits for transfers that never come$"):
        list(actions([Compute(after=1), End()]))
