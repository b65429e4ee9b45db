"""Where streamed weights and parameters lie while they are used.

What is resident lies from word 0. The rest of a memory is for streaming: a piece is loaded whole, or group by group
into a ring of as many groups as fit, group g+1 while group g is computed.
"""

from collections.abc import Callable
from dataclasses import dataclass

from setun_compiler.backend.hazards import Memory
from setun_compiler.backend.pieces import Key, Piece


@dataclass(frozen=True, kw_only=True)
class Slot:
    """Where a piece lies while it is used."""

    base: int
    ring: int  #: words the groups go round in
    by_group: bool  #: groups other than the first are still to be fetched


#: emits a transfer: base, words, offset of its bytes
Load = Callable[[int, int, int], None]


class Streamer:
    """Hands out the streaming part of one memory, words ``first`` to ``end - 1``."""

    def __init__(self, memory: Memory, first: int, end: int) -> None:
        self._memory, self._first, self._end = memory, first, end
        self._held: dict[Key, Slot] = {}

    def prepare(self, piece: Piece, load: Load) -> Slot:
        """Make the first group (or all) of a piece come, unless it is there already."""
        if piece.resident_at is not None or not piece.words:
            return Slot(base=piece.resident_at or 0, ring=piece.words, by_group=False)
        if piece.key in self._held:
            return self._held[piece.key]
        slot = self._choose(piece)
        self._held = {key: held for key, held in self._held.items() if not _overlap(held, slot)}
        load(slot.base, piece.group_words if slot.by_group else piece.words, piece.offsets[0])
        if slot.ring == piece.words:  # nothing of it is overwritten by its own groups
            self._held[piece.key] = Slot(base=slot.base, ring=slot.ring, by_group=False)
        return slot

    def _choose(self, piece: Piece) -> Slot:
        """The place that is free soonest for what is loaded first, then for the whole ring."""
        room = self._end - self._first
        by_group = len(piece.offsets) > 1
        ring = piece.words
        if ring > room:
            # one group of slack lets the next piece's first group come before this one's last is done with
            groups = room // piece.group_words
            ring = (groups if groups < 3 else groups - 1) * piece.group_words
        sooner = piece.group_words if by_group else ring
        bases = {*range(self._first, self._end - ring + 1, piece.group_words), self._end - ring}
        free = self._memory.free_after
        base = min(bases, key=lambda b: (free(b, b + sooner), free(b, b + ring), b))
        return Slot(base=base, ring=ring, by_group=by_group)


def _overlap(a: Slot, b: Slot) -> bool:
    return a.base < b.base + b.ring and b.base < a.base + a.ring
