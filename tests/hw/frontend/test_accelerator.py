"""Everything together, from the host's side."""

from typing import Any

import pytest
from amaranth.sim import Simulator, SimulatorContext

from setun_hw import registers
from setun_hw.config import Config
from setun_hw.descriptor import Compute, Descriptor, End, Mode, Opcode, Post, Region, Transfer
from setun_hw.error_codes import ErrorCode
from setun_hw.registers import Control as Bit
from setun_hw.registers import Interrupt, Offset, Status
from setun_hw.top import Accelerator
from tests.hw.frontend.bench import complete
from tests.hw.frontend.host import Host
from tests.hw.frontend.memory import Memory

CONFIG = Config(
    name="accelerator",
    rows=2,
    lanes=2,
    strips=1,
    post=1,
    thresholds=2,
    code_digits=1,
    accumulator_bits=8,
    activation_words=8,
    weight_words=8,
    parameter_words=8,
    axi_data_bits=32,
    queue_depth=2,
    counter_records=4,
)
BASES = {Region.PROGRAM: 0x1000, Region.INPUT: 0x2000, Region.OUTPUT: 0x3000, Region.SCRATCH: 0x4000}


class _Port:
    """The master's signals without their prefix."""

    def __init__(self, dut: Any) -> None:
        self._dut = dut

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dut, f"m_axi_{name}")


class System:
    """Accelerator, memory and host."""

    def __init__(self, config: Config = CONFIG) -> None:
        self.dut: Any = Accelerator(config)
        self.memory = Memory(_Port(self.dut), config.axi_data_bits, latency=3, interval=1)
        self.host = Host(self.dut, "s_axil_")

    async def serve(self, ctx: SimulatorContext) -> None:
        """Memory, for ever."""
        while True:
            self.memory.drive(ctx.set)
            self.memory.observe(ctx.get)
            await ctx.tick()

    async def run(self, ctx: SimulatorContext, program: list[Descriptor]) -> int:
        """Start a program and wait for the interrupt; STATUS."""
        self.memory.fill(BASES[Region.PROGRAM] + 0x80, b"".join(d.pack() for d in program))
        for region, base in BASES.items():
            await self.host.write(ctx, registers.base_offset(region), base)
        await self.host.write(ctx, Offset.LIST, 0x80)
        await self.host.write(ctx, Offset.INTERRUPT_ENABLE, Interrupt.DONE | Interrupt.ERROR)
        await self.host.write(ctx, Offset.CONTROL, Bit.START)
        for _ in range(1000):
            if ctx.get(self.dut.irq):
                break
            await ctx.tick()
        else:
            pytest.fail("no interrupt")
        while (status := await self.host.read(ctx, Offset.STATUS)) & Status.BUSY:
            pass
        return status

    def simulate(self, process: Any) -> None:
        simulator = Simulator(self.dut)
        simulator.add_clock(1e-6)
        simulator.add_testbench(process)
        simulator.add_testbench(self.serve, background=True)
        simulator.run()


def test_words_there_and_back_then_an_error_of_the_engine_then_a_reset() -> None:
    system = System()
    shape = {"words": 3, "rows": 1, "row_words": 3, "strip_rows": 1}
    program: list[Descriptor] = [
        complete(CONFIG, Transfer(opcode=Opcode.LOAD_ACTIVATIONS, region=Region.INPUT, base=2, **shape)),
        complete(CONFIG, Transfer(opcode=Opcode.STORE_ACTIVATIONS, region=Region.OUTPUT, base=2, **shape)),
        End(),
    ]

    async def process(ctx: SimulatorContext) -> None:
        host = system.host
        system.memory.fill(BASES[Region.INPUT], bytes([0x91, 0x06, 0, 0]))
        assert await host.read(ctx, Offset.ID) == registers.CHECK
        assert await system.run(ctx, program) == Status.DONE
        assert system.memory.bytes(BASES[Region.OUTPUT], 4) == bytes([0x91, 0x06, 0, 0])
        base = await host.read(ctx, Offset.RECORDS)
        records = [[await host.read(ctx, base + 32 * k + 4 * word) for word in range(8)] for k in range(3)]
        # Latency 3: 32 beats from 3 to 34, act in 36, one beat asked for in 37 is there in 40.
        assert records[0] == [0, 44, 1, 0, 3, 0, 3, Opcode.LOAD_ACTIVATIONS]
        # Fetched from 44 to 78, act in 80; words read 81..83, given in 86, response in 89.
        assert records[1] == [44, 90, 1, 0, 0, 0, 3, Opcode.STORE_ACTIVATIONS]
        assert records[2] == [90, 126, 0, 0, 0, 0, 0, Opcode.END]
        assert await host.read(ctx, Offset.CYCLES) == 126

        status = await system.run(ctx, [program[0], Compute(groups=0), End()])
        assert (status & Status.ERROR, status >> registers.STATUS_CODE) == (Status.ERROR, ErrorCode.BAD_FIELD)
        assert await host.read(ctx, Offset.ERROR_INDEX) == 1
        await host.write(ctx, Offset.CONTROL, Bit.RESET)
        assert await host.read(ctx, Offset.STATUS) == 0
        assert not ctx.get(system.dut.irq)
        assert await system.run(ctx, [End()]) == Status.DONE

    system.simulate(process)


