"""Layers for demands: one layer per source where one can make everything, more where none can."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from setun_compiler.frontend import steps
from setun_compiler.frontend.demands import Demand, Precision
from setun_compiler.frontend.errors import ModelError
from setun_compiler.frontend.expression import Expression
from setun_compiler.frontend.fixed_point import OutGrid, encode, sums_range
from setun_compiler.frontend.lines import CurveError, Lines, find_lines, spread, straight_lines
from setun_compiler.frontend.mirror import to_flip
from setun_compiler.frontend.tensors import Linear, Mapped, Operand, Real, Stored, leaf_range, scaled
from setun_compiler.frontend.zoom import zoomed
from setun_compiler.interpret import affine
from setun_compiler.network import Affine, Feature, Layer, Raw, Residual, Threshold

#: levels that as many thresholds as a configuration can have tell apart
MOST_LEVELS = 65
#: sums times channels up to which an affine step is compared with the model's own quantiser
COMPARED = 1 << 21


@dataclass
class Answers:
    """The layers so far."""

    precision: Precision
    unique: Callable[[str], str]
    note: Callable[[str], None]
    layers: list[Layer] = field(default_factory=list)

    def answer(self, demands: list[Demand]) -> None:
        """Layers for all that is demanded of one source."""
        fixed = next((demand for demand in demands if demand.fixed), None)
        if fixed is None:
            for demand in demands:
                self._alone(demand)
            if len(demands) > 1 and not _is_view(demands[0].source):
                self.note(f"{demands[0].source.name} is computed {len(demands)} times, once for each use of its sums")
            return
        rest = [demand for demand in demands if demand is not fixed]
        first = next((demand for demand in rest if demand.levels is not None and _of(demand, fixed)), None)
        self._fixed(fixed, first)
        for demand in rest:
            if demand is not first:
                inner = _of(demand, fixed)
                self._alone(demand if inner is None else _recoded(demand, fixed, inner))

    def leave(self, source: Linear, target: Feature, post: Raw) -> None:
        """The layer whose sums are the network's output."""
        self._emit(source.name, source, target.name, None, post)

    # -- one demand ---------------------------------------------------------------------------
    def _alone(self, demand: Demand) -> None:
        source = demand.source
        if demand.levels is not None and isinstance(source, Linear):
            assert demand.code_grid is not None
            table = steps.code_table(demand.levels, demand.code_grid, source.high)
            weights = source.weights
            if source.pool is None:
                flip = to_flip(table, weights)
                table = steps.mirrored(table, flip, -source.low)
                source = replace(source, weights=np.where(flip[:, None, None, None], -weights, weights))
            self._emit(demand.name, source, demand.feature.name, None, table, demand.at)
        elif demand.levels is not None:
            assert isinstance(source, Real)
            real, post = zoomed(source, demand, self.precision)
            self._emit(demand.name, real, demand.feature.name, None, post, demand.at)
        elif demand.fixed:
            self._fixed(demand, None)
        else:
            real, post = self._lines(demand)
            if demand.rounded is not None and isinstance(source, Linear):
                self._compare(demand, source, post)
            self._emit(demand.name, real, demand.feature.name, None, post, demand.at)

    def _fixed(self, demand: Demand, codes: Demand | None) -> None:
        """The layer of a fixed-point feature, and of codes compared with it."""
        real, post = self._lines(demand)
        name = demand.source.name if codes is None else codes.name
        if codes is not None:
            inner = _of(codes, demand)
            assert inner is not None
            post = replace(post, threshold=codes_of_out(codes, demand, inner))
        target = codes.feature.name if codes is not None else None
        taken = {layer.name for layer in self.layers}
        at = codes.at if codes is not None else (0, 0, 0)
        self._emit(self.unique(name) if name in taken else name, real, target, demand.feature.name, post, at)

    def _lines(self, demand: Demand) -> tuple[Real, Affine]:
        assert demand.out is not None
        value = demand.value if demand.rounded is None else demand.rounded.surrogate
        try:
            real, lines = real_lines(demand.source, value, demand.out)
        except CurveError as error:
            if demand.rounded is None:
                raise
            raise ModelError(
                f"{demand.rounded.before.where}: channel {error.channel} is a curve in front of a quantiser of "
                f"{demand.rounded.levels} levels, but thresholds make at most {MOST_LEVELS}: quantise it to fewer, or "
                "use ReLU, PReLU or RPReLU, which are straight lines"
            ) from None
        return real, encode(real, lines, demand.out, self.precision.coefficient_bits)

    def _compare(self, demand: Demand, source: Linear, post: Affine) -> None:
        """Tell how many sums the affine step takes to another code than the model's quantiser does."""
        assert demand.out is not None
        first, last = int(source.low.min()), int(source.high.max())
        if (last - first + 1) * source.groups > COMPARED:
            return
        sums = np.clip(np.arange(first, last + 1), source.low[:, None], source.high[:, None])
        found = affine(post, sums[None, :, None, :], np.zeros_like(sums)[None, :, None, :], None, None)[0, :, 0]
        exact = np.rint(demand.value.evaluate((sums * source.sign[:, None]).astype(np.float64)) / demand.out.scale)
        wrong = np.abs(found - exact)
        if wrong.any():
            self.note(
                f"{source.name}: {np.count_nonzero(wrong)} of {wrong.size} sums get another code than in the model's "
                f"quantiser, by at most {int(wrong.max())}"
            )

    def _emit(
        self, name: str, source: Mapped, target: str | None, fixed: str | None, post: Threshold | Raw | Affine,
        at: tuple[int, int, int] = (0, 0, 0),
    ) -> None:  # fmt: skip
        linear = source if isinstance(source, Linear) else source.linear
        operand = source.operand if isinstance(source, Real) else None
        residual = None
        if operand is not None:
            residual = Residual(
                source=operand.stored.feature.name, rows=operand.rows, cols=operand.cols,
                row_step=operand.row_step, col_step=operand.col_step,
            )  # fmt: skip
        layer = Layer(
            name=name, source=None, target=target, fixed=fixed, weights=None, pool=source.pool, residual=residual,
            post=post, at=at,
        )  # fmt: skip
        if linear is not None:
            layer = replace(
                layer, source=linear.source.name, weights=linear.weights, groups=linear.convolution_groups,
                stride=linear.stride, dilation=linear.dilation, padding=linear.padding, pad_value=linear.pad_value,
                two_scale=isinstance(source, Real) and bool(source.gain2.any()),
            )  # fmt: skip
        self.layers.append(layer)

    # -- order --------------------------------------------------------------------------------
    def ordered(self, start: str) -> tuple[Layer, ...]:
        """The layers, each after all that fill what it reads, otherwise as they were made."""
        waiting = list(self.layers)
        done: list[Layer] = []
        while waiting:
            missing = {name for layer in waiting for name in (layer.target, layer.fixed) if name is not None}
            ready = [layer for layer in waiting if not {layer.source, _operand(layer)} & missing]
            if not ready:
                raise ModelError(f"{waiting[0].name} depends on itself")
            done.append(ready[0])
            waiting = [layer for layer in waiting if layer is not ready[0]]
        return tuple(done)


