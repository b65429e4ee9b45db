"""The control port shows and takes what the register map says."""

from collections.abc import Awaitable, Callable
from typing import Any

from amaranth.sim import Simulator, SimulatorContext

from setun_hw import registers
from setun_hw.config import Config
from setun_hw.descriptor import Region
from setun_hw.error_codes import ErrorCode
from setun_hw.frontend.control import Control
from setun_hw.registers import Access, Offset
from setun_hw.registers import Control as Bit
from tests.hw.frontend.host import Host

CONFIG = Config(name="control", axi_address_bits=40, counter_records=300, packed_weights=True)


def run(process: Callable[[SimulatorContext, Any, Host], Awaitable[None]], config: Config = CONFIG) -> None:
    dut: Any = Control(config)

    async def testbench(ctx: SimulatorContext) -> None:
        await process(ctx, dut, Host(dut.bus, ""))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()


def test_every_register_reads_as_after_reset_and_keeps_what_may_be_written() -> None:
    async def process(ctx: SimulatorContext, dut: Any, host: Host) -> None:
        for register in registers.registers(CONFIG):
            assert await host.read(ctx, register.offset) == register.reset, register.name
        written = {
            "INTERRUPT_ENABLE": 0x3,
            "WATCHDOG": 0xFFFFFFFF,
            "LIST": 0xFFFFFF80,
            **{f"{region.name}_BASE_LOW": 0xFFFFFF80 for region in Region},
            **{f"{region.name}_BASE_HIGH": 0xFF for region in Region},
        }
        for register in registers.registers(CONFIG):
            if register.access is not Access.COMMAND:
                await host.write(ctx, register.offset, 0xFFFFFFFF, late=register.offset // 4 % 3)
        for register in registers.registers(CONFIG):
            expected = written.get(register.name, register.reset)
            assert await host.read(ctx, register.offset, late=register.offset // 4 % 3) == expected, register.name
            assert (register.access is Access.WRITE) == (register.name in written)
        for region in Region:
            assert ctx.get(dut.settings.bases[region]) == 0xFFFFFFFF80

    run(process)


def test_strobes_choose_bytes() -> None:
    async def process(ctx: SimulatorContext, dut: Any, host: Host) -> None:
        await host.write(ctx, Offset.WATCHDOG, 0x11223344)
        await host.write(ctx, Offset.WATCHDOG, 0xAABBCCDD, strobe=0b0101)
        assert await host.read(ctx, Offset.WATCHDOG) == 0x11BB33DD
        assert ctx.get(dut.settings.watchdog) == 0x11BB33DD
        await host.write(ctx, Offset.CONTROL, Bit.START, strobe=0b1110)

    run(process)


def test_commands_last_one_cycle() -> None:
    async def process(ctx: SimulatorContext, dut: Any, host: Host) -> None:
        seen = []

        async def watch(bit: Bit) -> None:
            ctx.set(dut.bus.awaddr, Offset.CONTROL)
            ctx.set(dut.bus.wdata, bit)
            ctx.set(dut.bus.wstrb, 15)
            ctx.set(dut.bus.awvalid, 1)
            ctx.set(dut.bus.wvalid, 1)
            ctx.set(dut.bus.bready, 1)
            for _ in range(4):
                seen.append((ctx.get(dut.start), ctx.get(dut.reset)))
                await ctx.tick()
                ctx.set(dut.bus.awvalid, 0)
                ctx.set(dut.bus.wvalid, 0)

        await watch(Bit.START)
        await watch(Bit.RESET)
        assert seen == [(1, 0), (0, 0), (0, 0), (0, 0), (0, 1), (0, 0), (0, 0), (0, 0)]

    run(process)


def test_interrupts_come_once_an_outcome_and_go_when_acknowledged() -> None:
    async def process(ctx: SimulatorContext, dut: Any, host: Host) -> None:
        ctx.set(dut.status.done, 1)
        await ctx.tick().repeat(2)
        assert not ctx.get(dut.irq)  # not enabled
        await host.write(ctx, Offset.INTERRUPT_ENABLE, 3)
        assert ctx.get(dut.irq)
        assert await host.read(ctx, Offset.INTERRUPT) == 1
        await host.write(ctx, Offset.INTERRUPT, 2)
        assert ctx.get(dut.irq)
        await host.write(ctx, Offset.INTERRUPT, 1)
        assert not ctx.get(dut.irq)  # though ``done`` is still there
        ctx.set(
            dut.status,
            {
                "busy": 0,
                "done": 0,
                "error": 1,
                "draining": 1,
                "code": ErrorCode.AXI_WRITE,
                "error_index": 77,
                "index": 78,
                "cycles": 1234,
                "transfers": 5,
                "groups": 6,
            },
        )
        await ctx.tick().repeat(2)
        assert ctx.get(dut.irq)
        assert await host.read(ctx, Offset.STATUS) == ErrorCode.AXI_WRITE << 8 | 0b1100
        values = [
            await host.read(ctx, o)
            for o in (Offset.ERROR_INDEX, Offset.DESCRIPTOR, Offset.CYCLES, Offset.TRANSFERS, Offset.GROUPS)
        ]
        assert values == [77, 78, 1234, 5, 6]
        await host.write(ctx, Offset.CONTROL, Bit.RESET)
        assert not ctx.get(dut.irq)
        assert await host.read(ctx, Offset.INTERRUPT) == 0

    run(process)


def test_records_lie_behind_the_registers() -> None:
    async def process(ctx: SimulatorContext, dut: Any, host: Host) -> None:
        for record, word in ((0, 0), (299, 7), (256, 3)):
            ctx.set(dut.record_data, 1000 * record + word)
            assert await host.read(ctx, registers.record_offset(CONFIG, record, word)) == 1000 * record + word
            assert (ctx.get(dut.record), ctx.get(dut.word)) == (record, word)
        assert await host.read(ctx, 0xFFC) == 0

    run(process)


def test_the_map_has_no_overlaps_and_fits_its_address_bits() -> None:
    for config in (CONFIG, Config(name="one", counter_records=1), Config(name="many", counter_records=4096)):
        offsets = [register.offset for register in registers.registers(config)]
        assert offsets == sorted(set(offsets))
        assert max(offsets) < 0x1000 <= registers.records_offset(config)
        last = registers.record_offset(config, config.counter_records - 1, 7)
        assert last < 1 << registers.address_bits(config) <= 4 * max(0x1000, 32 * config.counter_records)
        assert registers.address_bits(config) == (2 * registers.records_offset(config) - 1).bit_length()
