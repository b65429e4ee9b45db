"""Energy adds up, follows the counts, and is what a hand would compute."""

import dataclasses
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from setun_hw.config import Encoding
from setun_sim.cost.energy import Energy, energy
from setun_sim.cost.errors import CostError
from setun_sim.cost.structure import COMPONENTS, Loads
from setun_sim.cost.switching import expected, observed, of_products, pack
from setun_sim.cost.technology import Kind, technologies, technology
from setun_sim.cost.trees import HIGH, tree_of
from setun_sim.simulation import Result, simulate
from tests.cost.networks import SMALL, simulated

LOGIC = [name for name, one in technologies().items() if one.kind is Kind.LOGIC]


@pytest.mark.parametrize("name", LOGIC)
@pytest.mark.parametrize("encoding", list(Encoding))
def test_the_parts_add_up_to_the_whole(results: dict[Encoding, Result], name: str, encoding: Encoding) -> None:
    found = energy(results[encoding], technology(name), memory=technology("lpddr4"))
    assert set(found.components) <= set(COMPONENTS)
    assert sum(found.components.values()) == pytest.approx(found.total_fj)
    assert sum(layer.total_fj for layer in found.layers) == pytest.approx(found.total_fj)
    assert sum(found.by_number.values()) == pytest.approx(found.total_fj)
    assert sum(found.by_status.values()) == pytest.approx(1)
    assert 0 <= found.assumed_share <= 1
    assert min(found.components.values()) >= 0
    assert found.peak_fj_per_op > 0
    plain = found.to_json()
    assert plain["energy_fj"] == found.total_fj
    assert plain["components_fj"] == found.components


@pytest.mark.parametrize("encoding", list(Encoding))
@settings(max_examples=6, deadline=None)
@given(kept=st.tuples(st.integers(0, 6), st.integers(1, 4)), weights=st.booleans())
def test_energy_falls_with_sparsity(encoding: Encoding, kept: tuple[int, int], weights: bool) -> None:
    less, more = kept[0] / 10, (kept[0] + kept[1]) / 10
    name = "weights_kept" if weights else "inputs_kept"
    found = {}
    for share in (less, more):
        result = simulated(encoding, **{name: share})
        found[share] = (energy(result, technology("fdsoi28"), native=False), result.layers[0].activity)
    (sparse, few), (dense, many) = found[less], found[more]
    assert few is not None
    assert many is not None
    assert few.products <= many.products
    for component in ("multipliers", "adder tree"):
        assert sparse.components.get(component, 0.0) <= dense.components.get(component, 0.0)
    # what does not carry the sparser operand costs the same to the last bit
    unmoved = {"clock", "control", "leakage", "parameter memory", "activation memory" if weights else "weight memory"}
    for component in unmoved:
        assert sparse.components[component] == dense.components[component]
    moved = "weight memory" if weights else "activation memory"
    # the low bit of a two's complement digit changes most often where half of the digits are zero
    if encoding is not Encoding.BINARY2 or more <= 0.5:
        assert sparse.components[moved] < dense.components[moved]
    if few.products < many.products:
        assert sparse.total_fj < dense.total_fj


def test_without_a_product_nothing_of_the_datapath_switches() -> None:
    found = energy(simulated(Encoding.RAILS, weights_kept=0.0), technology("fdsoi28"))
    assert {"multipliers", "adder tree", "accumulator"}.isdisjoint(found.components)


