"""Memories of the golden interpreter, and the transfers between them and external memory (docs/machine.md)."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from setun_hw import packing
from setun_hw.config import Config
from setun_hw.descriptor import Opcode, Transfer
from setun_sim.golden_post import Integers, twos_complement
from setun_sim.golden_words import Bits, beats_of, read_words, write_words


@dataclass
class Memories:
    """On-chip memories as two-bit codes (parameters as bits, residuals as numbers), and the external regions."""

    config: Config
    regions: dict[int, bytearray]
    activations: NDArray[np.uint8] = field(init=False)  #: (strips, words, lanes)
    weights: NDArray[np.uint8] = field(init=False)  #: (words, rows, lanes)
    parameters: Bits = field(init=False)  #: (words, bits)
    residuals: Integers = field(init=False)  #: (strips, words, W)

    def __post_init__(self) -> None:
        c = self.config
        self.activations = np.zeros((c.strips, c.activation_words, c.lanes), np.uint8)
        self.weights = np.zeros((c.weight_words, c.rows, c.lanes), np.uint8)
        self.parameters = np.zeros((c.parameter_words, c.parameter_word_bits), np.uint8)
        self.residuals = np.zeros((c.strips, c.residual_words, c.post), np.int64)

    def transfer(self, t: Transfer) -> None:
        """Move the words of one LOAD or STORE."""
        c, region = self.config, self.regions[t.region]
        if t.opcode is Opcode.LOAD_WEIGHTS:
            if t.packed:
                codes = self.unpack_weights(region, t)
            else:
                bits = read_words(region, t.offset, t.words, c.weight_word_bits, c.axi_data_bits)
                codes = (bits[:, 0::2] + 2 * bits[:, 1::2]).reshape(t.words, c.rows, c.lanes)
            self.weights[t.base : t.base + t.words] = codes
        elif t.opcode is Opcode.LOAD_PARAMETERS:
            self.parameters[t.base : t.base + t.words] = read_words(
                region, t.offset, t.words, c.parameter_word_bits, c.axi_data_bits
            )
        elif t.lines:
            self.transfer_lines(region, t)
        elif t.opcode in (Opcode.LOAD_ACTIVATIONS, Opcode.STORE_ACTIVATIONS):
            for place, bank, words in self.rows_of(t, c.word_bits):
                if t.opcode is Opcode.LOAD_ACTIVATIONS:
                    bits = read_words(region, place, t.row_words, c.word_bits, c.axi_data_bits)
                    self.activations[bank, words] = bits[:, 0::2] + 2 * bits[:, 1::2]
                else:
                    codes = self.activations[bank, words]
                    bits = np.stack([codes & np.uint8(1), codes >> np.uint8(1)], axis=-1)
                    write_words(region, place, bits.reshape(t.row_words, c.word_bits), c.axi_data_bits)
        else:
            for place, bank, words in self.rows_of(t, c.residual_word_bits):
                if t.opcode is Opcode.LOAD_RESIDUAL:
                    bits = read_words(region, place, t.row_words, c.residual_word_bits, c.axi_data_bits)
                    self.residuals[bank, words] = read_elements(bits, c)
                else:
                    bits = write_elements(self.residuals[bank, words], c)
                    write_words(region, place, bits, c.axi_data_bits)

    def transfer_lines(self, region: bytearray, t: Transfer) -> None:
        """Move lines: the words of all banks at one address, bank 0 lowest."""
        c, words = self.config, slice(t.base, t.base + t.words)
        residual = t.opcode in (Opcode.LOAD_RESIDUAL, Opcode.STORE_RESIDUAL)
        width = c.residual_word_bits if residual else c.word_bits
        if t.opcode in (Opcode.LOAD_ACTIVATIONS, Opcode.LOAD_RESIDUAL):
            bits = read_words(region, t.offset, t.words, c.strips * width, c.axi_data_bits)
            for bank in range(c.strips):
                own = bits[:, bank * width : (bank + 1) * width]
                if residual:
                    self.residuals[bank, words] = read_elements(own, c)
                else:
                    self.activations[bank, words] = own[:, 0::2] + 2 * own[:, 1::2]
            return
        if residual:
            parts = [write_elements(self.residuals[bank, words], c) for bank in range(c.strips)]
        else:
            codes = self.activations[:, words]
            parts = list(np.stack([codes & np.uint8(1), codes >> np.uint8(1)], axis=-1).reshape(c.strips, t.words, -1))
        write_words(region, t.offset, np.concatenate(parts, axis=1), c.axi_data_bits)

    def rows_of(self, t: Transfer, word_bits: int) -> Iterator[tuple[int, int, slice]]:
        """Byte of its region, bank and words of each row of a feature map."""
        beat = self.config.axi_data_bits
        row_bytes = beats_of(t.row_words, word_bits, beat) * beat // 8
        for row in range(t.rows):
            base = t.base + row % t.strip_rows * t.row_words
            yield t.offset + row * row_bytes, row // t.strip_rows, slice(base, base + t.row_words)

    def unpack_weights(self, region: bytearray, t: Transfer) -> NDArray[np.uint8]:
        """Weight words stored as bytes of five trits, each word padded to whole beats."""
        c = self.config
        word_bytes = -(-c.rows * c.lanes // packing.TRITS)
        bits = read_words(region, t.offset, t.words, max(8 * word_bytes, c.axi_data_bits), c.axi_data_bits)
        codes = packing.unpack(np.packbits(bits, axis=1, bitorder="little")[:, :word_bytes]) & 3
        codes = np.where(codes == 3, 2, codes)[:, : c.rows * c.lanes]
        return codes.reshape(t.words, c.rows, c.lanes).astype(np.uint8)


def read_elements(bits: Bits, config: Config) -> Integers:
    """Numbers (words, W) of residual words' bits (words, residual_word_bits)."""
    elements = bits.reshape(len(bits), config.post, config.residual_bits)
    numbers = [[twos_complement(element) for element in word] for word in elements]
    return np.array(numbers, np.int64).reshape(len(bits), config.post)


def write_elements(numbers: Integers, config: Config) -> Bits:
    """The reverse of :func:`read_elements`."""
    bits = numbers[..., None] >> np.arange(config.residual_bits) & 1
    return bits.reshape(len(numbers), config.residual_word_bits).astype(np.uint8)
