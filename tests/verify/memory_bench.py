"""Runs under cocotb: plays an AXI4 master by hand against the external memory and checks every handshake's cycle."""

from itertools import pairwise

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from cocotbext.axi import AxiBus

from setun_sim.verify.memory import DECERR, OKAY, SLVERR, Area, Faults, Memory, Timing
from setun_sim.verify.pacing import Cycles

PERIOD = 10


class Master:
    """Records, for each channel, the cycles in which a handshake happened and what it carried."""

    def __init__(self, dut) -> None:
        self.dut, self.cycles = dut, Cycles(dut.clk, PERIOD)
        for name in ("arvalid", "rready", "awvalid", "wvalid", "bready"):
            getattr(dut, f"m_axi_{name}").value = 0
        for kind in ("ar", "aw"):
            getattr(dut, f"m_axi_{kind}size").value, getattr(dut, f"m_axi_{kind}burst").value = 2, 1
        self.taken: dict[str, list[int]] = {channel: [] for channel in ("ar", "r", "aw", "w", "b")}
        self.data: list[int] = []
        self.responses: list[int] = []
        cocotb.start_soon(self.watch())

    async def watch(self) -> None:
        while True:
            await RisingEdge(self.dut.clk)
            for channel, cycles in self.taken.items():
                valid, ready = (getattr(self.dut, f"m_axi_{channel}{end}").value for end in ("valid", "ready"))
                if valid == 1 and ready == 1:
                    cycles.append(self.cycles.now() - 1)
                    if channel == "r":
                        self.data.append(int(self.dut.m_axi_rdata.value))
                        self.responses.append(int(self.dut.m_axi_rresp.value))
                        assert int(self.dut.m_axi_rlast.value) in (0, 1)
                    if channel == "b":
                        self.responses.append(int(self.dut.m_axi_bresp.value))

    async def send(self, channel: str, **values: int) -> None:
        """One handshake on a channel that the master drives."""
        for name, value in values.items():
            getattr(self.dut, f"m_axi_{channel}{name}").value = value
        valid, ready = (getattr(self.dut, f"m_axi_{channel}{end}") for end in ("valid", "ready"))
        valid.value = 1
        await RisingEdge(self.dut.clk)
        while ready.value != 1:
            await RisingEdge(self.dut.clk)
        valid.value = 0

    async def idle(self, cycles: int) -> None:
        for _ in range(cycles):
            await RisingEdge(self.dut.clk)


async def start(dut, timing: Timing, faults: Faults | None = None) -> tuple[Master, Memory, Area, Area]:
    dut.clk.value = 0
    master = Master(dut)
    Clock(dut.clk, PERIOD, "step").start()
    memory = Memory(AxiBus.from_prefix(dut, "m_axi"), dut.clk, master.cycles)
    source = Area(name="source", base=0x1000, data=bytearray(range(256)) * 16)
    target = Area(name="target", base=0x4000, data=bytearray(256), writable=True)
    memory.configure([source, target], timing, faults or Faults())
    await master.idle(3)
    return master, memory, source, target


def word(address: int) -> int:
    """What the source area holds at ``address``."""
    return int.from_bytes(bytes((address + lane) % 256 for lane in range(4)), "little")


@cocotb.test()
@cocotb.parametrize(latency=[1, 2, 9], interval=[1, 3])
async def reads_take_latency_and_interval(dut, latency: int, interval: int) -> None:
    master, memory, _, _ = await start(dut, Timing(latency=latency, interval=interval))
    dut.m_axi_rready.value = 1
    await master.send("ar", id=0, addr=0x1010, len=3)
    await master.send("ar", id=0, addr=0x1100, len=1)
    await master.idle(60)
    first, second = master.taken["ar"]
    assert second == first + 1, "addresses are taken at once"
    beats = [first + latency + k * interval for k in range(6)]
    assert master.taken["r"] == beats, (master.taken, beats)
    assert master.data == [word(0x1010 + 4 * k) for k in range(4)] + [word(0x1100), word(0x1104)]
    assert master.responses == [OKAY] * 6
    assert memory.strayed == []


@cocotb.test()
async def a_late_second_burst_waits_for_its_own_latency(dut) -> None:
    master, _, _, _ = await start(dut, Timing(latency=5, interval=2))
    dut.m_axi_rready.value = 1
    await master.send("ar", id=0, addr=0x1000, len=0)
    await master.idle(3)
    await master.send("ar", id=0, addr=0x1004, len=0)
    await master.idle(20)
    assert [r - a for a, r in zip(master.taken["ar"], master.taken["r"], strict=True)] == [5, 5]


@cocotb.test()
async def a_beat_not_taken_stays_and_delays_the_next(dut) -> None:
    master, _, _, _ = await start(dut, Timing(latency=4, interval=3))
    await master.send("ar", id=0, addr=0x1000, len=1)
    first = master.cycles.now() - 1
    await master.cycles.until(first + 10)
    dut.m_axi_rready.value = 1
    await master.idle(20)
    assert master.taken["r"] == [first + 10, first + 13]
    assert master.data == [word(0x1000), word(0x1004)]