def test_residual_words_through_fixed_point_and_back() -> None:
    config = CONFIG.replace(affine=True, residual_words=8, accumulator_bits=9, residual_bits=8, counter_records=8)
    system = System(config)
    shape = {"words": 3, "rows": 1, "row_words": 3, "strip_rows": 1}
    residual = {"res_base": 2, "res_end": 5, "res_out_base": 5, "res_out_end": 8}
    program: list[Descriptor] = [
        complete(config, Transfer(opcode=Opcode.LOAD_PARAMETERS, region=Region.INPUT, words=1, offset=64)),
        complete(config, Transfer(opcode=Opcode.LOAD_RESIDUAL, region=Region.INPUT, base=2, **shape)),
        Post(shift=1, low=-9, high=60, **residual),
        Compute(mode=Mode.NONE, affine=1, no_array=1, residual=1, residual_write=1, out_cols=3, in_cols=3, in_end=8),
        complete(config, Transfer(opcode=Opcode.STORE_RESIDUAL, region=Region.OUTPUT, base=5, after=1, **shape)),
        End(),
    ]
    # v = (3*res + 2) >> 1, doubled from 10 on, between -9 and 60.
    parameters = {"m": 0, "r": 3, "m0": 1, "m1": 2, "b": 1, "b0": 0, "b1": 0, "pivot": 10}
    assert list(parameters) == list(config.affine_parameters)
    low = config.channel_parameter_bits - sum(config.affine_parameters.values())
    word = 0
    for name, bits in config.affine_parameters.items():
        word |= parameters[name] << low
        low += bits

    async def process(ctx: SimulatorContext) -> None:
        host = system.host
        system.memory.fill(BASES[Region.INPUT], bytes([5, 0x100 - 7, 20, 0]))
        system.memory.fill(BASES[Region.INPUT] + 64, word.to_bytes(24, "little"))
        assert await system.run(ctx, program) == Status.DONE
        assert system.memory.bytes(BASES[Region.OUTPUT], 4) == bytes([8, 0x100 - 9, 60, 0])
        base = await host.read(ctx, Offset.RECORDS)
        records = [[await host.read(ctx, base + 32 * k + 4 * word) for word in range(8)] for k in range(6)]
        # A fetch takes 34 cycles and its descriptor acts two later; what is asked for is there three cycles on.
        assert records[0] == [0, 47, 6, 0, 3, 0, 1, Opcode.LOAD_PARAMETERS]
        assert records[1] == [47, 91, 1, 0, 3, 0, 3, Opcode.LOAD_RESIDUAL]
        assert records[2] == [91, 128, 0, 0, 0, 0, 0, Opcode.SET_POST]
        # Pushed in 164, taken in 165, steps from 167 to 169, the last word 18 cycles later.
        assert records[3] == [165, 188, 3, 0, 0, 0, 0, Opcode.COMPUTE]
        # Words read from 202 to 204, given in 207, response in 210.
        assert records[4] == [165, 211, 1, 0, 0, 0, 3, Opcode.STORE_RESIDUAL]
        assert records[5] == [211, 247, 0, 0, 0, 0, 0, Opcode.END]

    system.simulate(process)
