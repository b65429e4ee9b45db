"""Transfers of feature maps between external regions and the memories of the fast simulator."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from setun_hw.config import Config
from setun_hw.descriptor import Opcode
from setun_sim import transfer_kernels as kernels
from setun_sim.plan import Move


def carry_out(move: Move, region: NDArray[np.uint8], memory: NDArray[Any], residual: NDArray[Any], c: Config) -> None:
    """One transfer for every image: of ``region[image, byte]`` and the memories, laid out as the kernels have them."""
    t = move.transfer
    load = t.opcode is Opcode.LOAD_ACTIVATIONS
    if load and _is_plain(move, region, c):
        pair: Any = np.uint64 if c.lanes == 32 else np.uint32
        source = region.view(pair)
        target = memory.reshape(*memory.shape[:2], -1).view(pair)
        banks = c.strips if t.lines else 1
        for start, bank, base, words, _, part in _pieces(move, c.strips):
            if part == 0:
                kernels.load_words(source, start // source.itemsize, target, bank, banks, base, words)
        return
    for start, bank, base, words, parts, part in _pieces(move, c.strips):
        if load:
            kernels.load_row(region, start, memory, bank, base, words, c.lanes, parts, part, c.axi_data_bits)
        elif t.opcode is Opcode.STORE_ACTIVATIONS:
            kernels.store_row(
                region, start, move.row_bytes, memory, bank, base, words, c.lanes, parts, part, c.axi_data_bits
            )
        elif t.opcode is Opcode.LOAD_RESIDUAL:
            kernels.load_residuals(
                region, start, residual, bank, base, words, c.post, c.residual_bits, parts, part, c.axi_data_bits
            )
        else:
            kernels.store_residuals(
                region, start, move.row_bytes, residual, bank, base, words, c.post, c.residual_bits, parts, part,
                c.axi_data_bits,
            )  # fmt: skip


def _is_plain(move: Move, region: NDArray[np.uint8], c: Config) -> bool:
    """Whether words, or those of a line, follow each other without gaps in a region of whole words."""
    if c.lanes not in (16, 32):
        return False
    bits, beat = c.word_bits * (c.strips if move.transfer.lines else 1), c.axi_data_bits
    word, gapless = c.word_bits // 8, bits % beat == 0 or beat % bits == 0
    whole = region.shape[1] % word == move.transfer.offset % word == move.row_bytes % word == 0
    return gapless and whole and region.flags.c_contiguous


def _pieces(move: Move, strips: int) -> Iterator[tuple[int, int, int, int, int, int]]:
    """Words that lie together on chip: byte of the region, bank, first word, words, and which of how many words that
    follow each other outside they are."""
    t = move.transfer
    if t.lines:
        for bank in range(strips):
            yield t.offset, bank, t.base, t.words, strips, bank
        return
    for row in range(t.rows):
        base = t.base + row % t.strip_rows * t.row_words
        yield t.offset + row * move.row_bytes, row // t.strip_rows, base, t.row_words, 1, 0