@cocotb.test()
@cocotb.parametrize(latency=[1, 6], interval=[1, 4])
async def writes_take_latency_and_interval(dut, latency: int, interval: int) -> None:
    master, memory, _, target = await start(dut, Timing(latency=latency, interval=interval))
    dut.m_axi_bready.value = 1
    await master.send("aw", id=0, addr=0x4010, len=3)
    for k in range(4):
        await master.send("w", data=0x01010101 * (k + 1), strb=0xF if k else 0x5, last=int(k == 3))
    await master.idle(30)
    first = master.taken["w"][0]
    assert master.taken["w"] == [first + k * interval for k in range(4)]
    assert master.taken["b"] == [first + 3 * interval + latency]
    assert bytes(target.data[0x10:0x20]) == bytes([1, 0, 1, 0] + [2] * 4 + [3] * 4 + [4] * 4)
    assert memory.strayed == []


@cocotb.test()
async def strangers_and_faults_are_answered_with_errors(dut) -> None:
    faults = Faults(read_errors={0x1004}, write_errors={0x4004})
    master, memory, source, target = await start(dut, Timing(latency=2), faults)
    dut.m_axi_rready.value = dut.m_axi_bready.value = 1
    await master.send("ar", id=0, addr=0x1000, len=2)
    await master.send("ar", id=0, addr=0x9000, len=0)
    await master.idle(10)
    assert master.responses == [OKAY, SLVERR, OKAY, DECERR]
    assert memory.strayed == ["reads 0x9000, where nothing is"]
    master.responses.clear()
    for address in (0x4004, 0x1000, 0x4000):
        await master.send("aw", id=0, addr=address, len=0)
        await master.send("w", data=0xAAAAAAAA, strb=0xF, last=1)
    await master.idle(10)
    assert master.responses == [SLVERR, DECERR, OKAY]
    assert memory.strayed[1:] == ["writes 0x1000, in source"]
    await master.send("aw", id=0, addr=0x9000, len=0)
    await master.send("w", data=0xAAAAAAAA, strb=0, last=1)
    await master.idle(10)
    assert master.responses[3:] == [OKAY], "a beat without strobes touches nothing"
    assert len(memory.strayed) == 2
    assert source.data[:4] == bytes(range(4))
    assert target.data[:8] == b"\xaa" * 4 + b"\0" * 4


@cocotb.test()
async def forbidden_bursts_are_remembered(dut) -> None:
    master, memory, _, _ = await start(dut, Timing(latency=1))
    dut.m_axi_rready.value = 1
    await master.send("ar", id=0, addr=0x1FFC, len=1)
    await master.idle(8)
    assert memory.strayed[0] == "a read burst of 2 beats at 0x1ffc is misaligned or crosses 4 KiB"
    dut.m_axi_arsize.value = 1
    await master.send("ar", id=0, addr=0x1000, len=0)
    await master.idle(8)
    assert memory.strayed[-1] == "a read burst at 0x1000 has size 1 and type 1"


@cocotb.test()
async def hung_bursts_answer_once_released(dut) -> None:
    master, memory, _, _ = await start(dut, Timing(latency=1), Faults(read_bursts=1, write_bursts=0))
    dut.m_axi_rready.value = dut.m_axi_bready.value = 1
    await master.send("ar", id=0, addr=0x1000, len=0)
    await master.send("ar", id=0, addr=0x1000, len=0)
    await master.send("aw", id=0, addr=0x4000, len=0)
    await master.send("w", data=1, strb=0xF, last=1)
    await master.idle(300)
    assert (len(master.taken["r"]), len(master.taken["b"])) == (1, 0)
    memory.release()
    await master.idle(5)
    assert (len(master.taken["r"]), len(master.taken["b"])) == (2, 1)


@cocotb.test()
async def a_reset_forgets_bursts_under_way(dut) -> None:
    master, memory, source, _ = await start(dut, Timing(latency=3), Faults(read_bursts=0))
    dut.m_axi_rready.value = 1
    await master.send("ar", id=0, addr=0x1000, len=3)
    await master.send("aw", id=0, addr=0x4000, len=3)
    await master.send("w", data=1, strb=0xF, last=0)
    await master.idle(10)
    memory.reset()
    memory.configure([source], Timing(latency=3), Faults())
    await master.idle(2)
    await master.send("ar", id=0, addr=0x1020, len=0)
    await master.idle(20)
    assert master.taken["r"] == [master.taken["ar"][1] + 3]
    assert master.data == [word(0x1020)]


@cocotb.test()
async def disorder_loses_nothing(dut) -> None:
    master, memory, _, target = await start(dut, Timing(seed=7))
    dut.m_axi_rready.value = dut.m_axi_bready.value = 1
    await master.send("ar", id=0, addr=0x1000, len=15)
    await master.send("aw", id=0, addr=0x4000, len=15)
    for k in range(16):
        await master.send("w", data=k, strb=0xF, last=int(k == 15))
    await master.idle(400)
    assert master.data == [word(0x1000 + 4 * k) for k in range(16)]
    assert [target.data[4 * k] for k in range(16)] == list(range(16))
    assert memory.strayed == []
    for channel in ("r", "w"):
        cycles = master.taken[channel]
        assert len({later - earlier for earlier, later in pairwise(cycles)}) > 2, channel
