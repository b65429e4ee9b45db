"""The whole way of a real trained network, as one function: what ``setun demo`` runs."""

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from setun.describe import memory_bits
from setun.files import make_folder, replacing
from setun.tables import table
from setun_compiler import compile_model
from setun_compiler.container import save
from setun_hw import presets, verilog
from setun_hw.config import Encoding
from setun_sim import simulate
from setun_sim.verify.verify import verify

#: small, so that the first Verilator build of all three encodings takes a minute or two
CONFIG = "tiny"
#: largest difference from the float model's logits that is float rounding; they are around 10
ROUNDING = 1e-4

#: a context around a verification; its value is called with a sentence and how many of how many steps are done
Watcher = AbstractContextManager[Callable[[str, int, int], None]]


def unwatched() -> Watcher:
    """Nobody watches."""
    return nullcontext(lambda sentence, done, total: None)


@dataclass(frozen=True, kw_only=True)
class EncodingResult:
    """What one encoding did with all inputs."""

    encoding: str
    #: cycles of one input, and of all inputs with the loading of resident weights, as the simulator says
    cycles_per_input: int
    cycles_model: int
    #: all inputs, as the Verilog counts
    cycles_rtl: int
    outputs_compared: int
    output_mismatches: int
    counters_compared: int
    counter_mismatches: int
    #: inputs whose largest logit stands in another place than the float model's
    argmax_differs: int
    #: from the float model's logits
    largest_difference: float
    correct: int
    #: on-chip memories of the configuration, and the program's bytes outside
    memory_bits: int
    program_bytes: int
    verified: bool


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """What the demo found; its JSON keys are the fields of the same names."""

    network: str
    configuration: str
    inputs: int
    encodings: tuple[EncodingResult, ...]
    #: logits, bit by bit, are the same in every encoding
    encodings_agree: bool
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether every link of the chain holds."""
        return self.encodings_agree and all(
            result.verified and not result.argmax_differs and result.largest_difference <= ROUNDING
            for result in self.encodings
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values under stable keys, ``passed`` included."""
        return {**asdict(self), "passed": self.passed}

    def to_text(self) -> str:
        """The comparison of encodings, for terminal and report."""
        lines: list[tuple[str, Callable[[EncodingResult], object]]] = [
            ("cycles of one input", lambda r: r.cycles_per_input),
            ("cycles of all, simulator", lambda r: r.cycles_model),
            ("cycles of all, Verilog", lambda r: r.cycles_rtl),
            ("output values compared", lambda r: r.outputs_compared),
            ("  mismatches", lambda r: r.output_mismatches),
            ("counters compared", lambda r: r.counters_compared),
            ("  mismatches", lambda r: r.counter_mismatches),
            ("argmax differs from float", lambda r: r.argmax_differs),
            ("largest logit difference", lambda r: f"{r.largest_difference:.1e}"),
            (f"correct of {self.inputs}", lambda r: r.correct),
            ("on-chip memory, bits", lambda r: r.memory_bits),
            ("program, bytes", lambda r: r.program_bytes),
        ]
        rows = [[name, *(str(value(result)) for result in self.encodings)] for name, value in lines]
        return table(["", *(result.encoding for result in self.encodings)], rows, widest=30)


