"""Weights and parameters packed for the image, and the init list that loads what stays on chip."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from setun_compiler.backend.pack_weights import (
    parameter_bits,
    parameter_bytes,
    weight_bytes,
    weight_codes,
)
from setun_compiler.backend.plan import Plan
from setun_compiler.backend.residency import choose_residency
from setun_compiler.layout import Units
from setun_hw.config import Config
from setun_hw.descriptor import Opcode, Transfer
from setun_hw.external import transfer_beats, weight_sharing

#: a channel group of fewer beats is not worth a descriptor of its own
SHORT_BEATS = 64


class Key(NamedTuple):
    """One segment of one op."""

    op: int
    segment: int


@dataclass(frozen=True, kw_only=True)
class Piece:
    """The weights (or parameters) of a segment, outside the chip and perhaps resident on it."""

    key: Key
    groups: int
    group_words: int
    offsets: tuple[int, ...]  #: bytes into the data of each group, or of all at once; empty when resident
    resident_at: int | None  #: word where it lies for good

    @property
    def words(self) -> int:
        """Words of the whole piece."""
        return self.groups * self.group_words


class Data:
    """Bytes of the image behind the descriptors; every part is a whole number of beats."""

    def __init__(self) -> None:
        self.parts: list[Units] = []
        self.size = 0

    def append(self, part: Units) -> int:
        """Add a part and return where it starts."""
        start = self.size
        self.parts.append(part)
        self.size += len(part)
        return start


@dataclass(frozen=True, kw_only=True)
class Pieces:
    """All weights and parameters, and what of each memory is taken for good."""

    weights: dict[Key, Piece]
    parameters: dict[Key, Piece]
    init: tuple[Transfer, ...]
    weight_words: int
    parameter_words: int


def make_pieces(plan: Plan, data: Data) -> Pieces:
    """Pack everything once; resident pieces lie one behind the other from word 0 and come in one transfer."""
    config = plan.config
    weights, kept_weights = _weights(plan, data)
    parameters, kept_parameters = _parameters(plan, data)
    weight_words, parameter_words = sum(map(len, kept_weights)), sum(map(len, kept_parameters))
    init = []
    if weight_words:
        offset = data.append(weight_bytes(np.concatenate(kept_weights), config))
        packed = int(config.packed_weights)
        init.append(Transfer(opcode=Opcode.LOAD_WEIGHTS, packed=packed, offset=offset, words=weight_words))
    if parameter_words:
        offset = data.append(parameter_bytes(np.concatenate(kept_parameters), config))
        init.append(Transfer(opcode=Opcode.LOAD_PARAMETERS, offset=offset, words=parameter_words))
    return Pieces(
        weights=weights, parameters=parameters, weight_words=weight_words, parameter_words=parameter_words,
        init=tuple(with_beats(transfer, config) for transfer in init),
    )  # fmt: skip


def _weights(plan: Plan, data: Data) -> tuple[dict[Key, Piece], list[Units]]:
    """Weights of all segments, those that ops share once, and the words that are resident."""
    config, residency = plan.config, choose_residency(plan)
    room = config.weight_words - residency.weight_words
    pieces: dict[Key, Piece] = {}
    kept: list[Units] = []
    start = 0
    for key in _keys(plan):
        first = Key(residency.alike[key.op], key.segment)
        if first != key:
            pieces[key] = pieces[first]
            continue
        op = plan.ops[key.op]
        codes = weight_codes(op, op.segments[key.segment], config)
        if op.source is None:
            codes = codes[:, :0]
        groups, group_words = codes.shape[:2]
        resident = key.op in residency.weights
        pieces[key] = Piece(
            key=key, groups=groups, group_words=group_words, resident_at=start if resident else None,
            offsets=() if resident or not codes.size else _stream(codes, config, room, data),
        )  # fmt: skip
        if resident:
            kept.append(codes.reshape(groups * group_words, codes.shape[2]))
            start += groups * group_words
    return pieces, kept


def _parameters(plan: Plan, data: Data) -> tuple[dict[Key, Piece], list[Units]]:
    """The same for parameters, all of which are resident or none."""
    config = plan.config
    bits = {
        key: parameter_bits(plan.ops[key.op], plan.ops[key.op].segments[key.segment], config) for key in _keys(plan)
    }
    firsts: dict[bytes, Key] = {}
    alike = {key: firsts.setdefault(words.tobytes(), key) for key, words in bits.items()}
    resident = sum(len(bits[key]) for key in firsts.values()) <= config.parameter_words
    pieces: dict[Key, Piece] = {}
    start = 0
    for key, first in alike.items():
        if first != key:
            pieces[key] = pieces[first]
            continue
        count = len(bits[key])
        pieces[key] = Piece(
            key=key, groups=1, group_words=count, resident_at=start if resident else None,
            offsets=() if resident or not count else (data.append(parameter_bytes(bits[key], config)),),
        )  # fmt: skip
        start += count if resident else 0
    return pieces, [bits[key] for key in firsts.values()] if resident else []


def _keys(plan: Plan) -> list[Key]:
    return [Key(k, s) for k, op in enumerate(plan.ops) for s in range(len(op.segments))]


def with_beats(transfer: Transfer, config: Config) -> Transfer:
    """The transfer with its beats counted."""
    return replace(transfer, beats=transfer_beats(config, transfer))


def _stream(codes: Units, config: Config, room: int, data: Data) -> tuple[int, ...]:
    """Append streamed weights, (groups, words, M*N), as one run or as one for each group."""
    groups, words = codes.shape[:2]
    if groups > 1 and (groups * words > room or weight_sharing(config).run(words) >= SHORT_BEATS):
        return tuple(data.append(weight_bytes(group, config)) for group in codes)
    return (data.append(weight_bytes(codes.reshape(groups * words, -1), config)),)
