"""The engine against the reference, cycle by cycle."""

import random

import pytest

from setun_hw.config import Config
from tests.hw.engine.bench import Plan, check
from tests.hw.engine.layers import random_banks, random_layer, random_memories

BASE = Config(
    name="base", rows=2, lanes=4, strips=2, post=1, thresholds=2, code_digits=1, accumulator_bits=17, activation_words=100,
    weight_words=40, parameter_words=12, axi_data_bits=32, queue_depth=2, tree_registers=1,
)
CONFIGS = {
    "base": BASE,
    "rails": BASE.replace(encoding="rails", rows=4, lanes=2, post=2, tree_registers=0, thresholds=3, code_digits=2),
    "binary2": BASE.replace(encoding="binary2", rows=3, lanes=3, post=3, strips=1, tree_registers=2, queue_depth=1),
    "three": BASE.replace(rows=6, lanes=3, post=3, strips=3, packed_weights=True, thresholds=4, code_digits=2),
}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", CONFIGS)
def test_random_layers_match_the_reference_in_every_cycle(name: str, seed: int) -> None:
    config = CONFIGS[name]
    rng = random.Random(f"{name} {seed}")
    layers = [
        # Raw two's complement planes are no digits, so nothing may read them.
        random_layer(config, rng, max_steps=250, words=config.activation_words - 4, raw=number == 2 and rng.random() < 0.5)
        for number in range(3)
    ]
    interference = seed % 2 * 0.3
    plan = Plan(rng, layers, stores=interference, loads=interference, gap=rng.choice([0, 0, 300]), transfer_gap=200)
    check(config, plan, random_banks(config, rng), random_memories(config, rng, 20), seed)
