"""Drives the arithmetic components in Amaranth's simulator."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from amaranth import Elaboratable
from amaranth.sim import Simulator

from setun_hw.arithmetic import DotProduct
from setun_hw.codec import decode_number, pack_word, sum_width
from setun_hw.config import Config, Encoding

ENCODINGS = list(Encoding)


def config(encoding: Encoding, lanes: int = 4, **fields: int) -> Config:
    """A configuration in which only the datapath matters."""
    return Config(**{"name": "test", "encoding": encoding, "rows": 1, "lanes": lanes, "post": 1, **fields})


def simulate(design: Elaboratable, bench: Callable[[Any], Any], clocked: bool) -> None:
    """Run an asynchronous bench to its end."""
    simulator = Simulator(design)
    if clocked:
        simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def combinational(design: Any, inputs: Sequence[str], output: str, rows: Iterable[Sequence[int]]) -> list[int]:
    """Output bits for each row of input bits."""
    results = []

    async def bench(ctx: Any) -> None:
        for row in rows:
            for name, bits in zip(inputs, row, strict=True):
                ctx.set(getattr(design, name), bits)
            await ctx.delay(1e-9)
            results.append(ctx.get(getattr(design, output)))

    simulate(design, bench, clocked=False)
    return results


def stream(c: Config, weights: np.ndarray, digits: np.ndarray) -> list[int]:
    """Feed one pair of words a cycle; return what ``sum`` shows in each cycle, ``tree_registers`` cycles longer."""
    dot = DotProduct(c)
    shown = []

    async def bench(ctx: Any) -> None:
        if c.tree_registers:
            ctx.set(dot.loads, (1 << c.tree_registers) - 1)
        for cycle in range(len(weights) + c.tree_registers):
            row = min(cycle, len(weights) - 1)
            ctx.set(dot.weights, pack_word(c.encoding, weights[row]))
            ctx.set(dot.digits, pack_word(c.encoding, digits[row]))
            await ctx.delay(1e-7)
            shown.append(decode_number(c.encoding, ctx.get(dot.sum), sum_width(c)))
            if c.tree_registers:
                await ctx.tick()

    simulate(dot, bench, clocked=c.tree_registers > 0)
    return shown
