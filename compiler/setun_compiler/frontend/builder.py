"""The network so far: what later operators need of each tensor becomes features now and layers at the end.

A tensor can be needed as codes (to be convolved) and in fixed point (to be added). Which of the two its layer must make
is known only after the last operator was seen, so demands are collected per source and answered in ``finish``.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from setun_compiler.frontend import steps
from setun_compiler.frontend.answers import MOST_LEVELS, Answers, view
from setun_compiler.frontend.demands import Demand, Meaning, Precision
from setun_compiler.frontend.errors import ModelError
from setun_compiler.frontend.evaluate import Ranges
from setun_compiler.frontend.expression import Expression
from setun_compiler.frontend.fixed_point import OutGrid
from setun_compiler.frontend.grid import Grid, find_grid
from setun_compiler.frontend.lines import find_lines, spread, values
from setun_compiler.frontend.rounded import rounded_grid
from setun_compiler.frontend.steps import Steps
from setun_compiler.frontend.tensors import Linear, Mapped, Real, Settled, Source, Stored, Tensor, leaf_range, scaled
from setun_compiler.network import Feature, Layer, Port, Raw

NAME_LENGTH = 60
#: levels a chain may have to be compared with thresholds; more of them become fixed point where they can
FEW_LEVELS = 16
#: points at which the number of levels is guessed
GLANCE = 257


@dataclass
class Builder:
    """Features, demands and notes."""

    precision: Precision = field(default_factory=Precision)
    ranges: Ranges | None = None
    features: dict[str, Feature] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    port: Port | None = None
    #: the model's value that each chain computes, by source and expression
    values: dict[tuple[int, int], tuple[str, Mapped]] = field(default_factory=dict)
    demands: dict[int, list[Demand]] = field(default_factory=dict)
    raw: list[tuple[Linear, Feature, Raw]] = field(default_factory=list)
    _names: set[str] = field(default_factory=set)
    _settled: dict[tuple[int, int], Settled] = field(default_factory=dict)
    _stored: dict[tuple[int, int], Stored] = field(default_factory=dict)
    _views: dict[str, Real] = field(default_factory=dict)

    def unique(self, name: str) -> str:
        """A name made of letters, digits and ``_./-`` only, not used before."""
        plain = "".join(char if char.isascii() and (char.isalnum() or char in "_./-") else "_" for char in name)
        base = plain.strip("/")[:NAME_LENGTH] or "layer"
        found, number = base, 2
        while found in self._names:
            found, number = f"{base}_{number}", number + 1
        self._names.add(found)
        return found

    def note(self, sentence: str) -> None:
        """Keep a sentence for the user, once."""
        if sentence and sentence not in self.notes:
            self.notes.append(sentence)

    def add_feature(self, feature: Feature) -> Feature:
        """Record a feature."""
        self.features[feature.name] = feature
        return feature

    def named(self, source: Mapped, value: Expression, name: str) -> None:
        """Remember that a chain computes the model's value ``name``, in its own order; the first name counts."""
        self.values.setdefault((id(source), value.serial), (name, source))

    def meanings(self) -> tuple[Meaning, ...]:
        """What each feature made by a layer stands for, where it stands for one of the model's values."""
        found = []
        for demand in (demand for demands in self.demands.values() for demand in demands):
            name, _ = self.values.get((id(demand.source), demand.value.serial), (ROW_MEANS, None))
            if name.endswith(ROW_MEANS):
                continue
            scale, offset = (demand.out.scale, 0.0) if demand.out is not None else (1.0, 0.0)
            if demand.code_grid is not None:
                scale, offset = demand.code_grid.scale, demand.code_grid.offset
            found.append(
                Meaning(
                    feature=demand.feature.name, value=name, scale=scale, offset=offset,
                    decisions=demand.levels is not None,
                )
            )  # fmt: skip
        return tuple(found)

    def name_rows(self, rows: Real, value: Expression, stored: Stored) -> None:
        """Remember that a source holds the row means of a stored feature's values."""
        demand = next(d for found in self.demands.values() for d in found if d.feature is stored.feature)
        name, _ = self.values.get((id(demand.source), demand.value.serial), ("", rows))
        if name:
            self.named(rows, value, name + ROW_MEANS)

    def demanded(self, source: Source) -> bool:
        """Whether something needs the source already."""
        return id(source) in self.demands

    # -- codes --------------------------------------------------------------------------------
    def settle(self, tensor: Tensor, bits: int = 0) -> Settled:
        """Integers to be convolved that stand for the tensor: codes of a step function, else fixed point of ``bits``.

        Raises
        ------
        ModelError
            When the chain is neither a step function of few levels nor one or two straight lines.
        """
        source, value = tensor.source, tensor.value
        assert isinstance(source, Mapped)
        key = (id(source), value.serial)
        if key not in self._settled:
            few = self.is_few(tensor)
            if not few:
                source, value = self._within_reach(source, value)
            self._settled[key] = self._settle(source, value, few, bits or self.precision.activation_bits)
        return self._settled[key]

    def is_few(self, tensor: Tensor) -> bool:
        """Whether the tensor's chain is a step function of few levels."""
        assert isinstance(tensor.source, Mapped)
        return _few(tensor.source, tensor.value)

    def _within_reach(self, source: Mapped, value: Expression) -> tuple[Mapped, Expression]:
        """The same chain on a source whose layer can compute it.

        That is the stored leaf, when the layer's one affine step is taken up by what stands before its pooling or its
        late operand.
        """
        leaf, before = value.leaf, value.leaf
        if isinstance(source, Linear):
            if source.pool is None or not _falls(source, value):
                return source, value
            before = scaled("turned", source.sign.astype(np.float64), np.zeros(source.groups))
        elif not (
            (source.after and value.affine(source.groups) is None)
            or (source.pool is not None and (source.after or _falls(source, value)))
        ) or value is leaf:
            return source, value
        stored = self.store(Tensor(source=source, value=before, index=np.zeros(0, np.int64)))
        again = before if before is not leaf else Expression()
        found = value.rebased(leaf, again)
        assert found is not None
        return self.view(stored), found

    def view(self, stored: Stored) -> Real:
        """A stored feature as a source."""
        name = stored.feature.name
        if name not in self._views:
            self._views[name] = view(self.unique(f"{name}.again"), stored, stored.feature.channels)
        return self._views[name]

    def _settle(self, source: Mapped, value: Expression, few: bool, bits: int) -> Settled:
        if few:
            found = self._steps(source, value)
            grid = find_grid(steps.levels(found))
            few = int(np.bincount(found.channel).max()) <= MOST_LEVELS
            if grid is not None and few and not steps.off_grid(found, grid):
                codes = np.rint((found.value - grid.offset) / grid.scale)
                demand = self._demand(source, value, int(codes.min()), int(codes.max()), levels=found, code_grid=grid)
                count = source.groups
                return Settled(
                    feature=demand.feature, scale=np.full(count, grid.scale), offset=np.full(count, grid.offset)
                )
        rounded = rounded_grid(source, value)
        out = rounded.grid if rounded is not None else self._grid(source, value, bits)
        demand = self._demand(source, value, out.low, out.high, out=out, rounded=rounded)
        return Settled(
            feature=demand.feature, scale=np.full(source.groups, out.scale), offset=np.zeros(source.groups)
        )

    def _steps(self, source: Mapped, value: Expression) -> Steps:
        if isinstance(source, Linear):
            return steps.read_steps(value, source.low, source.high, source.sign)
        return steps.find_steps(value, source.low, source.high)

    def _demand(
        self, source: Mapped, value: Expression, low: int, high: int, *, out: OutGrid | None = None,
        levels: Steps | None = None, code_grid: Grid | None = None, rounded: object = None,
    ) -> Demand:  # fmt: skip
        channels, rows, cols = source.shape
        mine = self.demands.setdefault(id(source), [])
        name = source.name if not mine else self.unique(source.name)
        feature = Feature(name=name, channels=channels, rows=rows, cols=cols, low=low, high=high)
        demand = Demand(
            source=source, value=value, feature=self.add_feature(feature), name=name, out=out, levels=levels,
            code_grid=code_grid, rounded=rounded,  # type: ignore[arg-type]
        )  # fmt: skip
        mine.append(demand)
        return demand

    # -- collections --------------------------------------------------------------------------
    def snapshot(self) -> tuple[Any, ...]:
        """What ``restore`` needs to take back all that was demanded since."""
        demands = {key: list(found) for key, found in self.demands.items()}
        parts = (self.features, self._settled, self._stored, self._views, self._names)
        return demands, *(part.copy() for part in parts), list(self.notes), self.port

    def restore(self, before: tuple[Any, ...]) -> None:
        """Take back everything since ``snapshot``."""
        (
            self.demands, self.features, self._settled, self._stored, self._views, self._names, self.notes, self.port,
        ) = before  # fmt: skip

    def move(self, settled: Settled, target: Feature, at: tuple[int, int, int]) -> None:
        """Let a feature that was just settled be a piece of another one."""
        for found in self.demands.values():
            for place, demand in enumerate(found):
                if demand.feature is settled.feature:
                    found[place] = replace(demand, feature=target, at=at)
        del self.features[settled.feature.name]
        self._settled = {key: value for key, value in self._settled.items() if value is not settled}

    # -- fixed point --------------------------------------------------------------------------
    def store(self, tensor: Tensor, out: OutGrid | None = None) -> Stored:
        """The tensor in fixed point, in residual memory, in the order of its source; ``out`` is its grid if known."""
        source, value = tensor.source, tensor.value
        assert isinstance(source, Mapped)
        key = (id(source), value.serial)
        if key not in self._stored:
            source, value = self._within_reach(source, value)
            out = out or self._grid(source, value, self.precision.residual_bits)
            channels, rows, cols = source.shape
            name = self.unique(f"{source.name}.fixed")
            feature = Feature(name=name, channels=channels, rows=rows, cols=cols, low=out.low, high=out.high)
            self.add_feature(feature)
            demand = Demand(source=source, value=value, feature=feature, name=name, out=out, fixed=True)
            self.demands.setdefault(id(source), []).append(demand)
            self._stored[key] = Stored(feature=feature, scale=out.scale)
        return self._stored[key]

    def _grid(self, source: Mapped, value: Expression, bits: int) -> OutGrid:
        """Fixed point for a chain's values: their calibrated range, else what is proved, on ``bits`` bits."""
        low, high = proved_range(source, value)
        name, _ = self.values.get((id(source), value.serial), (None, source))
        seen = self.ranges.limits.get(name) if self.ranges is not None and name is not None else None
        if self.ranges is not None and name is not None and name.endswith(ROW_MEANS):
            seen = self.ranges.row_means.get(name.removesuffix(ROW_MEANS))
        if seen is not None:
            # a sixteenth of room for values that the samples do not show
            low, high = max(low, seen[0] * 17 / 16), min(high, seen[1] * 17 / 16)
        else:
            self.note(
                "real-valued tensors are scaled by the range that is proved for them, which is wide: calibration data "
                "makes them more precise"
            )
        unsigned = low >= 0 and bits == self.precision.activation_bits
        bottom, top = (0, (1 << bits) - 1) if unsigned else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
        scale = max(high / top, low / bottom if bottom else 0.0) or 1.0
        if isinstance(source, Real) and source.operand is not None:
            scale = _aligned(scale, source.operand.stored.scale)
        return OutGrid(scale=scale, low=max(bottom, round(low / scale)), high=min(top, round(high / scale)))

    # -- output and end -----------------------------------------------------------------------
    def leave(self, source: Linear, target: Feature, post: Raw) -> None:
        """A linear operator whose sums leave raw: the network's output."""
        self.raw.append((source, self.add_feature(target), post))

    def finish(self) -> tuple[Layer, ...]:
        """The layers that make all features demanded, each after those it reads."""
        answers = Answers(self.precision, self.unique, self.note)
        for demands in self.demands.values():
            answers.answer(demands)
        for source, target, post in self.raw:
            answers.leave(source, target, post)
        return answers.ordered(self.port.feature if self.port else "")


