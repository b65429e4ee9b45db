"""Golden interpreter beside the fast simulator: bytes that leave, and every event counted one by one."""

from collections.abc import Sequence
from typing import SupportsInt

import numpy as np
from numpy.typing import NDArray

from setun_compiler.program import Program
from setun_hw.descriptor import Compute, Mode
from setun_sim import golden
from setun_sim.activity import Activity, activity
from setun_sim.execute import execute
from setun_sim.golden_post import Integers
from setun_sim.order import descriptors_of, posts_of


class Counter(golden.Observer):
    """Counts what the golden interpreter does, event by event."""

    def __init__(self, program: Program) -> None:
        self.config = program.config
        self.descriptors = descriptors_of(program.image, program.run_offset, program.run_count)
        self.found: dict[int, Activity] = {}

    def add(self, index: int, **counts: SupportsInt) -> None:
        self.found[index] = self.found.get(index, Activity()) + Activity(**{k: int(v) for k, v in counts.items()})

    def step(self, index: int, x: Integers, w: Integers, padding: NDArray[np.bool_]) -> None:
        products = x[..., None, :] * w
        pixels = x.shape[1] * x.shape[2]
        self.add(
            index, multiplications=products.size, products=np.count_nonzero(products),
            accumulations=products[..., 0].size, updates=np.count_nonzero(products.sum(-1)),
            activation_reads=np.count_nonzero(~padding), padding_reads=np.count_nonzero(padding),
            weight_reads=pixels, activation_digits=x.size, nonzero_activations=np.count_nonzero(x),
            weight_digits=w.size * pixels, nonzero_weights=np.count_nonzero(w) * pixels,
        )  # fmt: skip

    def shift(self, index: int, acc: Integers) -> None:
        self.add(index, shifts=acc.size)

    def residual_read(self, index: int, words: Integers) -> None:
        self.add(index, residual_reads=words[..., 0].size)

    def residual_write(self, index: int, words: Integers) -> None:
        self.add(index, residual_writes=words[..., 0].size)

    def fixed_point(self, index: int, y: Integers) -> None:
        d = self.descriptors[index]
        assert isinstance(d, Compute)
        factors = [
            "m1",
            *([] if d.no_array else ["m"]),
            *(["m2"] if d.two_scale else []),
            *(["r"] if d.residual else []),
        ]
        self.add(
            index, fixed_values=y.size, fixed_products=len(factors) * y.size,
            parameter_reads=y[0].size // self.config.post,
        )  # fmt: skip

    def group(self, record: golden.ComputeRecord) -> None:
        d = self.descriptors[record.index]
        assert isinstance(d, Compute)
        window = d.pool_rows * d.pool_cols
        values, threshold = record.pooled.size, d.mode == Mode.THRESHOLD
        self.add(
            record.index, comparisons=values * self.config.thresholds * threshold,
            pool_comparisons=(window - 1) * values + d.pool_carry * record.pooled[:, :, 1:].size,
            activation_writes=record.digits.size // self.config.post,
            parameter_reads=record.pooled[0].size // self.config.post * (threshold and not d.affine),
        )  # fmt: skip


def compare(program: Program, inputs: Sequence[bytes]) -> list[bytes]:
    """Run both on some inputs and assert that all is the same; returns what left."""
    counter = Counter(program)
    expected = [golden.run(program, data, observer=counter) for data in inputs]
    found = execute(program, np.stack([np.frombuffer(data, np.uint8) for data in inputs]))
    assert [row.tobytes() for row in found.outputs] == expected
    posts = posts_of(counter.descriptors)
    for index, d in enumerate(counter.descriptors):
        if isinstance(d, Compute):
            counts, weights = found.counts[index], found.nonzero_weights[index]
            assert activity(d, posts[index], program.config, len(inputs), counts, weights) == counter.found[index]
    return expected
