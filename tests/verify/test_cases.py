"""Comparison finds exactly what differs, and reports and jobs carry it unchanged."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from setun_compiler import Program, compile_model
from setun_hw.config import Config
from setun_sim.verify.cases import Case, Counters, compare_counters, compare_outputs, faults_of, job_of, output_codes
from setun_sim.verify.errors import SessionError
from setun_sim.verify.jobs import Result, append_result, load_jobs, load_results, save_jobs
from setun_sim.verify.report import Mismatch, Report


@pytest.fixture(scope="module")
def program() -> Program:
    path = Path(__file__).parents[1] / "models" / "digits_mlp" / "frozen_legacy.onnx"
    return compile_model(path, Config(name="test", rows=8, lanes=16, strips=1, post=8))


RECORD = [10, 90, 64, 0, 3, 1, 12, 5]
TRANSFER = [0, 30, 8, 0, 9, 0, 4, 1]


def test_output_codes_leave_out_what_no_value_owns(program: Program) -> None:
    blank = np.zeros(program.output_bytes, np.uint8)
    full = np.full(program.output_bytes, 255, np.uint8)
    codes = output_codes(program, full)
    assert codes.shape == (10, program.output.map.digits)
    assert (codes == 3).all()
    assert int(np.unpackbits(full).sum()) > codes.size * 2  # there are lanes that no channel uses
    assert (output_codes(program, blank) == 0).all()


def test_one_changed_value_is_one_mismatch(program: Program) -> None:
    golden = np.zeros(program.output_bytes, np.uint8)
    got = golden.copy()
    got[1] = 0b100  # word 0 is plane 0; its lane 5
    found = compare_outputs(program, 1, golden=golden, fast=golden, got=got)
    planes = program.output.map.digits
    assert found == [
        Mismatch(
            launch="run 0", descriptor=-1, field="output value 5", expected=str([0] * planes),
            got=str([1, *[0] * (planes - 1)]),
        )
    ]  # fmt: skip


def test_a_change_in_an_unused_lane_is_none(program: Program) -> None:
    golden = np.zeros(program.output_bytes, np.uint8)
    got = golden.copy()
    got[3] = 255  # lanes 12 to 15 of plane 0: the network has ten outputs
    assert compare_outputs(program, 1, golden=golden, fast=golden, got=got) == []


def test_a_simulator_that_departs_from_golden_is_a_mismatch_too(program: Program) -> None:
    golden = np.zeros(program.output_bytes, np.uint8)
    fast = golden.copy()
    fast[0] = 2
    (found,) = compare_outputs(program, 2, golden=golden, fast=fast, got=golden)
    rest = ", 0" * (program.output.map.digits - 1)
    assert str(found) == (
        f"run 1: output value 0 is [0{rest}], not [0{rest}] as golden says or [2{rest}] as the simulator says"
    )


def test_regions_beyond_the_address_space_are_refused(program: Program, tmp_path: Path) -> None:
    narrow = dataclasses.replace(program, config=program.config.replace(axi_address_bits=16), scratch_bytes=40_000)
    case = Case(program=narrow, inputs=np.zeros((1, narrow.input_bytes), np.uint8))
    with pytest.raises(SessionError, match=r"^the program's regions take \d+ bytes, too many for 16 address bits$"):
        job_of(case, 0, [Counters(cycles=1, records=[])] * 2, tmp_path)


def test_every_counter_word_is_compared_when_time_counts() -> None:
    model = Counters(cycles=100, records=[RECORD, TRANSFER])
    same = Result(job=0, launch=2, ended=True, cycles=100, counters=[RECORD, TRANSFER])
    assert compare_counters(2, model, same, timed=True) == (17, [])
    for word, name in enumerate(("start", "end", "steps", "wait_load", "wait_drain", "wait_store", "words")):
        changed = [*RECORD]
        changed[word] += 1
        other = dataclasses.replace(same, counters=[changed, TRANSFER])
        expected = Mismatch(
            launch="run 1", descriptor=0, field=name, expected=str(RECORD[word]), got=str(RECORD[word] + 1)
        )
        assert compare_counters(2, model, other, timed=True) == (17, [expected])
    late = dataclasses.replace(same, cycles=101)
    assert [m.field for m in compare_counters(2, model, late, timed=True)[1]] == ["cycles"]


def test_without_time_only_amounts_are_compared() -> None:
    model = Counters(cycles=100, records=[RECORD, TRANSFER])
    late = [[11, 99, 64, 5, 5, 5, 12, 5], [1, 40, 8, 7, 70, 7, 4, 1]]
    result = Result(job=0, launch=1, ended=True, cycles=400, counters=late)
    assert compare_counters(1, model, result, timed=False) == (6, [])
    late[1][2] = 9
    assert [m.field for m in compare_counters(1, model, result, timed=False)[1]] == ["beats"]


def test_errors_silence_and_strays_are_faults() -> None:
    silent = Result(job=0, launch=0, ended=False)
    assert [str(m) for m in faults_of(0, silent)] == ["init: state is running, not done"]
    broken = Result(job=0, launch=1, ended=True, error=4, error_index=7, strayed=["reads 0x0, where nothing is"])
    assert [str(m) for m in faults_of(1, broken)] == [
        "run 0, descriptor 7: error is 4, not 0",
        "run 0: access is reads 0x0, where nothing is, not none outside the regions",
    ]


def test_jobs_and_results_survive_their_files(program: Program, tmp_path: Path) -> None:
    case = Case(program=program, inputs=np.zeros((2, program.input_bytes), np.uint8), latency=3, seed=9)
    counters = [Counters(cycles=k, records=[]) for k in (10, 20, 30)]
    job = job_of(case, 0, counters, tmp_path)
    job = dataclasses.replace(
        job, launches=(dataclasses.replace(job.launches[0], read_errors=(4, 8)), *job.launches[1:])
    )
    save_jobs([job], tmp_path)
    assert load_jobs(tmp_path) == [job]
    assert [launch.output_bytes for launch in job.launches] == [0, program.output_bytes, program.output_bytes]
    assert (tmp_path / job.launches[0].image).read_bytes() == program.image
    assert load_results(tmp_path) == []
    results = [Result(job=0, launch=k, ended=True, counters=[[1] * 8]) for k in range(3)]
    for result in results:
        append_result(result, tmp_path)
    assert load_results(tmp_path) == results


@pytest.fixture
def report() -> Report:
    return Report(
        program="net", configuration="tiny", encoding="rails", latency=8, interval=1, seed=None, images=2,
        outputs_compared=20, output_mismatches=0, cycles_model=700, cycles_rtl=700, counters_compared=85,
        counter_mismatches=0, faults=0, mismatches=(), build_seconds=12.0, build_cached=False, simulation_seconds=0.5,
    )  # fmt: skip


def test_a_report_has_the_keys_scripts_rely_on(report: Report) -> None:
    document = json.loads(json.dumps(report.to_json()))
    names = (
        "encoding",
        "images",
        "outputs_compared",
        "output_mismatches",
        "cycles_model",
        "cycles_rtl",
        "counter_mismatches",
    )
    assert [document[name] for name in names] == ["rails", 2, 20, 0, 700, 700, 0]
    assert document["passed"] is True
    assert report.to_text().splitlines()[-1] == "passed: 0 mismatches"


@pytest.mark.parametrize("change", ["output_mismatches", "counter_mismatches", "faults", "cycles_rtl"])
def test_any_difference_fails_a_report(report: Report, change: str) -> None:
    worse = dataclasses.replace(report, **{change: getattr(report, change) + 1})
    assert not worse.passed
    assert worse.to_text().splitlines()[-1] == "FAILED"


def test_cycles_may_differ_under_back_pressure_only(report: Report) -> None:
    assert dataclasses.replace(report, seed=1, cycles_rtl=900).passed
    assert not dataclasses.replace(report, seed=1, cycles_rtl=900, output_mismatches=1).passed
