"""Fixed-point post-processing against the reference, cycle by cycle."""

import random

import pytest

from setun_hw.config import Config
from tests.hw.engine.bench import Plan, check
from tests.hw.engine.fixed_layers import fixed_memories, random_fixed_layer, random_residuals
from tests.hw.engine.layers import random_banks, random_layer
from tests.hw.engine.test_engine import BASE

FIXED = BASE.replace(
    affine=True,
    two_scale=True,
    coefficient_bits=9,
    residual_bits=10,
    residual_words=60,
    parameter_words=24,
    code_digits=2,
)
CONFIGS: dict[str, Config] = {
    "ternary": FIXED,
    "rails": FIXED.replace(
        encoding="rails", rows=4, lanes=2, post=2, tree_registers=0, thresholds=3, two_scale=False, residual_bits=7,
    ),
    "binary2": FIXED.replace(encoding="binary2", rows=3, lanes=3, post=3, strips=1, tree_registers=2, queue_depth=1),
    "three": FIXED.replace(
        rows=6, lanes=3, post=3, strips=3, packed_weights=True, thresholds=4, two_scale=False, residual_bits=13,
    ),
}  # fmt: skip


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", CONFIGS)
def test_random_layers_match_the_reference_in_every_cycle(name: str, seed: int) -> None:
    config = CONFIGS[name]
    rng = random.Random(f"fixed {name} {seed}")
    words = config.activation_words - 4
    layers = [random_fixed_layer(config, rng, max_steps=150, words=words) for _ in range(4)]
    computes, posts = [d for d, _ in layers], [post for _, post in layers]
    if seed % 2:  # a layer of sums among them
        plain = range(config.parameter_words // 2)
        computes[1] = random_layer(config, rng, max_steps=150, words=words, raw=False, parameters=plain)
    interference = seed % 2 * 0.3
    gap = rng.choice([0, 0, 300])
    plan = Plan(
        rng, computes, stores=interference, loads=interference, gap=gap, transfer_gap=100, posts=posts,
    )  # fmt: skip
    check(config, plan, random_banks(config, rng), fixed_memories(config, rng, 20), seed, random_residuals(config, rng))
