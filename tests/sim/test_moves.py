"""Words without gaps are moved together; the general way, bit by bit, says where they belong."""

import numpy as np
import pytest

from setun_hw.config import Config
from setun_hw.descriptor import Opcode, Transfer
from setun_sim import moves
from setun_sim.plan import Move
from setun_sim.words import word_type


@pytest.mark.parametrize("lanes", [16, 32])
@pytest.mark.parametrize("axi_data_bits", [32, 64, 128, 256])
@pytest.mark.parametrize("lines", [0, 1])
def test_words_are_moved_together_as_one_by_one(
    lanes: int, axi_data_bits: int, lines: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Config(name="test", rows=4, lanes=lanes, strips=4, post=2, axi_data_bits=axi_data_bits)
    beat, words = axi_data_bits // 8, 12
    if lines:
        transfer = Transfer(
            opcode=Opcode.LOAD_ACTIVATIONS, lines=1, rows=1, strip_rows=1, row_words=words, words=words, base=3,
            offset=beat,
        )  # fmt: skip
    else:
        transfer = Transfer(
            opcode=Opcode.LOAD_ACTIVATIONS, rows=7, strip_rows=2, row_words=words, words=7 * words, base=3, offset=beat
        )
    row_bytes = -(-words * lanes // 4 * (4 if lines else 1) // beat) * beat
    move = Move(index=0, transfer=transfer, row_bytes=row_bytes)
    region = np.random.default_rng(lanes).integers(0, 256, (3, beat + 8 * row_bytes + beat % 8)).astype(np.uint8)
    together = np.zeros((3, 4, 3 + 2 * words, 2, 1), word_type(config))
    alone, residual = together.copy(), np.zeros((3, 4, 0), np.int16)
    assert moves._is_plain(move, region, config) == (beat % (lanes // 4) == 0)
    moves.carry_out(move, region, together, residual, config)
    monkeypatch.setattr(moves, "_is_plain", lambda *_: False)
    moves.carry_out(move, region, alone, residual, config)
    np.testing.assert_array_equal(together, alone)
    assert together.any()
