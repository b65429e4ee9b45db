"""The host: everything it wants from the accelerator it asks over AXI4-Lite, and otherwise waits for the interrupt."""

import struct
from dataclasses import dataclass
from typing import Any

from cocotb.triggers import First, ReadOnly, RisingEdge, Timer
from cocotbext.axi import AxiLiteBus, AxiLiteMaster

from setun_hw import registers
from setun_hw.descriptor import Region
from setun_hw.registers import CONSTANT_FIELDS, CONSTANTS, RECORD_BYTES, STATUS_CODE, Control, Interrupt, Offset, Status
from setun_sim.verify.pacing import Cycles

#: cycles for which the reset pin is held
RESET_CYCLES = 4
#: cycles within which a soft reset must have come to its end, once memory answers
RESET_LIMIT = 2_000


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the status registers say."""

    done: bool
    error: int
    index: int
    cycles: int


class Driver:
    """Drives ports ``rst`` and ``s_axil_*`` of the accelerator and listens to ``irq``."""

    def __init__(self, dut: Any, cycles: Cycles) -> None:
        self.dut, self.cycles = dut, cycles
        self.port = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.clk)

    async def reset(self) -> None:
        """Pull the reset pin."""
        self.dut.rst.value = 1
        await self.cycles.until(self.cycles.now() + RESET_CYCLES)
        self.dut.rst.value = 0
        await RisingEdge(self.dut.clk)
        identity = await self.read(Offset.ID)
        if identity != registers.CHECK:
            raise RuntimeError(f"register ID reads {identity:#x}, not {registers.CHECK:#x}")

    async def soft_reset(self) -> None:
        """Write the reset bit and wait until the bus is drained.

        Raises
        ------
        RuntimeError
            When the accelerator is still busy after :data:`RESET_LIMIT` cycles.
        """
        await self.write(Offset.CONTROL, Control.RESET)
        limit = self.cycles.now() + RESET_LIMIT
        while await self.read(Offset.STATUS) & (Status.BUSY | Status.DRAINING):
            if self.cycles.now() > limit:
                raise RuntimeError(f"the accelerator is still busy {RESET_LIMIT} cycles after a soft reset")

    async def write(self, offset: int, value: int) -> None:
        """Write one register."""
        await self.port.write(offset, struct.pack("<I", value))

    async def read(self, offset: int) -> int:
        """Read one register."""
        answer = await self.port.read(offset, 4)
        return int.from_bytes(answer.data, "little")

    async def set_bases(self, bases: dict[Region, int]) -> None:
        """Tell where the regions lie."""
        for region, base in bases.items():
            await self.write(registers.base_offset(region), base & 0xFFFFFFFF)
            await self.write(registers.base_offset(region) + 4, base >> 32)

    async def start(self, offset: int, watchdog: int) -> None:
        """Start the descriptor list at ``offset`` from the PROGRAM region's base, with both interrupts enabled."""
        await self.write(Offset.WATCHDOG, watchdog)
        await self.write(Offset.INTERRUPT, Interrupt.DONE | Interrupt.ERROR)
        await self.write(Offset.INTERRUPT_ENABLE, Interrupt.DONE | Interrupt.ERROR)
        await self.write(Offset.LIST, offset)
        await self.write(Offset.CONTROL, Control.START)

    async def wait(self, limit: int) -> bool:
        """Wait for the interrupt, for at most ``limit`` cycles; whether it came."""
        await ReadOnly()
        if self.dut.irq.value != 1:
            await First(RisingEdge(self.dut.irq), Timer(limit * self.cycles.period, "step"))
        came = bool(self.dut.irq.value == 1)
        await RisingEdge(self.dut.clk)
        return came

    async def outcome(self) -> Outcome:
        """Read the status registers."""
        status = await self.read(Offset.STATUS)
        return Outcome(
            done=bool(status & Status.DONE),
            error=status >> STATUS_CODE & 0xFF,
            index=await self.read(Offset.ERROR_INDEX),
            cycles=await self.read(Offset.CYCLES),
        )

    async def counters(self, count: int) -> list[list[int]]:
        """Performance counter records of a list of ``count`` descriptors, as far as they are kept, eight words each."""
        count = min(count, await self.read(CONSTANTS + 4 * CONSTANT_FIELDS.index("counter_records")))
        answer = await self.port.read(await self.read(Offset.RECORDS), count * RECORD_BYTES)
        words = struct.unpack(f"<{8 * count}I", answer.data)
        return [list(words[k : k + 8]) for k in range(0, len(words), 8)]
