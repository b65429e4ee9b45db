"""What a COMPUTE descriptor's fields must satisfy for the engine to start."""

from collections.abc import Iterator

from amaranth import Cat, Mux, Value
from amaranth.lib import data

from setun_hw.config import Config
from setun_hw.descriptor import Mode


def bad_field(config: Config, d: "data.View[data.StructLayout]") -> Value:
    """One bit: some field is excluded by the configuration or by docs/machine.md.

    Addresses are not checked here but when they are used.
    """
    return Cat(_faults(config, d)).any()


def _faults(config: Config, d: "data.View[data.StructLayout]") -> Iterator[Value]:
    counts = (
        "groups",
        "in_digits",
        "weight_digits",
        "blocks",
        "kernel_rows",
        "kernel_cols",
        "pool_rows",
        "pool_cols",
        "out_rows",
        "out_cols",
        "out_digits",
        "chunks",
        "last_chunks",
        "in_strip_rows",
    )
    for name in counts:
        yield d[name] == 0
    yield (d.mode != Mode.THRESHOLD) & (d.mode != Mode.RAW)
    yield d.in_digits > len(d.pad_digits) // 2
    yield d.out_digits > Mux(d.mode == Mode.RAW, config.raw_digits, config.code_digits)
    yield d.chunks > config.chunks
    yield d.last_chunks > config.chunks
    yield ~d.batch & (
        (d.in_full_strips > config.strips) | ((d.in_full_strips == config.strips) & (d.in_last_rows != 0))
    )
    # Rows are brought back into their strip by one subtraction.
    height = d.in_strip_rows
    yield (d.kernel_rows != 1) & (d.kernel_row_step > height)
    yield (d.pool_rows != 1) & (d.pool_row_step > height)
    yield (d.out_rows != 1) & (d.row_step > height)
    yield d.pad_top > height
    yield -d.pad_top >= height
    # So is the place of a group's weights in their ring.
    yield (d.groups != 1) & (d.weight_ring != 0) & (d.weight_group_step > d.weight_ring)
