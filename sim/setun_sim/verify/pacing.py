"""AXI channels of cocotbext-axi with a clock of their own: every handshake happens in the cycle that is asked for.

Nothing here runs once a cycle. A channel sleeps until its partner moves or until the cycle in which it may move itself,
so that long computations cost no Python.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cocotb.handle import LogicObject
from cocotb.simtime import get_sim_time
from cocotb.triggers import RisingEdge, Timer
from cocotbext.axi.axi_channels import AxiARSink, AxiAWSink, AxiBSource, AxiRSource, AxiWSink

#: cycles from one handshake of a channel to the first cycle in which the next may happen
Pace = Callable[[], int]


@dataclass(frozen=True)
class Cycles:
    """Counts cycles of a clock whose rising edges lie at multiples of its period, without watching it."""

    clock: LogicObject
    #: simulation steps, even
    period: int

    def now(self) -> int:
        """Number of the cycle that the latest rising edge began."""
        return int(get_sim_time("step")) // self.period

    async def until(self, cycle: int) -> None:
        """Return at the rising edge that begins ``cycle``; at once if that is past. Call at a rising edge."""
        distance = cycle - self.now()
        if distance > 1:
            await Timer(distance * self.period - self.period // 2, "step")
        if distance > 0:
            await RisingEdge(self.clock)


class _PacedSink:
    """Takes a beat in every cycle that ``pace`` allows; each received transaction tells its ``cycle``."""

    cycles: Cycles
    pace: Pace

    if TYPE_CHECKING:  # cocotbext-axi's, which is untyped

        def __init__(self, bus: Any, clock: Any) -> None: ...

    async def _run(self: Any) -> None:
        edge = RisingEdge(self.clock)
        self.ready.value = 1
        while True:
            await edge
            if self.valid.value != 1:
                self.wake_event.clear()
                await self.wake_event.wait()
                continue
            beat = self._transaction_obj()
            self.bus.sample(beat)
            now = self.cycles.now()
            beat.cycle = now - 1
            self.queue.put_nowait(beat)
            self.active_event.set()
            gap = self.pace()
            if gap > 1:
                self.ready.value = 0
                await self.cycles.until(now + gap - 1)
                self.ready.value = 1


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a source sends: one transaction's beats, in order, none before cycle ``due``."""

    due: int
    #: one dictionary of signal values a beat
    beats: Sequence[dict[str, int]]


class _PacedSource:
    """Offers each beat in the first cycle that its answer's ``due`` and ``pace`` allow."""

    cycles: Cycles
    pace: Pace

    if TYPE_CHECKING:  # cocotbext-axi's, which is untyped

        def __init__(self, bus: Any, clock: Any) -> None: ...

    async def _run(self: Any) -> None:
        edge = RisingEdge(self.clock)
        free = 0
        while True:
            if self.queue.empty():
                self.valid.value = 0
                self.active_event.clear()
                await self.active_event.wait()
            answer: Answer = self.queue.get_nowait()
            free = max(free, answer.due)
            for beat in answer.beats:
                if free > self.cycles.now():
                    self.valid.value = 0
                    await self.cycles.until(free)
                for name, value in beat.items():
                    getattr(self.bus, name).value = value
                self.valid.value = 1
                await edge
                while self.ready.value != 1:
                    await edge
                free = self.cycles.now() + self.pace() - 1


class ARSink(_PacedSink, AxiARSink):  # type: ignore[misc]
    """Read addresses."""


class AWSink(_PacedSink, AxiAWSink):  # type: ignore[misc]
    """Write addresses."""


class WSink(_PacedSink, AxiWSink):  # type: ignore[misc]
    """Write data."""


class RSource(_PacedSource, AxiRSource):  # type: ignore[misc]
    """Read data."""


class BSource(_PacedSource, AxiBSource):  # type: ignore[misc]
    """Write responses."""
