"""How words share out over AXI beats (docs/machine.md, "External memory"): one definition for hardware and software."""

from dataclasses import dataclass

from setun_hw.config import Config
from setun_hw.descriptor import Opcode, Transfer
from setun_hw.packing import TRITS


@dataclass(frozen=True, kw_only=True)
class Sharing:
    """Either ``words`` words share a beat, or a word takes ``beats`` beats; the other number is 1."""

    words: int
    beats: int

    def run(self, words: int) -> int:
        """Beats of a run of ``words`` words."""
        return -(-words // self.words) * self.beats


def sharing(word: int, beat: int) -> Sharing:
    """How words and beats of the given sizes (bits, or digits) share out."""
    return Sharing(words=max(1, beat // word), beats=-(-word // beat))


def beat_trits(config: Config) -> int:
    """Weight digits that a beat carries."""
    return config.axi_data_bits // 8 * TRITS if config.packed_weights else config.axi_data_bits // 2


def weight_sharing(config: Config) -> Sharing:
    """Weight words and beats; a packed word is padded to whole beats, so it never shares one."""
    digits = config.rows * config.lanes
    if config.packed_weights:
        return Sharing(words=1, beats=-(-digits // beat_trits(config)))
    return sharing(digits, beat_trits(config))


def parameter_sharing(config: Config) -> Sharing:
    """Parameter words and beats."""
    return sharing(config.parameter_word_bits, config.axi_data_bits)


def map_word_bits(config: Config, *, residual: bool, lines: bool) -> int:
    """Bits of a word of feature maps, or of residuals, as transfers move them: a line is those of all banks."""
    return (config.residual_word_bits if residual else config.word_bits) * (config.strips if lines else 1)


def map_sharing(config: Config, *, residual: bool = False, lines: bool = False) -> Sharing:
    """Words (or lines) of feature maps or residuals, and beats."""
    return sharing(map_word_bits(config, residual=residual, lines=lines), config.axi_data_bits)


def transfer_beats(config: Config, transfer: Transfer) -> int:
    """Beats of a transfer: what its field ``beats`` must hold.

    Parameters
    ----------
    transfer:
        Any LOAD or STORE; its own ``beats`` is not looked at.
    """
    if transfer.opcode == Opcode.LOAD_WEIGHTS:
        return weight_sharing(config).run(transfer.words)
    if transfer.opcode == Opcode.LOAD_PARAMETERS:
        return parameter_sharing(config).run(transfer.words)
    residual = transfer.opcode in (Opcode.LOAD_RESIDUAL, Opcode.STORE_RESIDUAL)
    return transfer.rows * map_sharing(config, residual=residual, lines=bool(transfer.lines)).run(transfer.row_words)
