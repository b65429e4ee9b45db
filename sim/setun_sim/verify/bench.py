"""Runs under cocotb: carries out the jobs in its folder on the accelerator and writes down what came of them."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge
from cocotbext.axi import AxiBus

from setun_hw.descriptor import Region
from setun_sim.verify.driver import Driver
from setun_sim.verify.jobs import Job, Launch, Result, append_result, load_jobs
from setun_sim.verify.memory import BOUNDARY, Area, Faults, Memory, Timing
from setun_sim.verify.pacing import Cycles
from setun_sim.verify.session import FOLDER, MARK

#: simulation steps of a clock cycle
PERIOD = 10
#: what OUTPUT and SCRATCH hold before anyone writes them
UNWRITTEN = 0xA5


@cocotb.test()
async def jobs(dut: Any) -> None:
    """Every job of the session, one after the other, each from a reset by the pin."""
    folder = Path(os.environ[FOLDER])
    dut.rst.value = 1
    cycles = Cycles(dut.clk, PERIOD)
    Clock(dut.clk, PERIOD, "step").start()
    await RisingEdge(dut.clk)
    memory = Memory(AxiBus.from_prefix(dut, "m_axi"), dut.clk, cycles)
    driver = Driver(dut, cycles)
    for number, job in enumerate(load_jobs(folder)):
        await driver.reset()
        memory.reset()
        scratch = bytearray([UNWRITTEN]) * job.scratch_bytes
        for index, launch in enumerate(job.launches):
            areas = _place(launch, scratch, folder, memory)
            await _launch(driver, memory, job, launch, areas)
            result = await _collect(driver, memory, launch, number, index)
            if launch.output_bytes:
                result = dataclasses.replace(result, output=f"{number}.{index}.output")
                (folder / result.output).write_bytes(areas[Region.OUTPUT].data)
            append_result(result, folder)
            print(f"{MARK}{number} {index}", flush=True)


def _place(launch: Launch, scratch: bytearray, folder: Path, memory: Memory) -> dict[Region, Area]:
    """The regions of one launch, each from a 4 KiB boundary on, with a page that nobody owns between them."""
    contents = {
        Region.PROGRAM: bytearray((folder / launch.image).read_bytes()),
        Region.INPUT: bytearray((folder / launch.input).read_bytes() if launch.input else b""),
        Region.OUTPUT: bytearray([UNWRITTEN]) * launch.output_bytes,
        Region.SCRATCH: scratch,
    }
    areas, base = {}, BOUNDARY
    for region, data in contents.items():
        whole = -(-len(data) // memory.beat_bytes) * memory.beat_bytes
        data.extend(bytes(whole - len(data)))
        areas[region] = Area(name=region.name, base=base, data=data, writable=region in (Region.OUTPUT, Region.SCRATCH))
        base += (len(data) // BOUNDARY + 2) * BOUNDARY
    return areas


async def _launch(driver: Driver, memory: Memory, job: Job, launch: Launch, areas: dict[Region, Area]) -> None:
    """Prepare memory and registers and write the start bit."""
    if launch.soft_reset:
        memory.release()
        await driver.soft_reset()
    timing = Timing(latency=job.latency, interval=job.interval, seed=None if job.seed < 0 else job.seed)
    faults = Faults(
        read_errors={areas[Region.PROGRAM].base + offset for offset in launch.read_errors},
        write_errors={areas[Region.OUTPUT].base + offset for offset in launch.write_errors},
        read_bursts=None if launch.read_bursts < 0 else launch.read_bursts,
        write_bursts=None if launch.write_bursts < 0 else launch.write_bursts,
    )
    memory.configure([area for area in areas.values() if area.data], timing, faults)
    await driver.set_bases({region: area.base for region, area in areas.items()})
    await driver.start(launch.offset, launch.watchdog)


async def _collect(driver: Driver, memory: Memory, launch: Launch, number: int, index: int) -> Result:
    """Wait for the end and read everything back."""
    if not await driver.wait(launch.limit):
        return Result(job=number, launch=index, ended=False, strayed=memory.strayed)
    outcome = await driver.outcome()
    return Result(
        job=number, launch=index, ended=True, error=outcome.error, error_index=outcome.index, cycles=outcome.cycles,
        counters=await driver.counters(launch.count), strayed=memory.strayed,
    )  # fmt: skip
