"""Max pooling as a layer of its own: needed where windows reach past the map, worth trying where they overlap."""

from dataclasses import replace

import numpy as np

from setun_compiler.backend.plan import Plan
from setun_compiler.backend.shapes import conv_shape
from setun_compiler.network import Affine, Feature, Integers, Layer, Network, Raw, Threshold


def separate_pools(plan: Plan) -> Plan:
    """Let results before such pooling pass through a layer with weights of 1, which pools them.

    What lies past the map loses every comparison there, as the lowest result. The plan itself if nothing is to be done.
    """
    if not any(_is_separable(layer) for layer in plan.network.layers):
        return plan
    return plan.with_(network=_separated(plan.network))


def _is_separable(layer: Layer) -> bool:
    """Whether windows reach past the map or share pixels, and pooling results is pooling what they are made of."""
    pool = layer.pool
    if pool is None or not (any(pool.padding) or pool.row_stride < pool.rows or pool.col_stride < pool.cols):
        return False
    if isinstance(layer.post, Threshold):
        return bool((np.diff(layer.post.codes, axis=1) >= 0).all())
    return isinstance(layer.post, Affine) and layer.residual is None


def _separated(network: Network) -> Network:
    layers: list[Layer] = []
    features = dict(network.features)
    for layer in network.layers:
        post, pool, name = layer.post, layer.pool, f"{layer.name}.unpooled"
        if not _is_separable(layer) or pool is None or isinstance(post, Raw):
            layers.append(layer)
            continue
        assert layer.weights is not None
        assert layer.source is not None
        channels = len(layer.weights)
        unpooled: Threshold | Affine
        again: Threshold | Affine
        if isinstance(post, Affine):
            low, high = post.low, post.high
            unpooled, again = replace(post, threshold=None), _passed(post, channels)
        else:
            low, high = int(post.codes.min()), int(post.codes.max())
            unpooled, again = post, _levels(low, high, channels)
        rows, cols = conv_shape(layer, network.features[layer.source])
        features[name] = Feature(name=name, channels=channels, rows=rows, cols=cols, low=low, high=high)
        layers.append(replace(layer, target=name, fixed=None, pool=None, at=(0, 0, 0), post=unpooled))
        layers.append(
            replace(
                layer, name=f"{layer.name}.pool", source=name, weights=np.ones((channels, 1, 1, 1), np.int64),
                groups=channels, two_scale=False, stride=(1, 1), dilation=(1, 1), padding=pool.padding,
                pad_value=low, pool=replace(pool, padding=(0, 0, 0, 0)), post=again,
            )
        )  # fmt: skip
    return replace(network, features=features, layers=tuple(layers))


def _passed(post: Affine, channels: int) -> Affine:
    """out = acc."""
    one, none = np.ones(channels, np.int64), np.zeros(channels, np.int64)
    return replace(post, m=one, m2=none, b=none, shift=0, pivot=none, m0=one, b0=none, m1=one, b1=none, shift1=0)


def _levels(low: int, high: int, channels: int) -> Threshold:
    """code = acc."""
    codes: Integers = np.arange(low, high + 1)
    return Threshold(thresholds=np.tile(codes[1:], (channels, 1)), codes=np.tile(codes, (channels, 1)))
