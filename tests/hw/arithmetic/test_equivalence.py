"""Proofs, not samples: the encodings compute the same function."""

import pytest

from setun_hw.config import Encoding
from setun_hw.formal import Claim, ProofError, prove
from tests.hw.arithmetic.miters import Accumulators, Comparisons, DotProducts, RadixFour

TERNARY, RAILS, BINARY2 = Encoding


@pytest.mark.parametrize("family", [None, "ice40", "xilinx"])
@pytest.mark.parametrize("lanes", [1, 2, 4, 5, 9])
def test_dot_products_of_the_same_trits_are_equal(lanes: int, family: str | None) -> None:
    prove(Claim(name="dot", design=DotProducts(lanes), family=family))


@pytest.mark.parametrize("family", [None, "ice40"])
@pytest.mark.parametrize("lanes", [1, 2, 3])
def test_radix_four_dot_product_is_right_for_all_digits(lanes: int, family: str | None) -> None:
    prove(Claim(name="dot", design=RadixFour(lanes), family=family))


@pytest.mark.parametrize(("lanes", "bits"), [(1, 6), (5, 7), (16, 8)])
def test_accumulators_stay_equal_for_ever(lanes: int, bits: int) -> None:
    prove(Claim(name="accumulators", design=Accumulators([TERNARY, RAILS, BINARY2], lanes, bits, False)), cycles=2)
    prove(Claim(name="accumulators", design=Accumulators([TERNARY, RAILS], lanes, bits, True)), cycles=2)
    prove(Claim(name="accumulators", design=Accumulators([BINARY2], lanes, bits, True)), cycles=2)


@pytest.mark.parametrize("family", [None, "ecp5"])
@pytest.mark.parametrize("bits", [6, 8, 10])
def test_comparisons_agree(bits: int, family: str | None) -> None:
    prove(Claim(name="comparisons", design=Comparisons(bits), family=family))


def test_a_wrong_dot_product_is_found() -> None:
    with pytest.raises(ProofError, match=r"^dot: the claim does not hold for digits=[01]{8}, weights=[01]{8}$"):
        prove(Claim(name="dot", design=DotProducts(4, exchange=True)))


def test_accumulators_of_different_radix_differ_when_scaled() -> None:
    with pytest.raises(ProofError, match=r"^accumulators: the claim does not hold for .* in cycle 2"):
        prove(Claim(name="accumulators", design=Accumulators([RAILS, BINARY2], 4, 6, True)), cycles=4)
