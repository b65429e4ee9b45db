"""The integer network: what a trained model means once every number in it is an integer.

The front end makes it from an ONNX file, the back end lowers it to descriptors. It does not depend on an encoding, a
geometry or a memory: every layer is a convolution over a feature map (a fully connected layer has the map as its
kernel).
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Feature:
    """A feature map of integers; a vector has one row and one column."""

    name: str
    channels: int
    rows: int
    cols: int
    #: smallest and largest value an element can take, proved
    low: int
    high: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, rows, cols)."""
        return self.channels, self.rows, self.cols


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """out[c] = codes[c, number of thresholds t with acc[c] >= t]; thresholds never decrease along their axis."""

    thresholds: Integers  #: (channels, T)
    codes: Integers  #: (channels, T+1)


@dataclass(frozen=True, kw_only=True)
class Raw:
    """The accumulators leave as they are; the model's floats are acc*scale + bias."""

    scale: Floats  #: (channels,)
    bias: Floats  #: (channels,)


@dataclass(frozen=True, kw_only=True)
class Affine:
    """Fixed-point post-processing, in integers and so exact by definition; all arrays have shape (channels,).

    With half(s) = 2**(s-1), or 0 for s = 0, and >> rounding down (so that everything rounds half up):

        v   = (acc*m + acc2*m2 + res*r + b + half(shift)) >> shift
        y   = (v*m1 + b1 + half(shift1)) >> shift1   where v >= pivot
              (v*m0 + b0 + half(shift1)) >> shift1   elsewhere
        out = min(max(y, low), high)

    With ``residual_after`` v goes without the residual, and out = clamp(y + ((res*r + half(shift)) >> shift)).
    ``acc2`` is the sum with |w| of a two-scale layer, else 0; ``res`` the residual operand, else 0. v must fit the
    accumulator (the compiler proves it; the hardware saturates). Max pooling takes the largest y of its window; a
    layer that pools adds its residual after.
    """

    m: Integers
    m2: Integers
    r: Integers
    b: Integers
    shift: int
    pivot: Integers
    m0: Integers
    b0: Integers
    m1: Integers
    b1: Integers
    shift1: int
    low: int
    high: int
    residual_after: bool = False
    #: what ``target`` gets: codes by thresholds on ``out``; without it ``out`` itself
    threshold: Threshold | None = None


@dataclass(frozen=True, kw_only=True)
class Residual:
    """The second operand of an :class:`Affine`: for output pixel (oy, ox) and channel c the sum over a window of a
    fixed-point feature, at rows oy*row_step .. +rows-1, columns ox*col_step .. +cols-1, channel c modulo its channels.

    A 1x1 window is the identity shortcut; a window with r holding its reciprocal size is average pooling; the modulo is
    concatenation with itself.
    """

    source: str
    rows: int = 1
    cols: int = 1
    row_step: int = 1
    col_step: int = 1


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Max pooling of the convolution's sums (of y, where ``post`` is an :class:`Affine`)."""

    rows: int
    cols: int
    row_stride: int
    col_stride: int
    #: rows and columns by which windows reach past the map: top, left, bottom, right. Nothing there counts; only where
    #: ``post`` is an :class:`Affine`
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)

    def out(self, rows: int, cols: int) -> tuple[int, int]:
        """Rows and columns of windows on a map."""
        top, left, bottom, right = self.padding
        return (rows + top + bottom - self.rows) // self.row_stride + 1, (
            cols + left + right - self.cols
        ) // self.col_stride + 1


@dataclass(frozen=True, kw_only=True)
class Layer:
    """acc = convolution (cross-correlation) of ``source`` with ``weights``, pooled, then ``post``.

    A layer without weights does no convolution: acc = 0 at each pixel of its output, and all comes from ``residual``.
    """

    name: str
    source: str | None  #: name of the input feature; None without weights
    target: str | None  #: name of the output feature that other layers convolve, or of the network's output
    #: name of the fixed-point output feature (``out`` of an Affine) that later layers take as residual
    fixed: str | None = None
    weights: Integers | None  #: (out channels, in channels / groups, kernel rows, kernel cols)
    #: two scales for each channel (TTQ): acc2 is the same convolution with |weights|; weights are trits
    two_scale: bool = False
    groups: int = 1
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    #: top, left, bottom, right; negative numbers crop
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    #: what padding reads as: the integer that stands for the real value 0
    pad_value: int = 0
    pool: Pool | None = None
    residual: Residual | None = None
    #: channel, row and column of ``target`` at which the output's first one lies: concatenations and the states of
    #: unrolled
    #: recurrent layers are features that several layers (and the port) fill piece by piece; nothing written reads as 0
    at: tuple[int, int, int] = (0, 0, 0)
    post: Threshold | Raw | Affine


@dataclass(frozen=True, kw_only=True)
class Port:
    """How floats of the model's input become integers: n = round_half_even((x - offset) / scale) + zero.

    n must lie in the feature's low..high and is what the feature gets; where there is a table, n must lie in
    0..len(table)-1 and the feature gets ``table[n]``. With ``saturate`` n is clipped to that range, else refused
    outside it.
    """

    name: str  #: the model's input name
    shape: tuple[int, ...]  #: of one sample as the user gives it, without the batch axis
    feature: str  #: the feature it fills, row-major (channels, rows, cols) after ``axes``
    #: permutation of the sample's axes that gives (channels, rows, cols) order; empty when a plain reshape does
    axes: tuple[int, ...] = ()
    scale: float
    zero: int
    #: what is subtracted before scaling: grids on which the real 0 does not lie
    offset: float = 0.0
    #: whether the model itself clips its input (a leading quantizer), so that the host does too
    saturate: bool = False
    #: what the model's own leading operators make of each n, where they are more than a scale; or empty
    table: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Output:
    """The feature that leaves, as the model orders it."""

    name: str  #: the model's output name
    feature: str
    shape: tuple[int, ...]  #: of one sample


@dataclass(frozen=True, kw_only=True)
class Network:
    """A whole model. Layers are in an order in which each one's source exists."""

    name: str
    port: Port
    output: Output
    features: dict[str, Feature]
    layers: tuple[Layer, ...]
    #: SHA-256 of the model file (and of its external data), hex
    source_hash: str = ""
    #: sentences worth telling the user, for example a layer that runs at poor utilisation
    notes: tuple[str, ...] = field(default=())
