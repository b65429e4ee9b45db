"""Utilisation of networks in their recommended configurations, layer by layer, beside what the mapping could reach.

    python benchmarks/utilisation.py [NETWORK ...] [--json]

Networks are those of `setun models`, with random weights; inputs of real numbers are read in 256 steps, as pixels are.
Everything between the start bit and the interrupt counts. docs/utilisation.md says how to read the columns.
"""

import argparse
import dataclasses
import json
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import onnx

from setun.tables import table
from setun_compiler import CompileError, compile_network, zoo
from setun_compiler.backend.shapes import NO_POOL, conv_shape
from setun_compiler.frontend import Precision, read
from setun_compiler.layout import ceil_div
from setun_compiler.network import Layer, Network
from setun_compiler.program import LayerRecord
from setun_hw import presets
from setun_hw.config import Config
from setun_sim import simulate
from setun_sim.layers import LayerResult


@dataclass(frozen=True, kw_only=True)
class Way:
    """How a network is run: a named configuration, one image over the strips or one in each, rounds of a run."""

    config: str
    batch: bool = False
    rounds: int = 1


#: ways for each network; the last is the recommended one for throughput
WAYS: dict[str, tuple[Way, ...]] = {
    "resnet20": (Way(config="resnet20"), Way(config="resnet20", rounds=8)),
    "vgg-s": (Way(config="wide"), Way(config="wide", batch=True)),
    "resnet18": (Way(config="imagenet"),),
    "cutie": (Way(config="cutie", batch=True),),
}


@dataclass(frozen=True, kw_only=True)
class Share:
    """A layer, or a whole run: numbers of one image."""

    name: str
    macs: int
    cycles: float
    ideal: float  #: steps of the mapping if nothing ever waits
    mac_utilisation: float  #: multiply-accumulates per multiplier and cycle
    digit_utilisation: float  #: digit products per multiplier and cycle
    lost: dict[str, float] = dataclasses.field(default_factory=dict)  #: cycles without a step, by cause

    @property
    def share(self) -> float:
        """Ideal cycles per cycle."""
        return self.ideal / self.cycles


@dataclass(frozen=True, kw_only=True)
class Found:
    """A network run in one way."""

    network: str
    way: Way
    images: int
    layers: tuple[Share, ...]
    run: Share


def ideal_steps(network: Network, layer: Layer, record: LayerRecord, config: Config, batch: bool) -> int:
    """Steps that a layer takes in one round on an array of M rows, N lanes and P strips when every step follows the
    one before: channel groups, pixels of the fullest strip, digit passes, kernel positions and blocks of lanes.

    A first layer may have its kernel's taps laid out as channels, which fill lanes across positions: the best way
    counts. A layer that multiplies nothing counts as 0.
    """
    if layer.weights is None or layer.source is None:
        return 0
    assert layer.groups == 1
    outputs, channels, kernel_rows, kernel_cols = layer.weights.shape
    pool = layer.pool or NO_POOL
    made = conv_shape(layer, network.features[layer.source])
    rows, cols = (
        min(size, (windows - 1) * min(step, window) + window if step < window else windows * window)
        for size, windows, window, step in zip(
            made, record.out_shape[1:], (pool.rows, pool.cols), (pool.row_stride, pool.col_stride), strict=True
        )
    )
    passes = record.digit_macs // record.macs
    taps = [kernel_rows * kernel_cols * ceil_div(channels, config.lanes)]
    if layer.source == network.port.feature:
        taps.append(kernel_rows * ceil_div(kernel_cols * channels, config.lanes))
        taps.append(ceil_div(kernel_rows * kernel_cols * channels, config.lanes))
    strip = rows if batch else ceil_div(rows, config.strips)
    return ceil_div(outputs, config.rows) * strip * cols * passes * min(taps)


@cache
def _network(name: str, precision: Precision) -> Network:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.onnx"
        onnx.save(zoo.build(name), path)
        return read(path, input_range=(-5, 5), precision=precision)