def test_clock_external_memory_and_multipliers_by_hand(results: dict[Encoding, Result]) -> None:
    result, numbers = results[Encoding.RAILS], technology("fdsoi28")
    found = energy(result, numbers, memory=technology("lpddr4"))
    # 8 channels of 6x6 maps on two strips of 4 rows, 2 of them at once: 3*6 pixels of each strip, 2 groups, 2 chunks
    steps, chunks = 18 * 2 * 9, 18 * 2 * 2
    assert result.layers[0].steps == steps
    loads = {
        Loads.STEP: steps, Loads.ACTIVATIONS: steps + 36, Loads.WEIGHTS: steps, Loads.CHUNK: chunks,
        Loads.PARAMETERS: chunks, Loads.EVENT: 0.1 * result.cycles, Loads.CYCLE: result.cycles,
    }  # fmt: skip
    ticks = 0.0
    for block in found.structure.blocks:
        stored = block.copies * block.gates.get("flip_flop", 0)
        ticks += stored * loads[block.loads]
        if block.loads is not Loads.CYCLE:  # one clock gate for every 32
            ticks += stored / 32 * result.cycles
    assert found.components["clock"] == pytest.approx(ticks * (3.32 + 1.0 * 0.9**2))
    bits = 8 * (result.traffic.read_bytes + result.traffic.written_bytes)
    assert found.components["external memory"] == pytest.approx(bits * 8000)
    activity = result.layers[0].activity
    assert activity is not None
    density = activity.products / activity.multiplications
    # two AOI22 of 8 transistors and an inverter follow each rail, which toggles with 2*(d/2)*(1 - d/2)
    per_product = density * (1 - density / 2) * (2 * 8 * 0.228 + 0.406)
    assert found.components["multipliers"] == pytest.approx(
        activity.multiplications / result.runs * per_product, rel=0.03
    )


def test_energy_scales_with_its_numbers(results: dict[Encoding, Result]) -> None:
    numbers = technology("ptm32")
    found = energy(results[Encoding.TERNARY], numbers)
    path = "cells.full_adder.energy_per_operation"
    doubled = numbers.with_value(path, 2 * numbers.value(path))
    assert found.total_with(doubled, None) - found.total_fj == pytest.approx(found.by_number[path])
    assert energy(results[Encoding.TERNARY], doubled).total_fj == pytest.approx(found.total_with(doubled, None))


def test_zeros_cost_static_power_only_in_native_cells(results: dict[Encoding, Result]) -> None:
    numbers = technology("ptm32")
    native = energy(results[Encoding.TERNARY], numbers)
    emulated = energy(results[Encoding.TERNARY], numbers, native=False)
    assert native.components["leakage"] > 10 * emulated.components["leakage"]
    fast = energy(results[Encoding.TERNARY], numbers, clock_mhz=1000)
    assert fast.components["leakage"] == pytest.approx(native.components["leakage"] / 10)


def test_switching_of_one_full_adder_by_hand() -> None:
    """Three lanes make one ternary full adder; two steps alternate between 1+1+1 = 3 and 0."""
    config = SMALL.replace(encoding="ternary", lanes=3, rows=1, post=1, tree_registers=0)
    steps = np.tile([True, False], 32)
    positive, negative = pack(np.tile(steps, (3, 1))), pack(np.zeros((3, 64), bool))
    found = observed(config, positive, negative)
    # each multiplier goes up and down by one level: a quarter; the sum stays 0, the carry moves by one level
    assert found.switches["multiplier"] == pytest.approx(3 / 4)
    assert found.switches["full_adder"] == pytest.approx(1 / 8)
    assert found.middle["full_adder"] == pytest.approx((1 + 0.5) / 2)
    assert found.rails["multiplier"] == pytest.approx(3 / 2)


