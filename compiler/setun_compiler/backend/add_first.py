"""A fully connected layer with the same weights at every position of its map, as behind a global mean: positions are
added up first, by a layer of ones, and only their sums are multiplied. The same integers, fewer steps and weights."""

from dataclasses import replace
from math import prod

import numpy as np

from setun_compiler.backend.plan import Plan, blocks_of
from setun_compiler.digits import digits_needed
from setun_compiler.layout import ceil_div
from setun_compiler.network import Affine, Feature, Layer, Network
from setun_hw.config import Config

#: digits of a sum, for estimates, to one of what is added
WIDER = 2


def add_first(plan: Plan) -> Plan:
    """Split every such layer where that saves steps, and sums fit fixed point."""
    network, config = plan.network, plan.config
    layers: list[Layer] = []
    features = dict(network.features)
    for layer in network.layers:
        if layer.source is None or not _pays(layer, network, config):
            layers.append(layer)
            continue
        assert layer.weights is not None
        source, count = network.features[layer.source], prod(layer.weights.shape[2:])
        made = Feature(
            name=f"{layer.name}.added", channels=source.channels, rows=1, cols=1, low=count * source.low,
            high=count * source.high,
        )  # fmt: skip
        features[made.name] = made
        ones = np.ones((source.channels, 1, *layer.weights.shape[2:]), np.int64)
        layers.append(
            Layer(
                name=made.name, source=source.name, target=made.name, weights=ones, groups=source.channels,
                post=_as_it_is(source.channels, made.low, made.high),
            )
        )  # fmt: skip
        layers.append(replace(layer, source=made.name, weights=layer.weights[:, :, :1, :1]))
    if len(layers) == len(network.layers):
        return plan
    return plan.with_(network=replace(network, features=features, layers=tuple(layers)))


def _pays(layer: Layer, network: Network, config: Config) -> bool:
    if not config.affine or layer.weights is None or layer.source is None or not _is_flat(layer, network):
        return False
    source, positions = network.features[layer.source], prod(layer.weights.shape[2:])
    limit, low, high = 1 << config.residual_bits - 1, positions * source.low, positions * source.high
    if low < -limit or high >= limit or digits_needed(low, high, config.encoding) > config.value_digits:
        return False
    blocks, groups = blocks_of(source.channels, config), ceil_div(len(layer.weights), config.rows)
    added = ceil_div(source.channels, config.rows) * positions
    return added + WIDER * groups * blocks < groups * blocks * positions


def _is_flat(layer: Layer, network: Network) -> bool:
    """Whether a layer takes its whole map at once, every position with the same weights."""
    assert layer.weights is not None
    assert layer.source is not None
    source = network.features[layer.source]
    plain = layer.groups == 1 and layer.pool is None and not layer.two_scale and not any((*layer.padding, *layer.at))
    whole = layer.weights.shape[2:] == (source.rows, source.cols)
    return plain and whole and bool((layer.weights == layer.weights[:, :, :1, :1]).all())


def _as_it_is(channels: int, low: int, high: int) -> Affine:
    """out = acc."""
    one, none = np.ones(channels, np.int64), np.zeros(channels, np.int64)
    return Affine(
        m=one, m2=none, r=none, b=none, shift=0, pivot=none, m0=one, b0=none, m1=one, b1=none, shift1=0, low=low,
        high=high,
    )  # fmt: skip
