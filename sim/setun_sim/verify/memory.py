"""The external memory of docs/machine.md behind an AXI4 port: exact latency and interval, or seeded disorder.

Only the bytes it was given exist. A read elsewhere, or a write where none is allowed, is answered with an error and
remembered, so that an accelerator that strays is caught even if its answers are right.
"""

import random
from dataclasses import dataclass, field
from typing import Any

import cocotb
from cocotb.handle import LogicObject
from cocotbext.axi import AxiBus

from setun_sim.verify.pacing import Answer, ARSink, AWSink, BSource, Cycles, Pace, RSource, WSink

OKAY, SLVERR, DECERR = 0, 2, 3
#: bytes that no burst may cross (AXI4)
BOUNDARY = 4096


@dataclass(frozen=True, kw_only=True)
class Area:
    """Some bytes of the address space."""

    name: str
    base: int
    data: bytearray
    writable: bool = False

    def holds(self, address: int, size: int) -> bool:
        """Whether ``size`` bytes from ``address`` lie inside."""
        return self.base <= address and address + size <= self.base + len(self.data)


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How the memory answers.

    A read burst's first beat is valid ``latency`` cycles after its address was taken, each later beat, of this burst
    or the next, ``interval`` cycles after the one before was taken. Written beats are taken ``interval`` cycles apart,
    and a response is valid ``latency`` cycles after its burst's last beat was taken. With a ``seed``, every handshake
    of every channel waits a random number of cycles instead.
    """

    latency: int = 8
    interval: int = 1
    seed: int | None = None

    def paces(self) -> dict[str, Pace]:
        """Gap between handshakes for each channel."""
        if self.seed is not None:
            return {channel: _ragged(f"{self.seed} {channel}") for channel in ("ar", "r", "aw", "w", "b")}
        return {
            "ar": _steady(1),
            "r": _steady(self.interval),
            "aw": _steady(1),
            "w": _steady(self.interval),
            "b": _steady(1),
        }


@dataclass
class Faults:
    """What goes wrong on purpose: addresses of beats that answer with an error, and bursts that are never answered."""

    read_errors: set[int] = field(default_factory=set)
    write_errors: set[int] = field(default_factory=set)
    #: number of read bursts that are answered; later ones hang
    read_bursts: int | None = None
    #: number of write bursts that get a response; later ones hang
    write_bursts: int | None = None


def _steady(gap: int) -> Pace:
    return lambda: gap


def _ragged(seed: str) -> Pace:
    """Mostly back to back, sometimes a long pause: both full queues and empty ones occur."""
    generator = random.Random(seed)
    return lambda: generator.choice((1, 1, 1, 2, 3, generator.randint(4, 30)))


class Memory:
    """Serves one AXI4 master (read and write channels of ``bus``) from ``areas``, from construction on."""

    def __init__(self, bus: AxiBus, clock: LogicObject, cycles: Cycles) -> None:
        self.cycles = cycles
        self.areas: list[Area] = []
        self.timing = Timing()
        self.faults = Faults()
        #: accesses the accelerator should not have made, one sentence each
        self.strayed: list[str] = []
        self.bursts_read = 0
        self.bursts_written = 0
        self._hanging: list[tuple[RSource | BSource, Answer]] = []
        self.ar, self.r = ARSink(bus.read.ar, clock), RSource(bus.read.r, clock)
        self.aw, self.w, self.b = AWSink(bus.write.aw, clock), WSink(bus.write.w, clock), BSource(bus.write.b, clock)
        self.beat_bytes = len(bus.read.r.rdata) // 8
        self._channels = (self.ar, self.r, self.aw, self.w, self.b)
        for channel in self._channels:
            channel.cycles = cycles
        self.configure([], self.timing, self.faults)
        self._tasks = [cocotb.start_soon(self._serve_reads()), cocotb.start_soon(self._serve_writes())]

    def reset(self) -> None:
        """Forget every burst under way, as a memory does whose reset is pulled together with the accelerator's."""
        for task in self._tasks:
            task.cancel()
        for channel in self._channels:
            channel.assert_reset(True)
            channel.clear()
            channel.assert_reset(False)
        self._hanging.clear()
        self._tasks = [cocotb.start_soon(self._serve_reads()), cocotb.start_soon(self._serve_writes())]

    def configure(self, areas: list[Area], timing: Timing, faults: Faults) -> None:
        """Exchange contents and behaviour between two runs, while the bus is idle."""
        self.areas, self.timing, self.faults = areas, timing, faults
        self.bursts_read = self.bursts_written = 0
        self.strayed = []
        for channel, pace in timing.paces().items():
            getattr(self, channel).pace = pace
        self._delay = _ragged(f"{timing.seed} latency") if timing.seed is not None else _steady(timing.latency)

    def release(self) -> None:
        """Answer at last the bursts that hang, and all later ones at once."""
        self.faults = Faults()
        for channel, answer in self._hanging:
            channel.send_nowait(answer)
        self._hanging.clear()

    def _send(self, channel: RSource | BSource, answer: Answer, burst: int, answered: int | None) -> None:
        """Pass an answer on, unless faults say that bursts beyond ``answered`` hang."""
        if answered is not None and burst > answered:
            self._hanging.append((channel, answer))
        else:
            channel.send_nowait(answer)

    def _find(self, address: int, size: int) -> Area | None:
        return next((area for area in self.areas if area.holds(address, size)), None)

    def _burst(self, kind: str, address: int, request: Any) -> int:
        """Beats of a burst, after checks of what AXI4 and the contract demand of its address."""
        beats = int(getattr(request, f"a{kind[0]}len")) + 1
        size, burst = int(getattr(request, f"a{kind[0]}size")), int(getattr(request, f"a{kind[0]}burst"))
        if 1 << size != self.beat_bytes or burst != 1:
            self.strayed.append(f"a {kind} burst at {address:#x} has size {size} and type {burst}")
        if address % self.beat_bytes or address % BOUNDARY + beats * self.beat_bytes > BOUNDARY:
            self.strayed.append(f"a {kind} burst of {beats} beats at {address:#x} is misaligned or crosses 4 KiB")
        return beats

    async def _serve_reads(self) -> None:
        while True:
            request = await self.ar.recv()
            address, identity = int(request.araddr), int(request.arid)
            beats = self._burst("read", address, request)
            answers = []
            for n in range(beats):
                data, response = self._read(address + n * self.beat_bytes)
                answers.append({"rdata": data, "rid": identity, "rresp": response, "rlast": int(n == beats - 1)})
            self.bursts_read += 1
            answer = Answer(due=request.cycle + self._delay(), beats=answers)
            self._send(self.r, answer, self.bursts_read, self.faults.read_bursts)

    def _read(self, address: int) -> tuple[int, int]:
        """Data and response of one beat."""
        area = self._find(address, self.beat_bytes)
        if area is None:
            self.strayed.append(f"reads {address:#x}, where nothing is")
            return 0, DECERR
        low = address - area.base
        data = int.from_bytes(area.data[low : low + self.beat_bytes], "little")
        return data, SLVERR if address in self.faults.read_errors else OKAY

    async def _serve_writes(self) -> None:
        while True:
            request = await self.aw.recv()
            address, identity = int(request.awaddr), int(request.awid)
            beats = self._burst("write", address, request)
            response, cycle = OKAY, 0
            for n in range(beats):
                beat = await self.w.recv()
                cycle = beat.cycle
                if int(beat.wlast) != int(n == beats - 1):
                    self.strayed.append(
                        f"the write burst at {address:#x} marks beat {n} of {beats} wrongly as last or not"
                    )
                response = max(response, self._write(address + n * self.beat_bytes, int(beat.wdata), int(beat.wstrb)))
            self.bursts_written += 1
            answer = Answer(due=cycle + self._delay(), beats=[{"bid": identity, "bresp": response}])
            self._send(self.b, answer, self.bursts_written, self.faults.write_bursts)

    def _write(self, address: int, data: int, strobes: int) -> int:
        """Response to one beat; one without strobes writes nothing, so nothing is said about its address."""
        if not strobes:
            return OKAY
        area = self._find(address, self.beat_bytes)
        if area is None or not area.writable:
            self.strayed.append(f"writes {address:#x}, " + (f"in {area.name}" if area else "where nothing is"))
            return DECERR
        if address in self.faults.write_errors:
            return SLVERR
        low = address - area.base
        for lane, byte in enumerate(data.to_bytes(self.beat_bytes, "little")):
            if strobes >> lane & 1:
                area.data[low + lane] = byte
        return OKAY
