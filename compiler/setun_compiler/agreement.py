"""How far the integer network is from the float model: layer by layer, and in the end."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from setun_compiler import interpret
from setun_compiler.backend import compile_network
from setun_compiler.frontend.demands import Meaning, Precision
from setun_compiler.frontend.evaluate import run
from setun_compiler.frontend.read import check_calibration, measured, prepared, read_meant
from setun_compiler.margins import undecided
from setun_compiler.network import Network
from setun_compiler.program import Program
from setun_hw.config import Config
from setun_hw.errors import SetunError


@dataclass(frozen=True, kw_only=True)
class LayerAgreement:
    """One layer's output against the model's value of the same name, over all samples.

    Errors of earlier layers are part of it: both sides run from the input on.
    """

    layer: str
    value: str  #: the value's name in the model
    #: share of codes that differ from the float model's; None for fixed point
    changed: float | None
    #: share of codes that the layer's own rounding could have turned, at most; 0 where sums are compared exactly
    could_change: float | None
    largest_error: float  #: in the model's units
    largest_value: float  #: of the float model, to compare with


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """The comparison over some samples."""

    samples: int
    layers: tuple[LayerAgreement, ...]
    largest_error: float  #: of the model's outputs
    largest_value: float
    same_argmax: float  #: share of samples
    #: share of samples with the label's class on top, where labels are given
    float_accuracy: float | None = None
    accuracy: float | None = None


def compile_compared(
    path: str | Path,
    config: Config,
    samples: NDArray[np.floating],
    labels: NDArray[np.integer] | None = None,
    *,
    input_range: tuple[float, float] | None = None,
    batch: bool = False,
    rounds: int = 1,
    count: int | None = None,
) -> tuple[Program, Agreement]:
    """Like :func:`setun_compiler.compile_model` with ``samples`` as calibration data, and the network that was compiled
    compared with the float model on the first ``count`` of them; as many as ranges are measured on, where nothing is
    said.

    Raises
    ------
    SetunError
        When the model cannot be compiled, or the samples do not fit it.
    """
    network, meanings = read_meant(
        path, input_range=input_range, calibration=samples, precision=Precision.of(config)
    )  # fmt: skip
    check_calibration(samples, network.port.shape)
    program = compile_network(network, config, batch=batch, rounds=rounds)
    count = measured(samples) if count is None else count
    return program, compare(path, network, meanings, samples[:count], None if labels is None else labels[:count])


def compare(
    path: str | Path,
    network: Network,
    meanings: tuple[Meaning, ...],
    samples: NDArray[np.floating],
    labels: NDArray[np.integer] | None = None,
) -> Agreement:
    """Run the float model and the integer network on samples (samples, *shape of one) and compare them.

    ``meanings`` come with the network from ``frontend.read.read_meant``. The float model is evaluated in float32 by
    plain NumPy.

    Raises
    ------
    SetunError
        When the samples do not fit the model, or labels do not fit the samples.
    """
    if not len(samples):
        raise SetunError("a comparison needs at least one sample")
    if labels is not None and labels.shape != (len(samples),):
        raise SetunError(f"labels must have shape ({len(samples)},), not {labels.shape}")
    graph, _ = prepared(path)
    tallies = [_Tally(meaning) for meaning in meanings]
    by_value: dict[str, list[_Tally]] = {}
    for tally in tallies:
        by_value.setdefault(tally.meaning.value, []).append(tally)
    expected, found = [], []
    for sample in samples:
        results = interpret.run(network, interpret.quantize(network, sample[None]))
        features = _features(network, results)
        unsure = {layer.target: undecided(layer, results[layer.name]) for layer in network.layers}
        found.append(interpret.real_outputs(network, results).ravel())
        for name, value in run(graph, sample[None]):
            for tally in by_value.get(name, ()):
                made = tally.meaning.feature
                tally.add(features[made], np.asarray(value, np.float64), unsure.get(made))
            if name == graph.output.name:
                expected.append(np.asarray(value, np.float64).ravel())
    ours, theirs = np.stack(found), np.stack(expected)
    top, float_top = ours.argmax(axis=1), theirs.argmax(axis=1)
    return Agreement(
        samples=len(samples),
        layers=tuple(tally.result(_maker(network, tally.meaning.feature)) for tally in tallies),
        largest_error=float(np.abs(ours - theirs).max()), largest_value=float(np.abs(theirs).max()),
        same_argmax=float((top == float_top).mean()),
        float_accuracy=None if labels is None else float((float_top == labels).mean()),
        accuracy=None if labels is None else float((top == labels).mean()),
    )  # fmt: skip


def _features(network: Network, results: dict[str, interpret.LayerResult]) -> dict[str, NDArray[np.int64]]:
    """Each layer's outputs by the names of the features they are written to."""
    features: dict[str, NDArray[np.int64]] = {}
    for layer in network.layers:
        if layer.target is not None:
            features[layer.target] = results[layer.name].output
        fixed = results[layer.name].fixed
        if layer.fixed is not None and fixed is not None:
            features[layer.fixed] = fixed
    return features


def _maker(network: Network, feature: str) -> str:
    return next((layer.name for layer in network.layers if feature in (layer.target, layer.fixed)), feature)


class _Tally:
    """Differences of one feature over the samples."""

    def __init__(self, meaning: Meaning) -> None:
        self.meaning = meaning
        self.count = self.changed = self.could = 0
        self.error = self.largest = 0.0

    def add(
        self, integers: NDArray[np.int64], value: NDArray[np.float64], unsure: NDArray[np.bool_] | None
    ) -> None:  # fmt: skip
        """Compare one sample."""
        meaning = self.meaning
        value = value.reshape(integers.shape)
        error = np.abs(integers * meaning.scale + meaning.offset - value)
        self.error = max(self.error, float(error.max()))
        self.largest = max(self.largest, float(np.abs(value).max()))
        self.count += integers.size
        self.changed += int(np.count_nonzero(error > meaning.scale / 2))
        self.could += int(np.count_nonzero(unsure)) if unsure is not None else 0

    def result(self, layer: str) -> LayerAgreement:
        """The layer's line."""
        changed, could = (
            part / self.count if self.meaning.decisions else None for part in (self.changed, self.could)
        )
        return LayerAgreement(
            layer=layer, value=self.meaning.value, changed=changed, could_change=could, largest_error=self.error,
            largest_value=self.largest,
        )  # fmt: skip
