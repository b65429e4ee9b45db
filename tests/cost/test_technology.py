"""Technology files: what is shipped is consistent, what is unclear is refused."""

import math
from pathlib import Path

import pytest

from setun_sim.cost import derive
from setun_sim.cost.errors import TechnologyError
from setun_sim.cost.quantity import Status
from setun_sim.cost.technology import Kind, load, technologies, technology

GOOD = """\
title = "A test"
kind = "logic"
node_nm = 28
voltage_v = 0.9
[sources]
here = "made up"
[gates]
full_adder.energy_per_switch = { value = 2, unit = "pJ", status = "assumed", source = "here", low = 1, high = 3 }
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_read_in_base_units(tmp_path: Path) -> None:
    mine = load(write(tmp_path, GOOD))
    adder = mine.numbers["gates.full_adder.energy_per_switch"]
    assert (adder.value, adder.low, adder.high, adder.base_unit) == (2000, 1000, 3000, "fJ")
    assert (adder.node_nm, adder.voltage_v, adder.written) == (28, 0.9, "2 pJ")
    assert (mine.name, mine.kind, mine.ternary) == ("mine", Kind.LOGIC, False)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("value = 2", "value = nan", r"full_adder.energy_per_switch: value must be a finite number, not nan"),
        ("value = 2", "value = inf", r"full_adder.energy_per_switch: value must be a finite number, not inf"),
        ("value = 2", "value = -2", r"full_adder.energy_per_switch: value must not be negative, but is -2"),
        ("value = 2", "value = true", r"full_adder.energy_per_switch: value must be a finite number, not True"),
        ("value = 2", "value = 9", r"full_adder.energy_per_switch: value 9 must lie between low 1 and high 3"),
        ('unit = "pJ", ', "", r"full_adder.energy_per_switch: unit is missing"),
        ('"pJ"', '"nW"', r"full_adder.energy_per_switch: unit must be one of fJ, aJ, pJ, nJ, not 'nW'"),
        ('"assumed"', '"guessed"', r"full_adder.energy_per_switch: status must be one of .*, not 'guessed'"),
        ('source = "here"', 'source = "there"', r"full_adder.energy_per_switch: source 'there' is not among the .*"),
        ("low = 1", "lowest = 1", r"full_adder.energy_per_switch: unknown key 'lowest'"),
        ("full_adder", "quantum_adder", r"unknown field 'gates.quantum_adder.energy_per_switch'"),
        ("energy_per_switch = {", "static_mid = {", r"unknown field 'gates.full_adder.static_mid'"),
        ('kind = "logic"', 'kind = "magic"', r"kind must be one of logic, fpga, memory, not 'magic'"),
        ('title = "A test"', "", r"title must be a string"),
        ("node_nm = 28", "node_nm = -28", r"node_nm must not be negative, but is -28"),
        ("node_nm = 28", "colour = 28", r"unknown field 'colour'"),
        ("node_nm = 28", 'extends = "none"', r"extends names no shipped technology: 'none'"),
        ("node_nm = 28", 'extends = "ddr3"', r"extends 'ddr3', which is of kind memory"),
        ("[gates]", "[gates", r"cannot be read as TOML .*"),
        ("voltage_v = 0.9", "voltage_v = 0", r"voltage_v must be positive, not 0"),
        ("[gates]", "[gates.a.b.c.d.e.f]", r"unknown field 'gates.a.b.c.d'"),
        (
            "[gates]",
            '[clock]\nfrequency = { value = 0, unit = "MHz", status = "assumed", source = "here" }\n[gates]',
            r"clock.frequency must be positive, not 0",
        ),
        ("[gates]", "[scale]\n[gates]\n", None),
    ],
)
def test_what_is_unclear_is_refused(tmp_path: Path, old: str, new: str, message: str | None) -> None:
    path = write(tmp_path, GOOD.replace(old, new, 1))
    if message is None:
        assert load(path).numbers
        return
    with pytest.raises(TechnologyError, match=rf"^.*mine.toml: (gates\.)?{message}$"):
        load(path)


def test_files_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    for data, why in (
        (b"\xff\xfe", r"cannot be read \(it is no text in UTF-8\)"),
        (b"a = " + b"[" * 50_000, r"cannot be read as TOML \(.+\)"),
    ):
        path.write_bytes(data)
        with pytest.raises(TechnologyError, match=rf"^.*mine.toml: {why}$"):
            load(path)
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(TechnologyError, match=r"^.*folder.toml: cannot be read \(Is a directory\)$"):
        load(tmp_path / "folder.toml")


def test_what_a_file_lacks_is_named_with_the_file(tmp_path: Path) -> None:
    mine = load(write(tmp_path, GOOD))
    with pytest.raises(TechnologyError, match=r"^.*mine.toml: clock.frequency is not known$"):
        mine.value("clock.frequency")


def test_extending_takes_over_node_and_voltage(tmp_path: Path) -> None:
    base = technology("ptm32")
    mine = load(write(tmp_path, 'title = "Mine"\nkind = "logic"\nextends = "ptm32"\n'))
    assert (mine.node_nm, mine.voltage_v, mine.numbers) == (base.node_nm, base.voltage_v, base.numbers)
    fpga = load(write(tmp_path, 'title = "Mine"\nkind = "fpga"\nextends = "ecp5"\n'))
    assert fpga.family == "ecp5"


def test_both_kinds_of_energy_for_one_cell_are_refused(tmp_path: Path) -> None:
    text = GOOD + GOOD.splitlines()[-1].replace("per_switch", "per_operation") + "\n"
    both = r"^.*gates.full_adder has both an energy per switch and one per operation$"
    with pytest.raises(TechnologyError, match=both):
        load(write(tmp_path, text))


def test_unknown_names_are_refused() -> None:
    with pytest.raises(TechnologyError, match=r"^technology must be a TOML file or one of 22fdx, .*, not 'cmos0'$"):
        technology("cmos0")


def test_extending_scales_and_marks(tmp_path: Path) -> None:
    text = GOOD.replace("node_nm = 28", 'extends = "fdsoi28"\nnode_nm = 20').replace(
        "[gates]", '[scale]\nenergy = { value = 0.5, unit = "ratio", status = "derived", source = "here" }\n[gates]'
    )
    mine, base = load(write(tmp_path, text)), technology("fdsoi28")
    half = mine.numbers["gates.half_adder.energy_per_switch"]
    assert half.value == base.value("gates.half_adder.energy_per_switch") / 2
    assert (half.status, half.node_nm) == (Status.DERIVED, 20)
    assert mine.value("gates.full_adder.energy_per_switch") == 2000
    assert mine.value("gates.full_adder.transistors") == 28
    assert mine.numbers["clock.energy_per_flip_flop"].status is Status.ASSUMED


def test_every_shipped_number_has_a_source_and_a_sensible_range() -> None:
    shipped = technologies()
    needed = {
        "horowitz45", "fdsoi28", "22fdx", "cmos7", "ecp5", "ice40", "xilinx7", "cntfet32", "tcmos", "ptm32", "lpddr4",
        "ddr3", "sdr", "hbm2",
    }  # fmt: skip
    assert needed <= set(shipped)
    for one in shipped.values():
        assert one.title
        for quantity in one.numbers.values():
            assert quantity.source
            assert 0 <= quantity.low <= quantity.value <= quantity.high < math.inf


def test_published_and_measured_values_are_what_the_sources_say() -> None:
    assert technology("fdsoi28").value("gates.full_adder.energy_per_switch") == 3.27
    assert technology("fdsoi28lv").value("gates.full_adder.energy_per_switch") == 0.93
    assert technology("ptm32").value("gates.full_adder.energy_per_operation") == 0.75
    assert technology("ptm32").value("cells.full_adder.energy_per_operation") == 2.74
    assert technology("lpddr4").value("read.energy_per_bit") == 8000


def test_unknown_numbers_say_why() -> None:
    with pytest.raises(TechnologyError, match=r"^technology ecp5: lut.energy_per_switch is not known \(TN1266 .*\)$"):
        technology("ecp5").value("lut.energy_per_switch")


def test_scaling_factors_are_the_published_formula() -> None:
    # the table of the source: 7 nm at 0.7 V is 0.057 of 45 nm at 0.9 V, 32 nm at 0.9 V 0.64, 20 nm 0.238
    assert derive.energy_factor(7, 0.7) == pytest.approx(0.057, rel=0.01)
    assert derive.energy_factor(32, 0.9) == pytest.approx(0.64, rel=0.01)
    assert derive.energy_factor(20, 0.9) == pytest.approx(0.238, rel=0.01)
    small, base = technology("cmos7"), technology("horowitz45")
    path = "gates.full_adder.energy_per_operation"
    assert small.value(path) / base.value(path) == pytest.approx(derive.energy_factor(7, 0.7), rel=0.01)


@pytest.mark.parametrize(
    ("name", "access", "column", "factor"),
    [
        ("horowitz45", "read", "45 read", 1.0),
        ("horowitz45", "write", "45 write", 1.0),
        ("ptm32", "read", "32 read", 1.0),
        ("22fdx", "read", "22 read", (0.5 / 0.9) ** 2),
        ("22fdx", "write", "22 write", (0.5 / 0.9) ** 2),
    ],
)
def test_memories_are_the_fit_and_the_fit_is_near_the_sweep(name: str, access: str, column: str, factor: float) -> None:
    slope, words, width = derive.fit_sram(column)
    numbers = technology(name)
    assert numbers.value(f"sram.{access}.slope") == pytest.approx(slope * factor, rel=0.001)
    assert numbers.value(f"sram.{access}.words") == pytest.approx(words, rel=0.001)
    assert numbers.value(f"sram.{access}.width") == width
    for kib, row in derive.CACTI.items():
        found = slope * (kib * 128 + words) * (64 + width) / 1000
        assert found == pytest.approx(row[derive.COLUMNS[column]], rel=0.33)


def test_random_switches_by_hand() -> None:
    from setun_sim.cost.cells import random_switches

    assert random_switches("full_adder", False) == 0.5
    assert random_switches("half_adder", False) == pytest.approx((0.5 + 0.375) / 2)
    # sum uniform: 2/3 of (1/4 + ...) = 1/3; carry is +1 in 4 of 27 cases, -1 in 4: 8/27/2
    assert random_switches("full_adder", True) == pytest.approx((1 / 3 + 4 / 27) / 2)
