"""Random integer networks, configurations and inputs: the cases that compiler, simulator and hardware tests share.

Shapes are small and mean: one row, one column, one channel, kernels as large as the map, strides beyond the kernel,
padding on one side only, groups that straddle lanes, constant features, several digits on either side.
"""

from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from setun_compiler.network import Feature, Integers, Layer, Network, Output, Pool, Port, Raw, Threshold
from setun_hw.config import Config, Encoding

#: geometries that differ in every way: M != N, P = 1, P = 7, one lane, W = 1, W = M = N
GEOMETRIES: tuple[dict[str, int], ...] = (
    {"rows": 4, "lanes": 8, "strips": 2, "post": 2},
    {"rows": 8, "lanes": 4, "strips": 3, "post": 4},
    {"rows": 4, "lanes": 4, "strips": 7, "post": 1},
    {"rows": 6, "lanes": 4, "strips": 1, "post": 2},
    {"rows": 1, "lanes": 1, "strips": 2, "post": 1},
    {"rows": 16, "lanes": 16, "strips": 4, "post": 16},
    {"rows": 3, "lanes": 5, "strips": 5, "post": 1},
)


@st.composite
def configs(draw: st.DrawFn, **fixed: object) -> Config:
    """Roomy configurations of mean geometries; ``fixed`` overrides fields."""
    encoding = draw(st.sampled_from(Encoding)) if "encoding" not in fixed else fixed["encoding"]
    fields: dict[str, object] = {
        "name": "random",
        "encoding": encoding,
        **draw(st.sampled_from(GEOMETRIES)),
        "thresholds": 4,
        "code_digits": 4,
        "accumulator_bits": 22,
        "activation_words": 1 << 16,
        "weight_words": 8192,
        "parameter_words": 256,
        "axi_data_bits": draw(st.sampled_from([32, 64, 128])),
        "packed_weights": encoding is not Encoding.BINARY2 and draw(st.booleans()),
        "queue_depth": draw(st.sampled_from([1, 4])),
        "tree_registers": draw(st.sampled_from([0, 1])),
    }
    return Config(**{**fields, **fixed})  # type: ignore[arg-type]


