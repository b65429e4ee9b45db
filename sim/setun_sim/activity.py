"""How often each part of the array did something, exactly, from the real data (docs/activity.md)."""

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setun_hw.config import Config
from setun_hw.descriptor import Compute, Mode, Post
from setun_sim.kernels import names


@dataclass(frozen=True, kw_only=True)
class Activity:
    """Event counts of one COMPUTE, or of several added together, over all runs simulated."""

    #: digit products the array could form: steps x rows x lanes x strips
    multiplications: int = 0
    #: those that were not zero
    products: int = 0
    #: dot products added to an accumulator: steps x rows x strips
    accumulations: int = 0
    #: those that were not zero
    updates: int = 0
    #: multiplications of an accumulator by the radix (first steps of later significances)
    shifts: int = 0
    #: sums compared with a threshold, T for each value written in mode THRESHOLD
    comparisons: int = 0
    #: sums compared with the largest so far of their pooling window
    pool_comparisons: int = 0
    #: activation words the array read from banks
    activation_reads: int = 0
    #: words it took as padding instead
    padding_reads: int = 0
    #: words, or parts of words, written to banks by post-processing
    activation_writes: int = 0
    #: weight words read, one for all strips
    weight_reads: int = 0
    #: parameter words read, one for all strips
    parameter_reads: int = 0
    #: residual words read by post-processing
    residual_reads: int = 0
    #: residual words written by post-processing
    residual_writes: int = 0
    #: sums that went through the fixed-point unit: pivot, two saturations, clamp
    fixed_values: int = 0
    #: products of a coefficient there: m with the sum, m2 with the one of |w|, r with the residual, the slope with v
    fixed_products: int = 0
    #: digits that reached the multipliers as activations, padding included, lane by lane and strip by strip
    activation_digits: int = 0
    #: those that were not zero
    nonzero_activations: int = 0
    #: digits of the weight words read
    weight_digits: int = 0
    #: those that were not zero
    nonzero_weights: int = 0

    def __add__(self, other: "Activity") -> "Activity":
        return Activity(
            **{f.name: getattr(self, f.name) + getattr(other, f.name) for f in dataclasses.fields(Activity)}
        )

    def to_dict(self) -> dict[str, int]:
        """Plain counts, for JSON."""
        return dataclasses.asdict(self)


def written_chunks(d: Compute) -> int:
    """Chunks of W channels written for one output pixel, all groups together."""
    return (d.groups - 1) * d.chunks + d.last_chunks


def convolution_pixels(d: Compute) -> int:
    """Convolution pixels of one strip and one group."""
    return d.out_rows * d.out_cols * d.pool_rows * d.pool_cols


def steps(d: Compute) -> int:
    """Steps the sequencer issues."""
    positions = d.kernel_rows * d.kernel_cols * d.blocks
    return d.groups * convolution_pixels(d) * d.in_digits * d.weight_digits * positions * (1 + d.two_scale)


def activity(
    d: Compute, post: Post, config: Config, runs: int, counts: NDArray[np.int64], nonzero_weights: int
) -> Activity:
    """Counts of one COMPUTE over ``runs`` runs.

    ``counts`` are what the kernels found in the data, ``nonzero_weights`` those of the weight words read for one
    convolution pixel of every group; everything else follows from the descriptor.
    """
    pixels, outputs, chunks = runs * convolution_pixels(d), runs * d.out_rows * d.out_cols, written_chunks(d)
    carried = runs * d.out_rows * (d.out_cols - 1) * d.pool_carry
    read = 0 if d.no_array else runs * steps(d)
    padding = int(counts[names.PADDING_READS])
    significances = 0 if d.no_array else (d.in_digits + d.weight_digits - 2) * (1 + d.two_scale)
    values = pixels * chunks * config.post * config.strips if d.affine else 0
    coefficients = 1 + (not d.no_array) + d.two_scale + d.residual
    threshold = d.mode == Mode.THRESHOLD
    return Activity(
        multiplications=read * config.multipliers,
        products=int(counts[names.PRODUCTS]),
        accumulations=read * config.rows * config.strips,
        updates=int(counts[names.UPDATES]),
        shifts=pixels * d.groups * significances * config.rows * config.strips,
        comparisons=outputs * chunks * config.post * config.strips * config.thresholds * threshold,
        pool_comparisons=(pixels - outputs + carried) * chunks * config.post * config.strips,
        activation_reads=read * config.strips - padding,
        padding_reads=padding,
        activation_writes=outputs * chunks * d.out_digits * config.strips * (d.mode != Mode.NONE),
        weight_reads=read,
        parameter_reads=pixels * chunks if d.affine else outputs * chunks * threshold,
        residual_reads=pixels * chunks * post.res_window * config.strips * d.residual,
        residual_writes=outputs * chunks * config.strips * d.residual_write,
        fixed_values=values,
        fixed_products=values * coefficients,
        activation_digits=read * config.strips * config.lanes,
        nonzero_activations=int(counts[names.NONZERO_ACTIVATIONS]),
        weight_digits=read * config.rows * config.lanes,
        nonzero_weights=pixels * nonzero_weights,
    )
