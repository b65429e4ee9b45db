"""Each verb does what it says, for people and as JSON."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

import setun

DATA = Path(setun.__file__).parent / "data"
Command = Callable[..., Result]


def document(done: Result) -> dict[str, Any]:
    """The one JSON document on stdout."""
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("encoding", ["ternary", "rails", "binary2"])
def test_compile_then_run_gives_the_float_models_logits(command: Command, tmp_path: Path, encoding: str) -> None:
    program, output = tmp_path / "net.setun", tmp_path / "y.npz"
    compiled = document(
        command(
            "compile", DATA / "digits.onnx", "-o", program, "--config", "tiny", "--encoding", encoding,
            "--calibration", DATA / "digits.npz", "--json",
        )
    )  # fmt: skip
    assert compiled["encoding"] == encoding
    assert compiled["program"] == str(program)
    ran = document(command("run", program, "--input", DATA / "digits.npz", "-o", output, "--json"))
    assert ran["images"] == 32
    with np.load(output) as found, np.load(DATA / "digits.npz") as wanted:
        assert found["logits"].shape == (32, 10)
        np.testing.assert_allclose(found["logits"], wanted["logits"], atol=1e-4, rtol=0)


def test_rounds_take_more_images_in_a_run_and_give_the_same(command: Command, digits: Path, tmp_path: Path) -> None:
    program, x = tmp_path / "net.setun", DATA / "digits.npz"
    compiled = document(
        command(
            "compile", DATA / "digits.onnx", "-o", program, "--config", "tiny", "--calibration", x, "--rounds", 5,
            "--json",
        )
    )  # fmt: skip
    assert (compiled["images"], compiled["rounds"]) == (5, 5)
    once = document(command("run", digits, "--input", x, "-o", tmp_path / "a.npz", "--json"))
    five = document(command("run", program, "--input", x, "-o", tmp_path / "b.npz", "--json"))
    assert (five["images"], five["runs"]) == (32, 7)
    assert five["cycles"] < 5 * once["cycles"]
    with np.load(tmp_path / "a.npz") as a, np.load(tmp_path / "b.npz") as b:
        np.testing.assert_array_equal(a["logits"], b["logits"])


def test_run_takes_an_npy_file_and_another_key(command: Command, digits: Path, tmp_path: Path) -> None:
    with np.load(DATA / "digits.npz") as data:
        np.save(tmp_path / "x.npy", data["x"][:3])
        np.savez(tmp_path / "x.npz", pictures=data["x"][:3])
        wanted = data["logits"][:3]
    assert command("run", digits, "--input", tmp_path / "x.npy", "-o", tmp_path / "a.npz").exit_code == 0
    done = command("run", digits, "--input", tmp_path / "x.npz", "--key", "pictures", "-o", tmp_path / "b.npz")
    assert done.exit_code == 0, done.stderr
    with np.load(tmp_path / "a.npz") as a, np.load(tmp_path / "b.npz") as b:
        np.testing.assert_array_equal(a["logits"], b["logits"])
        np.testing.assert_allclose(a["logits"], wanted, atol=1e-4, rtol=0)


def test_compile_and_info_describe_the_same_program(command: Command, digits: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.setun"
    compiled = document(
        command(
            "compile", DATA / "digits.onnx", "-o", again, "--config", "tiny", "--calibration", DATA / "digits.npz",
            "--json",
        )
    )  # fmt: skip
    assert again.read_bytes() == digits.read_bytes()
    info = document(command("info", digits, "--json"))
    agreement = compiled.pop("agreement")
    assert agreement["same_argmax"] == 1.0
    assert agreement["accuracy"] == agreement["float_accuracy"] > 0.9  # the file has labels
    assert [layer["could_change"] for layer in agreement["layers"]] == [0.0]
    assert {"program": str(again), **info} == compiled
    assert info["macs"] == 64 * 48 + 48 * 10
    assert [layer["weights"] for layer in info["layers"]] == [64 * 48, 48 * 10]
    text = command("info", digits).stdout
    assert all(len(line) <= 80 for line in text.splitlines())
    assert all(layer["name"][:8] in text for layer in info["layers"])


def test_labels_are_used_where_there_is_one_for_each_input(command: Command, tmp_path: Path) -> None:
    with np.load(DATA / "digits.npz", allow_pickle=False) as arrays:
        x, label = arrays["x"], arrays["label"]
    np.savez(tmp_path / "x.npz", x=x, label=np.eye(10)[label], wrong=(label + 1) % 10)
    compile_ = (
        "compile",
        DATA / "digits.onnx",
        "-o",
        tmp_path / "n.setun",
        "--calibration",
        tmp_path / "x.npz",
        "--json",
    )
    assert document(command(*compile_))["agreement"]["accuracy"] is None
    assert document(command(*compile_, "--labels", "wrong"))["agreement"]["accuracy"] < 0.1
    failed = command(*compile_, "--labels", "label")
    assert failed.exit_code == 2
    assert "labels must have shape" in failed.stderr


def test_simulate_reports_stable_keys_that_add_up(command: Command, digits: Path) -> None:
    found = document(command("simulate", digits, "--json"))
    assert {"cycles", "macs", "utilisation", "layers"} <= found.keys()
    assert all({"name", "cycles", "macs", "utilisation", "stalls"} <= layer.keys() for layer in found["layers"])
    assert sum(layer["macs"] for layer in found["layers"]) == found["macs"] == 64 * 48 + 48 * 10
    assert 0 < found["utilisation"] <= 1


def test_slower_memory_takes_more_cycles(command: Command, digits: Path) -> None:
    fast = document(command("simulate", digits, "--latency", 1, "--json"))
    slow = document(command("simulate", digits, "--latency", 100, "--interval", 4, "--json"))
    assert slow["cycles"] > fast["cycles"]


def test_simulate_fits_a_terminal_and_writes_a_timeline(command: Command, digits: Path, tmp_path: Path) -> None:
    done = command("simulate", digits, "--input", DATA / "digits.npz", "--trace", tmp_path / "t.json")
    assert done.exit_code == 0, done.stderr
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    events = json.loads((tmp_path / "t.json").read_text())["traceEvents"]
    assert any(event.get("ph") == "X" for event in events)


def test_verilog_is_the_same_every_time(command: Command, tmp_path: Path) -> None:
    first = document(command("verilog", "--config", "tiny", "-o", tmp_path / "a", "--json"))
    second = document(command("verilog", "--config", "tiny", "-o", tmp_path / "b", "--json"))
    assert first["config"] == second["config"]
    names = sorted(Path(file).name for file in first["files"])
    assert names == sorted(path.name for path in (tmp_path / "a").iterdir())
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_configuration_file_that_verilog_writes_can_be_compiled_for(command: Command, tmp_path: Path) -> None:
    written = document(command("verilog", "--config", "tiny", "--encoding", "rails", "-o", tmp_path, "--json"))
    toml = next(file for file in written["files"] if file.endswith(".toml"))
    compiled = document(
        command(
            "compile", DATA / "digits.onnx", "-o", tmp_path / "n.setun", "--config", toml,
            "--input-range", 0, 1, "--json",
        )
    )  # fmt: skip
    assert compiled["config"] == written["config"]


def test_configs_lists_every_configuration_by_its_name(command: Command) -> None:
    found = document(command("configs", "--json"))["configs"]
    names = [config["name"] for config in found]
    assert "tiny" in names
    assert len(set(names)) == len(names)
    text = command("configs").stdout
    assert all(name in text for name in names)
    assert all(len(line) <= 80 for line in text.splitlines())


def test_doctor_finds_what_verification_needs(command: Command) -> None:
    found = document(command("doctor", "--json"))
    assert found["ready"] is True
    tools = {tool["name"]: tool for tool in found["tools"]}
    assert {"verilator", "c++", "make", "cocotb", "cocotbext-axi"} <= tools.keys()
    assert all(tool["found"] and tool["version"] for tool in tools.values() if tool["name"] != "yosys")


def test_doctor_says_how_to_get_what_is_missing(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from setun_sim.verify import tools

    monkeypatch.setenv("PATH", "")
    tools.find.cache_clear()
    try:
        done = command("doctor")
    finally:
        tools.find.cache_clear()
    assert done.exit_code == 1
    assert "c++ is missing: apt install g++\n" in done.stdout


def test_models_are_listed_and_written_and_compile(command: Command, tmp_path: Path) -> None:
    names = [model["name"] for model in document(command("models", "--json"))["models"]]
    assert {"lenet5", "vgg-s", "resnet20", "resnet18", "alexnet"} <= set(names)
    assert all(len(line) <= 80 for line in command("models").stdout.splitlines())
    model = tmp_path / "lenet.onnx"
    written = document(command("models", "lenet5", "-o", model, "--width", 4, "--json"))
    assert written["bytes"] == model.stat().st_size
    done = command("compile", model, "-o", tmp_path / "n.setun", "--config", "tiny", "--input-range", 0, 1)
    assert done.exit_code == 0, done.stderr


@pytest.mark.rtl
@pytest.mark.slow
def test_verify_finds_no_mismatch(command: Command, digits: Path) -> None:
    found = document(command("verify", digits, "--input", DATA / "digits.npz", "--images", 2, "--json"))
    assert found["encoding"] == "ternary"
    assert found["images"] == 2
    assert found["outputs_compared"] >= 20
    assert found["output_mismatches"] == found["counter_mismatches"] == 0
    assert found["cycles_model"] == found["cycles_rtl"] > 0


@pytest.mark.rtl
@pytest.mark.slow
def test_the_demo_goes_the_whole_way(command: Command, tmp_path: Path) -> None:
    found = document(command("demo", "-o", tmp_path / "demo", "--json"))
    assert found["passed"] is True
    assert [entry["encoding"] for entry in found["encodings"]] == ["ternary", "rails", "binary2"]
    for entry in found["encodings"]:
        assert entry["output_mismatches"] == entry["counter_mismatches"] == entry["argmax_differs"] == 0
        assert entry["outputs_compared"] >= 320
        assert entry["cycles_model"] == entry["cycles_rtl"]
        assert entry["correct"] == 31
    assert json.loads((tmp_path / "demo" / "report.json").read_text()) == found
    report = (tmp_path / "demo" / "report.md").read_text()
    assert "All links hold." in report
    assert str(found["encodings"][0]["cycles_rtl"]) in report


def test_ternarize_writes_a_model_and_tells_what_it_did(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "ternary.onnx"
    options = ("--all", "--method", "twn", "--data", DATA / "digits.npz")
    found = document(command("ternarize", DATA / "digits.onnx", "-o", out, *options, "--json"))
    assert out.stat().st_size > 0
    assert [layer["zeros"] > 0 for layer in found["layers"]] == [True] * len(found["layers"])
    assert found["kept"] == []
    assert found["accuracy_after"] > found["accuracy_before"] - 0.1
    text = command("ternarize", DATA / "digits.onnx", "-o", out, *options).stdout
    assert all(len(line) <= 80 for line in text.splitlines()[:-1])
    assert "/fc1/Gemm" in text


def test_compile_tells_how_far_the_float_model_is(command: Command, tmp_path: Path) -> None:
    data = ("--calibration", DATA / "digits.npz", "--labels", "label")
    done = command("compile", DATA / "digits.onnx", "-o", tmp_path / "n.setun", "--config", "tiny", *data)
    assert "against the float model, 32 samples:" in done.stdout
    assert "same largest output: 100.00%" in done.stdout
    assert "accuracy: float" in done.stdout
