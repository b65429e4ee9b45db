"""Work carried over to an encoding that a network was not compiled for, beside that of the network compiled for it."""

from pathlib import Path

import numpy as np
import pytest

from setun_compiler import compile_model
from setun_hw.config import Encoding
from setun_hw.presets import config
from setun_sim.cost.alternatives import alternatives
from setun_sim.cost.compare import compare
from setun_sim.cost.technology import technology
from setun_sim.simulation import Result, simulate

MODELS = Path(__file__).parents[1] / "models"


@pytest.fixture(scope="module")
def trained() -> dict[Encoding, Result]:
    """A trained network with an input of 8 bits, so six trits or four digits of radix 4, in every encoding."""
    samples = np.load(MODELS / "tnn_vgg_mnist" / "test256.npz")["x"][:2]
    found = {}
    for encoding in Encoding:
        chosen = config("small").replace(encoding=encoding)
        program = compile_model(MODELS / "tnn_vgg_mnist" / "frozen_dynamo.onnx", chosen)
        found[encoding] = simulate(program, samples)
    return found


def test_digits_of_wide_numbers_are_those_the_compiler_chooses(trained: dict[Encoding, Result]) -> None:
    for given in Encoding:
        carried = {one.config.encoding: one for one in alternatives({given: trained[given]})}
        for own in alternatives(trained):
            assert own.exact
            assert carried[own.config.encoding].digits == own.digits
        assert carried[Encoding.TERNARY].digits[0] == (6, 1)
        assert carried[Encoding.BINARY2].digits[0] == (4, 1)
        assert carried[Encoding.BINARY2].exact is (given is Encoding.BINARY2)


@pytest.mark.parametrize(("given", "other"), [(Encoding.TERNARY, Encoding.BINARY2), (Encoding.BINARY2, Encoding.RAILS)])
def test_carried_over_energy_is_near_the_real_one(
    trained: dict[Encoding, Result], given: Encoding, other: Encoding
) -> None:
    numbers = technology("fdsoi28")

    def energy_of(results: dict[Encoding, Result]) -> tuple[float, bool]:
        one = next(c for c in compare(results, [numbers]).candidates if c.encoding is other)
        return one.energy.total_fj, one.exact

    carried, exact = energy_of({given: trained[given]})
    assert not exact
    real, exact = energy_of(trained)
    assert exact
    assert carried == pytest.approx(real, rel=0.02)
