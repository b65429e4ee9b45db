"""Whatever is wrong outside, the accelerator stops with a code, stays inside its regions, and recovers."""

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from setun_compiler import Program, compile_model, host
from setun_hw import presets
from setun_hw.descriptor import CHECK, SIZE, Opcode, unpack
from setun_hw.error_codes import ErrorCode
from setun_sim import golden
from setun_sim.verify.cases import Case, compare_counters, job_of, output_codes
from setun_sim.verify.jobs import Job, Result, load_results, save_jobs
from setun_sim.verify.session import run_session
from setun_sim.verify.verify import BENCH, build_accelerator, predict

#: cycles without progress, in provoked runs
WATCHDOG = 300
MODELS = Path(__file__).parents[1] / "models"
pytestmark = pytest.mark.rtl


@pytest.fixture(scope="module")
def program() -> Program:
    return compile_model(MODELS / "digits_mlp" / "frozen_legacy.onnx", presets.config("tiny"))


@pytest.fixture(scope="module")
def samples() -> np.ndarray:
    with np.load(MODELS / "digits_mlp" / "test256.npz", allow_pickle=False) as archive:
        return archive["x"][:1]


def altered(program: Program, index: int, word: int, value: int, *, check: bool = True) -> Program:
    """The program with one word of a run descriptor exchanged, its check word mended unless told otherwise."""
    at = program.run_offset + index * SIZE
    words = list(struct.unpack("<32I", program.image[at : at + SIZE]))
    words[word] = value
    if check:
        words[31] = CHECK
        for other in words[:31]:
            words[31] ^= other
    image = program.image[:at] + struct.pack("<32I", *words) + program.image[at + SIZE :]
    return replace(program, image=image)


class Session:
    """Jobs that each provoke something, then reset softly and run the sound program; all run in one session."""

    def __init__(self, program: Program, samples: np.ndarray, folder: Path) -> None:
        self.program, self.folder = program, folder
        self.case = Case(program=program, inputs=host.encode(program, samples))
        self.counters = predict(self.case)
        self.sound = job_of(self.case, 0, self.counters, folder)
        self.jobs: list[Job] = []

    def provoke(self, program: Program | None = None, **changes: object) -> None:
        """Run an altered program, or the sound one with changes to its launch, on memories that hold anything."""
        init, run = self.sound.launches
        name = f"{len(self.jobs) + 1}.image"
        (self.folder / name).write_bytes((program or self.program).image)
        bad = replace(run, **{"image": name, "watchdog": WATCHDOG, **changes})  # type: ignore[arg-type]
        self.jobs.append(replace(self.sound, launches=(bad, replace(init, soft_reset=True), run)))

    def codes(self, region: bytes) -> np.ndarray:
        """Output values in a region's bytes."""
        return output_codes(self.program, np.frombuffer(region[: self.program.output_bytes], np.uint8))

    def outcomes(self) -> list[Result]:
        """What came of each provocation, once the sound launches after it are found to be right."""
        save_jobs(self.jobs, self.folder)
        run_session(build_accelerator(self.program.config), BENCH, self.folder)
        results = load_results(self.folder)
        assert len(results) == 3 * len(self.jobs)
        expected = self.codes(golden.run(self.program, self.case.inputs[0].tobytes()))
        for result in results:
            if result.launch:
                assert (result.ended, result.error, result.strayed) == (True, 0, []), result
                model = self.counters[result.launch - 1]
                assert compare_counters(result.launch, model, result, timed=True)[1] == [], result.job
            if result.launch == 2:
                assert (self.codes((self.folder / result.output).read_bytes()) == expected).all(), result.job
        return [result for result in results if result.launch == 0]


@pytest.fixture
def session(program: Program, samples: np.ndarray, tmp_path: Path) -> Session:
    return Session(program, samples, tmp_path)


