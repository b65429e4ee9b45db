"""What a host's driver does: floats to bytes of the input region, bytes of the output region to floats."""

from math import prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from setun_compiler.digits import from_codes, from_raw_planes, to_codes
from setun_compiler.layout import Units, line_beats, map_words, pack_codes, pad_axis, to_beats, unpack_map
from setun_compiler.network import Floats, Integers
from setun_compiler.program import InputPort, OutputPort, Program, Unfold
from setun_hw.config import Encoding
from setun_hw.errors import SetunError


class InputError(SetunError):
    """Samples that a program cannot take."""


def encode(program: Program, samples: ArrayLike) -> NDArray[np.uint8]:
    """Input regions of all runs that ``samples`` take.

    Parameters
    ----------
    samples:
        Numbers of shape (images, *shape of one sample as the model has it).

    Returns
    -------
    Bytes of shape (runs, input_bytes). A run takes ``program.images`` samples; the places of the last run that no
    sample fills hold zeros.

    Raises
    ------
    InputError
        When the shape differs, or a number is not finite or outside the input's range.
    """
    return encode_integers(program, quantise(program.input, samples))


def encode_integers(program: Program, integers: Integers) -> NDArray[np.uint8]:
    """Input regions of stored integers (images, channels, rows, cols), as :func:`quantise` makes them."""
    port, config = program.input, program.config
    maps = integers
    if port.unfold:  # pixels that no pooling window covers stay away
        maps = unfold(integers, port.unfold)[:, :, : port.map.rows, : port.map.cols]
    codes = code_table(port, config.encoding)[:, maps - port_range(port)[0]]
    return arrange(program, map_words(codes, config.lanes), 2)


def arrange(program: Program, words: Units, unit_bits: int) -> NDArray[np.uint8]:
    """Input regions of words (images, rows, words of a row, units); a unit is a two-bit code, or all bits of a number.

    Of either, whole ones must fill words and beats.
    """
    port, config = program.input, program.config
    units = config.axi_data_bits // unit_bits
    runs = -(-len(words) // program.images)
    if port.map.line_rows:
        batch = program.images > program.rounds
        beats = line_beats(
            words, units, config.strips, port.map.line_rows, halo=port.map.line_halo, batch=batch
        )  # fmt: skip
    else:
        beats = to_beats(words, units)
    packed = pack_codes(beats) if unit_bits == 2 else np.ascontiguousarray(beats).view(np.uint8)
    data = packed.reshape(len(packed), prod(packed.shape[1:]))
    return pad_axis(data, 0, runs * program.input_bytes // port.map.size).reshape(runs, program.input_bytes)


def quantise(port: InputPort, samples: ArrayLike, first: int = 0) -> Integers:
    """Stored integers (images, channels, rows, cols) of samples, by the rule of :class:`InputPort`.

    Errors call the first sample image ``first``.

    Raises
    ------
    InputError
        As :func:`encode`.
    """
    array = as_array(samples, f"input {port.name!r}")
    if array.ndim != len(port.shape) + 1 or array.shape[1:] != port.shape:
        raise InputError(
            f"input {port.name!r} must have shape (images, {', '.join(map(str, port.shape))}), not {array.shape}"
        )
    if array.dtype.kind not in "fiub":
        raise InputError(f"input {port.name!r} must hold real numbers, not {array.dtype}")
    floats = array.astype(np.float64)
    bad = ~np.isfinite(floats)
    if bad.any():
        image = first + int(np.argwhere(bad)[0][0])
        raise InputError(f"input {port.name!r}: image {image} holds a number that is not finite")
    rounded = np.rint((floats - port.offset) / port.scale) + port.zero
    if port.saturate:
        rounded = np.clip(rounded, port.low, port.high)
    outside = (rounded < port.low) | (rounded > port.high)
    if outside.any():
        place = tuple(int(k) for k in np.argwhere(outside)[0])
        low, high = ((limit - port.zero) * port.scale + port.offset for limit in (port.low, port.high))
        raise InputError(
            f"input {port.name!r}: {floats[place]:g} of image {first + place[0]} is outside the range {low:g} to"
            f" {high:g} that the program was compiled for"
        )
    integers = rounded.astype(np.int64)
    if port.table:
        integers = np.array(port.table, np.int64)[integers - port.low]
    if port.axes:
        integers = integers.transpose(0, *(axis + 1 for axis in port.axes))
    return integers.reshape(len(array), *_feature_shape(port))


def as_array(samples: ArrayLike, what: str) -> NDArray[Any]:
    """Samples as an array.

    Raises
    ------
    InputError
        When rows differ in length.
    """
    try:
        return np.asarray(samples)
    except ValueError:
        raise InputError(f"{what} must be an array, but its rows differ in length") from None


def decode(program: Program, regions: NDArray[np.uint8], images: int) -> Floats:
    """Floats (images, *shape of one output sample) of output regions (runs, output_bytes)."""
    return to_floats(program.output, decode_integers(program, regions, images))


def decode_integers(program: Program, regions: NDArray[np.uint8], images: int) -> Integers:
    """Stored integers (images, channels, rows, cols) of output regions (runs, output_bytes)."""
    port, config = program.output, program.config
    data = np.ascontiguousarray(regions).reshape(-1, port.map.size)[:images]
    shape = (port.map.channels, port.map.rows, port.map.cols)
    codes = unpack_map(data, shape, port.map.digits, config.lanes, config.axi_data_bits)
    return from_raw_planes(codes, config.encoding) if port.raw else from_codes(codes, config.encoding)


def to_floats(port: OutputPort, integers: Integers) -> Floats:
    """value * scale + bias of each channel, in the model's shape."""
    floats = integers * port.scale[:, None, None] + port.bias[:, None, None]
    return floats.reshape(len(integers), *port.shape)


def unfold(maps: Integers, u: Unfold) -> Integers:
    """Patches of maps (images, channels, rows, cols) as channels, in the order kernel row, kernel column, channel."""
    top, left, bottom, right = u.padding
    padded = np.pad(maps, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=u.pad_value)
    span = [(k - 1) * d + 1 for k, d in zip(u.kernel, u.dilation, strict=True)]
    windows = np.lib.stride_tricks.sliding_window_view(padded, span, axis=(2, 3))
    taps = windows[:, :, :: u.stride[0], :: u.stride[1], :: u.dilation[0], :: u.dilation[1]]
    images, channels, rows, cols, kernel_rows, kernel_cols = taps.shape
    return taps.transpose(0, 4, 5, 1, 2, 3).reshape(images, kernel_rows * kernel_cols * channels, rows, cols)


def port_range(port: InputPort) -> tuple[int, int]:
    """Smallest and largest stored integer, padding of unfolded patches included."""
    values = [*(port.table or (port.low, port.high)), *([port.unfold.pad_value] if port.unfold else [])]
    return min(values), max(values)


def code_table(port: InputPort, encoding: Encoding) -> NDArray[np.uint8]:
    """Codes (digits, values) of every stored integer from the smallest to the largest."""
    low, high = port_range(port)
    return to_codes(np.arange(low, high + 1), port.map.digits, encoding)


def _feature_shape(port: InputPort) -> tuple[int, int, int]:
    """Channels, rows and columns of the feature before unfolding."""
    if port.unfold:
        return port.unfold.channels, port.unfold.rows, port.unfold.cols
    assert prod(port.shape) == port.map.channels * port.map.rows * port.map.cols
    return port.map.channels, port.map.rows, port.map.cols
