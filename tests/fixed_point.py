"""Random networks of everything that fixed-point post-processing adds: residual operands of all windows, two slopes,
two scales, layers that make two features or have no weights, features filled piece by piece, crops."""

from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st

from setun_compiler.network import (
    Affine,
    Feature,
    Integers,
    Layer,
    Network,
    Output,
    Pool,
    Port,
    Raw,
    Residual,
    Threshold,
)
from setun_hw.config import Config
from tests.strategies import configs

#: values before and behind the slopes stay below this, so that their ranges are provable on accumulators of 24 bits
LARGEST = 1 << 20
#: results of a layer lie within two's complement of this many bits
RESIDUAL_BITS = 12


@st.composite
def affine_configs(draw: st.DrawFn, **fixed: object) -> Config:
    """Roomy configurations with everything that fixed-point networks need."""
    extra = {
        "affine": True, "two_scale": True, "accumulator_bits": 24, "residual_bits": RESIDUAL_BITS,
        "residual_words": 8192, "coefficient_bits": draw(st.sampled_from([14, 16])), "code_digits": 4,
    }  # fmt: skip
    config = draw(configs(**{**extra, **fixed}))
    return config.replace(post=min(config.post, 4))  # so that it divides channels that begin again


@dataclass
class _Builder:
    draw: st.DrawFn
    random: np.random.Generator
    features: dict[str, Feature] = field(default_factory=dict)
    layers: list[Layer] = field(default_factory=list)
    #: names of what a later layer may convolve, and of what it may add
    banks: list[str] = field(default_factory=list)
    fixed: list[str] = field(default_factory=list)

    def feature(self, shape: tuple[int, int, int], low: int, high: int) -> Feature:
        name = f"f{len(self.features)}"
        self.features[name] = Feature(name=name, channels=shape[0], rows=shape[1], cols=shape[2], low=low, high=high)
        return self.features[name]

    def choose(self, *options: object) -> object:
        return self.draw(st.sampled_from(options))

    # -- layers -------------------------------------------------------------------------------
    def convolution(self, source: Feature) -> tuple[Layer, tuple[int, int, int]]:
        """A layer without post-processing yet, and the shape of what it makes."""
        draw, two_scale = self.draw, self.draw(st.integers(0, 4)) == 0
        padding = draw(st.tuples(*[st.sampled_from([0, 1, 1, -1])] * 4))
        sizes = [
            max(0, size + before + after)
            for size, before, after in zip(source.shape[1:], padding[:2], padding[2:], strict=True)
        ]
        if min(sizes) < 1 or min(source.shape[1:]) < 3:
            padding, sizes = (0, 0, 0, 0), list(source.shape[1:])
        kernel = tuple(draw(st.integers(1, min(3, size))) for size in sizes)
        stride = tuple(draw(st.sampled_from([1, 1, 2])) for _ in sizes)
        rows, cols = ((size - k) // s + 1 for size, k, s in zip(sizes, kernel, stride, strict=True))
        pool = None
        if draw(st.integers(0, 3)) == 0:
            height, width = min(draw(st.integers(2, 3)), rows), min(3, cols)
            past = [draw(st.integers(0, min(1, size - 1))) for size in (height, width) * 2]
            if draw(st.booleans()):
                past = [0, 0, 0, 0]
            pool = Pool(
                rows=height, cols=width, row_stride=draw(st.integers(1, 2)), col_stride=draw(st.integers(1, 2)),
                padding=(past[0], past[1], past[2], past[3]),
            )  # fmt: skip
            rows, cols = pool.out(rows, cols)
        groups = source.channels if draw(st.integers(0, 3)) == 0 else 1
        out = groups * draw(st.integers(1, max(1, 12 // groups)))
        top = 1 if two_scale or draw(st.booleans()) else 5
        weights = self.random.integers(-top, top + 1, (out, source.channels // groups, *kernel))
        layer = Layer(
            name=f"layer{len(self.layers)}", source=source.name, target=None, weights=weights, two_scale=two_scale,
            groups=groups, stride=(stride[0], stride[1]), padding=padding, pad_value=int(self.choose(0, source.low)),  # type: ignore[call-overload]
            pool=pool, post=Raw(scale=np.ones(out), bias=np.zeros(out)),
        )  # fmt: skip
        return layer, (out, rows, cols)

    def operand(self, shape: tuple[int, int, int], pool: Pool | None) -> Residual | None:
        """A residual operand for results of a shape, where one fits."""
        for name in self.draw(st.permutations(self.fixed)) if self.fixed else ():
            operand = self.features[name]
            wraps = operand.channels < shape[0]
            if wraps and operand.channels % 4:
                continue
            ways = [
                [
                    (window, step)
                    for step in range(1, 5)
                    for window in range(1, (step if pool is None else 1) + 1)
                    if window <= size and (size - window) // step + 1 == made
                ]
                for size, made in zip(operand.shape[1:], shape[1:], strict=True)
            ]
            if all(ways):
                (rows, row_step), (cols, col_step) = (self.draw(st.sampled_from(way)) for way in ways)
                return Residual(source=name, rows=rows, cols=cols, row_step=row_step, col_step=col_step)
        return None

    def window(self) -> tuple[Residual, tuple[int, int, int]]:
        """An operand that is all there is, windows overlapping or not."""
        operand = self.features[self.draw(st.sampled_from(self.fixed))]
        rows, cols = (self.draw(st.integers(1, min(3, size))) for size in operand.shape[1:])
        if self.draw(st.booleans()):
            cols = operand.cols
        row_step, col_step = self.draw(st.integers(1, 3)), self.draw(st.integers(1, 3))
        shape = (operand.channels, (operand.rows - rows) // row_step + 1, (operand.cols - cols) // col_step + 1)
        return Residual(source=operand.name, rows=rows, cols=cols, row_step=row_step, col_step=col_step), shape

    # -- post-processing ----------------------------------------------------------------------
    def affine(self, channels: int, reach: int, residual: Residual | None, after: bool) -> Affine:
        """Coefficients of all signs whose results stay provable."""
        shift, shift1 = self.draw(st.sampled_from([0, 1, 7])), self.draw(st.sampled_from([0, 3]))
        window, held = 0, 0
        if residual is not None:
            operand = self.features[residual.source]
            window = residual.rows * residual.cols
            held = max(abs(operand.low), abs(operand.high)) * window
        low, high = sorted(self.random.integers(-1 << RESIDUAL_BITS - 1, 1 << RESIDUAL_BITS - 1, 2).tolist())
        low, high = self.draw(st.sampled_from([(low, high), (-1, 1), (-40, 100), (0, 0), (-2048, 2047)]))

        def numbers(limit: int) -> Integers:
            return self.random.integers(-limit, limit + 1, channels)

        room = (LARGEST << shift) // 4
        return Affine(
            m=numbers(min(8000, room // (2 * reach + 1))), m2=numbers(min(8000, room // (2 * reach + 1))),
            r=numbers(min(8000, room // (held + 1))), b=numbers(min(room, 1 << 24)), shift=shift,
            pivot=numbers(self.draw(st.sampled_from([0, 100, 1 << 22]))), m0=numbers(2 << shift1),
            b0=numbers(1000 << shift1), m1=numbers(2 << shift1), b1=numbers(1000 << shift1), shift1=shift1, low=low,
            high=high, residual_after=after,
        )  # fmt: skip

    def threshold(self, channels: int, reach: int, low: int, high: int) -> Threshold:
        count = self.draw(st.integers(1, 4))
        thresholds = np.sort(self.random.integers(-reach - 1, reach + 2, (channels, count)), axis=1)
        return Threshold(thresholds=thresholds, codes=self.random.integers(low, high + 1, (channels, count + 1)))

    def finish(self, layer: Layer, shape: tuple[int, int, int], reach: int, last: bool) -> list[Layer]:
        """The layer with post-processing and what it makes; of a feature in two parts, both layers."""
        kind = self.choose("codes", "digits", "both", "fixed") if not last else self.choose("codes", "digits", "raw")
        plain = layer.weights is not None and not layer.two_scale and layer.residual is None
        if kind == "raw" and plain and not (layer.pool is not None and any(layer.pool.padding)):
            target = self.feature(shape, 0, 0)
            return [self.into(layer, target, fixed=None)]
        after = layer.residual is not None and (layer.pool is not None or self.draw(st.booleans()))
        post = self.affine(shape[0], reach, layer.residual, after)
        fixed = self.feature(shape, post.low, post.high).name if kind in ("both", "fixed") and not last else None
        if fixed is not None:
            self.fixed.append(fixed)
        if kind == "fixed" and fixed is not None:
            return [self.with_post(layer, post, None, fixed)]
        low, high = post.low, post.high
        if kind != "digits" and self.draw(st.booleans()):
            low, high = self.draw(st.sampled_from([(-1, 1), (0, 3)]))
            codes = self.threshold(shape[0], max(abs(post.low), abs(post.high)), low, high)
            post = Affine(**{**vars(post), "threshold": codes})
        elif high - low > 500:  # more digits than a feature can have, after a few layers
            low, high = -100, 255
            post = Affine(**{**vars(post), "low": low, "high": high})
            if fixed is not None:
                self.features[fixed] = Feature(**{**vars(self.features[fixed]), "low": low, "high": high})
        twice = not last and fixed is None and self.draw(st.integers(0, 3)) == 0
        target = self.feature((2 * shape[0], *shape[1:]) if twice else shape, low, high)
        first = self.with_post(layer, post, target.name, fixed)
        if not twice:
            return [self.into(first, target, fixed)]
        second = Layer(**{**vars(first), "name": f"{first.name}.again", "at": (shape[0], 0, 0)})
        gap = self.draw(st.integers(0, 3)) == 0  # nothing writes the other half, which reads as 0
        if gap:
            target = Feature(**{**vars(target), "low": min(low, 0), "high": max(high, 0)})
            self.features[target.name] = target
        self.banks.append(target.name)
        return [second] if gap else [first, second]

    def with_post(self, layer: Layer, post: Affine, target: str | None, fixed: str | None) -> Layer:
        return Layer(**{**vars(layer), "post": post, "target": target, "fixed": fixed})

    def into(self, layer: Layer, target: Feature, fixed: str | None) -> Layer:
        self.banks.append(target.name)
        return Layer(**{**vars(layer), "target": target.name, "fixed": fixed})

    def layer(self, last: bool) -> None:
        """Append a layer (or the two that fill a feature)."""
        draw = self.draw
        if self.fixed and draw(st.integers(0, 3)) == 0:
            residual, shape = self.window()
            post = Raw(scale=np.ones(shape[0]), bias=np.zeros(shape[0]))
            layer = Layer(
                name=f"layer{len(self.layers)}", source=None, target=None, weights=None, residual=residual, post=post
            )
            self.layers += self.finish(layer, shape, 1, last)
            return
        source = self.features[self.banks[-1] if draw(st.booleans()) else draw(st.sampled_from(self.banks))]
        layer, shape = self.convolution(source)
        past = layer.pool is not None and any(layer.pool.padding)
        residual = self.operand(shape, layer.pool) if draw(st.integers(0, 3)) and not past else None
        assert layer.weights is not None
        values = max(abs(source.low), abs(source.high), abs(layer.pad_value), 1)
        reach = int(np.abs(layer.weights).sum(axis=(1, 2, 3)).max()) * values
        self.layers += self.finish(Layer(**{**vars(layer), "residual": residual}), shape, max(1, reach), last)


@st.composite
def fixed_point_networks(draw: st.DrawFn, most_layers: int = 5) -> Network:
    """Small networks whose layers use every option of :class:`Affine` and :class:`Residual`."""
    build = _Builder(draw, np.random.default_rng(draw(st.integers(0, 1 << 32))))
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9)))
    first = build.feature(shape, *draw(st.sampled_from([(-1, 1), (0, 255), (-7, 3)])))
    build.banks.append(first.name)
    count = draw(st.integers(1, most_layers))
    for index in range(count):
        build.layer(last=index == count - 1)
    output = build.features[build.banks[-1]]
    return Network(
        name="random",
        port=Port(name="x", shape=shape, feature=first.name, scale=0.5, zero=0),
        output=Output(name="y", feature=output.name, shape=output.shape),
        features=build.features,
        layers=tuple(build.layers),
    )
