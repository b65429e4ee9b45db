"""The fast simulator against the golden interpreter: bytes that leave, and every event counted one by one."""

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from setun_compiler.program import Program
from setun_hw.config import Config, Encoding
from setun_hw.descriptor import Compute, Mode
from setun_sim import golden
from setun_sim.activity import Activity, activity
from setun_sim.errors import SimulationError
from setun_sim.execute import execute
from setun_sim.order import descriptors_of
from tests.sim.cases import CASES, random_images
from tests.sim.programs import Chain, Conv, decode, encode


class Counter(golden.Observer):
    """Counts what the golden interpreter does, event by event."""

    def __init__(self, program: Program) -> None:
        self.config = program.config
        self.descriptors = descriptors_of(program.image, program.run_offset, program.run_count)
        self.found: dict[int, Activity] = {}

    def add(self, index: int, **counts: int) -> None:
        self.found[index] = self.found.get(index, Activity()) + Activity(**{k: int(v) for k, v in counts.items()})

    def step(self, index: int, x: golden.Integers, w: golden.Integers, padding: NDArray[np.bool_]) -> None:
        products = x[..., None, :] * w
        pixels = x.shape[1] * x.shape[2]
        self.add(
            index, multiplications=products.size, products=np.count_nonzero(products),
            accumulations=products[..., 0].size, updates=np.count_nonzero(products.sum(-1)),
            activation_reads=np.count_nonzero(~padding), padding_reads=np.count_nonzero(padding),
            weight_reads=pixels, activation_digits=x.size, nonzero_activations=np.count_nonzero(x),
            weight_digits=w.size * pixels, nonzero_weights=np.count_nonzero(w) * pixels,
        )  # fmt: skip

    def group(self, record: golden.ComputeRecord) -> None:
        d = self.descriptors[record.index]
        assert isinstance(d, Compute)
        window = d.pool_rows * d.pool_cols
        pixels, values = record.pooled[0, ..., 0].size, record.pooled.size
        threshold = d.mode == Mode.THRESHOLD
        self.add(
            record.index, comparisons=values * self.config.thresholds * threshold,
            pool_comparisons=(window - 1) * values,
            shifts=(d.in_digits + d.weight_digits - 2) * window * pixels * self.config.rows * self.config.strips,
            activation_writes=record.digits.size // self.config.post,
            parameter_reads=record.pooled[0].size // self.config.post * threshold,
        )  # fmt: skip


def _compare(chain: Chain, images: list[list[golden.Integers]]) -> None:
    program = chain.program()
    inputs = [encode(chain, run) for run in images]
    counter = Counter(program)
    expected = [golden.run(program, data, observer=counter) for data in inputs]
    found = execute(program, np.stack([np.frombuffer(data, np.uint8) for data in inputs]))
    assert [row.tobytes() for row in found.outputs] == expected
    for index, d in enumerate(counter.descriptors):
        if isinstance(d, Compute):
            counts = activity(d, chain.config, len(inputs), found.counts[index], found.nonzero_weights[index])
            assert counts == counter.found[index]


@pytest.mark.parametrize("name", CASES)
def test_outputs_and_activity_equal_golden(name: str) -> None:
    chain = CASES[name]
    images = chain.config.strips if chain.batch else 1
    _compare(chain, [list(random_images(chain, images, seed=seed)) for seed in range(3)])


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
def test_descriptors_that_leave_their_tensors_are_refused(change: dict[str, int], text: str) -> None:
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
