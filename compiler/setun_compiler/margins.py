"""Which decisions of a layer its own fixed point could have turned: how close its results lie to their thresholds."""

import numpy as np
from numpy.typing import NDArray

from setun_compiler.interpret import LayerResult, max_pool, repeated, unclamped
from setun_compiler.network import Affine, Floats, Integers, Layer


def undecided(layer: Layer, found: LayerResult) -> NDArray[np.bool_]:
    """For each code of a result, whether it could be another one if the layer's coefficients were exact.

    Sums that thresholds compare without an affine step are exact: none of them could. Otherwise it is a bound, since
    many coefficients are exact. What reaches the layer is taken as it is.
    """
    post = layer.post
    if not isinstance(post, Affine) or post.threshold is None:
        return np.zeros(found.output.shape, np.bool_)
    y = unclamped(post, found.sums, found.second, layer.pool, found.residual)
    error = _error(layer, post, found)
    close = np.zeros(y.shape, np.bool_)
    for column in post.threshold.thresholds.T:
        thresholds = column[:, None, None]
        meant = (thresholds > post.low) & (thresholds <= post.high)  # the others decide nothing
        # the real threshold lies up to 1 below the integer one
        close |= meant & (y - thresholds > -1 - error) & (y - thresholds < error)
    return close


def _error(layer: Layer, post: Affine, found: LayerResult) -> Floats:
    """Largest difference of ``out`` before it is clamped, with coefficients half a unit away from their rounded ones,
    which themselves are rounded to at most half a unit."""
    touched = np.abs(found.sums).astype(np.float64) + 1  # 1: the offset
    products = np.abs(found.sums * post.m[:, None, None]) + np.abs(post.b[:, None, None])
    if found.second is not None:
        touched += np.abs(found.second)
        products = products + np.abs(found.second * post.m2[:, None, None])
    share: Floats | Integers = np.zeros(1)
    if found.residual is not None:
        share = np.abs(repeated(found.residual, post.r.size))
        if not post.residual_after:
            touched += share
            products = products + share * np.abs(post.r[:, None, None])
    error = touched / 2 / 2.0**post.shift + 0.5
    if post.shift1 or (post.m1 != 1).any() or (post.m0 != 1).any():
        slope = np.maximum(np.abs(post.m0), np.abs(post.m1))[:, None, None]
        largest = products / 2.0**post.shift + 1
        error = (error * slope + (largest + 1) / 2) / 2.0**post.shift1 + 0.5
    # a maximum moves by no more than what it is taken of
    pooled = _pooled(layer, error)
    return pooled + share / 2 / 2.0**post.shift + 0.5 if post.residual_after else pooled


def _pooled(layer: Layer, error: Floats) -> Floats:
    if layer.pool is None:
        return error
    scale = 1 << 20  # max_pool works on integers
    return max_pool(layer.pool, np.ceil(error * scale).astype(np.int64)) / scale