def _operand(layer: Layer) -> str | None:
    return layer.residual.source if layer.residual is not None else None


def _is_view(source: Mapped) -> bool:
    return isinstance(source, Real) and source.is_view


def as_real(source: Mapped) -> Real:
    """A linear source as a real one; the leaf stays the same."""
    if isinstance(source, Real):
        return source
    low, high = leaf_range(source)
    return Real(
        name=source.name, shape=source.shape, linear=source, gain=source.sign.astype(np.float64),
        gain2=np.zeros(source.groups), bias=np.zeros(source.groups), low=low, high=high, pool=source.pool,
    )  # fmt: skip


def real_lines(source: Mapped, value: Expression, out: OutGrid) -> tuple[Real, Lines]:
    """A chain as lines in z, on the source that z comes from."""
    real = as_real(source)
    floor, ceiling = out.limits
    if real.after:
        form = value.affine(real.groups)
        assert form is not None, "a chain behind a late operand is affine"
        assert real.operand is not None
        operand = replace(real.operand, gain=real.operand.gain * form[0])
        return replace(real, operand=operand), inner_lines(real).scaled(*form)
    if real.bent is not None:
        both = value.rebased(value.leaf, real.bent)
        assert both is not None
        low, high = sums_range(real)
        return real, find_lines(both, low, high, floor, ceiling)
    return real, find_lines(value, real.low, real.high, floor, ceiling)


def inner_lines(real: Real) -> Lines:
    """What stands between z and the leaf, without a late operand."""
    if real.bent is None:
        return straight_lines(np.ones(real.groups), np.zeros(real.groups))
    low, high = sums_range(real)
    seen = real.bent.evaluate(spread(low, high))
    return find_lines(real.bent, low, high, float(seen.min()), float(seen.max()))


def _of(demand: Demand, fixed: Demand) -> Expression | None:
    """The demand as a function of the fixed feature's value; None when it is not one."""
    return demand.value.rebased(fixed.value, Expression())


def view(
    name: str, stored: Stored, groups: int, rows: int = 1, cols: int = 1, steps_: tuple[int, int] = (1, 1)
) -> Real:
    """A source that is nothing but the mean of windows of a stored feature."""
    feature = stored.feature
    operand = Operand(
        stored=stored, gain=np.full(groups, 1 / (rows * cols)), rows=rows, cols=cols, row_step=steps_[0],
        col_step=steps_[1],
    )  # fmt: skip
    low, high = operand.limits
    zero = np.zeros(groups)
    shape = (groups, (feature.rows - rows) // steps_[0] + 1, (feature.cols - cols) // steps_[1] + 1)
    return Real(
        name=name, shape=shape, linear=None, gain=zero, gain2=zero, bias=zero, low=low, high=high, operand=operand
    )


def _recoded(demand: Demand, fixed: Demand, inner: Expression) -> Demand:
    """The same demand on the stored feature: a layer without weights."""
    assert fixed.out is not None
    source = view(demand.name, Stored(feature=fixed.feature, scale=fixed.out.scale), fixed.feature.channels)
    levels = steps.find_steps(inner, source.low, source.high) if demand.levels is not None else None
    rounded = demand.rounded
    if rounded is not None:
        surrogate = rounded.surrogate.rebased(fixed.value, Expression())
        rounded = None if surrogate is None else replace(rounded, surrogate=surrogate)
    return replace(demand, source=source, value=inner, levels=levels, rounded=rounded)


def codes_of_out(codes: Demand, fixed: Demand, inner: Expression) -> Threshold:
    """Thresholds on ``out``: the chain evaluated at the real value of each of its integers."""
    assert fixed.out is not None
    assert codes.code_grid is not None
    channels = codes.source.groups
    line = scaled("out", np.full(channels, fixed.out.scale), np.zeros(channels))
    on_out = inner.rebased(inner.leaf, line)
    assert on_out is not None
    low, high = np.full(channels, fixed.out.low), np.full(channels, fixed.out.high)
    found = steps.read_steps(on_out, low, high, np.ones(channels, np.int64))
    table = steps.code_table(found, codes.code_grid, high)
    return Threshold(
        thresholds=table.thresholds, codes=np.clip(table.codes, codes.feature.low, codes.feature.high)
    )
