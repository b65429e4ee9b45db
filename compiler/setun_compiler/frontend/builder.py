"""Turns traced tensors into features and layers, as soon as a linear operator or the output needs their integers."""

from dataclasses import dataclass, field

import numpy as np

from setun_compiler.frontend import steps
from setun_compiler.frontend.errors import ModelError
from setun_compiler.frontend.expression import Expression
from setun_compiler.frontend.grid import Integers, find_grid
from setun_compiler.frontend.tensors import Linear, Settled, Tensor
from setun_compiler.network import Feature, Layer, Port, Raw, Threshold

NAME_LENGTH = 60


@dataclass
class Builder:
    """The network so far."""

    features: dict[str, Feature] = field(default_factory=dict)
    layers: list[Layer] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    port: Port | None = None
    _names: set[str] = field(default_factory=set)
    _settled: dict[tuple[int, int], Settled] = field(default_factory=dict)

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
        if sentence not in self.notes:
            self.notes.append(sentence)

    def add_feature(self, feature: Feature) -> Feature:
        """Record a feature."""
        self.features[feature.name] = feature
        return feature

    def settle(self, tensor: Tensor) -> Settled:
        """Integers for a tensor computed from a linear layer: its chain becomes the layer's thresholds and codes.

        Raises
        ------
        ModelError
            When the chain is not a step function, or its levels are not integers on a common scale.
        """
        source, value = tensor.source, tensor.value
        assert isinstance(source, Linear)
        key = (id(source), value.serial)
        if key not in self._settled:
            self._settled[key] = self._settle(source, value)
        return self._settled[key]

    def _settle(self, source: Linear, value: Expression) -> Settled:
        found = steps.read_steps(value, source.low, source.high, source.sign)
        levels = steps.levels(found)
        grid = find_grid(levels)
        if grid is None or steps.off_grid(found, grid):
            shown = ", ".join(f"{level:.6g}" for level in levels[:5]) + (", ..." if levels.size > 5 else "")
            raise ModelError(f"{value.where}: its levels ({shown}) are not small integers times a common scale")
        table = steps.code_table(found, grid, source.high)
        weights = source.weights
        if source.pool is None:
            flip = _to_flip(table, weights)
            table = steps.mirrored(table, flip, -source.low)
            weights = np.where(flip[:, None, None, None], -weights, weights)
        channels, rows, cols = source.shape
        target = self.add_feature(
            Feature(
                name=source.name,
                channels=channels,
                rows=rows,
                cols=cols,
                low=int(table.codes.min()),
                high=int(table.codes.max()),
            )
        )
        self.add_layer(source, target, weights, table)
        return Settled(feature=target, scale=np.full(channels, grid.scale), offset=np.full(channels, grid.offset))

    def add_layer(self, source: Linear, target: Feature, weights: Integers, post: Threshold | Raw) -> None:
        """Record a linear operator with what follows it."""
        if any(layer.target == target.name for layer in self.layers):
            raise ModelError(f"{source.name}: its sums are used by two different chains, which is not supported yet")
        self.layers.append(
            Layer(
                name=source.name,
                source=source.source.name,
                target=target.name,
                weights=weights,
                groups=source.convolution_groups,
                stride=source.stride,
                dilation=source.dilation,
                padding=source.padding,
                pad_value=source.pad_value,
                pool=source.pool,
                post=post,
            )
        )


def first_sign(weights: Integers) -> Integers:
    """The sign of each output channel's first weight that is not 0; +1 where all are 0."""
    flat = weights.reshape(weights.shape[0], -1)
    first = np.take_along_axis(flat, (flat != 0).argmax(axis=1)[:, None], axis=1)[:, 0]
    return np.where(first < 0, -1, 1)


def _to_flip(table: Threshold, weights: Integers) -> Integers:
    """Channels whose weights are better negated: codes then rise, and all spellings of a network become one.

    Where codes neither rise nor fall throughout, the sequence that is larger decides, and last the first weight's sign.
    """
    direction = steps.direction(table)
    flip = np.where(direction == 0, first_sign(weights) < 0, direction == -1)
    for channel in np.flatnonzero(direction == 2):
        row = table.codes[channel]
        codes = row[: int(np.count_nonzero(np.diff(row))) + 1].tolist()
        if codes == codes[::-1]:
            flip[channel] = first_sign(weights[channel : channel + 1])[0] < 0
        else:
            flip[channel] = codes[::-1] > codes
    return flip
