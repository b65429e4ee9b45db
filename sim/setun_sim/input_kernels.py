"""Compiled packing of input maps into words, as :mod:`setun_compiler.host` does it in NumPy."""
# mypy: disable-error-code="no-untyped-def, untyped-decorator"

import numba as nb
import numpy as np


@nb.njit(nogil=True, cache=True)
def pack_words(maps, table, beside, kernel, stride, dilation, start, lanes, words):
    """Fill ``words[image, row, column, block, digit, unit]``, all zeros before.

    ``maps`` (images, channels, rows, columns) are indices into ``table[index, digit]`` of codes; position (y, x) of
    tap (i, j) is row ``start[0] + y*stride[0] + i*dilation[0]`` of the map, columns likewise, and reads as
    ``table[beside]`` outside it. Channel c of tap t becomes channel t*channels + c of the words.
    """
    images, channels, rows, cols = maps.shape
    out_rows, out_cols, blocks, digits, units = words.shape[1:]
    per_unit = words.itemsize * 4
    need_rows = (out_rows - 1) * stride[0] + (kernel[0] - 1) * dilation[0] + 1
    need_cols = (out_cols - 1) * stride[1] + (kernel[1] - 1) * dilation[1] + 1
    codes = np.empty((need_rows, need_cols * digits), words.dtype)
    plain = stride[1] == 1 and blocks * units == 1
    for image in range(images):
        for channel in range(channels):
            for y in range(need_rows):
                for x in range(need_cols):
                    v, u = y + start[0], x + start[1]
                    index = maps[image, channel, v, u] if 0 <= v < rows and 0 <= u < cols else beside
                    for d in range(digits):
                        codes[y, x * digits + d] = table[index, d]
            for tap in range(kernel[0] * kernel[1]):
                i, j = divmod(tap, kernel[1])
                block, lane = divmod(tap * channels + channel, lanes)
                unit, shift = lane // per_unit, words.dtype.type(lane % per_unit * 2)
                for row in range(out_rows):
                    source = codes[row * stride[0] + i * dilation[0], j * dilation[1] * digits :]
                    if plain:
                        target = words[image, row].reshape(-1)
                        for n in range(target.size):
                            target[n] |= source[n] << shift
                    else:
                        for column in range(out_cols):
                            for d in range(digits):
                                code = source[column * stride[1] * digits + d]
                                words[image, row, column, block, d, unit] |= code << shift
