"""Malformed descriptors stop with a code and an index, and nothing is moved for them."""

import pytest

from setun_hw.descriptor import SIZE, VERSION, Compute, Descriptor, End, Opcode, Post
from setun_hw.error_codes import ErrorCode
from tests.hw.frontend.stopping import AFFINE, CONFIG, GOOD, raw, stop, transfer


@pytest.mark.parametrize(
    ("spoilt", "code"),
    [
        (raw(GOOD[0], 9, 1, mend=False), ErrorCode.BAD_CHECK),
        (bytes(SIZE), ErrorCode.BAD_CHECK),
        (raw(GOOD[0], 0, int(Opcode.LOAD_ACTIVATIONS) | VERSION + 1 << 8, mend=True), ErrorCode.BAD_VERSION),
        (transfer(Opcode.LOAD_RESIDUAL), ErrorCode.BAD_OPCODE),
        (transfer(Opcode.STORE_RESIDUAL), ErrorCode.BAD_OPCODE),
        (Post(), ErrorCode.BAD_OPCODE),
        (raw(GOOD[0], 0, 255 | VERSION << 8, mend=True), ErrorCode.BAD_OPCODE),
        (Compute(affine=1), ErrorCode.BAD_FIELD),
        (Compute(residual_write=1), ErrorCode.BAD_FIELD),
        (transfer(rows=0), ErrorCode.BAD_FIELD),
        (transfer(strip_rows=0), ErrorCode.BAD_FIELD),
        (transfer(row_words=0), ErrorCode.BAD_FIELD),
        (transfer(words=0), ErrorCode.BAD_FIELD),
        (transfer(beats=0), ErrorCode.BAD_FIELD),
        (transfer(offset=2), ErrorCode.BAD_FIELD),
        (transfer(packed=1), ErrorCode.BAD_FIELD),
        (transfer(Opcode.LOAD_WEIGHTS, packed=1), ErrorCode.BAD_FIELD),
        (transfer(words=11), ErrorCode.BAD_FIELD),
        (transfer(beats=5), ErrorCode.BAD_FIELD),
        (transfer(beats=7), ErrorCode.BAD_FIELD),
        (transfer(beats=900), ErrorCode.BAD_FIELD),
        (transfer(Opcode.STORE_ACTIVATIONS, words=13), ErrorCode.BAD_FIELD),
        (transfer(Opcode.STORE_ACTIVATIONS, beats=5), ErrorCode.BAD_FIELD),
        (transfer(Opcode.STORE_ACTIVATIONS, beats=7), ErrorCode.BAD_FIELD),
        (transfer(Opcode.STORE_ACTIVATIONS, beats=900), ErrorCode.BAD_FIELD),
        (transfer(Opcode.LOAD_WEIGHTS, base=13), ErrorCode.OUT_OF_RANGE),
        (transfer(Opcode.LOAD_WEIGHTS, words=0xFFFFFFFF), ErrorCode.OUT_OF_RANGE),
        (transfer(Opcode.LOAD_PARAMETERS, base=16), ErrorCode.OUT_OF_RANGE),
        (transfer(base=61), ErrorCode.OUT_OF_RANGE),
        (transfer(base=57), ErrorCode.OUT_OF_RANGE),
        (transfer(strip_rows=1), ErrorCode.OUT_OF_RANGE),
        (transfer(lines=1), ErrorCode.BAD_FIELD),
        (transfer(Opcode.LOAD_WEIGHTS, lines=1), ErrorCode.BAD_FIELD),
        (Compute(residual_max=1), ErrorCode.BAD_FIELD),
        (Compute(pool_carry=1), ErrorCode.BAD_FIELD),
        (transfer(Opcode.STORE_ACTIVATIONS, base=57), ErrorCode.OUT_OF_RANGE),
        (transfer(Opcode.STORE_ACTIVATIONS, strip_rows=1), ErrorCode.OUT_OF_RANGE),
    ],
)
def test_malformed_descriptors(spoilt: Descriptor | bytes, code: ErrorCode) -> None:
    bench = stop([Compute(), spoilt, End()], code, 1)
    assert len(bench.pushes) == 1


@pytest.mark.parametrize("opcode", [Opcode.LOAD_RESIDUAL, Opcode.STORE_RESIDUAL])
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"rows": 0}, ErrorCode.BAD_FIELD),
        ({"strip_rows": 0}, ErrorCode.BAD_FIELD),
        ({"row_words": 0}, ErrorCode.BAD_FIELD),
        ({"packed": 1}, ErrorCode.BAD_FIELD),
        ({"offset": 2}, ErrorCode.BAD_FIELD),
        ({"words": 13}, ErrorCode.BAD_FIELD),
        ({"beats": 11}, ErrorCode.BAD_FIELD),
        ({"beats": 13}, ErrorCode.BAD_FIELD),
        ({"base": 45}, ErrorCode.OUT_OF_RANGE),
        ({"base": 41}, ErrorCode.OUT_OF_RANGE),
        ({"strip_rows": 1}, ErrorCode.OUT_OF_RANGE),
    ],
)
def test_malformed_residual_transfers(opcode: Opcode, changes: dict[str, int], code: ErrorCode) -> None:
    bench = stop([Post(), Compute(affine=1), transfer(opcode, **changes), End()], code, 2, config=AFFINE)
    assert len(bench.pushes) == 1
    places = {(bank, at) for _, kind, bank, at, _ in bench.written if kind == Opcode.LOAD_RESIDUAL}
    assert places <= set(bench.residuals)
    assert {(bank, at) for _, bank, at in bench.read[:-12]} <= set(bench.residuals)  # 12 are the good program's


def test_the_first_opcode_beyond_the_last() -> None:
    beyond = raw(GOOD[0], 0, max(Opcode) + 1 | VERSION << 8, mend=True)
    stop([Post(), beyond, End()], ErrorCode.BAD_OPCODE, 1, config=AFFINE)


def test_nothing_is_written_outside_the_memory() -> None:
    bench = stop([transfer(base=57), End()], ErrorCode.OUT_OF_RANGE, 0)
    assert all(at < CONFIG.activation_words for _, _, _, at, _ in bench.written)
