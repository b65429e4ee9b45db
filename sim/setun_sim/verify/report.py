"""What a verification found."""

import dataclasses
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """One value in which hardware and model disagree."""

    #: "init" or "run 0", "run 1", ...
    launch: str
    #: descriptor in its list; -1: the launch as a whole
    descriptor: int
    #: counter's name, "output byte", "cycles", "error" or "access"
    field: str
    expected: str
    got: str

    def __str__(self) -> str:
        where = self.launch if self.descriptor < 0 else f"{self.launch}, descriptor {self.descriptor}"
        return f"{where}: {self.field} is {self.got}, not {self.expected}"


@dataclass(frozen=True, kw_only=True)
class Report:
    """Result of :func:`setun_sim.verify.verify.verify`; its JSON keys are the fields of the same names."""

    program: str
    configuration: str
    encoding: str
    #: the memory's cycles from address to first beat, and from beat to beat
    latency: int
    interval: int
    #: seed of random back-pressure; None: exact timing
    seed: int | None
    images: int
    #: output values (elements of the output tensor) compared with golden and with the fast simulator
    outputs_compared: int
    output_mismatches: int
    #: sums over all launches, the init list included
    cycles_model: int
    cycles_rtl: int
    #: counter words compared with the simulator's timeline
    counters_compared: int
    counter_mismatches: int
    #: accesses outside the program's regions, and launches that ended in an error
    faults: int
    #: the first few of all kinds
    mismatches: tuple[Mismatch, ...]
    build_seconds: float
    #: whether the simulation came from the cache
    build_cached: bool
    simulation_seconds: float

    @property
    def passed(self) -> bool:
        """Whether hardware, golden and simulator agree in everything compared."""
        differences = self.output_mismatches + self.counter_mismatches + self.faults
        return not differences and (self.seed is not None or self.cycles_model == self.cycles_rtl)

    def to_json(self) -> dict[str, Any]:
        """Plain values under stable keys, ``passed`` included."""
        return {**dataclasses.asdict(self), "passed": self.passed}

    def to_text(self) -> str:
        """A few lines for people."""
        memory = f"latency {self.latency}, interval {self.interval}"
        if self.seed is not None:
            memory = f"random back-pressure, seed {self.seed}"
        built = "from the cache" if self.build_cached else f"built in {self.build_seconds:.1f} s"
        lines = [
            f"{self.program} on {self.configuration} ({self.encoding}), {self.images} images, {memory}",
            f"  outputs   {self.outputs_compared} compared with golden, {self.output_mismatches} mismatches",
            f"  counters  {self.counters_compared} compared with the simulator, {self.counter_mismatches} mismatches",
            f"  cycles    {self.cycles_model} in the simulator, {self.cycles_rtl} in the Verilog",
            f"  simulation {built}, ran {self.simulation_seconds:.1f} s",
            *(f"  {mismatch}" for mismatch in self.mismatches),
            "passed: 0 mismatches" if self.passed else "FAILED",
        ]
        return "\n".join(lines)
