"""The program file: what is saved returns, and nothing else is accepted."""

import dataclasses
import hashlib
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from setun_compiler import CompileError, compile_network, container
from setun_compiler.container import ContainerError
from setun_compiler.network import Network
from setun_compiler.program import Program
from setun_hw.config import Config
from setun_hw.descriptor import SIZE, Compute, unpack
from tests.compiler.small_network import network
from tests.strategies import configs, networks

CONFIG = Config(name="test", rows=4, lanes=4, strips=2, post=2, accumulator_bits=16, activation_words=1024)


@pytest.fixture
def program() -> Program:
    net = network(
        np.array([[[[1, 0, -1]] * 3] * 2] * 5), (2, 6, 6), low=0, high=20, padding=(1, 1, 1, 1),
        thresholds=[[0, 4]] * 5, codes=[[-1, 0, 1]] * 5, port={"scale": 0.1, "axes": (2, 0, 1), "shape": (6, 6, 2)},
    )  # fmt: skip
    return compile_network(net, CONFIG)


def same(a: Program, b: Program) -> bool:
    """Equal in every field, arrays included."""
    plain = []
    for p in (a, b):
        fields = dataclasses.asdict(p)
        for name in ("scale", "bias"):
            fields["output"][name] = fields["output"][name].tolist()
        plain.append(fields)
    return plain[0] == plain[1]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(net=networks(), config=configs(), batch=st.booleans())
def test_saved_program_returns(net: Network, config: Config, batch: bool, tmp_path: Path) -> None:
    program = compile_network(net, config, batch=batch)
    container.save(program, tmp_path / "p.setun")
    assert same(container.load(tmp_path / "p.setun"), program)
    assert os.listdir(tmp_path) == ["p.setun"]


