"""Quantities that follow the loops of a layer."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from amaranth import Cat, Const, Module, Mux, Signal, Value

from setun_hw.engine.layout import LOOPS


class Advance(Protocol):
    """A view of ``ADVANCE_LAYOUT``."""

    def __getitem__(self, loop: str, /) -> Value: ...


def select(choices: Iterable[tuple[Value, Value]]) -> Value:
    """The value whose condition holds, of conditions that exclude each other; 0 if none does."""
    result: Value = Const(0, 1)
    for condition, value in choices:
        result = result | Mux(condition, value, 0)
    return result


def follow_loops(
    m: Module,
    registers: Mapping[str, Signal],
    *,
    moved: Value,
    first: Value,
    start: Value,
    step: Value,
    advance: Advance,
) -> None:
    """Keep a quantity for every loop that moves it: its value when that loop's current iteration began.

    ``registers`` are named by loop. When one of these loops goes on, ``moved`` is the value of its next iteration; when
    another loop does, the quantity goes back to where the next loop around it began. ``first`` is the value at
    ``start`` and wherever no loop around moves it.
    """
    restarts: list[tuple[Value, Value]] = []
    for level, loop in enumerate(LOOPS):
        if loop not in registers:
            around = [outer for outer in LOOPS[level:] if outer in registers]
            restarts.append((advance[loop], registers[around[0]] if around else first))
    following = Mux(Cat(condition for condition, _ in restarts).any(), select(restarts), moved) if restarts else moved
    for loop, register in registers.items():
        with m.If(start):
            m.d.sync += register.eq(first)
        with m.Elif(step & Cat(advance[outer] for outer in LOOPS[LOOPS.index(loop) :]).any()):
            m.d.sync += register.eq(following)