def opcodes(program: Program) -> list[Opcode]:
    """Kinds of the run list's descriptors."""
    at = program.run_offset
    return [unpack(program.image[at + k * SIZE : at + (k + 1) * SIZE]).opcode for k in range(program.run_count)]


def word(program: Program, index: int, position: int) -> int:
    """One word of a run descriptor."""
    at = program.run_offset + index * SIZE + 4 * position
    return int.from_bytes(program.image[at : at + 4], "little")


def test_malformed_descriptors_stop_with_code_and_index(session: Session) -> None:
    program, expected = session.program, []
    for index in range(program.run_count):
        first = word(program, index, 0)
        session.provoke(altered(program, index, 7, word(program, index, 7) ^ 1 << 5, check=False))
        session.provoke(altered(program, index, 0, first ^ 2 << 8))
        session.provoke(altered(program, index, 0, first & ~0xFF | 77))
        expected += [(code, index) for code in (ErrorCode.BAD_CHECK, ErrorCode.BAD_VERSION, ErrorCode.BAD_OPCODE)]
    outcomes = session.outcomes()
    assert [(o.error, o.error_index) for o in outcomes] == expected
    assert all(o.ended and not o.strayed for o in outcomes)


def test_bus_errors_stop_with_code_and_index(session: Session) -> None:
    program = session.program
    store = opcodes(program).index(Opcode.STORE_ACTIVATIONS)
    for index in range(program.run_count):
        session.provoke(read_errors=(program.run_offset + index * SIZE + 64,))
    session.provoke(write_errors=(program.output.map.offset,))
    outcomes = session.outcomes()
    expected = [*((ErrorCode.AXI_READ, index) for index in range(program.run_count)), (ErrorCode.AXI_WRITE, store)]
    assert [(o.error, o.error_index) for o in outcomes] == expected


def test_a_silent_memory_is_given_up_by_the_watchdog(session: Session) -> None:
    for bursts in range(4):
        session.provoke(read_bursts=bursts)
    session.provoke(write_bursts=0)
    outcomes = session.outcomes()
    assert [o.error for o in outcomes] == [ErrorCode.TIMEOUT] * 5
    assert all(o.ended for o in outcomes)


def test_a_soft_reset_recovers_at_any_moment(session: Session) -> None:
    for cycles in range(1, session.counters[1].cycles - 60, 41):
        session.provoke(limit=cycles)
    outcomes = session.outcomes()
    assert {o.ended for o in outcomes} == {False}
    assert all(not o.strayed for o in outcomes)


def test_no_descriptor_hangs_or_strays_whatever_its_fields_say(session: Session) -> None:
    """Every field of every descriptor of the run list in turn gets extreme and random values.

    Where a region ends outside only memory knows: a transfer sent astray must end in a bus error.
    """
    program, random = session.program, np.random.default_rng(5)
    kinds: list[Opcode] = []
    for index in range(program.run_count):
        record = unpack(program.image[program.run_offset + index * SIZE :][:SIZE])
        for field in record.LAYOUT.values():
            mask = (1 << field.bits) - 1
            whole = word(program, index, field.word)
            old = whole >> field.low & mask
            for value in {0, mask, old ^ 1, int(random.integers(0, mask + 1))} - {old}:
                session.provoke(altered(program, index, field.word, whole & ~(mask << field.low) | value << field.low))
                kinds.append(record.opcode)
    outcomes = session.outcomes()
    assert len(outcomes) > 200
    hung = [k for k, o in enumerate(outcomes) if not o.ended]
    assert hung == []
    astray = [k for k, o in enumerate(outcomes) if o.strayed]
    assert {outcomes[k].error for k in astray} <= {ErrorCode.AXI_READ, ErrorCode.AXI_WRITE}
    assert not [k for k in astray if kinds[k] is Opcode.COMPUTE]
    assert sum(o.error in (ErrorCode.BAD_FIELD, ErrorCode.OUT_OF_RANGE) for o in outcomes) > len(outcomes) // 3
