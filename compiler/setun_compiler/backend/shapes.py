"""Sizes of what the network's layers make."""

from setun_compiler.network import Feature, Layer, Pool, Residual

#: what a layer without pooling does
NO_POOL = Pool(rows=1, cols=1, row_stride=1, col_stride=1)


def conv_shape(layer: Layer, source: Feature) -> tuple[int, int]:
    """Rows and columns of a layer's convolution, before pooling."""
    assert layer.weights is not None
    top, left, bottom, right = layer.padding
    rows = source.rows + top + bottom - layer.dilation[0] * (layer.weights.shape[2] - 1) - 1
    cols = source.cols + left + right - layer.dilation[1] * (layer.weights.shape[3] - 1) - 1
    return rows // layer.stride[0] + 1, cols // layer.stride[1] + 1


def out_shape(layer: Layer, source: Feature) -> tuple[int, int]:
    """Rows and columns of the result of a layer with weights."""
    return (layer.pool or NO_POOL).out(*conv_shape(layer, source))


def residual_rows_and_cols(residual: Residual, operand: Feature) -> tuple[int, int]:
    """Windows that fit a residual operand, in rows and columns."""
    rows = (operand.rows - residual.rows) // residual.row_step + 1
    return rows, (operand.cols - residual.cols) // residual.col_step + 1


def macs(layer: Layer, source: Feature, made: tuple[int, int]) -> int:
    """Multiply-accumulates of one image: convolution pixels that some pooling window covers."""
    assert layer.weights is not None
    (rows, cols), pool = conv_shape(layer, source), layer.pool or NO_POOL
    top, left = pool.padding[:2]
    used_rows = _covered(rows, made[0], pool.rows, pool.row_stride, top)
    return used_rows * _covered(cols, made[1], pool.cols, pool.col_stride, left) * layer.weights.size


def _covered(size: int, windows: int, window: int, stride: int, before: int) -> int:
    return min(size, (windows - 1) * stride + window - before) if stride < window else windows * window
