"""Max pooling past the edges of a map."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from setun_compiler import CompileError, compile_network
from setun_compiler.network import Affine, Feature, Network, Pool, Raw, Residual, Threshold
from setun_hw.config import Config
from tests.compiler.small_network import network as small_network
from tests.compiler.test_backend_random import check_meaning

CONFIG = Config(
    name="test", rows=4, lanes=4, strips=3, post=2, code_digits=1, activation_words=2048, affine=True, residual_bits=9,
    residual_words=512,
)  # fmt: skip
STEM = Pool(rows=3, cols=3, row_stride=2, col_stride=2, padding=(1, 1, 1, 1))


def affine(channels: int, **changes: Any) -> Affine:
    """y = acc."""
    one, zero = np.ones(channels, np.int64), np.zeros(channels, np.int64)
    fields = {"m": one, "m2": zero, "r": one, "b": zero, "shift": 0, "pivot": zero, "m0": one, "b0": zero, "m1": one}
    fields |= {"b1": zero, "shift1": 0, "low": -200, "high": 200}
    return Affine(**{**fields, **changes})  # type: ignore[arg-type]


def pooled(pool: Pool, rows: int, cols: int, channels: int = 6) -> Network:
    """A convolution whose results are below zero, so that zeros beside the map would show: pooled, compared, kept for
    an addition behind the next layer."""
    rng = np.random.default_rng(rows)
    net = small_network(
        rng.integers(-1, 2, (channels, 3, 3, 3)), (3, rows, cols), low=0, high=255, padding=(1, 1, 1, 1)
    )
    stem, out = net.layers[0], pool.out(rows, cols)
    codes = Threshold(thresholds=np.tile([-120, -60], (channels, 1)), codes=np.tile([-1, 0, 1], (channels, 1)))
    scaled = affine(channels, m=rng.integers(5, 20, channels), b=np.full(channels, -(100 << 7)), shift=7)
    first = replace(stem, name="stem", target="t", fixed="x0", pool=pool, post=replace(scaled, threshold=codes))
    weights = rng.integers(-1, 2, (channels, channels, 1, 1))
    second = replace(
        stem, name="sum", source="t", target="u", padding=(0, 0, 0, 0), weights=weights, residual=Residual(source="x0"),
        post=affine(channels, low=-100, high=100),
    )  # fmt: skip
    last = replace(
        second,
        name="last",
        source="u",
        target="y",
        residual=None,
        post=Raw(scale=np.ones(channels), bias=np.zeros(channels)),
    )

    def feature(name: str, low: int, high: int) -> Feature:
        return Feature(name=name, channels=channels, rows=out[0], cols=out[1], low=low, high=high)

    features = [feature("t", -1, 1), feature("x0", -200, 200), feature("u", -100, 100), feature("y", 0, 0)]
    return replace(
        net, layers=(first, second, last), output=replace(net.output, shape=(channels, *out)),
        features={"x": net.features["x"], **{found.name: found for found in features}},
    )  # fmt: skip


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize(
    "pool",
    [
        STEM,
        replace(STEM, padding=(1, 1, 0, 0)),
        replace(STEM, rows=2, cols=2, padding=(1, 0, 0, 1)),
        replace(STEM, row_stride=1, col_stride=3, padding=(2, 2, 2, 2)),
    ],
)
def test_nothing_past_the_edges_counts(pool: Pool, batch: bool) -> None:
    net = pooled(pool, 7, 6)
    check_meaning(net, compile_network(net, CONFIG, batch=batch))


def test_what_cannot_be_pooled_past_the_edges() -> None:
    net = pooled(STEM, 7, 6)
    stem = net.layers[0]
    wide = replace(net, layers=(replace(stem, pool=replace(STEM, padding=(3, 1, 1, 1))), *net.layers[1:]))
    with pytest.raises(
        CompileError, match=r"^layer 'stem': padding of a pooling window must be smaller than the window$"
    ):
        compile_network(wide, CONFIG)
    sums = replace(net, layers=(replace(stem, fixed=None, post=stem.post.threshold), *net.layers[1:]))  # type: ignore[union-attr]
    with pytest.raises(CompileError, match=r"^layer 'stem': padded pooling needs fixed-point post-processing without"):
        compile_network(sums, CONFIG)


def test_overlapping_windows_may_be_a_layer_of_their_own() -> None:
    """Computed once each, pixels take a ninth of the steps; one step then pools each of them nine times."""
    rng = np.random.default_rng(2)
    net = small_network(
        rng.integers(-1, 2, (4, 32, 3, 3)), (32, 9, 9), thresholds=np.tile([-2, 2], (4, 1)),
        codes=np.tile([-1, 0, 1], (4, 1)), pool=Pool(rows=3, cols=3, row_stride=1, col_stride=1),
    )  # fmt: skip
    program = compile_network(net, CONFIG)
    assert [layer.name for layer in program.layers] == ["layer", "layer.pool"]
    check_meaning(net, program)
    falling = replace(net.layers[0], post=replace(net.layers[0].post, codes=np.tile([1, 0, -1], (4, 1))))
    assert len(compile_network(replace(net, layers=(falling,)), CONFIG).layers) == 1


def test_positions_with_the_same_weights_are_added_up_first() -> None:
    rng = np.random.default_rng(3)
    same = np.broadcast_to(rng.integers(-1, 2, (60, 8, 1, 1)), (60, 8, 7, 1))
    net = small_network(same, (8, 7, 1), low=-9, high=9)
    program = compile_network(net, CONFIG)
    assert [layer.name for layer in program.layers] == ["layer.added", "layer"]
    assert program.layers[1].macs == 60 * 8
    check_meaning(net, program)
    other = np.array(same)
    other[0, 0, 3] += 1
    wide = replace(net, features={**net.features, "x": replace(net.features["x"], low=-99, high=99)})
    for kept, config in ((small_network(other, (8, 7, 1), low=-9, high=9), CONFIG), (wide, CONFIG)):
        assert len(compile_network(kept, config).layers) == 1
    without = CONFIG.replace(affine=False, residual_words=0)
    assert len(compile_network(net, without).layers) == 1
