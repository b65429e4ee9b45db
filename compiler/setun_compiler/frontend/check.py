"""What must hold of any network, checked after it was made."""

import numpy as np

from setun_compiler.network import Affine, Integers, Layer, Network, Threshold


def check_network(network: Network) -> None:
    """Shapes and orders fit, sources exist before they are read, ranges hold.

    Raises
    ------
    AssertionError
        Naming the layer; a failure is the compiler's fault, not the model's.
    """
    fillers = [name for layer in network.layers for name in (layer.target, layer.fixed) if name is not None]
    known = {network.port.feature}
    for position, layer in enumerate(network.layers):
        later = {name for other in network.layers[position:] for name in (other.target, other.fixed)}
        for read in (layer.source, layer.residual.source if layer.residual else None):
            # reading a feature before all of it is filled is what a recurrent layer's state would look like
            assert read is None or read in known or read not in later, f"{layer.name} reads {read} before it is made"
        known.update(name for name in (layer.target, layer.fixed) if name is not None)
        _check_layer(network, layer)
    pieces = {layer.target for layer in network.layers if any(layer.at)}
    assert len(set(fillers) - pieces) == len([name for name in fillers if name not in pieces]), "made a second time"
    assert network.output.feature in known, "the output is never made"
    assert set(network.features) == known, "a feature is listed that no layer makes"


def output_extent(layer: Layer, rows: int, cols: int) -> tuple[int, int]:
    """Rows and columns of the result of a layer with weights for a map of rows x cols, pooling included."""
    assert layer.weights is not None
    top, left, bottom, right = layer.padding
    kernel = layer.weights.shape[2:]
    out_rows = (rows + top + bottom - layer.dilation[0] * (kernel[0] - 1) - 1) // layer.stride[0] + 1
    out_cols = (cols + left + right - layer.dilation[1] * (kernel[1] - 1) - 1) // layer.stride[1] + 1
    if layer.pool is not None:
        out_rows, out_cols = layer.pool.out(out_rows, out_cols)
    return out_rows, out_cols


def _check_layer(network: Network, layer: Layer) -> None:
    shape = _shape(network, layer)
    if layer.target is not None:
        target = network.features[layer.target]
        ends = tuple(start + extent for start, extent in zip(layer.at, shape, strict=True))
        fits = all(end <= extent for end, extent in zip(ends, target.shape, strict=True))
        assert fits, f"{layer.name}: wrong target shape"
    if layer.fixed is not None:
        assert network.features[layer.fixed].shape == shape, f"{layer.name}: wrong shape of its fixed-point feature"
        assert isinstance(layer.post, Affine), f"{layer.name}: only an affine step makes fixed point"
    post, channels = layer.post, shape[0]
    if isinstance(post, Threshold):
        assert layer.residual is None, f"{layer.name}: thresholds take no residual"
        _check_table(network, layer, post)
    elif isinstance(post, Affine):
        numbers: tuple[Integers, ...] = (
            post.m, post.m2, post.r, post.b, post.pivot, post.m0, post.b0, post.m1, post.b1
        )  # fmt: skip
        assert all(part.shape == (channels,) and part.dtype == np.int64 for part in numbers), f"{layer.name}: shapes"
        late = layer.pool is None or layer.residual is None or post.residual_after
        assert late, f"{layer.name}: pools sums that a residual was added to"
        if post.threshold is not None:
            _check_table(network, layer, post.threshold)
        elif layer.target is not None:
            target = network.features[layer.target]
            assert target.low <= post.low <= post.high <= target.high, f"{layer.name}: wrong target range"
    else:
        assert post.scale.shape == post.bias.shape == (channels,), f"{layer.name}: scale and bias do not fit"


def _shape(network: Network, layer: Layer) -> tuple[int, int, int]:
    """(channels, rows, cols) of the layer's result."""
    window = None
    if layer.residual is not None:
        operand, residual = network.features[layer.residual.source], layer.residual
        rows = (operand.rows - residual.rows) // residual.row_step + 1
        cols = (operand.cols - residual.cols) // residual.col_step + 1
        window = rows, cols
    if layer.weights is None:
        assert window is not None, f"{layer.name}: has nothing to work on"
        assert isinstance(layer.post, Affine), f"{layer.name}: only an affine step can do without weights"
        return layer.post.m.size, *window
    assert layer.source is not None, f"{layer.name}: has weights but no source"
    source = network.features[layer.source]
    assert layer.weights.dtype == np.int64, f"{layer.name}: weights are not integers"
    assert layer.weights.shape[1] * layer.groups == source.channels, f"{layer.name}: weights do not fit the source"
    assert not layer.two_scale or np.abs(layer.weights).max() <= 1, f"{layer.name}: two scales need trits"
    extent = output_extent(layer, source.rows, source.cols)
    assert window is None or window == extent, f"{layer.name}: its residual's windows do not fit"
    return layer.weights.shape[0], *extent


def _check_table(network: Network, layer: Layer, table: Threshold) -> None:
    assert table.codes.shape == (table.thresholds.shape[0], table.thresholds.shape[1] + 1), (
        f"{layer.name}: codes do not fit thresholds"
    )
    assert (np.diff(table.thresholds, axis=1) >= 0).all(), f"{layer.name}: thresholds fall"
    assert layer.target is not None, f"{layer.name}: codes go nowhere"
    target = network.features[layer.target]
    low, high = int(table.codes.min()), int(table.codes.max())
    assert target.low <= low <= high <= target.high, f"{layer.name}: wrong target range"
