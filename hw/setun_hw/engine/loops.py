"""Loops of the sequencer, and quantities that follow them."""

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


def counted_loop(m: Module, *, name: str, limit: Value, start: Value, step: Value) -> Signal:
    """A loop of ``limit`` iterations (at least one) that starts over after the last.

    Returns the register that says "this iteration is the last". ``start`` begins the first iteration with the next
    cycle, ``step`` ends an iteration.
    """
    remaining = Signal(limit.shape(), name=f"{name}_remaining")  # iterations, this one included
    last = Signal(name=f"{name}_last")
    with m.If(start | (step & last)):
        m.d.sync += [remaining.eq(limit), last.eq(limit == 1)]
    with m.Elif(step):
        m.d.sync += [remaining.eq(remaining - 1), last.eq(remaining == 2)]
    return last


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
    sources: list[tuple[Value, Value]] = []
    for level, loop in enumerate(LOOPS):
        around = [outer for outer in LOOPS[level:] if outer in registers]
        sources.append((advance[loop], moved if loop in registers else registers[around[0]] if around else first))
    following = select(sources)
    for loop, register in registers.items():
        with m.If(start):
            m.d.sync += register.eq(first)
        with m.Elif(step & Cat(advance[outer] for outer in LOOPS[LOOPS.index(loop) :]).any()):
            m.d.sync += register.eq(following)


class DigitLoop:
    """Pairs of activation digit i and weight digit j, most significant first.

    Pairs of one significance i+j follow each other with rising i.
    """

    def __init__(self, m: Module, *, in_digits: Value, weight_digits: Value, start: Value, step: Value) -> None:
        i, j, first_i, first_j = (
            Signal(4, name=name) for name in ("digit_i", "digit_j", "digit_first_i", "digit_first_j")
        )
        last_i = i == (in_digits - 1)[:4]
        last_j = j == (weight_digits - 1)[:4]
        #: index of the current activation digit
        self.digit = i
        #: the current pair is the last of its significance
        self.last_of_significance = last_i | (j == 0)
        #: the current pair is the last of all
        self.last = last_i & last_j
        #: the next significance begins with the next activation digit; otherwise with the next weight digit
        self.next_digit = first_j == (weight_digits - 1)[:4]
        next_i = Mux(self.next_digit, first_i + 1, first_i)[:4]
        next_j = Mux(self.next_digit, first_j, first_j + 1)[:4]
        with m.If(start | (step & self.last)):
            m.d.sync += [i.eq(0), j.eq(0), first_i.eq(0), first_j.eq(0)]
        with m.Elif(step & self.last_of_significance):
            m.d.sync += [i.eq(next_i), j.eq(next_j), first_i.eq(next_i), first_j.eq(next_j)]
        with m.Elif(step):
            m.d.sync += [i.eq(i + 1), j.eq(j - 1)]
