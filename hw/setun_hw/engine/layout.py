"""Shapes of what enters and leaves the engine, made from the descriptor's field tables."""

from amaranth.hdl import ShapeLike, signed, unsigned
from amaranth.lib import data

from setun_hw.config import Config
from setun_hw.descriptor import Compute, Field, Post, Transfer
from setun_hw.error_codes import ErrorCode

#: memory attribute: nothing uses what a read returns while its word is written, so synthesis need not care
UNCHECKED = {"no_rw_check": "1"}


def index_bits(count: int) -> int:
    """Bits of an index below ``count``; at least one, so that every port exists."""
    return max(1, (count - 1).bit_length())


def most_digits(config: Config) -> int:
    """Most digits of a channel that post-processing can write."""
    return max(config.raw_digits, config.code_digits, config.value_digits if config.affine else 1)


def _struct(table: dict[str, Field]) -> data.StructLayout:
    fields: dict[str, ShapeLike] = {
        name: signed(field.bits) if field.signed else unsigned(field.bits) for name, field in table.items()
    }
    return data.StructLayout(fields)


#: fields of COMPUTE that only configurations with ``affine`` have
AFFINE_FIELDS = (
    "affine", "two_scale", "no_array", "residual", "residual_after", "residual_write", "pool_carry", "residual_max",
)  # fmt: skip
#: the fields of descriptors LOAD_* and STORE_*
TRANSFER_LAYOUT = _struct(Transfer.LAYOUT)
#: the fields of SET_POST, derived ones included
POST_LAYOUT = _struct(Post.LAYOUT)


def compute_layout(config: Config) -> data.StructLayout:
    """A COMPUTE descriptor's fields, derived ones included; with ``affine`` also those of the SET_POST it goes with."""
    if config.affine:
        return _struct({**Compute.LAYOUT, **Post.LAYOUT})
    return _struct({name: field for name, field in Compute.LAYOUT.items() if name not in AFFINE_FIELDS})

#: why the engine stopped
ERROR_LAYOUT = data.StructLayout({"valid": 1, "code": max(ErrorCode).bit_length()})

#: performance counters of a descriptor, in cycles, steps and words; ``valid`` for one cycle, that of ``end``
RECORD_LAYOUT = data.StructLayout(
    {
        "valid": 1,
        "start": 32,
        "end": 32,
        "steps": 32,
        "wait_load": 32,
        "wait_drain": 32,
        "wait_store": 32,
        "words": 32,
    }
)

#: the loops of a layer, innermost first
LOOPS = (
    "block",
    "kernel_col",
    "kernel_row",
    "scale",
    "digit",
    "significance",
    "pool_col",
    "pool_row",
    "col",
    "row",
    "group",
)
#: which loop goes on to its next iteration after the current step (loops inside it start over); none after the last
ADVANCE_LAYOUT = data.StructLayout(dict.fromkeys(LOOPS, 1))

#: what travels down the pipeline with a step
STEP_LAYOUT = data.StructLayout(
    {
        "valid": 1,
        "clear": 1,  # first step of a convolution pixel
        "scale": 1,  # first step of a later significance
        "second": 1,  # adds to the second accumulator; never without ``two_scale``
        "pixel": 1,  # last step of a convolution pixel; the fields below matter then
        "pool_first": 1,  # first pixel that counts for its pooling window
        "emit": 1,  # last pixel of a pooling window
        "last_col": 1,  # in the last output column
        "last_row": 1,  # in the last output row
        "last_group": 1,  # in the last channel group
    }
)


def load_layout(config: Config) -> data.StructLayout:
    """A word for one activation bank, or one for each: ``banks`` has a bit for every bank that takes its own."""
    return data.StructLayout(
        {
            "banks": config.strips,
            "address": index_bits(config.activation_words),
            "words": data.ArrayLayout(config.word_bits, config.strips),
        }
    )


def store_layout(config: Config) -> data.StructLayout:
    """Which activation word to read, and with it those of the banks behind it at the same address."""
    return data.StructLayout({"bank": index_bits(config.strips), "address": index_bits(config.activation_words)})


def residual_load_layout(config: Config) -> data.StructLayout:
    """A word for one residual memory, or one for each."""
    return data.StructLayout(
        {
            "banks": config.strips,
            "address": index_bits(config.residual_words),
            "words": data.ArrayLayout(config.residual_word_bits, config.strips),
        }
    )


def residual_store_layout(config: Config) -> data.StructLayout:
    """Which residual word to read, and with it those of the other memories at the same address."""
    return data.StructLayout({"bank": index_bits(config.strips), "address": index_bits(config.residual_words)})


def slice_digits(config: Config) -> int:
    """Digits of a weight word that are written at once: those of a beat, or all of a shorter word."""
    beat = config.axi_data_bits // 8 * 5 if config.packed_weights else config.axi_data_bits // 2
    return min(beat, config.rows * config.lanes)


def weight_slices(config: Config) -> int:
    """Slices of a weight word; the last may be shorter than the others."""
    return -(-config.rows * config.lanes // slice_digits(config))


def weight_write_layout(config: Config) -> data.StructLayout:
    """A slice of a weight word: slice k holds digits k*slice_digits and up."""
    return data.StructLayout(
        {
            "enable": 1,
            "address": index_bits(config.weight_words),
            "slice": index_bits(weight_slices(config)),
            "data": 2 * slice_digits(config),
        }
    )


def parameter_write_layout(config: Config) -> data.StructLayout:
    """A parameter word."""
    return data.StructLayout(
        {
            "enable": 1,
            "address": index_bits(config.parameter_words),
            "data": config.parameter_word_bits,
        }
    )