def test_same_program_gives_the_same_bytes(program: Program, tmp_path: Path) -> None:
    container.save(program, tmp_path / "a")
    container.save(program, tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_file_is_a_plain_safetensors_file(program: Program, tmp_path: Path) -> None:
    container.save(program, tmp_path / "p.setun")
    with safe_open(tmp_path / "p.setun", "numpy") as file:
        assert set(file.keys()) == {"image", "output_scale", "output_bias"}
        assert file.get_tensor("image").tobytes() == program.image
        metadata = file.metadata()
    assert (metadata["format"], metadata["version"]) == ("setun-program", "1")
    assert json.loads(metadata["program"])["config"]["name"] == "test"


def test_every_truncation_is_refused(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "p.setun"
    container.save(program, path)
    data = path.read_bytes()
    for size in [*range(64), *range(64, len(data), 97), len(data) - 1]:
        path.write_bytes(data[:size])
        with pytest.raises(ContainerError, match=r"^.*p\.setun: (is|was) .*$"):
            container.load(path)


def test_every_altered_byte_is_refused(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "p.setun"
    container.save(program, path)
    data = path.read_bytes()
    for at in [*range(300), *range(300, len(data), 41)]:
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(ContainerError):
            container.load(path)


def test_appended_bytes_are_refused(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "p.setun"
    container.save(program, path)
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ContainerError):
        container.load(path)


def rewrite(path: Path, program: Program, change: Callable[[dict[str, Any]], None], image: bytes | None = None) -> None:
    """A file whose SHA-256 is right although its contents were changed: what an attacker would write."""
    container.save(program, path)
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    metadata, body = header["__metadata__"], bytearray(data[8 + length :])
    plain = json.loads(metadata["program"])
    change(plain)
    metadata["program"] = json.dumps(plain)
    arrays = {}
    for name in ("image", "output_bias", "output_scale"):
        begin, end = header[name]["data_offsets"]
        if name == "image" and image is not None:
            body[begin:end] = image
        arrays[name] = bytes(body[begin:end])
    digest = hashlib.sha256()
    for part in (b"setun-program 1", metadata["program"].encode(), *arrays.values()):
        digest.update(len(part).to_bytes(8, "little") + part)
    metadata["sha256"] = digest.hexdigest()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def set_at(*keys: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(plain: Any) -> None:
        for key in keys[:-1]:
            plain = plain[key]
        plain[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (set_at("name", value=3), r"program\.name must be str"),
        (set_at("images", value=True), r"program\.images must be int"),
        (set_at("images", value=7), r"1 rounds do not take 7 images"),
        (set_at("rounds", value=0), r"0 rounds do not take 1 images"),
        (set_at("input", "map", "line_rows", value=1), r"input map is inconsistent"),
        (set_at("input", "map", "line_rows", value=-3), r"input map is inconsistent"),
        (set_at("extra", value=1), r"program\.extra is unknown"),
        (set_at("layers", 0, "macs", value="9"), r"program\.layers\[0\]\.macs must be int"),
        (set_at("layers", 0, "in_shape", value=[1, 2]), r"program\.layers\[0\]\.in_shape must have 3 elements"),
        (set_at("layers", value={}), r"program\.layers must be a list"),
        (set_at("config", "rows", value=0), r"program\.config: rows must be between 1 and 1024, not 0"),
        (set_at("config", "rows", value=8), r".*"),
        (set_at("input", "map", "rows", value=1 << 40), r"input map is inconsistent"),
        (set_at("input", "map", "size", value=1 << 40), r"input map is inconsistent"),
        (set_at("input", "axes", value=[0, 0, 1]), r"input axes \(0, 0, 1\) are no permutation"),
        (set_at("input", "scale", value=-1.0), r"input scale or range is impossible"),
        (set_at("input", "high", value=1 << 19), r"input values do not fit \d digits"),
        (set_at("input", "shape", value=[6, 6, 3]), r".*"),
        (set_at("output", "map", "channels", value=4), r"output scale and bias must have 4 elements"),
        (set_at("run_offset", value=3), r"the run list of \d+ descriptors at byte 3 leaves the image"),
        (set_at("run_count", value=1 << 30), r"the run list of \d+ descriptors at byte \d+ leaves the image"),
        (set_at("run_count", value=2), r"the run list must have its only END last, not at \[\]"),
        (set_at("input_bytes", value=-5), r"input region of -5 bytes does not fit .*"),
        (set_at("layers", 0, "descriptors", value=[99]), r"layer '.*': descriptors \(99,\) are not in the order of .*"),
        (set_at("layers", 0, "descriptors", value=[1, 0]), r"layer '.*': descriptors \(1, 0\) are not in the order .*"),
        (set_at("layers", 0, "macs", value=-1), r"layer '.*' has a negative count"),
        (set_at("layers", 0, "zero_weights", value=1 << 40), r"layer '.*' has impossible counts or shapes"),
        (set_at("placements", 0, "last", value=99), r"tensor '.*' has an impossible place"),
        (set_at("scratch_bytes", value=1 << 60), r"program\.scratch_bytes is out of range"),
    ],
)
def test_forged_fields_are_refused(
    program: Program, tmp_path: Path, change: Callable[[dict[str, Any]], None], text: str
) -> None:
    path = tmp_path / "p.setun"
    rewrite(path, program, change)
    with pytest.raises(ContainerError, match=f"^{path}: {text}$"):
        container.load(path)


def test_unchanged_forgery_is_accepted(program: Program, tmp_path: Path) -> None:
    """The forger's tool itself is right, so the tests above test what they say."""
    rewrite(tmp_path / "p.setun", program, lambda plain: None)
    assert same(container.load(tmp_path / "p.setun"), program)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"out_end": 5000}, "output words .* leave a tensor that ends at 5000"),
        ({"in_end": 1}, "input words .* leave a tensor that ends at 1"),
        ({"weight_base": 5000}, "weights at 5000 leave a memory of 1024 words"),
        ({"parameter_base": 5000}, "parameters at 5000 leave a memory of 256 words"),
        ({"after": 9}, "waits for 9 transfers of 2"),
        ({"blocks": 0}, "blocks must be positive"),
        ({"mode": 7}, "mode 7 is unknown"),
        ({"in_full_strips": 9}, "9 full strips and 0 rows do not fit 2 x 3 rows"),
        ({"pad_top": 99}, "padding or steps between rows reach past a strip of 3 rows"),
        ({"out_digits": 4}, "out_digits must be at most 2, not 4"),
        ({"last_chunks": 9}, "chunks must be at most 2"),
    ],
)
def test_forged_descriptors_are_refused(program: Program, tmp_path: Path, changes: dict[str, int], text: str) -> None:
    image = bytearray(program.image)
    for at in range(program.run_offset, program.run_offset + program.run_count * SIZE, SIZE):
        descriptor = unpack(bytes(image[at : at + SIZE]))
        if isinstance(descriptor, Compute):
            image[at : at + SIZE] = dataclasses.replace(descriptor, **changes).pack()
    path = tmp_path / "p.setun"
    rewrite(path, program, lambda plain: None, bytes(image))
    with pytest.raises(ContainerError, match=f"^{path}: run descriptor 1: {text}$"):
        container.load(path)


def test_deep_json_is_refused(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "p.setun"
    text = b'{"a":' * 100_000
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    with pytest.raises(ContainerError, match=r"^.*p\.setun: is no setun program$"):
        container.load(path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContainerError, match=r"^.*nothing\.setun: cannot be read \(No such file or directory\)$"):
        container.load(tmp_path / "nothing.setun")


def test_unwritable_place_is_named(program: Program, tmp_path: Path) -> None:
    with pytest.raises(ContainerError, match=r"^.*p\.setun: cannot be written \(No such file or directory\)$"):
        container.save(program, tmp_path / "absent" / "p.setun")


def test_too_large_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "p.setun"
    with path.open("wb") as file:
        file.truncate(container.MAX_BYTES + 1)
    with pytest.raises(
        ContainerError, match=r"^.*p\.setun: has 4294967297 bytes, more than the 4294967296 a program may have$"
    ):
        container.load(path)


def test_errors_are_the_users() -> None:
    from setun_hw.errors import SetunError

    assert issubclass(ContainerError, SetunError)
    assert issubclass(CompileError, SetunError)