def run_demo(
    folder: str | Path, say: Callable[[str], None] = lambda line: None, progress: Callable[[], Watcher] = unwatched
) -> DemoResult:
    """Compile, simulate, generate and verify the shipped digits network in every encoding; write a report.

    Leaves in ``folder`` the model and its inputs, three programs, three Verilog folders, ``report.md`` and
    ``report.json``. ``say`` is told each step as it is done; ``progress`` gives a context whose value watches a
    verification.

    Raises
    ------
    SetunError
        When the folder cannot be written, or a tool that verification needs is missing.
    """
    begin = time.monotonic()
    folder = make_folder(folder)
    for name in ("digits.onnx", "digits.npz"):
        with replacing(folder / name) as temporary:
            temporary.write_bytes(resources.files("setun").joinpath("data", name).read_bytes())
    with np.load(folder / "digits.npz", allow_pickle=False) as data:
        samples, wanted, label = data["x"], data["logits"], data["label"]
    say(f"network   digits.onnx: MLP 64-48-10, ternary weights and activations; {len(samples)} real inputs")
    results, answers = [], []
    for encoding in Encoding:
        config = presets.config(CONFIG).replace(encoding=encoding)
        program = compile_model(folder / "digits.onnx", config, calibration=samples)
        with replacing(folder / f"digits-{encoding}.setun") as temporary:
            save(program, temporary)
        say(f"{encoding:<9} compiled for {config.name}: {len(program.image)} bytes")
        run = simulate(program, samples)
        logits = run.logits
        assert logits is not None  # there were samples
        answers.append(logits)
        say(f"{encoding:<9} simulated: {run.cycles} cycles an input, utilisation {run.utilisation:.0%}")
        verilog.write(config, make_folder(folder / f"verilog-{encoding}"))
        say(f"{encoding:<9} Verilog written; building and running it under Verilator ...")
        with progress() as watch:
            report = verify(program, samples, images=len(samples), progress=watch)
        say(
            f"{encoding:<9} verified: {report.output_mismatches} of {report.outputs_compared} outputs and"
            f" {report.counter_mismatches} of {report.counters_compared} counters differ"
        )
        results.append(
            EncodingResult(
                encoding=str(encoding),
                cycles_per_input=run.cycles,
                cycles_model=report.cycles_model,
                cycles_rtl=report.cycles_rtl,
                outputs_compared=report.outputs_compared,
                output_mismatches=report.output_mismatches,
                counters_compared=report.counters_compared,
                counter_mismatches=report.counter_mismatches,
                argmax_differs=int((logits.argmax(1) != wanted.argmax(1)).sum()),
                largest_difference=float(np.abs(logits - wanted).max()),
                correct=int((logits.argmax(1) == label).sum()),
                memory_bits=memory_bits(config),
                program_bytes=len(program.image),
                verified=report.passed,
            )
        )
    result = DemoResult(
        network="digits.onnx",
        configuration=CONFIG,
        inputs=len(samples),
        encodings=tuple(results),
        encodings_agree=all(np.array_equal(answers[0], other) for other in answers[1:]),
        seconds=round(time.monotonic() - begin, 1),
    )
    _write_report(folder, result)
    say(f"\n{result.to_text()}\n")
    verdict = "every link of the chain holds" if result.passed else "SOMETHING DIFFERS"
    say(f"{verdict}; {result.seconds:.0f} s; report in {folder / 'report.md'}")
    return result


def _write_report(folder: Path, result: DemoResult) -> None:
    with replacing(folder / "report.json") as temporary:
        temporary.write_text(json.dumps(result.to_json(), indent=2) + "\n", encoding="utf-8")
    same = "are equal bit by bit" if result.encodings_agree else "DIFFER"
    lines = [
        f"# {result.network} on {result.configuration}",
        "",
        f"{result.inputs} real inputs went through the float model's ONNX file, the compiled program's golden",
        "interpreter, the simulator, and the generated Verilog under Verilator.",
        "",
        "```text",
        result.to_text(),
        "```",
        "",
        f"The logits of the three encodings {same}. Cycles count one load of the resident weights and all inputs,",
        "at the memory timing of the verification; a counter is one of eight words that the hardware keeps for each",
        "descriptor.",
        "",
        f"{'All links hold.' if result.passed else 'SOMETHING DIFFERS.'} {result.seconds:.0f} seconds.",
        "",
        "To go on from here:",
        "",
        "```text",
        "setun info digits-ternary.setun",
        "setun simulate digits-ternary.setun --input digits.npz --trace timeline.json",
        "setun run digits-ternary.setun --input digits.npz -o logits.npz",
        "setun verify digits-ternary.setun --input digits.npz --images 4",
        "```",
    ]
    with replacing(folder / "report.md") as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
