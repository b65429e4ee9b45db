"""What lies where in the on-chip memories, and from which cycle to which."""

from dataclasses import asdict, dataclass
from typing import Any

from setun_sim.simulation import Result


@dataclass(frozen=True, kw_only=True)
class Occupied:
    """A tensor's place, from the start of the first descriptor that uses it to the end of the last one."""

    tensor: str
    base: int
    words: int
    start: int  #: cycles of the run
    end: int


@dataclass(frozen=True, kw_only=True)
class MemoryMap:
    """One on-chip memory over a run."""

    memory: str
    depth: int  #: words
    word_bits: int
    used: int  #: words below the highest that is ever used
    most: int  #: most words in use at once
    blocks: tuple[Occupied, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "memory": self.memory, "depth_words": self.depth, "word_bits": self.word_bits,
            "used_words": self.used, "most_words": self.most, "blocks": [asdict(block) for block in self.blocks],
        }  # fmt: skip


def memory_maps(result: Result) -> list[MemoryMap]:
    """Every memory that the program places something in, in the order of the program."""
    config, line = result.program.config, result.timeline
    sizes = {
        "activations": (config.activation_words, config.word_bits),
        "weights": (config.weight_words, config.weight_word_bits),
        "parameters": (config.parameter_words, config.parameter_word_bits),
        "residual": (config.residual_words, config.residual_word_bits),
    }
    blocks: dict[str, list[Occupied]] = {}
    for place in result.program.placements:
        blocks.setdefault(place.memory, []).append(
            Occupied(
                tensor=place.tensor, base=place.base, words=place.words,
                start=min(int(line.begin[place.first]), int(line.counters[place.first, 0])),
                end=int(line.counters[place.last, 1]),
            )
        )  # fmt: skip
    found = []
    for memory, own in blocks.items():
        depth, bits = sizes[memory]
        found.append(
            MemoryMap(
                memory=memory, depth=depth, word_bits=bits, used=max(b.base + b.words for b in own),
                most=most_words(own), blocks=tuple(own),
            )
        )  # fmt: skip
    return found


def most_words(blocks: list[Occupied]) -> int:
    """Most words in use at the same time; a word that two tensors share counts once."""
    most = 0
    for moment in {block.start for block in blocks}:
        live = sorted((b.base, b.base + b.words) for b in blocks if b.start <= moment < b.end)
        total = reached = 0
        for base, end in live:
            total += max(0, end - max(base, reached))
            reached = max(reached, end)
        most = max(most, total)
    return most
