"""A map of which only a rectangle is read, as a causal convolution cut behind: its layer makes no more than that."""

from dataclasses import replace

import numpy as np

from setun_compiler.frontend.linear import natural
from setun_compiler.frontend.tensors import Linear, Real, Tensor


def cropped(tensor: Tensor) -> Tensor | None:
    """The same numbers as the whole of a smaller source; None when they are no rectangle of all channels, or the
    source's layer does more than convolve."""
    source = tensor.source
    if isinstance(source, Real):
        if source.linear is None or source.operand is not None or source.bent is not None:
            return None
        linear = source.linear
    elif isinstance(source, Linear):
        linear = source
    else:
        return None
    if linear.pool is not None or linear.average is not None or tensor.index.ndim not in (3, 4):
        return None
    planes = tensor.index.reshape(tensor.index.shape[1], *(1, *tensor.index.shape[2:])[-2:])
    rows, cols = planes.shape[1:]
    y, x = divmod(int(planes[0, 0, 0]), source.shape[2])
    if not np.array_equal(planes, natural(source)[:, y : y + rows, x : x + cols]):
        return None
    top, left = linear.padding[0] - y * linear.stride[0], linear.padding[1] - x * linear.stride[1]
    spans = [(k - 1) * d + 1 for k, d in zip(linear.weights.shape[2:], linear.dilation, strict=True)]
    bottom = (rows - 1) * linear.stride[0] + spans[0] - linear.source.rows - top
    right = (cols - 1) * linear.stride[1] + spans[1] - linear.source.cols - left
    shape = (source.groups, rows, cols)
    linear = replace(linear, padding=(top, left, bottom, right), shape=shape)
    smaller = linear if isinstance(source, Linear) else replace(source, linear=linear, shape=shape)
    return Tensor(source=smaller, value=tensor.value, index=natural(smaller).reshape(tensor.index.shape))
