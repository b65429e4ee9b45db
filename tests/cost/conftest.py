"""A small network, simulated once."""

import pytest

from setun_hw.config import Encoding
from setun_sim.simulation import Result
from tests.cost.networks import simulated


@pytest.fixture(scope="session")
def results() -> dict[Encoding, Result]:
    """The same network in every encoding, on the same inputs."""
    return {encoding: simulated(encoding) for encoding in Encoding}
