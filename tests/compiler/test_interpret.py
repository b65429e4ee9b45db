"""The network interpreter against hand-computed cases and slow loops."""

from dataclasses import replace

import numpy as np
import pytest

from setun_compiler import interpret
from setun_compiler.network import Feature, Layer, Network, Output, Pool, Port, Raw, Threshold
from setun_hw.errors import SetunError


def layer(**changes: object) -> Layer:
    base = Layer(
        name="l",
        source="in",
        target="out",
        weights=np.array([[[[1, -1]]]]),
        post=Raw(scale=np.ones(1), bias=np.zeros(1)),
    )
    return replace(base, **changes)


def test_a_convolution_by_hand() -> None:
    x = np.array([[[[1, 2, 4]]]])
    assert interpret.run_layer(layer(), x).sums.tolist() == [[[[-1, -2]]]]
    padded = interpret.run_layer(layer(padding=(0, 1, 0, 1), pad_value=7), x)
    assert padded.sums.tolist() == [[[[6, -1, -2, -3]]]]
    pooled = interpret.run_layer(layer(pool=Pool(rows=1, cols=2, row_stride=1, col_stride=1)), x)
    assert pooled.output.tolist() == [[[[-1]]]]
    post = Threshold(thresholds=np.array([[-2, -1]]), codes=np.array([[-1, 0, 1]]))
    assert interpret.run_layer(layer(post=post), x).output.tolist() == [[[[1, 0]]]]


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_strides_dilations_and_groups_equal_slow_loops(groups: int) -> None:
    random = np.random.default_rng(groups)
    x = random.integers(-3, 4, (2, 4, 7, 9))
    weights = random.integers(-1, 2, (8, 4 // groups, 3, 2))
    found = interpret.run_layer(
        layer(weights=weights, groups=groups, stride=(2, 1), dilation=(1, 3), padding=(1, 2, 0, 1), pad_value=-2), x
    ).sums
    padded = np.pad(x, ((0, 0), (0, 0), (1, 0), (2, 1)), constant_values=-2)
    expected = np.zeros((2, 8, 3, 9), np.int64)
    for n, o, oy, ox in np.ndindex(*expected.shape):
        for c, ky, kx in np.ndindex(*weights.shape[1:]):
            source = (o // (8 // groups)) * (4 // groups) + c
            expected[n, o, oy, ox] += weights[o, c, ky, kx] * padded[n, source, oy * 2 + ky, ox + 3 * kx]
    np.testing.assert_array_equal(found, expected)


def network(port: Port) -> Network:
    low, high = (min(port.table), max(port.table)) if port.table else (0, 4)
    return Network(
        name="n",
        port=port,
        output=Output(name="y", feature="out", shape=(1, 1, 1)),
        features={
            "in": Feature(name="in", channels=1, rows=1, cols=2, low=low, high=high),
            "out": Feature(name="out", channels=1, rows=1, cols=1, low=-8, high=8),
        },
        layers=(layer(post=Raw(scale=np.array([0.5]), bias=np.array([0.25]))),),
    )


def test_the_port_rounds_half_to_even_and_refuses_what_lies_outside() -> None:
    port = Port(name="x", shape=(2,), feature="in", scale=0.5, zero=1)
    assert interpret.quantize(network(port), np.array([[0.25, 0.75]])).tolist() == [[[[1, 3]]]]
    assert interpret.logits(network(port), np.array([[0.25, 0.75]])).tolist() == [[[[-0.75]]]]
    with pytest.raises(SetunError, match=r"^input 'x': 9 in sample 0 lies outside -0.5..1.5$"):
        interpret.quantize(network(port), np.array([[0.0, 9.0]]))
    with pytest.raises(SetunError, match=r"^input 'x': nan in sample 0 lies outside"):
        interpret.quantize(network(port), np.array([[np.nan, 0.0]]))
    with pytest.raises(SetunError, match=r"^input 'x' must have shape \(samples, 2\), not \(1, 3\)$"):
        interpret.quantize(network(port), np.zeros((1, 3)))


def test_the_port_saturates_offsets_and_looks_up() -> None:
    port = Port(name="x", shape=(2,), feature="in", scale=0.5, zero=0, offset=-1.0, saturate=True, table=(-1, 0, 0, 1))
    assert interpret.quantize(network(port), np.array([[-9.0, 0.5]])).tolist() == [[[[-1, 1]]]]
    assert interpret.quantize(network(port), np.array([[99.0, 0.0]])).tolist() == [[[[1, 0]]]]
