"""External memory in Python behind the master's signals, cycle by cycle, and a check of AXI's rules."""

import random
from collections.abc import Callable
from typing import Any

from setun_hw.frontend.axi import OKAY

PAYLOADS = {
    "ar": ("araddr", "arlen", "arsize", "arburst"),
    "aw": ("awaddr", "awlen", "awsize", "awburst"),
    "w": ("wdata", "wstrb", "wlast"),
}


class Memory:
    """Answers in the cycles of docs/machine.md, or raggedly if ``rng`` is given.

    ``errors`` maps byte addresses of beats to the response they get; with ``silent`` set, nothing is
    answered, with ``slow`` set no beat is taken.
    """

    def __init__(
        self, axi: Any, data_bits: int, *, latency: int, interval: int, rng: random.Random | None = None
    ) -> None:
        self.axi, self.size = axi, data_bits // 8
        self.latency, self.interval, self.rng = latency, interval, rng
        self.data: dict[int, int] = {}
        self.errors: dict[int, int] = {}
        self.silent = False
        self.slow = False
        self.cycle = 0
        self.reads: list[tuple[int, int, int]] = []  # bursts: cycle, address, beats
        self.writes: list[tuple[int, int, int]] = []
        self.taken: list[int] = []  # beats read
        self.given: list[int] = []  # beats written
        self.strobed = 0  # beats written with strobes
        self._beats: list[tuple[int, int, int]] = []  # earliest cycle, address, last
        self._open: list[list[int]] = []  # write bursts: next address, beats left, response
        self._responses: list[tuple[int, int]] = []  # earliest cycle, response
        self._beats_ahead: list[tuple[int, int, int]] = []
        self._last_read = self._last_write = -(1 << 30)
        self._held: dict[str, tuple[int, ...]] = {}

    def fill(self, address: int, data: bytes) -> None:
        """Put bytes into memory."""
        for k, byte in enumerate(data):
            self.data[address + k] = byte

    def bytes(self, address: int, size: int) -> bytes:
        """Bytes of memory; what nobody wrote is 0xEE."""
        return bytes(self.data.get(address + k, 0xEE) for k in range(size))

    def hurry(self) -> None:
        """Answer soon whatever was to be answered late."""
        soon = self.cycle + self.latency
        self._beats = [(min(due, soon), *rest) for due, *rest in self._beats]  # type: ignore[misc]
        self._responses = [(min(due, soon), response) for due, response in self._responses]

    def _ready(self) -> int:
        return int(not self.silent and (self.rng is None or self.rng.random() < 0.6))

    def drive(self, set_signal: Callable[[Any, int], None]) -> None:
        """The signals of this cycle."""
        axi = self.axi
        set_signal(axi.arready, self._ready())
        set_signal(axi.awready, self._ready())
        set_signal(axi.wready, int(self._ready() and not self.slow and self.cycle >= self._last_write + self.interval))
        shown = "r" in self._held
        valid = bool(self._beats) and (
            shown or (self._ready() and self.cycle >= max(self._beats[0][0], self._last_read + self.interval))
        )
        if valid:
            _, address, last = self._beats[0]
            set_signal(axi.rdata, int.from_bytes(self.bytes(address, self.size), "little"))
            set_signal(axi.rlast, last)
            set_signal(axi.rresp, self.errors.get(address, OKAY))
            self._held["r"] = ()
        set_signal(axi.rvalid, int(valid))
        valid = bool(self._responses) and ("b" in self._held or (self._ready() and self.cycle >= self._responses[0][0]))
        if valid:
            set_signal(axi.bresp, self._responses[0][1])
            self._held["b"] = ()
        set_signal(axi.bvalid, int(valid))

    def observe(self, get: Callable[[Any], int]) -> None:
        """The handshakes of this cycle; the next one begins."""
        axi = self.axi
        happened = {}
        for channel, names in PAYLOADS.items():
            valid, ready = get(getattr(axi, f"{channel}valid")), get(getattr(axi, f"{channel}ready"))
            payload = tuple(get(getattr(axi, name)) for name in names)
            if channel in self._held:
                assert valid, f"{channel}valid fell before the handshake"
                assert payload == self._held[channel], f"{channel} changed before the handshake"
            happened[channel] = payload if valid and ready else None
            if valid and not ready:
                self._held[channel] = payload
            else:
                self._held.pop(channel, None)
        for channel, bursts in (("ar", self.reads), ("aw", self.writes)):
            if (burst := happened[channel]) is None:
                continue
            address, length, size, kind = burst
            assert (1 << size, kind) == (self.size, 1)
            assert address % self.size == 0
            assert address // 4096 == (address + length * self.size) // 4096, "a burst crosses 4 KiB"
            bursts.append((self.cycle, address, length + 1))
            if channel == "aw":
                self._open.append([address, length + 1, OKAY])
                continue
            for k in range(length + 1):
                self._beats.append((self.cycle + self.latency, address + k * self.size, int(k == length)))
        if (beat := happened["w"]) is not None:
            self.given.append(self.cycle)
            self._last_write = self.cycle
            self._beats_ahead.append(beat)
        while self._beats_ahead and self._open:
            data, strobe, last = self._beats_ahead.pop(0)
            burst = self._open[0]
            assert strobe in (0, (1 << self.size) - 1)
            self.strobed += bool(strobe)
            if strobe:
                self.fill(burst[0], data.to_bytes(self.size, "little"))
            burst[2] |= self.errors.get(burst[0], OKAY)
            burst[0], burst[1] = burst[0] + self.size, burst[1] - 1
            assert last == int(burst[1] == 0), "wlast does not mark the last beat"
            if last:
                self._responses.append((self.cycle + self.latency, burst[2]))
                self._open.pop(0)
        if get(axi.rvalid) and get(axi.rready):
            self.taken.append(self.cycle)
            self._last_read = self.cycle
            self._beats.pop(0)
            self._held.pop("r", None)
        if get(axi.bvalid) and get(axi.bready):
            self._responses.pop(0)
            self._held.pop("b", None)
        self.cycle += 1

    @property
    def quiet(self) -> bool:
        """Nothing is under way."""
        return not (self._beats or self._open or self._responses or self._beats_ahead or self._held)
