"""Cells of an FPGA, and honesty about energies that nobody has published."""

import pytest

from setun_hw.config import Encoding
from setun_hw.engine.post import StripPost
from setun_hw.library import convert
from setun_sim.cost.errors import CostError
from setun_sim.cost.fpga import blocks_of, fpga_cost
from setun_sim.cost.netlist import fpga_cells, run_yosys
from setun_sim.cost.structure import Memory
from setun_sim.cost.technology import technology
from setun_sim.simulation import Result
from tests.cost.networks import SMALL, simulated

pytest.importorskip("pyosys")

#: registers as they are drawn, memories kept
_DRAWN = """\
read_rtlil design.il
hierarchy -auto-top
proc
flatten
opt -full
memory_collect
opt_clean -purge
simplemap t:$dff t:$dffe t:$sdff t:$sdffe t:$sdffce
tee -q -o gates.json stat -json
"""


@pytest.fixture(scope="module")
def result() -> Result:
    return simulated(Encoding.RAILS, base=SMALL)


@pytest.mark.slow
def test_measured_energies_are_used_and_missing_ones_named(result: Result) -> None:
    found = fpga_cost(result, technology("ice40"))
    assert found.components["clock"] == pytest.approx(54_000 * result.cycles)
    assert found.components["standby"] == pytest.approx(0.11e6 * result.cycles / 12)  # nW x us
    assert found.components["block memories"] is None
    assert found.unknown == ("bram.energy_per_access",)
    assert found.known_fj == sum(value for value in found.components.values() if value is not None)
    assert found.total("lut") == sum(part["lut"] for part in found.parts.values()) == found.to_json()["luts"]
    # one look-up table each at least for two rails of eight products, of eight dot products
    assert found.parts["dot products"]["lut"] >= 8 * 2 * 8
    denser = fpga_cost(simulated(Encoding.RAILS, weights_kept=0.9), technology("ice40"))
    for part in ("dot products and accumulators",):
        assert (denser.components[part] or 0) > (found.components[part] or 0)
    assert denser.components["post-processing"] == found.components["post-processing"]


@pytest.mark.slow
def test_registers_that_only_feed_memories_are_counted() -> None:
    config = SMALL.replace(encoding="rails")
    assert config.chunks > 1  # so that the largest sums so far lie in a memory
    drawn = run_yosys(convert(StripPost(config), "design"), _DRAWN)
    stored = sum(number for kind, number in drawn.items() if kind.startswith(("$_DFF", "$_SDFF")))
    assert fpga_cells(StripPost(config), "ecp5")["flip_flop"] == stored


@pytest.mark.slow
def test_without_any_number_there_are_counts_only(result: Result) -> None:
    plain = fpga_cost(result, technology("ecp5")).to_json()
    assert plain["luts"] > 0
    assert plain["known_energy_fj"] is None
    assert set(plain["components_fj"].values()) == {None}


@pytest.mark.parametrize(
    ("family", "words", "width", "blocks", "awake"),
    [
        ("ice40", 256, 16, 1, 1),
        ("ice40", 1024, 9, 3, 3),  # three of 1024 x 4, not four of 256 x 16
        ("ice40", 300, 4, 1, 1),
        ("ecp5", 512, 64, 2, 2),
        ("ecp5", 4096, 32, 8, 1),  # one beside the other or one behind the other: eight, of which one wakes
        ("xilinx7", 1024, 64, 2, 1),
    ],
)
def test_block_memories_in_their_best_shape(family: str, words: int, width: int, blocks: int, awake: int) -> None:
    memory = Memory(name="m", component="weight memory", copies=3, words=words, width=width)
    assert blocks_of(memory, technology(family)) == (3 * blocks, awake)


def test_other_kinds_are_refused(result: Result) -> None:
    with pytest.raises(CostError, match=r"^technology fdsoi28 is of kind logic, not fpga$"):
        fpga_cost(result, technology("fdsoi28"))
