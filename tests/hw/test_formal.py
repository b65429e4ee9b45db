"""The prover: what it accepts, what it refuses, and what it says."""

import pytest
from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from setun_hw.formal import Claim, ProofError, prove


class Counter(wiring.Component):
    """Counts while ``up``, from 0 to ``last``; claims never to reach 5."""

    up: Signal
    assumption: Signal
    claim: Signal

    def __init__(self, last: int) -> None:
        self.last = last
        super().__init__({"up": In(1), "assumption": Out(1), "claim": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count = Signal(4, reset_less=True)
        m.d.sync += count.eq(Mux(count == self.last, 0, count + self.up))
        m.d.comb += [self.assumption.eq(1), self.claim.eq(count != 5)]
        return m


class Bound(wiring.Component):
    """Claims that a number of 3 bits above ``low`` is not ``other``."""

    a: Signal
    assumption: Signal
    claim: Signal

    def __init__(self, low: int, other: int) -> None:
        self.low, self.other = low, other
        super().__init__({"a": In(3), "assumption": Out(1), "claim": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [self.assumption.eq(self.a > self.low), self.claim.eq(self.a != self.other)]
        return m


def test_a_true_claim_is_proved() -> None:
    prove(Claim(name="bound", design=Bound(2, 1)))


def test_the_input_that_breaks_a_claim_is_named() -> None:
    with pytest.raises(ProofError, match=r"^bound: the claim does not hold for a=101$"):
        prove(Claim(name="bound", design=Bound(2, 5)))


def test_an_assumption_that_nothing_meets_proves_nothing() -> None:
    with pytest.raises(ProofError, match=r"^bound: no input meets the assumption$"):
        prove(Claim(name="bound", design=Bound(7, 5)))


def test_a_claim_for_all_time_is_proved_by_induction() -> None:
    # a count of 6 to 15 is not reachable, but only a longer induction knows that one of 4 is followed by 0
    prove(Claim(name="counter", design=Counter(4)), cycles=3)


def test_a_claim_that_fails_after_five_cycles_is_refuted() -> None:
    with pytest.raises(ProofError, match=r"^counter: the claim does not hold for .*up=1 in cycle 5"):
        prove(Claim(name="counter", design=Counter(9)), cycles=10)


def test_too_few_cycles_decide_nothing() -> None:
    with pytest.raises(ProofError, match=r"^counter: the claim was not decided$"):
        prove(Claim(name="counter", design=Counter(9)), cycles=3)


def test_a_solver_that_takes_too_long_is_stopped() -> None:
    with pytest.raises(ProofError, match=r"^bound: not decided in 0.001 seconds$"):
        prove(Claim(name="bound", design=Bound(2, 1)), timeout_seconds=0.001)
