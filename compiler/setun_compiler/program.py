"""A compiled program: descriptors, memory image and what the host must know to feed and read it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from setun_hw.config import Config


@dataclass(frozen=True, kw_only=True)
class Unfold:
    """Patches the host lays out as channels, so that a first layer with few channels fills the lanes (im2col).

    Output pixel (oy, ox) gets channels in order (kernel row, kernel col, channel) of the original map.
    """

    rows: int  #: original map
    cols: int
    channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, int, int, int]  #: top, left, bottom, right
    pad_value: int


@dataclass(frozen=True, kw_only=True)
class ExternalMap:
    """A feature map in external memory, in the layout of docs/machine.md."""

    channels: int
    rows: int
    cols: int
    digits: int  #: digit (or raw) planes
    offset: int  #: bytes from its region's base
    row_words: int
    row_bytes: int  #: whole beats
    size: int  #: bytes of one image; in lines those of a run
    #: rows of a strip, if the map is in lines: the words of all banks at one address together, bank 0 lowest; else 0
    line_rows: int = 0
    #: how many of them are the last of the strip above, there as well; of strip 0 its own first row again
    line_halo: int = 0


@dataclass(frozen=True, kw_only=True)
class InputPort:
    """How a float sample becomes bytes of the input region: n = round_half_even((x - offset)/scale) + zero,
    within low..high (clipped to it when ``saturate``, else refused), then ``table[n - low]`` if there is a table, then
    ``unfold`` if any, then digits, then words."""

    name: str
    shape: tuple[int, ...]
    axes: tuple[int, ...]
    scale: float
    zero: int
    low: int
    high: int
    unfold: Unfold | None
    map: ExternalMap
    offset: float = 0.0
    saturate: bool = False
    table: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class OutputPort:
    """How bytes of the output region become floats: value*scale + bias per channel, reshaped to ``shape``."""

    name: str
    shape: tuple[int, ...]
    raw: bool  #: planes of an accumulator, or digits of a code
    scale: NDArray[np.float64]  #: (channels,)
    bias: NDArray[np.float64]  #: (channels,)
    map: ExternalMap


@dataclass(frozen=True, kw_only=True)
class LayerRecord:
    """What reports say about a layer of the network, and which descriptors of ``run`` are its own."""

    name: str
    descriptors: tuple[int, ...]  #: indices into the run list
    macs: int  #: multiply-accumulates of the layer for one image, padding included
    digit_macs: int  #: macs x activation digits x weight digits: what the array's lanes must do
    in_shape: tuple[int, int, int]
    out_shape: tuple[int, int, int]
    weights: int
    zero_weights: int
    accumulator_bound: int  #: largest |sum| possible, from the actual weights


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Where a tensor lies in an on-chip memory, and while which descriptors of the run list it lives."""

    tensor: str
    memory: str  #: "activations", "weights" or "parameters"
    base: int
    words: int
    first: int
    last: int


@dataclass(frozen=True, kw_only=True)
class Program:
    """Everything a run needs. ``image`` is the PROGRAM region: both descriptor lists, weights, parameters.

    The ``init`` list (may be just END) is executed once after reset and loads what stays resident; the ``run`` list
    once per ``images`` inputs.
    """

    name: str
    config: Config
    image: bytes
    init_offset: int
    init_count: int  #: descriptors, END included
    run_offset: int
    run_count: int
    images: int  #: inputs a run takes: ``rounds`` times 1, or P in batch mode
    input: InputPort
    output: OutputPort
    input_bytes: int  #: size of the INPUT region of one run
    output_bytes: int
    scratch_bytes: int
    layers: tuple[LayerRecord, ...]
    placements: tuple[Placement, ...]
    source_hash: str = ""
    notes: tuple[str, ...] = field(default=())
    rounds: int = 1  #: times that a run goes through the network
