"""What must hold of any network, checked after it was made."""

import numpy as np

from setun_compiler.network import Layer, Network, Threshold


def check_network(network: Network) -> None:
    """Shapes and orders fit, sources exist before they are read, ranges hold.

    Raises
    ------
    AssertionError
        Naming the layer; a failure is the compiler's fault, not the model's.
    """
    known = {network.port.feature}
    for layer in network.layers:
        assert layer.source in known, f"{layer.name} reads {layer.source} before it is made"
        assert layer.target not in known, f"{layer.name} makes {layer.target} a second time"
        known.add(layer.target)
        _check_layer(network, layer)
    assert network.output.feature in known, "the output is never made"
    assert set(network.features) == known, "a feature is listed that no layer makes"


def output_extent(layer: Layer, rows: int, cols: int) -> tuple[int, int]:
    """Rows and columns of the layer's result for a map of rows x cols, pooling included."""
    top, left, bottom, right = layer.padding
    kernel = layer.weights.shape[2:]
    out_rows = (rows + top + bottom - layer.dilation[0] * (kernel[0] - 1) - 1) // layer.stride[0] + 1
    out_cols = (cols + left + right - layer.dilation[1] * (kernel[1] - 1) - 1) // layer.stride[1] + 1
    if layer.pool is not None:
        out_rows = (out_rows - layer.pool.rows) // layer.pool.row_stride + 1
        out_cols = (out_cols - layer.pool.cols) // layer.pool.col_stride + 1
    return out_rows, out_cols


def _check_layer(network: Network, layer: Layer) -> None:
    source, target = network.features[layer.source], network.features[layer.target]
    channels = layer.weights.shape[0]
    assert layer.weights.dtype == np.int64, f"{layer.name}: weights are not integers"
    assert layer.weights.shape[1] * layer.groups == source.channels, f"{layer.name}: weights do not fit the source"
    assert target.shape == (channels, *output_extent(layer, source.rows, source.cols)), (
        f"{layer.name}: wrong target shape"
    )
    post = layer.post
    if isinstance(post, Threshold):
        assert post.codes.shape == (channels, post.thresholds.shape[1] + 1), (
            f"{layer.name}: codes do not fit thresholds"
        )
        assert (np.diff(post.thresholds, axis=1) >= 0).all(), f"{layer.name}: thresholds fall"
        assert (post.codes.min(), post.codes.max()) == (target.low, target.high), f"{layer.name}: wrong target range"
    else:
        assert post.scale.shape == post.bias.shape == (channels,), f"{layer.name}: scale and bias do not fit"