@pytest.mark.parametrize("lanes", [3, 7])
def test_glitches_are_those_of_single_changes_one_delay_a_cell(lanes: int) -> None:
    """The tree's wires looked at one by one, delay after delay, in two steps."""
    config = SMALL.replace(encoding="rails", lanes=lanes, rows=1, post=1, tree_registers=0)
    random = np.random.default_rng(lanes)
    products = random.integers(-1, 2, (lanes, 64))
    found = of_products(config, products)
    tree = tree_of(config)
    changes: Counter[str] = Counter()
    for step in range(1, 64):
        level = {HIGH: 1, **dict.fromkeys(range(tree.inputs), 0)}
        for time in range(-tree.depth, tree.depth + 1):  # settles on the step before, then on this one
            now = products[:, step - (time < 0)]
            level |= {wire: int(now[wire // 2] >= (0 if wire % 2 else 1)) for wire in range(tree.inputs)}
            after = dict(level)
            for kind, inputs, outputs in tree.nodes:
                total = sum(level.get(wire, 0) for wire in inputs) + (kind == "half_adder_one")
                values = (1 - total,) if kind == "inverter" else (total & 1, total >> 1)
                after |= dict(zip(outputs, values, strict=True))
                if time >= 0:
                    changed = sum(after[wire] != level[wire] for wire in outputs)
                    changes[kind.removesuffix("_one")] += changed / len(outputs)
            level = after
    assert {kind: 63 * found.switches[kind] for kind in changes} == pytest.approx(dict(changes))


def test_dense_random_products_switch_like_random_bits() -> None:
    found = expected(SMALL.replace(encoding="rails"), 1.0)
    assert found.switches["product"] / SMALL.lanes == pytest.approx(0.5, abs=0.01)
    assert expected(SMALL.replace(encoding="rails"), 0.0).switches["full_adder"] == 0


def test_what_has_no_number_is_named(results: dict[Encoding, Result]) -> None:
    found = energy(results[Encoding.RAILS], technology("fdsoi28"))
    assert "external memory: read.energy_per_bit" in found.unknown
    bare = dataclasses.replace(
        technology("fdsoi28"),
        numbers={p: q for p, q in technology("fdsoi28").numbers.items() if not p.startswith(("sram", "clock.energy"))},
    )
    found = energy(results[Encoding.RAILS], bare, memory=technology("ddr3"))
    assert set(found.unknown) == {"sram.read", "sram.write", "sram.static", "clock.energy_per_flip_flop"}


def test_questions_without_an_answer_are_refused(results: dict[Encoding, Result]) -> None:
    idle = simulate(results[Encoding.RAILS].program, None)
    with pytest.raises(CostError, match=r"^energy needs activity, and activity needs samples$"):
        energy(idle, technology("fdsoi28"))
    with pytest.raises(CostError, match=r"^technology ecp5 is of kind fpga: energy needs one of kind logic$"):
        energy(results[Encoding.RAILS], technology("ecp5"))
    with pytest.raises(CostError, match=r"^technology ecp5 is of kind fpga: external memory needs one of kind memory$"):
        energy(results[Encoding.RAILS], technology("fdsoi28"), memory=technology("ecp5"))
    with pytest.raises(CostError, match=r"^technology fdsoi28 has no ternary cells$"):
        energy(results[Encoding.TERNARY], technology("fdsoi28"), native=True)


def test_an_estimate_needs_no_synthesis_tool() -> None:
    import subprocess
    import sys

    code = (
        "import sys; import setun_sim.cost.energy, setun_sim.cost.compare; "
        "from setun_hw.presets import config; from setun_sim.cost.structure import structure; "
        "structure(config('small')); "
        "assert not {'amaranth', 'pyosys'} & set(sys.modules), 'a hardware library was imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_energy_is_a_plain_record(results: dict[Encoding, Result]) -> None:
    found = energy(results[Encoding.RAILS], technology("fdsoi28"))
    assert isinstance(found, Energy)
    assert found.power_mw == pytest.approx(found.total_fj * 1e-12 / found.seconds)
    assert found.fj_per_mac == found.total_fj / results[Encoding.RAILS].macs


def test_a_trit_on_the_clock_costs_by_its_transistors(results: dict[Encoding, Result]) -> None:
    result, numbers = results[Encoding.TERNARY], technology("ptm32")
    bare = dataclasses.replace(numbers, numbers={p: q for p, q in numbers.numbers.items() if p != "clock.gates"})
    found = energy(result, bare)
    assert "clock.gates" in found.unknown
    bits, trits = found.structure.gates["flip_flop"], found.structure.cells["flip_flop"]
    # nothing is gated; 36 transistors against 24; the wire to each is one
    per_cycle = (bits + trits * 36 / 24) * 0.86 + (bits + trits) * 1.0 * 0.9**2
    assert found.components["clock"] == pytest.approx(per_cycle * result.cycles)
    assert energy(result, numbers).components["clock"] < 0.7 * found.components["clock"]
