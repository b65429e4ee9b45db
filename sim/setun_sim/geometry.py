"""The numbers of a COMPUTE that the compiled kernels loop over."""

from typing import NamedTuple

from setun_hw.config import Config, Encoding
from setun_hw.descriptor import Compute, Mode, Post

#: what planes are made of where there are no codes: bit pairs of two's complement, trits, or digits of radix 4
BIT_PAIRS, TRITS, RADIX4 = range(3)


class Geometry(NamedTuple):
    """The numbers of a COMPUTE that its loops need: fields of the descriptor under their own names, and a few more."""

    first_group: int
    first_channel: int
    set_groups: int  #: channel groups that share a set
    set_channels: int  #: their channels
    batch: int
    radix: int
    planes: int  #: one of BIT_PAIRS, TRITS, RADIX4
    lanes: int
    post: int
    scales: int  #: times every pass is done
    limit: int  #: what saturates: -limit .. limit-1
    digit_pairs: int  #: passes over the kernel, in_digits x weight_digits
    in_base: int
    in_digits: int
    in_row_stride: int
    in_col_stride: int
    in_cols: int
    in_strip_rows: int
    in_full_strips: int
    in_last_rows: int
    in_end: int
    blocks: int
    group_block_step: int
    kernel_rows: int
    kernel_cols: int
    kernel_row_step: int
    kernel_col_step: int
    pool_rows: int
    pool_cols: int
    pool_row_step: int
    pool_col_step: int
    pool_carry: int
    row_step: int
    col_step: int
    pad_top: int
    pad_left: int
    out_rows: int
    out_cols: int
    out_base: int
    out_digits: int
    out_row_stride: int
    out_col_stride: int
    out_end: int
    affine: int
    no_array: int
    residual: int
    residual_after: int
    residual_write: int
    residual_max: int
    shift: int
    shift1: int
    low: int
    high: int
    res_base: int
    res_rows: int
    res_cols: int
    res_row_stride: int
    res_col_stride: int
    res_row_step: int
    res_col_step: int
    res_end: int
    res_out_base: int
    res_out_row_stride: int
    res_out_col_stride: int
    res_out_end: int


def geometry(d: Compute, post: Post, config: Config, first_group: int, set_groups: int) -> Geometry:
    """A descriptor's numbers, and those of the settings that hold for it, as the kernels take them."""
    own = {name: int(getattr(d, name)) for name in Geometry._fields if hasattr(d, name)}
    own |= {name: int(getattr(post, name)) for name in Geometry._fields if hasattr(post, name)}
    if d.mode == Mode.NONE:
        own["out_digits"] = 0
    planes = BIT_PAIRS
    if config.encoding is Encoding.TERNARY or (d.mode == Mode.DIGITS and config.encoding is Encoding.RAILS):
        planes = TRITS
    elif d.mode == Mode.DIGITS:
        planes = RADIX4
    return Geometry(
        **own,
        first_group=first_group,
        first_channel=first_group * config.rows,
        set_groups=set_groups,
        set_channels=set_groups * config.rows,
        radix=config.encoding.radix,
        planes=planes,
        lanes=config.lanes,
        post=config.post,
        scales=1 + d.two_scale,
        limit=1 << config.accumulator_bits - 1,
        digit_pairs=d.in_digits * d.weight_digits,
    )
