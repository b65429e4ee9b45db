"""The hardware page says what the register map, the error codes and the waivers say."""

import re
from pathlib import Path

from setun_hw import presets, registers
from setun_hw.error_codes import ErrorCode
from setun_hw.timing import BURST_BEATS, BURSTS_IN_FLIGHT
from setun_hw.verilog import WAIVERS

PAGE = (Path(__file__).parents[2] / "docs" / "hardware.md").read_text(encoding="utf-8")


def rows(section: str) -> list[list[str]]:
    """Cells of the table below a heading, without its head."""
    text = PAGE.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_registers() -> None:
    config = presets.config("small")
    expected = []
    for register in registers.registers(config):
        fixed = register.offset >= registers.CONSTANTS or register.offset == registers.Offset.RECORDS
        reset = "constant" if fixed else f"{register.reset:#x}"
        expected.append([f"{register.offset:#04x}", register.name, str(register.access), reset, register.text])
    assert rows("Registers") == expected
    assert f"{registers.address_bits(config)} with {config.counter_records} counter records" in PAGE


def test_error_codes() -> None:
    written = {int(code): name for code, name, _ in rows("Errors")}
    assert written == {int(code): code.name for code in ErrorCode if code is not ErrorCode.NONE}


def test_numbers() -> None:
    numbers = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    waived = len(re.findall(r"^lint_off ", WAIVERS, re.M))
    assert f"which holds {numbers[waived]} rules" in PAGE
    assert f"at most {BURST_BEATS} beats long" in PAGE
    assert f"at most {BURSTS_IN_FLIGHT} are unfinished at a time" in PAGE
    assert registers.WATCHDOG_CYCLES == 2**20
    assert "(2^20 after reset; 0: never)" in PAGE
