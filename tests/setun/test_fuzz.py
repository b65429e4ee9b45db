"""Damaged models and programs, the same ones in every run: each is refused by a sentence, or means one thing."""

import json
import random
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import setun
from setun import Program, SetunError, compile_model, load, save, simulate
from setun_compiler import container, host
from setun_hw.descriptor import CHECK, SIZE
from setun_sim import golden
from setun_sim.verify.verify import random_samples

MODEL = Path(setun.__file__).parent / "data" / "digits.onnx"
CONFIG = setun.config("tiny")
#: seconds and kibibytes that one case may take
SECONDS, KIBIBYTES = 20, 1 << 20


@contextmanager
def bounded() -> Iterator[None]:
    """Fails when the block takes too long or too much memory; a refusal by a printable sentence is fine."""

    def late(*_: object) -> None:
        raise TimeoutError(f"took more than {SECONDS} seconds")

    before, previous = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    except SetunError as error:
        assert str(error).isprintable(), repr(str(error))  # noqa: PT017 - working is allowed too
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < KIBIBYTES


def means_one_thing(program: Program) -> None:
    """Golden and simulator give the same answers, unless one of them refuses."""
    samples = random_samples(program, program.images)
    logits = simulate(program, samples).logits
    image = golden.run(program, host.encode(program, samples)[0].tobytes())
    expected = host.decode(program, np.frombuffer(image, np.uint8)[None], program.images)
    np.testing.assert_array_equal(logits, expected)


def structure(content: bytes) -> list[int]:
    """Places in and around readable text: node types, names and attributes, not weights."""
    text = np.frombuffer(content, np.uint8)
    dense = np.convolve((text >= 32) & (text < 127), np.ones(12), "same") > 9
    return np.flatnonzero(np.convolve(dense, np.ones(41), "same") > 0).tolist()


def damaged(content: bytes, places: list[int], draw: random.Random) -> bytes:
    """Some bytes changed, left out or repeated."""
    changed = bytearray(content)
    for _ in range(draw.choice([1, 1, 1, 2, 3, 6])):
        place = draw.choice(places) if draw.random() < 0.8 else draw.randrange(len(content))
        place = min(place, len(changed) - 1)
        match draw.choice(["byte", "byte", "bit", "bit", "cut", "repeat"]):
            case "byte":
                changed[place] = draw.choice([0, 1, 127, 128, 255, draw.randrange(256)])
            case "bit":
                changed[place] ^= 1 << draw.randrange(8)
            case "cut":
                del changed[place : place + draw.randrange(1, 30)]
            case "repeat":
                changed[place:place] = changed[place : place + draw.randrange(1, 60)]
    return bytes(changed)


@pytest.mark.parametrize("seed", range(4))
def test_damaged_models_are_refused_or_compiled(seed: int, tmp_path: Path) -> None:
    draw, whole = random.Random(seed), MODEL.read_bytes()
    places, compiled = structure(whole), 0
    for _ in range(75):
        (tmp_path / "m.onnx").write_bytes(damaged(whole, places, draw))
        with bounded():
            program = compile_model(tmp_path / "m.onnx", CONFIG)
            compiled += 1
            means_one_thing(program)
    assert 0 < compiled < 75


def altered_descriptor(image: bytes, start: int, draw: random.Random) -> bytes:
    """The image with a word of the descriptor at ``start`` changed, and its check word right again."""
    words = np.frombuffer(image[start : start + SIZE], "<u4").astype(np.uint64)
    place = draw.randrange(len(words) - 1)
    old = int(words[place])
    bit = 1 << draw.randrange(32)
    words[place] = draw.choice([0, 0xFFFFFFFF, old ^ bit, old + 1 & 0xFFFFFFFF, draw.getrandbits(32)])
    words[-1] = CHECK ^ np.bitwise_xor.reduce(words[:-1])
    return image[:start] + words.astype("<u4").tobytes() + image[start + SIZE :]


def altered_field(text: str, draw: random.Random) -> str:
    """The JSON text with one of its values replaced."""
    document = json.loads(text)
    holders: list[tuple[dict[str, object] | list[object], str | int]] = []

    def visit(value: object) -> None:
        if isinstance(value, dict | list):
            for key in value if isinstance(value, dict) else range(len(value)):
                holders.append((value, key))
                visit(value[key])

    visit(document)
    holder, key = draw.choice(holders)
    values: list[object] = [0, 1, -1, 255, 1 << 31, 1 << 63, 10**30, 1.5, float("inf"), None, "", "x", [], {}, True]
    holder[key] = draw.choice(values)  # type: ignore[index,call-overload]
    return json.dumps(document)


Change = Callable[[Program, str, random.Random], tuple[str, bytes]]


def in_descriptors(program: Program, text: str, draw: random.Random) -> tuple[str, bytes]:
    first, count = draw.choice(
        [(program.init_offset, program.init_count), (program.run_offset, program.run_count)]
    )  # fmt: skip
    return text, altered_descriptor(program.image, first + SIZE * draw.randrange(count), draw)


def in_fields(program: Program, text: str, draw: random.Random) -> tuple[str, bytes]:
    return altered_field(text, draw), program.image


@pytest.mark.parametrize("change", [in_descriptors, in_fields])
def test_programs_altered_under_a_right_checksum_are_refused_or_mean_one_thing(change: Change, tmp_path: Path) -> None:
    draw, program, path = random.Random(1), compile_model(MODEL, CONFIG), tmp_path / "n.setun"
    save(program, path)
    whole, loaded = path.read_bytes(), 0
    length = int.from_bytes(whole[:8], "little")
    metadata = json.loads(whole[8 : 8 + length])["__metadata__"]
    for _ in range(150):
        arrays = container._arrays(whole, path)
        text, image = change(program, metadata["program"], draw)
        arrays["image"] = np.frombuffer(image, np.uint8)
        sealed = {**metadata, "program": text, "sha256": container._digest(text, arrays)}
        path.write_bytes(container._safetensors(arrays, sealed))
        with bounded():
            altered = load(path)
            loaded += 1
            means_one_thing(altered)
    assert 0 < loaded < 150
