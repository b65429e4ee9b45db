"""Weights and parameters as words of the on-chip memories, and those words as bytes."""

import numpy as np

from setun_compiler.backend.plan import Op, Segment
from setun_compiler.digits import Codes, to_codes
from setun_compiler.layout import Units, ceil_div, pack_bits, pack_codes, pad_axis, to_beats
from setun_compiler.network import Integers
from setun_hw.codec import bits_to_digits
from setun_hw.config import Config, Encoding
from setun_hw.descriptor import Mode
from setun_hw.packing import pack


def weight_codes(op: Op, segment: Segment, config: Config) -> Codes:
    """Two-bit codes of a segment's weight words, (groups, words of a group, M*N).

    Within a group: weight digit (most significant first), kernel row, kernel column, block.
    """
    rows, lanes = config.rows, config.lanes
    first, count = segment.first_group * rows, segment.groups * rows
    taken = op.weights[first : first + count]
    dense = np.zeros((count, segment.blocks * lanes, *op.kernel), np.int64)
    # lane of each channel's first input: where its convolution group starts, less where its channel group starts
    out = np.arange(len(taken))
    in_per = op.weights.shape[1]
    starts = (first + out) // (op.channels // op.conv_groups) * in_per
    starts -= (segment.first_block + out // rows * segment.group_block_step) * lanes
    for start in np.unique(starts):
        chosen = out[starts == start]
        dense[chosen, start : start + in_per] = taken[chosen]
    codes = to_codes(dense, op.weight_digits, config.encoding)
    split = codes.reshape(op.weight_digits, segment.groups, rows, segment.blocks, lanes, *op.kernel)
    # (digit, group, row, block, lane, kh, kw) -> (group, digit, kh, kw, block, row, lane)
    return split.transpose(1, 0, 5, 6, 3, 2, 4).reshape(segment.groups, -1, rows * lanes)


def weight_bytes(words: Codes, config: Config) -> Units:
    """A run of weight words, (words, M*N), as bytes in external memory."""
    if not config.packed_weights:
        return pack_codes(to_beats(words, config.axi_data_bits // 2)).ravel()
    data = pack(bits_to_digits(config.encoding, words))
    beat_bytes = config.axi_data_bits // 8
    return pad_axis(data, -1, ceil_div(data.shape[-1], beat_bytes) * beat_bytes).ravel()


def parameter_bits(op: Op, segment: Segment, config: Config) -> Units:
    """Bits of a segment's parameter words, (words, W * bits of a channel), lowest first; empty for raw results."""
    if op.mode is Mode.RAW:
        return np.zeros((0, config.parameter_word_bits), np.uint8)
    first = segment.first_group * config.rows
    last = min(first + segment.groups * config.rows, op.channels)
    channels = ceil_div(last - first, config.post) * config.post
    never = config.accumulator_limit + 1
    # channels that fill up the last word never reach a threshold and emit 0
    thresholds = np.full((channels, config.thresholds), never, np.int64)
    codes = np.zeros((channels, config.thresholds + 1), np.int64)
    if op.thresholds is not None and op.codes is not None:
        thresholds[: last - first] = np.clip(op.thresholds[first:last], -never, never)
        codes[: last - first] = op.codes[first:last]
    compared = accumulator_bits(thresholds, config) if op.affine is None else _result_bits(thresholds, config)
    planes = to_codes(codes, config.code_digits, config.encoding)[::-1].transpose(1, 2, 0)
    parts = [compared, _bit_pairs(planes)]
    for name, bits in config.affine_parameters.items():
        values = np.zeros((channels, 1), np.int64)
        if op.affine is not None:
            values[: last - first, 0] = getattr(op.affine, name)[first:last]
        parts.append(_bits(values, bits))
    return np.concatenate(parts, axis=1).reshape(-1, config.parameter_word_bits)


def _result_bits(thresholds: Integers, config: Config) -> Units:
    """Bits of thresholds that fixed-point results are compared with, each in the place of an accumulator."""
    width = config.residual_bits + 1
    never = 1 << config.residual_bits - 1
    bits = (np.minimum(thresholds, never)[..., None] >> np.arange(width) & 1).astype(np.uint8)
    return pad_axis(bits, -1, config.accumulator_width).reshape(len(thresholds), -1)


def accumulator_bits(values: Integers, config: Config) -> Units:
    """Bits of accumulators (channels, n) as the machine holds them, (channels, n * accumulator_width), lowest first."""
    if config.encoding is Encoding.TERNARY:
        trits = to_codes(values, config.accumulator_trits, config.encoding)[::-1].transpose(1, 2, 0)
        return _bit_pairs(trits)
    return _bits(values, config.accumulator_bits)


def _bits(values: Integers, bits: int) -> Units:
    """Two's complement bits of numbers (channels, n), (channels, n * bits), lowest first."""
    return (values[..., None] >> np.arange(bits) & 1).astype(np.uint8).reshape(len(values), -1)


def parameter_bytes(words: Units, config: Config) -> Units:
    """A run of parameter words as bytes in external memory."""
    return pack_bits(to_beats(words, config.axi_data_bits)).ravel()


def _bit_pairs(codes: Codes) -> Units:
    """Bits of two-bit codes (channels, ...), lowest first, flattened behind the first axis."""
    return np.stack([codes & 1, codes >> 1], axis=-1).astype(np.uint8).reshape(len(codes), -1)
