"""Weights and parameters of a layer as bits of the memories' words."""

import numpy as np
from numpy.typing import NDArray

from setun_hw import packing
from setun_hw.config import Config, Encoding
from tests.sim.chains import Conv, Integers
from tests.sim.regions import beats, bits_of, codes_of, digits_of


def weight_bytes(c: Config, codes: Integers) -> bytes:
    """Weight words (words, digits) of codes, packed where the configuration says so."""
    if not c.packed_weights:
        return beats(bits_of(codes), c.axi_data_bits)
    beat = c.axi_data_bits // 8
    words = packing.pack(np.where(codes == 2, -1, codes))
    return np.pad(words, ((0, 0), (0, -words.shape[1] % beat))).tobytes()


def parameter_bits(c: Config, layer: Conv, groups: int) -> NDArray[np.uint8]:
    """Parameters of the channels of all groups, (channels, channel_parameter_bits)."""
    bits = np.zeros((groups * c.rows, c.channel_parameter_bits), np.uint8)
    for channel in range(len(layer.weights)):
        row = _threshold_bits(c, layer, channel) if layer.thresholds is not None else []
        place = c.thresholds * c.accumulator_width + (c.thresholds + 1) * 2 * c.code_digits
        bits[channel, : len(row)] = row
        for name, width in c.affine_parameters.items():
            value = int(getattr(layer.affine, name)[channel]) if layer.affine is not None else 0
            assert -(1 << width - 1) <= value < 1 << width - 1, f"{name} does not fit"
            bits[channel, place : place + width] = value >> np.arange(width) & 1
            place += width
    return bits


def _threshold_bits(c: Config, layer: Conv, channel: int) -> list[int]:
    """Thresholds and codes of a channel, unused thresholds being never reached."""
    found = list[int]()
    assert layer.thresholds is not None
    assert layer.codes is not None
    count = layer.thresholds.shape[1]
    for t in range(c.thresholds):
        if layer.affine is not None:
            value = int(layer.thresholds[channel, t]) if t < count else 1 << c.residual_bits - 1
            used = c.residual_bits + 1
            found += [value >> k & 1 if k < used else 0 for k in range(c.accumulator_width)]
        else:
            value = int(layer.thresholds[channel, t]) if t < count else c.accumulator_limit + 1
            found += _accumulator_bits(c, value).tolist()
    for k in range(c.thresholds + 1):
        code = digits_of(layer.codes[channel, min(k, count)], c.encoding, c.code_digits)[::-1]
        found += bits_of(codes_of(code, c.encoding)).tolist()
    return found


def _accumulator_bits(c: Config, value: int) -> NDArray[np.uint8]:
    if c.encoding is Encoding.TERNARY:
        trits = digits_of(np.array(value), c.encoding, c.accumulator_trits)[::-1]
        return bits_of(codes_of(trits, c.encoding))
    return np.array([value >> k & 1 for k in range(c.accumulator_width)], np.uint8)