#: ending of the name of a tensor that holds the row means of a model's value
ROW_MEANS = "#row-means"


def _aligned(scale: float, base: float) -> float:
    """A scale a little larger, base*2^j*64/q with a whole q, so that base is aligned to it by a short coefficient."""
    power = 2.0 ** np.ceil(np.log2(scale / base))
    return float(base * power * 64 / np.floor(64 * power * base / scale))


def proved_range(source: Mapped, value: Expression) -> tuple[float, float]:
    """Smallest and largest value of a chain, from samples over the whole range of its leaf."""
    low, high = leaf_range(source)
    seen = values(value, spread(low, high))
    if not np.isfinite(seen).all():
        raise ModelError(f"{value.where}: reaches a value that is not a finite number")
    return float(seen.min()), float(seen.max())


def _falls(source: Mapped, value: Expression) -> bool:
    """Whether a chain falls anywhere as the layer's own sums rise."""
    low, high = leaf_range(source)
    seen = values(value, spread(low, high))
    if isinstance(source, Linear):
        seen = seen * source.sign[:, None]
    return bool((np.diff(seen, axis=1) < -1e-9 * np.abs(seen).max()).any())


def _few(source: Mapped, value: Expression) -> bool:
    """Whether no channel shows more than ``FEW_LEVELS`` values at a glance; of a quantised curve ``MOST_LEVELS``."""
    low, high = leaf_range(source)
    x = spread(low, high, GLANCE)
    if isinstance(source, Linear):
        x = np.rint(x)
    seen = np.sort(values(value, x), axis=1)
    noise = steps.NOISE * float(np.abs(seen).max())
    count = 1 + int(np.count_nonzero(np.diff(seen, axis=1) > noise, axis=1).max())
    return count <= FEW_LEVELS or (count <= MOST_LEVELS and _is_quantised_curve(source, value))


def _is_quantised_curve(source: Mapped, value: Expression) -> bool:
    """Whether a quantiser's levels are all that can be made of a chain, as lines do not make it."""
    rounded = rounded_grid(source, value)
    if rounded is None:
        return False
    try:
        find_lines(rounded.surrogate, *leaf_range(source), *rounded.grid.limits)
    except ModelError:
        return True
    return False
