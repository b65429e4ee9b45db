"""Counters end up at the index of their descriptor, whoever counted them and whenever."""

from typing import Any

from amaranth.sim import Simulator, SimulatorContext

from setun_hw.config import Config
from setun_hw.descriptor import Opcode
from setun_hw.frontend.records import Records

CONFIG = Config(name="records", queue_depth=2, counter_records=6)


def test_every_opcode_fits() -> None:
    config = CONFIG.replace(affine=True, residual_words=2, counter_records=len(Opcode))
    dut: Any = Records(config)

    async def process(ctx: SimulatorContext) -> None:
        for index, opcode in enumerate(Opcode):
            ctx.set(dut.front.valid, 1)
            ctx.set(dut.front.index, index)
            ctx.set(dut.front.opcode, opcode)
            await ctx.tick()
        ctx.set(dut.front.valid, 0)
        ctx.set(dut.word, 7)
        found = []
        for index in range(len(Opcode)):
            ctx.set(dut.record, index)
            await ctx.tick()
            found.append(Opcode(ctx.get(dut.data)))
        assert found == list(Opcode)

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(process)
    simulator.run()


def test_both_sources_at_once_and_what_is_beyond_the_memory() -> None:
    dut: Any = Records(CONFIG)

    def front(index: int, opcode: Opcode) -> dict[str, int]:
        k = 100 * index
        return {
            "valid": 1,
            "index": index,
            "opcode": opcode,
            "start": k,
            "end": k + 1,
            "beats": k + 2,
            "wait_compute": k + 3,
            "wait_memory": k + 4,
            "wait_port": k + 5,
            "words": k + 6,
        }

    def compute(index: int) -> dict[str, int]:
        k = 1000 * index
        return {
            "valid": 1,
            "start": k,
            "end": k + 1,
            "steps": k + 2,
            "wait_load": k + 3,
            "wait_drain": k + 4,
            "wait_store": k + 5,
            "words": k + 6,
        }

    none = {"valid": 0}

    async def process(ctx: SimulatorContext) -> None:
        async def cycle(push: int | None, of_front: dict[str, int], of_compute: dict[str, int]) -> None:
            ctx.set(dut.push, int(push is not None))
            ctx.set(dut.index, push or 0)
            ctx.set(dut.front, {**dict.fromkeys(front(0, Opcode.END), 0), **of_front})
            ctx.set(dut.compute, {**dict.fromkeys(compute(0), 0), **of_compute})
            await ctx.tick()

        await cycle(0, none, none)
        await cycle(1, none, none)
        await cycle(4, none, none)
        assert ctx.get(dut.running) == 0
        await cycle(None, front(2, Opcode.LOAD_WEIGHTS), compute(0))
        assert ctx.get(dut.running) == 1
        await cycle(None, front(3, Opcode.STORE_ACTIVATIONS), none)
        await cycle(None, none, compute(1))
        await cycle(5, none, compute(4))
        await cycle(None, front(6, Opcode.END), none)  # beyond the memory, must not come round to 0 or 6 - 4
        await cycle(8, none, compute(5))
        await cycle(None, none, compute(8))
        await cycle(None, none, none)
        rows = []
        for record in range(6):
            row = []
            for word in range(8):
                ctx.set(dut.record, record)
                ctx.set(dut.word, word)
                await ctx.tick()
                row.append(ctx.get(dut.data))
            rows.append(row)
        assert rows[2] == [200, 201, 202, 203, 204, 205, 206, Opcode.LOAD_WEIGHTS]
        assert rows[3] == [300, 301, 302, 303, 304, 305, 306, Opcode.STORE_ACTIVATIONS]
        for index in (0, 1, 4, 5):
            assert rows[index] == [1000 * index + k for k in range(7)] + [Opcode.COMPUTE]

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(process)
    simulator.run()
