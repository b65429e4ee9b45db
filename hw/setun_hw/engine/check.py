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


def _plain_faults(config: Config, d: "data.View[data.StructLayout]") -> Iterator[Value]:
    yield (d.mode != Mode.THRESHOLD) & (d.mode != Mode.RAW)
    yield d.out_digits > Mux(d.mode == Mode.RAW, config.raw_digits, config.code_digits)


def _affine_faults(config: Config, d: "data.View[data.StructLayout]") -> Iterator[Value]:
    most = {
        Mode.THRESHOLD: config.code_digits, Mode.RAW: config.raw_digits, Mode.DIGITS: config.value_digits, Mode.NONE: 1,
    }  # fmt: skip
    yield d.mode > max(Mode)
    for mode, digits in most.items():
        yield (d.mode == mode) & (d.out_digits > digits)
    yield d.affine & (d.mode == Mode.RAW)
    yield ~d.affine & ((d.mode == Mode.DIGITS) | (d.mode == Mode.NONE))
    yield ~d.affine & (d.two_scale | d.no_array | d.residual | d.residual_write | d.pool_carry)
    yield (d.residual_after & ~d.residual) | (d.residual_max & ~d.residual_after)
    yield d.two_scale & ((d.weight_digits != 1) | int(not config.two_scale))
    yield d.residual & ((d.res_rows == 0) | (d.res_cols == 0) | (d.res_window == 0) | (d.res_first >= d.res_chunks))
    limit = 1 << config.residual_bits - 1
    yield d.affine & ((d.low > d.high) | (d.low < -limit) | (d.high >= limit))
    for digits in range(1, config.value_digits):
        low, high = config.encoding.digit_range(digits)
        yield (d.mode == Mode.DIGITS) & (d.out_digits == digits) & ((d.low < low) | (d.high > high))


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
    yield from _affine_faults(config, d) if config.affine else _plain_faults(config, d)
    yield d.in_digits > len(d.pad_digits) // 2
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
