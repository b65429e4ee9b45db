"""The integer network: what a trained model means once every number in it is an integer.

The front end makes it from an ONNX file, the back end lowers it to descriptors. It does not depend on an encoding, a
geometry or a memory: every layer is a convolution over a feature map (a fully connected layer has the map as its kernel).
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
class Pool:
    """Max pooling of the convolution's sums, before the threshold step. Windows lie wholly inside the map."""

    rows: int
    cols: int
    row_stride: int
    col_stride: int


@dataclass(frozen=True, kw_only=True)
class Layer:
    """acc = convolution (cross-correlation) of ``source`` with ``weights``, pooled, then ``post``."""

    name: str
    source: str  #: name of the input feature
    target: str  #: name of the output feature
    weights: Integers  #: (out channels, in channels / groups, kernel rows, kernel cols)
    groups: int = 1
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    #: top, left, bottom, right
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    #: what padding reads as: the integer that stands for the real value 0
    pad_value: int = 0
    pool: Pool | None = None
    post: Threshold | Raw


@dataclass(frozen=True, kw_only=True)
class Port:
    """How floats of the model's input become integers: n = round_half_even((x - offset) / scale) + zero.

    n must lie in the feature's low..high and is what the feature gets; where there is a table, n must lie in
    0..len(table)-1 and the feature gets ``table[n]``. With ``saturate`` n is clipped to that range, else refused outside it.
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
