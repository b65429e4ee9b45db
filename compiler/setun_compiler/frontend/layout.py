"""Operators that move elements without changing them: one function for constants and for the index maps of tensors.

A tensor that depends on the input is known by where each of its elements lies in its feature map, so reshaping,
transposing or slicing it is the same NumPy operation on those positions.
"""

import math
from collections.abc import Callable

import numpy as np

from setun_compiler.frontend.elementwise import Inputs, present
from setun_compiler.frontend.errors import ModelError
from setun_compiler.frontend.graph import Array, Node
from setun_compiler.frontend.load import ELEMENT_LIMIT, RANK_LIMIT


def whole(node: Node, value: Array, what: str) -> tuple[int, ...]:
    """A constant that must be a short list of whole numbers."""
    if value.dtype.kind not in "iu" or value.ndim > 1 or value.size > 4 * RANK_LIMIT:
        raise ModelError(f"{node}: {what} must be a list of integers")
    return tuple(int(item) for item in value.reshape(-1))


#: elements of a tensor of one sample: positions in a map of words have 24 bits
FEATURE_LIMIT = 1 << 24


def sized(node: Node, shape: tuple[int, ...], limit: int = ELEMENT_LIMIT) -> tuple[int, ...]:
    """The shape, once it is known to be small enough to be allocated."""
    if len(shape) > RANK_LIMIT or any(extent < 0 for extent in shape) or math.prod(shape) > limit:
        shown = "x".join(map(str, shape[:8]))
        raise ModelError(f"{node}: its result would have {shown} elements; a tensor may have at most {limit}")
    return shape


def axes_of(node: Node, inputs: Inputs, rank: int) -> tuple[int, ...] | None:
    """Axes given as an attribute (older operator sets) or as input 1, counted from the front; None when left out."""
    if "axes" in node.attributes:
        axes = node.integers("axes", ())
    elif len(inputs) > 1 and inputs[1] is not None:
        axes = whole(node, inputs[1], "axes")
    else:
        return None
    if any(not -rank <= axis < rank for axis in axes) or len({axis % rank for axis in axes}) != len(axes):
        raise ModelError(f"{node}: axes {list(axes)} do not fit {rank} dimensions")
    return tuple(axis % rank for axis in axes)


def _reshape(node: Node, x: Inputs) -> list[Array]:
    value, shape = present(node, x, 0), list(whole(node, present(node, x, 1), "the shape"))
    if not node.integer("allowzero", 0):
        shape = [value.shape[i] if extent == 0 and i < value.ndim else extent for i, extent in enumerate(shape)]
    known = math.prod(extent for extent in shape if extent != -1)
    unknown = shape.count(-1)
    fits = min(shape, default=1) >= -1 and (
        known == value.size if not unknown else unknown == 1 and known > 0 and value.size % known == 0
    )
    if not fits or len(shape) > RANK_LIMIT:
        raise ModelError(
            f"{node}: shape {list(value.shape)} cannot become {shape[:RANK_LIMIT]} (the batch is taken as 1)"
        )
    return [value.reshape(shape)]


def _flatten(node: Node, x: Inputs) -> list[Array]:
    value, axis = present(node, x, 0), node.integer("axis", 1)
    axis += value.ndim if axis < 0 else 0
    if not 0 <= axis <= value.ndim:
        raise ModelError(f"{node}: axis {axis} does not fit {value.ndim} dimensions")
    return [value.reshape(math.prod(value.shape[:axis]), -1 if value.size else 0)]


def _transpose(node: Node, x: Inputs) -> list[Array]:
    value = present(node, x, 0)
    axes = node.integers("perm", tuple(reversed(range(value.ndim))))
    if sorted(axes) != list(range(value.ndim)):
        raise ModelError(f"{node}: perm {list(axes[:RANK_LIMIT])} does not fit {value.ndim} dimensions")
    return [value.transpose(axes)]


def _squeeze(node: Node, x: Inputs) -> list[Array]:
    value = present(node, x, 0)
    axes = axes_of(node, x, value.ndim)
    if axes is None:
        axes = tuple(axis for axis, extent in enumerate(value.shape) if extent == 1)
    if any(value.shape[axis] != 1 for axis in axes):
        raise ModelError(f"{node}: an axis of shape {list(value.shape)} to be squeezed is not 1")
    return [np.squeeze(value, axes)]


def _unsqueeze(node: Node, x: Inputs) -> list[Array]:
    value = present(node, x, 0)
    count = len(node.integers("axes", ())) if "axes" in node.attributes else present(node, x, 1).size
    if value.ndim + count > RANK_LIMIT:
        raise ModelError(f"{node}: more than {RANK_LIMIT} dimensions")
    return [np.expand_dims(value, axes_of(node, x, value.ndim + count) or ())]