def measure(name: str, way: Way) -> Found:
    """Build, compile and simulate.

    Raises
    ------
    CompileError
        When the configuration cannot run the network.
    """
    config = presets.config(way.config)
    network = _network(name, Precision.of(config))
    program = compile_network(network, config, batch=way.batch, rounds=way.rounds)
    result = simulate(program, None)
    images = program.images

    def share(records: tuple[LayerRecord, ...], name: str, cycles: int, ideal: int, lost: dict[str, float]) -> Share:
        macs, products = sum(r.macs for r in records), sum(r.digit_macs for r in records)
        return Share(
            name=name, macs=macs, cycles=cycles / images, ideal=ideal / images,
            mac_utilisation=macs * images / (cycles * config.multipliers),
            digit_utilisation=products * images / (cycles * config.multipliers), lost=lost,
        )  # fmt: skip

    def lost(layer: LayerResult) -> dict[str, float]:
        found = {key: value / images for key, value in dataclasses.asdict(layer.stalls).items()}
        return {**found, "steps": (layer.steps - steps[layer.name]) / images}

    records = {record.name: record for record in program.layers}
    steps = dict.fromkeys(records, 0)  # a layer that the compiler adds costs what it costs
    for layer in network.layers:
        if layer.weights is not None and f"{layer.name}.added" in records:  # which adds all positions up first
            layer = dataclasses.replace(layer, weights=layer.weights[:, :, :1, :1])
        steps[layer.name] = way.rounds * ideal_steps(network, layer, records[layer.name], config, way.batch)
    layers = tuple(
        share((record,), layer.name, layer.cycles, steps[layer.name], lost(layer))
        for layer, record in zip(result.layers, program.layers, strict=True)
    )
    causes = {cause: sum(layer.lost[cause] for layer in layers) for cause in layers[0].lost}
    causes["end"] = (result.cycles - sum(layer.cycles for layer in result.layers)) / images
    run = share(program.layers, "run", result.cycles, sum(steps.values()), causes)
    return Found(network=name, way=way, images=images, layers=layers, run=run)


def to_text(found: Found) -> str:
    """A table with one row for each layer and one for the run."""
    config = presets.config(found.way.config)
    products = found.run.digit_utilisation * found.run.cycles / found.run.ideal
    lines = [
        f"{found.network} on {config.name}, {config.rows} x {config.lanes} x {config.strips}: {found.images} images a"
        f" run ({'a batch in the strips' if found.way.batch else 'one over all strips'}, {found.way.rounds} rounds)",
        f"the mapping's ideal: {found.run.ideal:.0f} cycles an image, {products:.1%} of the multipliers used",
    ]
    causes = [cause for cause, cycles in found.run.lost.items() if cycles]
    header = ("layer", "MACs", "cycles", "ideal", "MACs %", "digits %", "of ideal %", *causes)
    rows = [
        (
            s.name, s.macs, f"{s.cycles:.0f}", f"{s.ideal:.0f}", f"{100 * s.mac_utilisation:.1f}",
            f"{100 * s.digit_utilisation:.1f}", f"{100 * s.share:.1f}",
            *(f"{s.lost.get(cause, 0):.0f}" for cause in causes),
        )
        for s in (*found.layers, found.run)
    ]  # fmt: skip
    return "\n".join((*lines, table(header, rows)))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Utilisation in recommended configurations.")
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=f"of {', '.join(WAYS)}; without any, all")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    documents = []
    for name in options.networks or WAYS:
        if name not in WAYS:
            parser.error(f"unknown network {name!r}: choose of {', '.join(WAYS)}")
        for way in WAYS[name]:
            try:
                found = measure(name, way)
            except CompileError as error:
                print(f"{name} on {way.config}: {error}\n")
                continue
            documents.append({**dataclasses.asdict(found), "share": found.run.share})
            if not options.json:
                print(f"{to_text(found)}\n")
    if options.json:
        print(json.dumps(documents))


if __name__ == "__main__":
    main()
