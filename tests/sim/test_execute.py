"""The fast simulator against the golden interpreter."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from setun_compiler import compile_network, host
from setun_hw.config import Config, Encoding
from setun_hw.descriptor import Compute
from setun_sim.errors import SimulationError
from setun_sim.execute import execute
from setun_sim.order import descriptors_of
from tests.compiler.small_network import network
from tests.sim.cases import CASES, random_images
from tests.sim.chains import Chain, Conv
from tests.sim.counting import compare
from tests.sim.regions import decode, encode


@pytest.mark.parametrize("name", CASES)
def test_outputs_and_activity_equal_golden(name: str) -> None:
    chain = CASES[name]
    images = chain.config.strips if chain.batch else 1
    compare(chain.program(), [encode(chain, random_images(chain, images, seed=seed)) for seed in range(3)])


@pytest.mark.parametrize("encoding", Encoding)
@pytest.mark.parametrize("lanes", [16, 20, 64, 65])
@pytest.mark.parametrize("digit", [-1, 1])
def test_all_ones_fill_every_lane(encoding: Encoding, lanes: int, digit: int) -> None:
    """1040 steps of full words: more than the narrow partial sums could hold without being emptied."""
    config = Config(name="full", encoding=encoding, rows=2, lanes=lanes, strips=1, post=1, weight_words=1040)
    x = np.full((lanes, 26, 40), -2 if encoding is Encoding.BINARY2 and digit < 0 else digit)
    chain = Chain(config=config, shape=x.shape, layers=[Conv(weights=np.ones((2, lanes, 26, 40), np.int64))])
    program = chain.program()
    found = execute(program, np.frombuffer(encode(chain, [x]), np.uint8)[None])
    assert decode(program, found.outputs[0].tobytes()).ravel().tolist() == [int(x.sum())] * 2
    (counts,) = found.counts.values()
    assert counts[0] == 2 * x.size
    assert counts[1] == 2 * 1040


def test_a_partly_filled_last_group_reads_its_own_parameters_only() -> None:
    """Chunks that no channel fills may lie beyond the parameter memory."""
    config = Config(name="last", rows=6, lanes=4, strips=1, post=2, parameter_words=2)
    net = network(
        np.ones((3, 4, 1, 1), int), (4, 2, 3), thresholds=np.array([[-2, 3]] * 3), codes=np.array([[-1, 0, 1]] * 3)
    )
    program = compile_network(net, config)
    compare(program, [run.tobytes() for run in host.encode(program, np.ones((1, 4, 2, 3)))])


def test_overflow_and_bad_shapes_are_refused() -> None:
    config = Config(name="narrow", rows=3, lanes=9, strips=1, post=3, accumulator_bits=6)
    chain = Chain(config=config, shape=(9, 1, 4), layers=[Conv(weights=np.ones((3, 9, 1, 4), np.int64))])
    inputs = np.frombuffer(encode(chain, [np.ones((9, 1, 4), np.int64)]), np.uint8)
    with pytest.raises(SimulationError, match=r"^descriptor 1: a sum of magnitude 36 exceeds .* limit of 30$"):
        execute(chain.program(), inputs[None])
    with pytest.raises(SimulationError, match=r"^inputs must have shape \(runs, 16\), not \(16,\)$"):
        execute(chain.program(), inputs)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"in_end": 10}, r"^descriptor 1 reads beyond its tensor's end$"),
        ({"out_end": 0}, r"^descriptor 1 writes beyond its tensor's end$"),
        ({"in_end": 1 << 20}, r"^descriptor 1: COMPUTE leaves a memory or contradicts itself$"),
        ({"weight_base": 1 << 20}, r"^descriptor 1: COMPUTE leaves a memory or contradicts itself$"),
        ({"in_strip_rows": 0}, r"^descriptor 1: COMPUTE leaves a memory or contradicts itself$"),
    ],
)
def test_descriptors_that_leave_their_tensors_are_refused(change: dict[str, Any], text: str) -> None:
    chain = CASES["pad-ternary"]
    program = chain.program()
    descriptors = descriptors_of(program.image, program.run_offset, program.run_count)
    assert isinstance(descriptors[1], Compute)
    descriptors[1] = dataclasses.replace(descriptors[1], **change)
    packed = b"".join(d.pack() for d in descriptors)
    image = program.image[: program.run_offset] + packed + program.image[program.run_offset + len(packed) :]
    inputs = np.frombuffer(encode(chain, random_images(chain, 1, seed=0)), np.uint8)[None]
    with pytest.raises(SimulationError, match=text):
        execute(dataclasses.replace(program, image=image), inputs)