def _slice(node: Node, x: Inputs) -> list[Array]:
    value = present(node, x, 0)
    if "starts" in node.attributes:
        starts, ends = node.integers("starts", ()), node.integers("ends", ())
        axes, steps = node.integers("axes", tuple(range(len(starts)))), (1,) * len(starts)
    else:
        starts, ends = whole(node, present(node, x, 1), "starts"), whole(node, present(node, x, 2), "ends")
        axes = (
            whole(node, present(node, x, 3), "axes") if len(x) > 3 and x[3] is not None else tuple(range(len(starts)))
        )
        steps = whole(node, present(node, x, 4), "steps") if len(x) > 4 and x[4] is not None else (1,) * len(starts)
    same = len(starts) == len(ends) == len(axes) == len(steps)
    if not same or not all(-value.ndim <= axis < value.ndim for axis in axes) or 0 in steps:
        raise ModelError(f"{node}: starts, ends, axes and steps do not fit {value.ndim} dimensions")
    cut = [slice(None)] * value.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        # for a negative step, an end below -extent means "to the beginning", which Python writes as None
        cut[axis] = slice(start, None if step < 0 and end < -value.shape[axis] else end, step)
    return [value[tuple(cut)]]


def _gather(node: Node, x: Inputs) -> list[Array]:
    value, wanted = present(node, x, 0), present(node, x, 1)
    axis = node.integer("axis", 0)
    if not -value.ndim <= axis < value.ndim or wanted.dtype.kind not in "iu":
        raise ModelError(f"{node}: axis {axis} does not fit {value.ndim} dimensions, or indices are not integers")
    extent = value.shape[axis]
    if wanted.size and (wanted.min() < -extent or wanted.max() >= extent):
        raise ModelError(f"{node}: an index lies outside 0..{extent - 1}")
    axis %= value.ndim
    sized(node, value.shape[:axis] + wanted.shape + value.shape[axis + 1 :])
    return [np.take(value, wanted, axis)]


def _split(node: Node, x: Inputs) -> list[Array]:
    value, count = present(node, x, 0), len(node.outputs)
    axis = node.integer("axis", 0)
    if not -value.ndim <= axis < value.ndim:
        raise ModelError(f"{node}: axis {axis} does not fit {value.ndim} dimensions")
    extent = value.shape[axis]
    parts = node.integers("split", ())
    if len(x) > 1 and x[1] is not None:
        parts = whole(node, x[1], "split")
    if not parts:
        step = -(-extent // count)
        parts = tuple(min(step, extent - i * step) for i in range(count))
    if len(parts) != count or min(parts) < 0 or sum(parts) != extent:
        raise ModelError(f"{node}: parts {list(parts[:8])} do not add up to {extent} on {count} outputs")
    return np.split(value, np.cumsum(parts)[:-1], axis)


def _expand(node: Node, x: Inputs) -> list[Array]:
    value, shape = present(node, x, 0), whole(node, present(node, x, 1), "the shape")
    result = np.broadcast_shapes(value.shape, sized(node, shape))
    return [np.broadcast_to(value, sized(node, result))]


def _tile(node: Node, x: Inputs) -> list[Array]:
    value, repeats = present(node, x, 0), whole(node, present(node, x, 1), "repeats")
    if len(repeats) != value.ndim:
        raise ModelError(f"{node}: {len(repeats)} repeats for {value.ndim} dimensions")
    sized(node, tuple(extent * times for extent, times in zip(value.shape, repeats, strict=True)))
    return [np.tile(value, repeats)]


def _depth_to_space(node: Node, x: Inputs) -> list[Array]:
    value, size = present(node, x, 0), node.integer("blocksize", 0)
    if value.ndim != 4 or size < 1 or value.shape[1] % (size * size):
        raise ModelError(f"{node}: blocks of {size} do not fit shape {list(value.shape)}")
    n, c, h, w = value.shape
    if node.text("mode", "DCR") == "DCR":
        parts = value.reshape(n, size, size, c // size**2, h, w).transpose(0, 3, 4, 1, 5, 2)
    else:
        parts = value.reshape(n, c // size**2, size, size, h, w).transpose(0, 1, 4, 2, 5, 3)
    return [parts.reshape(n, c // size**2, h * size, w * size)]


def pad_widths(node: Node, x: Inputs) -> list[tuple[int, int]]:
    """(before, after) for each axis of a Pad node."""
    value = present(node, x, 0)
    given = x[1] if len(x) > 1 else None
    pads = node.integers("pads", ()) if given is None else whole(node, given, "pads")
    axes = whole(node, present(node, x, 3), "axes") if len(x) > 3 and x[3] is not None else tuple(range(value.ndim))
    fits = len(pads) == 2 * len(axes) and all(-value.ndim <= axis < value.ndim for axis in axes)
    if not fits or min(pads, default=0) < 0:
        raise ModelError(f"{node}: pads {list(pads[:16])} do not fit {value.ndim} dimensions")
    widths = [(0, 0)] * value.ndim
    for place, axis in enumerate(axes):
        widths[axis] = (pads[place], pads[place + len(axes)])
    sized(node, tuple(extent + sum(width) for extent, width in zip(value.shape, widths, strict=True)))
    return widths


LAYOUT: dict[str, Callable[[Node, Inputs], list[Array]]] = {
    "Reshape": _reshape, "Flatten": _flatten, "Transpose": _transpose, "Squeeze": _squeeze, "Unsqueeze": _unsqueeze,
    "Slice": _slice, "Gather": _gather, "Split": _split, "Expand": _expand, "Tile": _tile,
    "DepthToSpace": _depth_to_space, "Identity": lambda node, x: [present(node, x, 0)],
    "Dropout": lambda node, x: [present(node, x, 0)],
}  # fmt: skip
