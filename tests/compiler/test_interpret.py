"""The network interpreter against hand-computed cases and slow loops."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from setun_compiler import interpret
from setun_compiler.network import Affine, Feature, Layer, Network, Output, Pool, Port, Raw, Residual, Threshold
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


def affine(channels: int = 1, **changes: object) -> Affine:
    """out = acc, clipped to +-2047, unless changed."""
    one, zero = np.ones(channels, np.int64), np.zeros(channels, np.int64)
    base = Affine(
        m=one, m2=zero, r=zero, b=zero, shift=0, pivot=zero, m0=one, b0=zero, m1=one, b1=zero, shift1=0,
        low=-2047, high=2047,
    )  # fmt: skip
    return replace(base, **changes)


SUMS = np.array([[[[-9, -2, -1, 0, 1, 2, 9]]]])


def out(post: Affine, sums: NDArray[np.int64] = SUMS, **others: Any) -> list[int]:
    second = others.get("second", np.zeros_like(sums))
    found = interpret.affine(post, sums, second, others.get("pool"), others.get("residual"))
    return [int(value) for value in found.ravel()]


def test_an_affine_step_rounds_half_up_and_clips() -> None:
    assert out(affine(shift=1)) == [-4, -1, 0, 0, 1, 1, 5]
    assert out(affine(b=np.array([3]), low=-4, high=3)) == [-4, 1, 2, 3, 3, 3, 3]


def test_two_slopes_meet_at_the_pivot() -> None:
    lower = {"m0": np.array([-3]), "b0": np.array([1])}
    post = affine(pivot=np.array([-1]), m1=np.array([4]), b1=np.array([8]), shift1=2, **lower)
    assert out(post) == [7, 2, 1, 2, 3, 4, 11]


def test_the_second_accumulator_has_its_own_factor() -> None:
    assert out(affine(m2=np.array([-2])), second=np.abs(SUMS)) == [-27, -6, -3, 0, -1, -2, -9]
    weights = np.array([[[[1, -1]]]])
    x = np.array([[[[5, 3]]]])
    both = layer(weights=weights, two_scale=True, post=affine(m=np.array([10]), m2=np.array([1])))
    assert interpret.run_layer(both, x).output.tolist() == [[[[28]]]]


def test_a_residual_comes_before_the_slopes_or_after_them() -> None:
    residual = np.array([[[[1, 1, 1, 4, 4, 4, 4]]]])
    relu = affine(r=np.array([2]), m0=np.array([0]))
    assert out(relu, residual=residual) == [0, 0, 1, 8, 9, 10, 17]
    assert out(replace(relu, residual_after=True), residual=residual) == [2, 2, 2, 8, 9, 10, 17]


def test_pooling_takes_the_largest_result_not_the_largest_sum() -> None:
    falling = affine(m=np.array([-1]))
    assert out(falling, pool=Pool(rows=1, cols=3, row_stride=1, col_stride=2)) == [9, 1, -1]


def test_nothing_past_the_map_counts_for_pooling() -> None:
    pool = Pool(rows=1, cols=3, row_stride=1, col_stride=3, padding=(0, 1, 0, 1))
    assert interpret.max_pool(pool, SUMS - 20).tolist() == [[[[-22, -19, -11]]]]


def test_a_residual_window_sums_and_repeats_its_channels() -> None:
    source = np.arange(2 * 4 * 4).reshape(1, 2, 4, 4)
    window = Residual(source="f", rows=2, cols=2, row_step=2, col_step=2)
    sums = interpret.window_sums(window, source)
    assert sums.tolist() == [[[[10, 18], [42, 50]], [[74, 82], [106, 114]]]]
    post = affine(4, m=np.zeros(4, np.int64), r=np.array([1, 1, 2, 2]), shift=0)
    none = layer(source=None, weights=None, residual=window, post=post)
    found = interpret.run_layer(none, None, source)
    assert found.output[0, :, 0, 0].tolist() == [10, 74, 20, 148]
    assert not found.sums.any()


def test_codes_are_read_off_out_and_out_stays_fixed_point() -> None:
    table = Threshold(thresholds=np.array([[-1, 2]]), codes=np.array([[-1, 0, 1]]))
    found = interpret.run_layer(layer(weights=np.array([[[[1]]]]), post=affine(threshold=table)), SUMS)
    assert found.output.ravel().tolist() == [-1, -1, 0, 0, 0, 1, 1]
    assert found.fixed is not None
    np.testing.assert_array_equal(found.fixed, SUMS)


def test_negative_padding_crops() -> None:
    x = np.arange(12).reshape(1, 1, 3, 4)
    found = interpret.run_layer(layer(weights=np.array([[[[1]]]]), padding=(-1, -2, 1, -1)), x)
    assert found.sums.tolist() == [[[[6], [10], [0]]]]


def test_several_layers_fill_one_feature() -> None:
    base = network(Port(name="x", shape=(1, 2), feature="in", scale=1.0, zero=0))
    one = np.array([[[[1]]]])
    shape = {"channels": 2, "rows": 1, "cols": 3, "low": -4, "high": 4}
    features = {**base.features, "both": Feature(name="both", **shape), "out": Feature(name="out", **shape)}
    pieces = [
        layer(name="a", target="both", weights=one, post=affine()),
        layer(name="b", target="both", weights=-one, post=affine(), at=(1, 0, 1)),
        layer(name="c", source="both", weights=np.eye(2, dtype=np.int64)[:, :, None, None],
              post=Raw(scale=np.ones(2), bias=np.zeros(2))),
    ]  # fmt: skip
    found = interpret.run(replace(base, features=features, layers=tuple(pieces)), np.array([[[[3, 4]]]]))
    assert found["c"].output.tolist() == [[[[3, 4, 0]], [[0, -3, -4]]]]
