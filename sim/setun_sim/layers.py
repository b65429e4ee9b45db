"""Cycles, stalls and traffic of a program's timeline, shared out over the network's layers."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from setun_compiler.program import LayerRecord, Program
from setun_hw.descriptor import Compute, Opcode, Transfer
from setun_sim import timeline_kernels as kernels
from setun_sim.activity import Activity
from setun_sim.timeline import Timeline


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What crossed the external port, descriptors' own fetches aside."""

    read_beats: int = 0
    written_beats: int = 0
    read_bytes: int = 0  #: whole beats, so with what fills them up
    written_bytes: int = 0

    def __add__(self, other: "Traffic") -> "Traffic":
        return Traffic(
            read_beats=self.read_beats + other.read_beats,
            written_beats=self.written_beats + other.written_beats,
            read_bytes=self.read_bytes + other.read_bytes,
            written_bytes=self.written_bytes + other.written_bytes,
        )


@dataclass(frozen=True, kw_only=True)
class Stalls:
    """Cycles of a layer in which no step issued, by cause; they and the steps add up to its cycles."""

    idle: int = 0  #: nothing was queued for the array: the front end was fetching, loading or storing
    load: int = 0  #: weights (or a band of the map) were not there yet
    drain: int = 0  #: post-processing of the pixel before was not far enough
    store: int = 0  #: a store read the banks
    pipeline: int = 0  #: set-up, and the last results on their way to the banks

    def __add__(self, other: "Stalls") -> "Stalls":
        return Stalls(
            idle=self.idle + other.idle,
            load=self.load + other.load,
            drain=self.drain + other.drain,
            store=self.store + other.store,
            pipeline=self.pipeline + other.pipeline,
        )


@dataclass(frozen=True, kw_only=True)
class LayerResult:
    """One layer of the network in one run."""

    name: str
    #: cycles from the end of the COMPUTE before (or the program's start) to the end of its own, all its COMPUTEs added
    cycles: int
    #: of these, cycles in which a step issued
    steps: int
    #: multiply-accumulates of one image, padding included
    macs: int
    #: share of the multipliers' cycles that the layer's own digit products take
    utilisation: float
    stalls: Stalls
    traffic: Traffic
    #: events over all runs; None without samples
    activity: Activity | None = field(default=None)


def traffic_of(line: Timeline, indices: Iterator[int], beat_bytes: int) -> Traffic:
    """Traffic of some descriptors."""
    total = Traffic()
    for index in indices:
        descriptor = line.descriptors[index]
        if not isinstance(descriptor, Transfer):
            continue
        beats = int(line.counters[index, kernels.COUNT])
        if descriptor.opcode in (Opcode.STORE_ACTIVATIONS, Opcode.STORE_RESIDUAL):
            total += Traffic(written_beats=beats, written_bytes=beats * beat_bytes)
        else:
            total += Traffic(read_beats=beats, read_bytes=beats * beat_bytes)
    return total


def layer_results(program: Program, line: Timeline, activities: dict[int, Activity] | None) -> list[LayerResult]:
    """Results of every layer; ``activities`` by descriptor."""
    order = [index for index, d in enumerate(line.descriptors) if isinstance(d, Compute)]
    ends = line.counters[order, kernels.END]
    before = dict(zip(order, np.concatenate([[0], ends[:-1]]).tolist(), strict=True))
    beat_bytes = program.config.axi_data_bits // 8
    found = []
    for layer in program.layers:
        own = [index for index in layer.descriptors if index in before]
        pieces = [_cycles(line, index, before[index]) for index in own]
        cycles, steps = sum(p[0] for p in pieces), sum(p[1] for p in pieces)
        found.append(
            LayerResult(
                name=layer.name,
                cycles=cycles,
                steps=steps,
                macs=layer.macs,
                utilisation=utilisation(program, (layer,), cycles),
                stalls=sum((p[2] for p in pieces), Stalls()),
                traffic=traffic_of(line, iter(layer.descriptors), beat_bytes),
                activity=None if activities is None else sum((activities[k] for k in own), Activity()),
            )
        )
    return found


def utilisation(program: Program, layers: tuple[LayerRecord, ...], cycles: int) -> float:
    """Digit products of ``layers`` for one run, per multiplier and cycle."""
    products = sum(layer.digit_macs for layer in layers) * program.images
    return products / (cycles * program.config.multipliers) if cycles else 0.0


def _cycles(line: Timeline, index: int, before: int) -> tuple[int, int, Stalls]:
    record = line.record(index)
    idle, span = record["start"] - before, record["end"] - record["start"]
    waits = record["wait_load"] + record["wait_drain"] + record["wait_store"]
    stalls = Stalls(
        idle=idle,
        load=record["wait_load"],
        drain=record["wait_drain"],
        store=record["wait_store"],
        pipeline=span - record["steps"] - waits,
    )
    return idle + span, record["steps"], stalls
