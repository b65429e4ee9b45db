"""Five trits in a byte: software and hardware decoders of one code."""

import itertools
import re

import numpy as np
import pytest
from amaranth.sim import Simulator
from hypothesis import given
from hypothesis import strategies as st

from setun_hw.arithmetic.unpacker import Unpacker
from setun_hw.packing import PackingError, pack, unpack

ALL = np.array(list(itertools.product((-1, 0, 1), repeat=5)), np.int8)


def test_every_group_of_five_trits_survives_in_a_byte_of_its_own() -> None:
    packed = pack(ALL)
    assert packed.shape == (243, 1)
    assert len(np.unique(packed)) == 243
    assert np.array_equal(unpack(packed), ALL)


def test_words_written_out_by_hand() -> None:
    assert pack([0, 0, 0, 0, 0]).tolist() == [0]
    # a=1; u=4: (0,+1); x=7: (-1,-1)
    assert pack([1, 0, 1, -1, -1]).tolist() == [0b111_100_01]
    # a=3; u=0b101: first trit +1, pair (-1,-1); x=2: (-1,0)
    assert pack([1, -1, -1, -1, 0]).tolist() == [0b010_101_11]
    # the pair (0,-1) at the end: u=7 and x=6 in its place
    assert pack([-1, -1, 1, 0, -1]).tolist() == [0b110_111_10]


def test_thirteen_bytes_are_refused_by_name() -> None:
    packed = set(pack(ALL).ravel().tolist())
    refused = [byte for byte in range(256) if byte not in packed]
    assert len(refused) == 13
    for byte in refused:
        with pytest.raises(PackingError, match=f"^byte {byte:#04x} at position 1, 2 holds no packed trits$"):
            unpack(np.array([[0, 0, 0], [0, 0, byte]], np.uint8))


@pytest.mark.parametrize("bad", [-2, 2, 300])
def test_values_that_are_no_trits_are_refused(bad: int) -> None:
    with pytest.raises(PackingError, match=re.escape(f"only trits -1, 0, +1 can be packed, not {bad}")):
        pack([0, bad, 1])


@given(st.integers(0, 23), st.integers(0, 3))
def test_the_last_axis_is_packed_and_filled_up_with_zeros(length: int, rows: int) -> None:
    trits = np.random.default_rng(length * 4 + rows).integers(-1, 2, (2, rows, length))
    packed = pack(trits)
    assert packed.dtype == np.uint8
    assert packed.shape == (2, rows, -(-length // 5))
    back = unpack(packed)
    assert np.array_equal(back[..., :length], trits)
    assert not back[..., length:].any()


def test_hardware_decodes_every_byte_and_never_makes_the_unused_code() -> None:
    decoder = Unpacker()
    packed = {int(byte): trits for byte, trits in zip(pack(ALL).ravel(), ALL, strict=True)}
    seen = {}

    async def bench(ctx) -> None:  # type: ignore[no-untyped-def]
        for byte in range(256):
            ctx.set(decoder.byte, byte)
            await ctx.delay(1e-9)
            word = ctx.get(decoder.trits)
            seen[byte] = [word >> 2 * index & 3 for index in range(5)]

    simulator = Simulator(decoder)
    simulator.add_testbench(bench)
    simulator.run()
    assert all(3 not in codes for codes in seen.values())
    for byte, trits in packed.items():
        assert seen[byte] == [{0: 0, 1: 1, -1: 2}[int(trit)] for trit in trits]
