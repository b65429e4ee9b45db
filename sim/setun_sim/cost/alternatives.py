"""The work of a network in encodings it was not compiled for."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from setun_hw.config import Config, Encoding
from setun_hw.descriptor import Compute
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
        if not exact:
            factors = [
                _factor(config.encoding, encoding, _digits(result, index)) for index in range(len(result.layers))
            ]
            exact = all(factor == 1 for factor in factors)
            works = [_rescaled(work, factor) for work, factor in zip(works, [*factors, 1.0], strict=True)]
            packed = config.packed_weights and encoding is not Encoding.BINARY2
            config = config.replace(encoding=encoding, packed_weights=packed)
        found.append(
            Alternative(config=config, works=tuple(works), exact=exact, macs=result.macs, images=result.program.images)
        )
    return found


def _digits(result: Result, layer: int) -> tuple[int, int]:
    """Activation and weight digits of a layer."""
    own = [result.timeline.descriptors[index] for index in result.program.layers[layer].descriptors]
    first = next((d for d in own if isinstance(d, Compute)), None)
    return (first.in_digits, first.weight_digits) if first else (1, 1)


#: digits, in encoding ``binary2``, of a number of trits and the other way round: those that hold as many values,
#: where the
#: compiler lets a zero point move (6 trits or 4 radix-4 digits hold the 256 values of a byte)
_OTHER = {1: 1, 2: 2, 3: 3, 4: 3, 5: 4, 6: 4, 7: 6, 8: 6}
_TRITS = {1: 1, 2: 2, 3: 4, 4: 6, 5: 7, 6: 8, 7: 8, 8: 8}


def _factor(old: Encoding, new: Encoding, digits: tuple[int, int]) -> float:
    """Steps in another encoding over those in this one."""
    if (old is Encoding.BINARY2) == (new is Encoding.BINARY2):
        return 1.0
    table = _TRITS if old is Encoding.BINARY2 else _OTHER
    return table[digits[0]] * table[digits[1]] / (digits[0] * digits[1])


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
