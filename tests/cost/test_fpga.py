"""Cells of an FPGA, and honesty about energies that nobody has published."""

import pytest

from setun_hw.config import Encoding
from setun_sim.cost.errors import CostError
from setun_sim.cost.fpga import blocks_of, fpga_cost
from setun_sim.cost.structure import Memory
from setun_sim.cost.technology import technology
from setun_sim.simulation import Result
from tests.cost.networks import SMALL, simulated

pytest.importorskip("pyosys")


@pytest.fixture(scope="module")
def result() -> Result:
    return simulated(Encoding.RAILS, base=SMALL)


@pytest.mark.slow
def test_measured_energies_are_used_and_missing_ones_named(result: Result) -> None:
    found = fpga_cost(result, technology("ice40"))
    assert found.components["clock"] == pytest.approx(54_000 * result.cycles)
    assert found.components["block memories"] is None
    assert found.unknown == ("bram.energy_per_access",)
    assert found.known_fj == sum(value for value in found.components.values() if value is not None)
    assert found.total("lut") == sum(part["lut"] for part in found.parts.values()) == found.to_json()["luts"]
    # one look-up table each at least for two rails of eight products, of eight dot products
    assert found.parts["dot products"]["lut"] >= 8 * 2 * 8
    denser = fpga_cost(simulated(Encoding.RAILS, weights_kept=0.9), technology("ice40"))
    assert (denser.components["datapath"] or 0) > (found.components["datapath"] or 0)


@pytest.mark.slow
def test_without_any_number_there_are_counts_only(result: Result) -> None:
    plain = fpga_cost(result, technology("ecp5")).to_json()
    assert plain["luts"] > 0
    assert plain["known_energy_fj"] is None
    assert set(plain["components_fj"].values()) == {None}


def test_block_memories_by_their_bits() -> None:
    memory = Memory(name="m", component="weight memory", copies=3, words=1024, width=9)
    assert blocks_of(memory, 4096) == 3 * 3


def test_other_kinds_are_refused(result: Result) -> None:
    with pytest.raises(CostError, match=r"^technology fdsoi28 is of kind logic, not fpga$"):
        fpga_cost(result, technology("fdsoi28"))
