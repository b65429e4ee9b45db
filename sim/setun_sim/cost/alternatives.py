"""The work of a network in encodings it was not compiled for."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from setun_hw.config import Config, Encoding
from setun_hw.descriptor import Compute, Opcode, Region, Transfer
from setun_sim.cost.rules import Work, work_of
from setun_sim.simulation import Result

#: counts that every step of the array adds to
_STEPWISE = (
    "multiplications", "products", "accumulations", "updates", "activation_reads", "padding_reads", "weight_reads",
    "activation_digits", "nonzero_activations", "weight_digits", "nonzero_weights",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Alternative:
    """A network's work in one encoding; ``exact`` unless digits had to be rescaled."""

    config: Config
    works: tuple[Work, ...]
    exact: bool
    macs: int
    images: int
    #: activation and weight digits of each layer
    digits: tuple[tuple[int, int], ...]


def alternatives(given: Mapping[Encoding, Result]) -> list[Alternative]:
    """All three encodings: those given, and the others carried over from the nearest one given."""
    found = []
    for encoding in Encoding:
        result = given.get(encoding)
        exact = result is not None
        if result is None:  # ternary and rails do the very same steps
            order = sorted(given, key=lambda other: (other is Encoding.BINARY2) != (encoding is Encoding.BINARY2))
            result = given[order[0]]
        works, config = work_of(result), result.program.config
        own = digits = tuple(_digits(result, index) for index in range(len(result.layers)))
        if not exact:
            digits = tuple(_carried(config.encoding, encoding, layer) for layer in own)
            exact = digits == own
            factors = [_steps(new) / _steps(old) for new, old in zip(digits, own, strict=True)]
            works = [_rescaled(work, factor) for work, factor in zip(works, [*factors, 1.0], strict=True)]
            works = _loading(result, works, config.encoding, encoding)
            packed = config.packed_weights and encoding is not Encoding.BINARY2
            config = config.replace(encoding=encoding, packed_weights=packed)
        images = result.program.images
        found.append(
            Alternative(config=config, works=tuple(works), exact=exact, macs=result.macs, images=images, digits=digits)
        )
    return found


def _digits(result: Result, layer: int) -> tuple[int, int]:
    """Activation and weight digits of a layer."""
    own = [result.timeline.descriptors[index] for index in result.program.layers[layer].descriptors]
    first = next((d for d in own if isinstance(d, Compute)), None)
    return (first.in_digits, first.weight_digits) if first else (1, 1)


#: digits, in encoding ``binary2``, of a number of trits and the other way round: those that hold as many values, where
#: the compiler lets a zero point move (6 trits or 4 radix-4 digits hold the 256 values of a byte)
_OTHER = {1: 1, 2: 2, 3: 3, 4: 3, 5: 4, 6: 4, 7: 6, 8: 6}
_TRITS = {1: 1, 2: 2, 3: 4, 4: 6, 5: 7, 6: 8, 7: 8, 8: 8}


def _carried(old: Encoding, new: Encoding, digits: tuple[int, int]) -> tuple[int, int]:
    """Digits of the same numbers in another encoding."""
    if (old is Encoding.BINARY2) == (new is Encoding.BINARY2):
        return digits
    table = _TRITS if old is Encoding.BINARY2 else _OTHER
    return table[digits[0]], table[digits[1]]


def _steps(digits: tuple[int, int]) -> int:
    """Steps of the array for each position of a kernel."""
    return digits[0] * digits[1]


def _loading(result: Result, works: list[Work], old: Encoding, new: Encoding) -> list[Work]:
    """The works with as many digits of the network's input loaded as the new encoding has."""
    before = result.program.input.map.digits
    more = _carried(old, new, (before, 1))[0] / before - 1
    line, beat_bits = result.timeline, result.program.config.axi_data_bits
    loads = {
        index: line.record(index)
        for index, d in enumerate(line.descriptors)
        if isinstance(d, Transfer) and d.opcode is Opcode.LOAD_ACTIVATIONS and d.region == Region.INPUT
    }
    found = []
    for place, work in enumerate(works):
        own = [load for index, load in loads.items() if _owner(result, index) == place]
        moved = dict(work.moved)
        moved["activation memory write"] = moved.get("activation memory write", 0) + round(
            more * sum(load["words"] for load in own)
        )
        bits = round(more * sum(load["beats"] for load in own) * beat_bits)
        found.append(dataclasses.replace(work, moved=moved, read_bits=work.read_bits + bits))
    # while the input is loaded, the first layer waits for it
    if result.layers:
        waited = sum(load["end"] - load["start"] for load in loads.values())
        idle = min(waited, result.layers[0].stalls.idle)
        found[0] = dataclasses.replace(found[0], cycles=found[0].cycles + round(more * idle))
    return found


def _owner(result: Result, index: int) -> int:
    """Place of the work that a descriptor belongs to; behind the layers stands what belongs to none."""
    layers = result.program.layers
    return next((place for place, layer in enumerate(layers) if index in layer.descriptors), len(layers))


def _rescaled(work: Work, factor: float) -> Work:
    if factor == 1:
        return work
    counts = {name: round(getattr(work.activity, name) * factor) for name in _STEPWISE}
    steps = round(work.steps * factor)
    return dataclasses.replace(
        work,
        activity=dataclasses.replace(work.activity, **counts),
        steps=steps,
        cycles=work.cycles + steps - work.steps,
        digit_macs=round(work.digit_macs * factor),
    )
