"""Switching on real operands."""

import numpy as np
import pytest

from setun_hw.config import Encoding
from setun_sim.cost.energy import energy
from setun_sim.cost.errors import CostError
from setun_sim.cost.switching import expected, of_products
from setun_sim.cost.technology import technology
from setun_sim.cost.toggles import toggles
from tests.cost.networks import SMALL, simulated


@pytest.mark.parametrize("encoding", list(Encoding))
def test_real_operands_switch_about_as_random_ones_of_their_density(encoding: Encoding) -> None:
    result = simulated(encoding, inputs_kept=2 / 3)
    samples = np.random.default_rng(5).integers(-1, 2, (2, 8, 6, 6))
    real = toggles(result.program, samples)
    assert list(real) == [layer.name for layer in result.layers]
    activity = result.layers[0].activity
    assert activity is not None
    random = expected(result.program.config, activity.products / activity.multiplications)
    (name,) = real
    assert set(real[name].switches) == set(random.switches)
    (kind,) = {"multiplier", "product"} & set(random.switches)
    assert real[name].switches[kind] == pytest.approx(random.switches[kind], rel=0.3)
    found = energy(result, technology("fdsoi28"), toggles=real)
    assert found.components["adder tree"] != energy(result, technology("fdsoi28")).components["adder tree"]
    assert found.components["clock"] == energy(result, technology("fdsoi28")).components["clock"]


def test_pixels_come_from_every_strip_and_from_all_over_the_map() -> None:
    """Only one strip has an image that is not zero: its products must count as a share of all strips' steps."""
    result = simulated(Encoding.RAILS, inputs_kept=1.0)
    rows = np.zeros((1, 8, 6, 6))
    rows[:, :, 3:] = np.random.default_rng(5).choice([-1, 1], (1, 8, 3, 6))
    half, whole = (
        next(iter(toggles(result.program, samples).values())).switches["product"]
        for samples in (rows, np.random.default_rng(5).choice([-1, 1], (1, 8, 6, 6)))
    )
    assert 0.35 * whole < half < 0.75 * whole


def test_samples_that_never_change_switch_nothing() -> None:
    config = SMALL.replace(encoding="binary2")
    found = of_products(config, np.full((config.lanes, 64), 4))
    assert set(found.switches.values()) == {0.0}


def test_wide_products_of_radix_four_switch_all_their_bits() -> None:
    """Products alternate between -2 and 4, so 0 and 6 with the offset: of the two lower bits one toggles."""
    config = SMALL.replace(encoding="binary2")
    found = of_products(config, np.tile([-2, 4], (config.lanes, 32)))
    assert found.switches["product"] == pytest.approx(config.lanes / 2)


def test_without_samples_there_are_no_toggles() -> None:
    result = simulated(Encoding.RAILS)
    with pytest.raises(CostError, match=r"^toggles need samples$"):
        toggles(result.program, np.zeros((0, 8, 6, 6)))