@dataclass
class _Builder:
    draw: st.DrawFn
    random: np.random.Generator
    features: dict[str, Feature] = field(default_factory=dict)
    layers: list[Layer] = field(default_factory=list)

    def add_feature(self, shape: tuple[int, int, int], low: int, high: int) -> Feature:
        name = f"f{len(self.features)}"
        self.features[name] = Feature(name=name, channels=shape[0], rows=shape[1], cols=shape[2], low=low, high=high)
        return self.features[name]

    def weights(self, shape: tuple[int, int, int, int]) -> Integers:
        kind = self.draw(st.sampled_from(["ternary", "ternary", "ones", "minus", "wide", "zero"]))
        if kind == "wide":
            top = self.draw(st.sampled_from([2, 5, 20]))
            return self.random.integers(-top, top + 1, shape)
        if kind == "ternary":
            return self.random.integers(-1, 2, shape)
        return np.full(shape, {"ones": 1, "minus": -1, "zero": 0}[kind], np.int64)

    def layer(self, source: Feature, last: bool) -> Feature:
        draw = self.draw
        whole = draw(st.integers(0, 4)) == 0
        stride, dilation = (1, 1), (1, 1)
        padding = (0, 0, 0, 0)
        if whole:
            kernel = (source.rows, source.cols)
        else:
            padding = draw(st.tuples(*[st.sampled_from([0, 0, 1, 2])] * 4))
            spans = source.rows + padding[0] + padding[2], source.cols + padding[1] + padding[3]
            kernel = draw(st.integers(1, min(3, spans[0]))), draw(st.integers(1, min(3, spans[1])))
            stride = draw(st.sampled_from([1, 1, 2, 3])), draw(st.sampled_from([1, 1, 2, 3]))
            wide = [k > 1 and 2 * (k - 1) + 1 <= span for k, span in zip(kernel, spans, strict=True)]
            dilations = [st.sampled_from([1, 2] if w else [1]) for w in wide]
            dilation = draw(dilations[0]), draw(dilations[1])
        rows, cols = (
            (size + before + after - d * (k - 1) - 1) // s + 1
            for size, before, after, k, s, d in zip(
                source.shape[1:], padding[:2], padding[2:], kernel, stride, dilation, strict=True
            )
        )
        pool = None
        if max(rows, cols) > 1 and draw(st.integers(0, 2)) == 0:
            pool = Pool(
                rows=draw(st.integers(1, min(3, rows))), cols=draw(st.integers(1, min(3, cols))),
                row_stride=draw(st.integers(1, 2)), col_stride=draw(st.integers(1, 2)),
            )  # fmt: skip
            rows, cols = (rows - pool.rows) // pool.row_stride + 1, (cols - pool.cols) // pool.col_stride + 1
        groups = draw(st.sampled_from([g for g in (1, 1, 1, 2, 3, source.channels) if source.channels % g == 0]))
        out = groups * draw(st.integers(1, max(1, 20 // groups)))
        weights = self.weights((out, source.channels // groups, *kernel))
        raw = last and draw(st.booleans())
        low, high = draw(st.sampled_from([(-1, 1), (-1, 1), (0, 3), (-3, 8), (5, 5)])) if not raw else (0, 0)
        target = self.add_feature((out, rows, cols), low, high)
        reach = max(1, int(np.abs(weights).sum(axis=(1, 2, 3)).max()) * max(abs(source.low), abs(source.high)))
        pad_value = draw(st.integers(source.low, source.high)) if draw(st.booleans()) else 0
        self.layers.append(
            Layer(
                name=f"layer{len(self.layers)}", source=source.name, target=target.name, weights=weights,
                groups=groups, stride=stride, dilation=dilation, padding=padding, pad_value=pad_value,
                pool=pool, post=self.post(out, low, high, reach, raw),
            )
        )  # fmt: skip
        return target

    def post(self, channels: int, low: int, high: int, reach: int, raw: bool) -> Threshold | Raw:
        if raw:
            return Raw(scale=self.random.uniform(0.5, 2, channels), bias=self.random.normal(size=channels))
        count = self.draw(st.integers(1, 4))
        spread = self.draw(st.sampled_from([2, reach + 2, 1 << 40]))
        thresholds = np.sort(self.random.integers(-spread, spread + 1, (channels, count)), axis=1)
        return Threshold(thresholds=thresholds, codes=self.random.integers(low, high + 1, (channels, count + 1)))


@st.composite
def networks(draw: st.DrawFn, most_layers: int = 4, branches: bool = True) -> Network:
    """Small networks of mean shapes; with ``branches`` a layer may read any earlier feature."""
    build = _Builder(draw, np.random.default_rng(draw(st.integers(0, 1 << 32))))
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 11), st.integers(1, 9)))
    low, high = draw(st.sampled_from([(-1, 1), (0, 1), (0, 255), (-128, 127), (0, 16), (7, 9), (3, 3)]))
    feature = first = build.add_feature(shape, low, high)
    count = draw(st.integers(1, most_layers))
    for index in range(count):
        last = index == count - 1
        if branches and draw(st.integers(0, 4)) == 0:
            feature = draw(st.sampled_from(list(build.features.values())))
        feature = build.layer(feature, last)
    return Network(
        name="random",
        port=Port(name="x", shape=shape, feature=first.name, scale=0.5, zero=draw(st.sampled_from([0, 3]))),
        output=Output(name="y", feature=feature.name, shape=feature.shape),
        features=build.features,
        layers=tuple(build.layers),
    )


def integers_for(network: Network, images: int, seed: int = 0) -> Integers:
    """Random integers of the network's input feature, (images, channels, rows, cols), extremes among them."""
    feature = network.features[network.port.feature]
    random = np.random.default_rng(seed)
    values = random.integers(feature.low, feature.high + 1, (images, *feature.shape))
    values[0] = random.choice([feature.low, feature.high], feature.shape)
    return values


def samples_for(network: Network, integers: Integers) -> NDArray[np.float64]:
    """Floats that the network's port turns into ``integers``."""
    floats = (integers - network.port.zero) * network.port.scale
    return np.asarray(floats.reshape(len(integers), *network.port.shape))
