"""Pass 1: the network is what its types promise, so that later passes need not ask."""

from typing import NoReturn

import numpy as np

from setun_compiler.backend.plan import CompileError, Plan
from setun_compiler.backend.shapes import out_shape, residual_rows_and_cols
from setun_compiler.network import Affine, Feature, Layer, Network, Raw, Threshold


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
    check = _Checker(network)
    for layer in network.layers:
        check.layer(layer)
    if network.output.feature not in check.filled or network.output.feature == network.port.feature:
        raise CompileError(f"output feature {network.output.feature!r} is made by no layer")
    return plan


class _Checker:
    """Knows what the layers so far have made."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.filled: dict[str, list[tuple[slice, slice, slice]]] = {network.port.feature: []}
        self.fixed: set[str] = set()
        self.raw: set[str] = set()

    def layer(self, layer: Layer) -> None:
        """Check one layer and note what it makes."""
        made = self._convolved(layer) if layer.weights is not None else None
        if made is None:
            if layer.source is not None or layer.residual is None or not isinstance(layer.post, Affine):
                _refuse(layer, "without weights it needs a residual operand in fixed point, and no input")
            if layer.pool is not None or layer.two_scale:
                _refuse(layer, "without weights there is nothing to pool or to scale twice")
        if layer.residual is not None:
            made = self._operand(layer, made)
        assert made is not None
        self._post(layer, made[0])
        if layer.target is None and layer.fixed is None:
            _refuse(layer, "makes nothing")
        if layer.target is not None:
            self._target(layer, made)
        if layer.fixed is not None:
            feature = self.network.features.get(layer.fixed)
            if feature is None or layer.fixed in self.filled or layer.fixed in self.fixed:
                _refuse(layer, f"its output {layer.fixed!r} is made twice or is no feature")
            if not isinstance(layer.post, Affine):
                _refuse(layer, f"only fixed-point post-processing can make {layer.fixed!r}")
            if made != feature.shape:
                _refuse(layer, f"makes {made} elements, but {layer.fixed!r} has {feature.shape}")
            self.fixed.add(layer.fixed)

    def _convolved(self, layer: Layer) -> tuple[int, int, int]:
        assert layer.weights is not None
        if layer.source not in self.filled:
            _refuse(layer, f"its input {layer.source!r} is made by no earlier layer")
        if layer.source in self.raw:
            _refuse(layer, f"its input {layer.source!r} leaves raw, which no layer can read")
        source = self.network.features[layer.source]
        out, per_group = layer.weights.shape[:2]
        if layer.groups < 1 or out % layer.groups or per_group * layer.groups != source.channels:
            what = f"the {source.channels} of {source.name!r}"
            _refuse(layer, f"weights for {per_group * layer.groups} channels do not fit {what}")
        if min(layer.weights.shape) < 1 or min(*layer.stride, *layer.dilation) < 1:
            _refuse(layer, "kernel, stride and dilation must be positive")
        pool = layer.pool
        if pool is not None and min(pool.rows, pool.cols, pool.row_stride, pool.col_stride) < 1:
            _refuse(layer, "pooling window and stride must be positive")
        if pool is not None and any(pool.padding):
            inside = all(0 <= pad < size for pad, size in zip(pool.padding, (pool.rows, pool.cols) * 2, strict=True))
            if not inside:
                _refuse(layer, "padding of a pooling window must be smaller than the window")
            if not isinstance(layer.post, Affine) or layer.residual is not None:
                _refuse(layer, "padded pooling needs fixed-point post-processing without a residual operand")
        if layer.two_scale and not isinstance(layer.post, Affine):
            _refuse(layer, "two scales need fixed-point post-processing")
        if layer.two_scale and np.abs(layer.weights).max() > 1:
            _refuse(layer, "weights of two scales must be -1, 0 or 1")
        return out, *out_shape(layer, source)

    def _operand(self, layer: Layer, made: tuple[int, int, int] | None) -> tuple[int, int, int]:
        residual = layer.residual
        assert residual is not None
        if not isinstance(layer.post, Affine):
            _refuse(layer, "a residual operand needs fixed-point post-processing")
        if residual.source not in self.fixed:
            _refuse(layer, f"its residual operand {residual.source!r} is made in fixed point by no earlier layer")
        if min(residual.rows, residual.cols, residual.row_step, residual.col_step) < 1:
            _refuse(layer, "window and steps of its residual operand must be positive")
        pooled = layer.pool is not None and layer.pool.rows * layer.pool.cols > 1
        if pooled and (residual.rows, residual.cols) != (1, 1):
            _refuse(layer, "with max pooling the residual operand's window must be 1 x 1")
        if pooled and not layer.post.residual_after:
            _refuse(layer, "with max pooling the residual operand must be added behind it")
        operand = self.network.features[residual.source]
        rows, cols = residual_rows_and_cols(residual, operand)
        if made is None:
            return layer.post.m.size, rows, cols
        if (rows, cols) != made[1:]:
            _refuse(layer, f"its residual operand has {rows} x {cols} windows for {made[1]} x {made[2]} results")
        return made

    def _post(self, layer: Layer, channels: int) -> None:
        post = layer.post
        if isinstance(post, Threshold):
            _check_threshold(layer, post, channels, self._feature(layer))
        elif isinstance(post, Raw):
            if post.scale.shape != (channels,) or post.bias.shape != (channels,):
                _refuse(layer, f"scale and bias must have {channels} elements")
        else:
            for name in ("m", "m2", "r", "b", "pivot", "m0", "b0", "m1", "b1"):
                if getattr(post, name).shape != (channels,):
                    _refuse(layer, f"{name} must have {channels} elements")
            if post.low > post.high:
                _refuse(layer, f"its results cannot lie between {post.low} and {post.high}")
            if layer.target is not None and post.threshold is not None:
                _check_threshold(layer, post.threshold, channels, self._feature(layer))

    def _feature(self, layer: Layer) -> Feature:
        if layer.target not in self.network.features:
            _refuse(layer, f"its output {layer.target!r} is made twice or is no feature")
        return self.network.features[layer.target]

    def _target(self, layer: Layer, made: tuple[int, int, int]) -> None:
        assert layer.target is not None
        target = self._feature(layer)
        place = tuple(slice(at, at + size) for at, size in zip(layer.at, made, strict=True))
        parts = self.filled.setdefault(layer.target, [])
        overlaps = any(all(a.start < b.stop and b.start < a.stop for a, b in zip(place, p, strict=True)) for p in parts)
        taken = layer.target == self.network.port.feature or layer.target in self.fixed | self.raw
        if taken or overlaps:
            _refuse(layer, f"its output {layer.target!r} is made twice or is no feature")
        if min(layer.at) < 0 or any(p.stop > size for p, size in zip(place, target.shape, strict=True)):
            _refuse(layer, f"makes {made} elements, but {target.name!r} has {target.shape}")
        if isinstance(layer.post, Raw) or layer.target == self.network.output.feature:
            if made != target.shape:
                _refuse(layer, f"makes {made} elements, but {target.name!r} has {target.shape}")
            if isinstance(layer.post, Raw):
                self.raw.add(layer.target)
        parts.append(place)  # type: ignore[arg-type]


def _check_threshold(layer: Layer, post: Threshold, channels: int, target: Feature) -> None:
    thresholds, codes = post.thresholds, post.codes
    if thresholds.shape[0] != channels or codes.shape != (channels, thresholds.shape[1] + 1):
        _refuse(layer, f"thresholds {thresholds.shape} and codes {codes.shape} do not fit {channels} channels")
    if (np.diff(thresholds, axis=1) < 0).any():
        _refuse(layer, f"thresholds of channel {int(np.argwhere(np.diff(thresholds, axis=1) < 0)[0][0])} decrease")
    if codes.min() < target.low or codes.max() > target.high:
        _refuse(layer, f"codes {codes.min()} to {codes.max()} leave {target.low} to {target.high} of {target.name!r}")


def _refuse(layer: Layer, what: str) -> NoReturn:
    raise CompileError(f"layer {layer.name!r}: {what}")
