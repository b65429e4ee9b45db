"""Truth tables of the cells: in both readings, and against the Amaranth models."""

import itertools
from typing import Any

import pytest
from amaranth.sim import Simulator

from setun_hw.cells import CELLS
from setun_hw.cells.models import Cell

CODES = {0: 0, 1: 1, -1: 2}
STORES = [name for name, kind in CELLS.items() if kind.stores]

#: outputs of one-input cells for -1, 0, +1, and of two-input cells row by row, written out by hand
BALANCED = {
    "sti": [1, 0, -1],
    "pti": [1, 1, -1],
    "nti": [1, -1, -1],
    "tnand": [1, 1, 1, 1, 0, 0, 1, 0, -1],
    "tnor": [1, 0, -1, 0, 0, -1, -1, -1, -1],
    "minimum": [-1, -1, -1, -1, 0, 0, -1, 0, 1],
    "maximum": [-1, 0, 1, 0, 0, 1, 1, 1, 1],
    "multiplier": [1, 0, -1, 0, 0, 0, -1, 0, 1],
    "comparator": [0, -1, -1, 1, 0, -1, 1, 1, 0],
    "chain": [-1, -1, -1, -1, 0, 1, 1, 1, 1],
    "half_adder": [(1, -1), (-1, 0), (0, 0), (-1, 0), (0, 0), (1, 0), (0, 0), (1, 0), (-1, 1)],
}


@pytest.mark.parametrize("name", BALANCED)
def test_table_is_that_of_the_gate(name: str) -> None:
    kind = CELLS[name]
    rows = [row if isinstance(row, tuple) else (row,) for row in BALANCED[name]]
    assert kind.table == dict(zip(itertools.product((-1, 0, 1), repeat=len(kind.inputs)), rows, strict=True))


@pytest.mark.parametrize(("name", "inputs"), [("half_adder", 2), ("full_adder", 3), ("counter42", 4)])
def test_adders_lose_nothing(name: str, inputs: int) -> None:
    table = CELLS[name].table
    assert len(table) == 3**inputs
    assert all(sum(row) == total + 3 * carry for row, (total, carry) in table.items())


def test_unbalanced_reading_counts_levels_from_the_lowest() -> None:
    assert CELLS["sti"].unbalanced() == {(0,): (2,), (1,): (1,), (2,): (0,)}
    assert CELLS["nti"].unbalanced() == {(0,): (2,), (1,): (0,), (2,): (0,)}
    assert CELLS["pti"].unbalanced() == {(0,): (2,), (1,): (2,), (2,): (0,)}
    assert CELLS["tnand"].unbalanced() == {(a, b): (2 - min(a, b),) for a in range(3) for b in range(3)}
    # a binary input keeps its levels
    assert CELLS["gate"].unbalanced() == {
        (0, 0): (1,),
        (0, 1): (0,),
        (1, 0): (1,),
        (1, 1): (1,),
        (2, 0): (1,),
        (2, 1): (2,),
    }


def simulate(cell: Cell, rows: list[tuple[dict[str, int], bool]]) -> list[tuple[int, ...]]:
    """Output codes after each row of inputs; a clock edge follows where the row says so."""
    seen = []

    async def bench(ctx: Any) -> None:
        for levels, edge in rows:
            for name, level in levels.items():
                ctx.set(cell.pin[name], level if name in cell.kind.binary_inputs else CODES[level])
            await ctx.delay(1e-8)
            if edge:
                await ctx.tick()
            seen.append(tuple(ctx.get(cell.pin[name]) for name in cell.kind.outputs))

    simulator = Simulator(cell)
    if cell.clocked:
        simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return seen


@pytest.mark.parametrize("name", [name for name in CELLS if name not in STORES])
def test_model_computes_the_table(name: str) -> None:
    cell = Cell(name)
    rows = [(dict(zip(cell.kind.inputs, levels, strict=True)), False) for levels in cell.kind.table]
    expected = [tuple(CODES[level] for level in levels) for levels in cell.kind.table.values()]
    assert simulate(cell, rows) == expected


@pytest.mark.parametrize("name", STORES)
def test_stored_levels_follow_the_table(name: str) -> None:
    cell = Cell(name)
    rows: list[tuple[dict[str, int], bool]] = []
    expected = []
    for (q, d, enable), (following,) in cell.kind.table.items():
        rows += [({"d": q, "enable": 1}, True), ({"d": d, "enable": enable}, True)]
        expected += [(CODES[q],), (CODES[following],)]
    assert simulate(cell, rows) == expected


def test_a_latch_is_transparent_and_a_flip_flop_is_not() -> None:
    rows = [({"d": 1, "enable": 1}, True), ({"d": -1, "enable": 1}, False)]
    assert simulate(Cell("latch"), rows) == [(1,), (2,)]
    assert simulate(Cell("flip_flop"), rows) == [(1,), (1,)]
