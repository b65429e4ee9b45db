"""Chains of convolutions, and what they mean, straight from definitions."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from setun_compiler import interpret
from setun_compiler.network import Affine, Pool, Residual, Threshold
from setun_compiler.program import Program
from setun_hw.config import Config
from setun_hw.descriptor import Mode

Integers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Conv:
    """One layer in the words of a network; sums are max-pooled, then compared or left raw, or go through ``affine``.

    Its source is the last layer that wrote to the banks.
    """

    weights: (
        Integers  #: (out channels, in channels, kernel rows, kernel cols); of ``no_array`` only their number matters
    )
    weight_digits: int = 1
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)  #: top, left, bottom, right
    pad_value: int = 0
    pool: tuple[int, int] = (1, 1)
    thresholds: Integers | None = None  #: (out channels, T), or None for RAW
    codes: Integers | None = None  #: (out channels, T+1)
    #: with ``affine`` and without thresholds: its digits, or nothing for the banks if 0
    out_digits: int = 1
    affine: Affine | None = None
    two_scale: bool = False
    no_array: bool = False
    #: layer whose ``affine`` result is the residual operand, and its window
    operand: int | None = None
    window: Residual = field(default=Residual(source=""))
    #: write the result to the residual memory, over the operand if ``in_place``
    keep: bool = False
    in_place: bool = False
    #: store the residual map to external memory and load it elsewhere
    spill: bool = False

    @property
    def stride_rows(self) -> int:
        """Rows of its source (of its operand, if that is all it reads) to a row of its output."""
        return self.window.row_step if self.no_array else self.stride[0] * self.pool[0]

    @property
    def mode(self) -> Mode:
        if self.thresholds is not None:
            return Mode.THRESHOLD
        if self.affine is None:
            return Mode.RAW
        return Mode.DIGITS if self.out_digits else Mode.NONE


@dataclass(frozen=True, kw_only=True)
class Chain:
    """A whole program's shape: input map, layers, and how weights travel."""

    config: Config
    shape: tuple[int, int, int]  #: (channels, rows, cols) of one image
    in_digits: int = 1
    layers: Sequence[Conv] = field(default=())
    batch: bool = False
    stream: bool = False  #: two groups of weights on chip at a time, the next fetched meanwhile; else resident, by init

    def program(self) -> Program:
        """Lay everything out."""
        from tests.sim.programs import Builder  # which is about chains itself

        return Builder(self).program()


def reference(chain: Chain, x: Integers) -> Integers:
    """Integers that leave the last layer for one image, straight from the definition of convolution."""
    kept: dict[int, Integers] = {}
    for number, layer in enumerate(chain.layers):
        pool = Pool(rows=layer.pool[0], cols=layer.pool[1], row_stride=layer.pool[0], col_stride=layer.pool[1])
        residual = None
        if layer.operand is not None:
            residual = interpret.window_sums(layer.window, kept[layer.operand][None])
        if layer.affine is None:
            out = interpret.max_pool(pool, convolution(layer, x, layer.weights)[None])
        else:
            if layer.no_array:
                assert residual is not None
                acc = acc2 = np.zeros((len(layer.weights), *residual.shape[2:]), np.int64)
            else:
                acc = convolution(layer, x, layer.weights)
                acc2 = convolution(layer, x, np.abs(layer.weights)) if layer.two_scale else np.zeros_like(acc)
            if residual is not None and not layer.affine.residual_after:  # of the output pixel, whose window shares it
                residual = residual.repeat(layer.pool[0], axis=2).repeat(layer.pool[1], axis=3)
            out = interpret.affine(layer.affine, acc[None], acc2[None], pool, residual)
        if layer.keep:
            kept[number] = out[0]
        if layer.thresholds is not None and layer.codes is not None:
            x = interpret.threshold(Threshold(thresholds=layer.thresholds, codes=layer.codes), out)[0]
        elif layer.mode != Mode.NONE:
            x = out[0]
    return x


def convolution(layer: Conv, x: Integers, weights: Integers) -> Integers:
    """Sums of one image before pooling."""
    top, left, bottom, right = layer.padding
    x = np.pad(x, ((0, 0), (top, bottom), (left, right)), constant_values=layer.pad_value)
    kh, kw = weights.shape[2:]
    rows = (x.shape[1] - layer.dilation[0] * (kh - 1) - 1) // layer.stride[0] + 1
    cols = (x.shape[2] - layer.dilation[1] * (kw - 1) - 1) // layer.stride[1] + 1
    acc = np.zeros((len(weights), rows, cols), np.int64)
    for i in range(kh):
        for j in range(kw):
            y0, x0 = i * layer.dilation[0], j * layer.dilation[1]
            part = x[:, y0 : y0 + layer.stride[0] * rows : layer.stride[0]]
            part = part[:, :rows, x0 : x0 + layer.stride[1] * cols : layer.stride[1]][:, :, :cols]
            acc += np.tensordot(weights[:, :, i, j], part, 1)
    return acc
