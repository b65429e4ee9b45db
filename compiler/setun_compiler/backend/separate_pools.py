"""Pass 2: max pooling whose windows reach past the map becomes a layer of its own."""

from dataclasses import replace

import numpy as np

from setun_compiler.backend.plan import Plan
from setun_compiler.backend.shapes import conv_shape
from setun_compiler.network import Affine, Feature, Layer, Network


def separate_pools(plan: Plan) -> Plan:
    """Let the digits of the results before pooling pass through a layer with weights of 1, which pools them.

    What lies past the map loses every comparison there, as the lowest result.
    """
    return plan.with_(network=_separated(plan.network))


def _separated(network: Network) -> Network:
    layers: list[Layer] = []
    features = dict(network.features)
    for layer in network.layers:
        if layer.pool is None or not any(layer.pool.padding):
            layers.append(layer)
            continue
        assert layer.source is not None  # such pooling is refused elsewhere
        assert isinstance(layer.post, Affine)
        post, name = layer.post, f"{layer.name}.unpooled"
        channels = post.m.size
        rows, cols = conv_shape(layer, network.features[layer.source])
        features[name] = Feature(name=name, channels=channels, rows=rows, cols=cols, low=post.low, high=post.high)
        unpooled = replace(post, threshold=None)
        layers.append(replace(layer, target=name, fixed=None, pool=None, at=(0, 0, 0), post=unpooled))
        one, none = np.ones(channels, np.int64), np.zeros(channels, np.int64)
        layers.append(
            replace(
                layer, name=f"{layer.name}.pool", source=name, weights=one[:, None, None, None], groups=channels,
                two_scale=False, stride=(1, 1), dilation=(1, 1), padding=layer.pool.padding, pad_value=post.low,
                pool=replace(layer.pool, padding=(0, 0, 0, 0)),
                post=replace(
                    post, m=one, m2=none, b=none, shift=0, pivot=none, m0=one, b0=none, m1=one, b1=none, shift1=0,
                ),
            )
        )  # fmt: skip
    return replace(network, features=features, layers=tuple(layers))
