"""Pass 1: the network is what its types promise, so that later passes need not ask."""

import numpy as np

from setun_compiler.backend.convolution import Convolution, convolutions
from setun_compiler.backend.plan import CompileError, Plan
from setun_compiler.network import Network, Raw, Threshold


def check_network(plan: Plan) -> Plan:
    """Refuse a network whose layers do not fit together.

    Raises
    ------
    CompileError
        Naming the layer or feature.
    """
    network = plan.network
    if not network.layers:
        raise CompileError(f"network {network.name!r} has no layers")
    for feature in network.features.values():
        if min(feature.shape) < 1 or feature.low > feature.high:
            raise CompileError(f"feature {feature.name!r} has no elements or no values")
    if network.port.feature not in network.features:
        raise CompileError(f"input feature {network.port.feature!r} is missing")
    known = {network.port.feature}
    raw: set[str] = set()
    for layer in convolutions(network):
        _check_layer(layer, network, known, raw)
        known.add(layer.target)
        if isinstance(layer.post, Raw):
            raw.add(layer.target)
    if network.output.feature not in known or network.output.feature == network.port.feature:
        raise CompileError(f"output feature {network.output.feature!r} is made by no layer")
    return plan


def _check_layer(layer: Convolution, network: Network, known: set[str], raw: set[str]) -> None:
    def refuse(what: str) -> None:
        raise CompileError(f"layer {layer.name!r}: {what}")

    if layer.source not in known:
        refuse(f"its input {layer.source!r} is made by no earlier layer")
    if layer.source in raw:
        refuse(f"its input {layer.source!r} leaves raw, which no layer can read")
    if layer.target in known or layer.target not in network.features:
        refuse(f"its output {layer.target!r} is made twice or is no feature")
    source, target = network.features[layer.source], network.features[layer.target]
    out, per_group = layer.weights.shape[0], layer.weights.shape[1]
    if layer.groups < 1 or out % layer.groups or per_group * layer.groups != source.channels:
        refuse(f"weights for {per_group * layer.groups} channels do not fit the {source.channels} of {source.name!r}")
    if min(layer.weights.shape) < 1 or min(*layer.stride, *layer.dilation) < 1:
        refuse("kernel, stride and dilation must be positive")
    pool = layer.pool
    if min(pool.rows, pool.cols, pool.row_stride, pool.col_stride) < 1:
        refuse("pooling window and stride must be positive")
    if (out, *layer.out_shape(source)) != target.shape or min(layer.out_shape(source)) < 1:
        refuse(f"makes {(out, *layer.out_shape(source))} elements, but {target.name!r} has {target.shape}")
    if isinstance(layer.post, Threshold):
        thresholds, codes = layer.post.thresholds, layer.post.codes
        if thresholds.shape[0] != out or codes.shape != (out, thresholds.shape[1] + 1):
            refuse(f"thresholds {thresholds.shape} and codes {codes.shape} do not fit {out} channels")
        if (np.diff(thresholds, axis=1) < 0).any():
            refuse(f"thresholds of channel {int(np.argwhere(np.diff(thresholds, axis=1) < 0)[0][0])} decrease")
        if codes.min() < target.low or codes.max() > target.high:
            refuse(f"codes {codes.min()} to {codes.max()} leave {target.low} to {target.high} of {target.name!r}")
    elif layer.post.scale.shape != (out,) or layer.post.bias.shape != (out,):
        refuse(f"scale and bias must have {out} elements")
