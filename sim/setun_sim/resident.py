"""The memories that no image changes: weights and parameters."""

import numpy as np
from numpy.typing import NDArray

from setun_hw import packing
from setun_hw.config import Config
from setun_hw.descriptor import Compute, Mode, Opcode, Post, Transfer
from setun_sim.errors import SimulationError
from setun_sim.parameters import Parameters, parameters
from setun_sim.words import Planes, beat_bytes, units, word_type


class Resident:
    """Weights as bit planes ``weights[word, plane, unit, row]`` and parameters as bits, out of a program's image."""

    def __init__(self, config: Config, image: bytes) -> None:
        self.config, self.image = config, image
        self.kind, self.units = word_type(config), units(config)
        self.weights = np.zeros((config.weight_words, 2, self.units, config.rows), self.kind)
        self.parameters = np.zeros((config.parameter_words, config.parameter_word_bits), np.uint8)

    def load(self, t: Transfer) -> None:
        """Carry out LOAD_WEIGHTS or LOAD_PARAMETERS.

        Raises
        ------
        SimulationError
            When the transfer leaves the image.
        """
        if t.opcode is Opcode.LOAD_WEIGHTS:
            self._load_weights(t)
        else:
            self._load_parameters(t)

    def read(self, d: Compute, post: Post, index: int, group: int) -> tuple[Planes, Parameters]:
        """The weights [word, plane, unit, channel] and parameters that a group of a COMPUTE finds.

        Raises
        ------
        SimulationError
            When they lie beyond the memories.
        """
        c = self.config
        base = d.weight_base + (group * d.weight_group_step % (d.weight_ring or 1 << 62))
        positions = d.kernel_rows * d.kernel_cols * d.blocks
        address = base + np.arange(d.weight_digits)[:, None] * d.weight_plane + np.arange(positions)
        first, wanted = d.parameter_base + group * c.chunks, d.mode == Mode.THRESHOLD or d.affine
        if d.no_array:
            address = np.zeros(0, np.int64)
        chunks = (d.last_chunks if group == d.groups - 1 else d.chunks) if wanted else 0
        if address.max(initial=0) >= c.weight_words or first + chunks > c.parameter_words:
            raise SimulationError(f"descriptor {index}: group {group} reads beyond the weight or parameter memory")
        bits = np.zeros((c.chunks if wanted else 0, c.parameter_word_bits), np.uint8)
        bits[:chunks] = self.parameters[first : first + chunks]
        found = parameters(bits.reshape(-1, c.channel_parameter_bits), c, post if d.affine else None, d.residual_after)
        return self.weights[address.ravel()], found

    def _words(self, t: Transfer, word_bits: int) -> NDArray[np.uint8]:
        """Bits of a run of words of the program image, (words, word_bits)."""
        c = self.config
        size = beat_bytes(t.words, word_bits, c)
        if t.offset + size > len(self.image):
            raise SimulationError(f"{t.opcode.name} of {size} bytes at byte {t.offset} leaves the program image")
        data = np.frombuffer(self.image, np.uint8, size, t.offset)
        if word_bits >= c.axi_data_bits:
            return np.unpackbits(data.reshape(t.words, -1), axis=1, bitorder="little", count=word_bits)
        share = c.axi_data_bits // word_bits
        bits = np.unpackbits(data.reshape(-1, c.axi_data_bits // 8), axis=1, bitorder="little", count=share * word_bits)
        return bits.reshape(-1, word_bits)[: t.words]

    def _load_weights(self, t: Transfer) -> None:
        c = self.config
        if t.packed:
            count = -(-c.rows * c.lanes // packing.TRITS)
            bits = self._words(t, max(8 * count, c.axi_data_bits))
            trits = packing.unpack(np.packbits(bits, axis=1, bitorder="little")[:, :count])[:, : c.rows * c.lanes]
            rails = np.stack([trits > 0, trits < 0], axis=1).astype(np.uint8)
        else:
            rails = self._words(t, c.weight_word_bits).reshape(t.words, -1, 2).swapaxes(1, 2)
        padded = np.zeros((t.words, 2, c.rows, self.units * np.dtype(self.kind).itemsize * 8), np.uint8)
        padded[..., : c.lanes] = rails.reshape(t.words, 2, c.rows, c.lanes)
        planes = np.packbits(padded, axis=-1, bitorder="little").view(np.dtype(self.kind).newbyteorder("<"))
        self.weights[t.base : t.base + t.words] = planes.swapaxes(2, 3)

    def _load_parameters(self, t: Transfer) -> None:
        self.parameters[t.base : t.base + t.words] = self._words(t, self.config.parameter_word_bits)
