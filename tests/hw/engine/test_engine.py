"""The engine against the reference, cycle by cycle."""

import random

import pytest

from setun_hw.config import Config, Encoding
from setun_hw.descriptor import Compute, Mode
from tests.hw.engine.bench import Plan, check
from tests.hw.engine.layers import random_banks, random_layer, random_memories
from tests.hw.engine.reference import Outcome, Record

BASE = Config(
    name="base",
    rows=2,
    lanes=4,
    strips=2,
    post=1,
    thresholds=2,
    code_digits=1,
    accumulator_bits=17,
    activation_words=100,
    weight_words=40,
    parameter_words=12,
    axi_data_bits=32,
    queue_depth=2,
    tree_registers=1,
)
CONFIGS = {  # the last group's chunks begin anywhere in a word, or a group fills several
    "base": BASE,
    "rails": BASE.replace(encoding="rails", rows=6, lanes=4, post=2, tree_registers=0, thresholds=3, code_digits=2),
    "binary2": BASE.replace(encoding="binary2", rows=3, lanes=3, post=3, strips=1, tree_registers=2, queue_depth=1),
    "three": BASE.replace(rows=6, lanes=3, post=3, strips=3, packed_weights=True, thresholds=4, code_digits=2),
}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", CONFIGS)
def test_random_layers_match_the_reference_in_every_cycle(name: str, seed: int) -> None:
    config = CONFIGS[name]
    rng = random.Random(f"{name} {seed}")
    layers = [
        # Raw two's complement planes are no digits, so nothing may read them.
        random_layer(
            config, rng, max_steps=100, words=config.activation_words - 4, raw=number == 2 and rng.random() < 0.5
        )
        for number in range(3)
    ]
    interference = seed % 2 * 0.3
    plan = Plan(rng, layers, stores=interference, loads=interference, gap=rng.choice([0, 0, 300]), transfer_gap=200)
    check(config, plan, random_banks(config, rng), random_memories(config, rng, 20), seed)


def outcomes(
    config: Config, *layers: Compute, stores: float = 0, transfer_gap: int = 0, spread: int = 6
) -> list[Outcome]:
    """Outcomes of layers on random data, compared with the engine's."""
    rng = random.Random(7)
    plan = Plan(rng, layers, stores=stores, loads=0, gap=0, transfer_gap=transfer_gap)
    return check(config, plan, random_banks(config, rng), random_memories(config, rng, spread), 7)


def test_a_layer_of_one_step_takes_the_documented_cycles() -> None:
    layer = Compute(in_end=1, out_base=1, out_end=2)
    (first, second) = outcomes(BASE, layer, layer)
    # Pushed in cycle 0, taken in 1, step in 3, written 7 later, idle in the cycle after that.
    assert first.record == Record(start=1, end=11, steps=1, words=1)
    assert second.record == Record(start=11, end=21, steps=1, words=1)
    assert first.writes[0].cycle == 10
    assert first.groups == [11]


def test_pixels_and_groups_of_one_step_follow_each_other_without_a_pause() -> None:
    layer = Compute(
        groups=3,
        in_cols=16,
        in_col_stride=2,
        in_row_stride=32,
        in_strip_rows=2,
        in_full_strips=2,
        group_block_step=1,
        pool_rows=2,
        pool_cols=2,
        row_step=2,
        col_step=2,
        out_cols=8,
        weight_group_step=1,
        weight_ring=2,
        in_end=65,
        out_base=70,
        out_col_stride=2,
        out_end=86,
    )
    (outcome,) = outcomes(BASE, layer, spread=2)
    steps = 3 * 8 * 4
    assert outcome.record == Record(start=1, end=3 + steps - 1 + 7 + 1, steps=steps, words=3 * 8)


def test_a_pixel_shorter_than_the_drain_before_it_waits() -> None:
    layer = Compute(
        mode=Mode.RAW,
        out_digits=3,
        chunks=2,
        last_chunks=2,
        in_cols=2,
        out_cols=2,
        in_end=2,
        out_base=10,
        out_col_stride=3,
        out_end=16,
    )
    (outcome,) = outcomes(BASE, layer)
    assert (outcome.record.wait_drain, outcome.record.words) == (5, 12)


def test_each_group_waits_for_its_own_transfer() -> None:
    layer = Compute(groups=3, after=1, after_step=1, in_end=1, out_base=10, out_end=12, out_col_stride=2)
    (outcome,) = outcomes(BASE, layer, transfer_gap=40)
    assert outcome.record.wait_load > 20
    assert outcome.record.steps == 3


def test_a_store_in_every_other_cycle_halves_the_steps() -> None:
    layer = Compute(
        kernel_cols=3,
        blocks=2,
        weight_plane=6,
        in_cols=5,
        in_col_stride=2,
        out_cols=5,
        pad_left=1,
        in_end=10,
        out_base=20,
        out_end=25,
    )
    (outcome,) = outcomes(BASE, layer, stores=0.5)
    assert outcome.record.wait_store > 10
    assert outcome.record.wait_drain == 0


def test_rows_far_below_the_last_bank_read_padding() -> None:
    layer = Compute(
        mode=Mode.RAW,
        out_digits=5,
        kernel_rows=20,
        weight_plane=20,
        in_full_strips=2,
        pad_digits=1,
        in_end=1,
        out_base=10,
        out_end=15,
    )
    outcomes(BASE, layer)


@pytest.mark.parametrize("encoding", Encoding)
def test_raw_sums_keep_their_sign_on_all_planes(encoding: Encoding) -> None:
    config = BASE.replace(encoding=encoding, activation_words=128)
    planes = config.raw_digits
    layer = Compute(
        mode=Mode.RAW,
        out_digits=planes,
        in_cols=8,
        out_cols=8,
        in_full_strips=2,
        in_end=8,
        out_base=10,
        out_col_stride=planes,
        out_end=10 + 8 * planes,
    )
    (outcome,) = outcomes(config, layer)
    signs = {write.codes[p][0] for write in outcome.writes[::planes] for p in range(config.strips)}
    assert len(signs) > 1 or encoding is Encoding.TERNARY  # the highest trit of a small number is 0
