"""The numbers of a COMPUTE that the compiled kernels loop over."""

from typing import NamedTuple

from setun_hw.config import Config, Encoding
from setun_hw.descriptor import Compute


class Geometry(NamedTuple):
    """The numbers of a COMPUTE that its loops need: fields of the descriptor under their own names, and a few more."""

    first_group: int
    first_channel: int
    set_groups: int  #: channel groups that share a set
    set_channels: int  #: their channels
    batch: int
    radix: int
    trit_sums: int  #: RAW planes are trits, not bit pairs
    lanes: int
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


def geometry(d: Compute, config: Config, first_group: int, set_groups: int) -> Geometry:
    """A descriptor's numbers as the kernels take them."""
    own = {name: int(getattr(d, name)) for name in Geometry._fields if hasattr(d, name)}
    return Geometry(
        **own,
        first_group=first_group,
        first_channel=first_group * config.rows,
        set_groups=set_groups,
        set_channels=set_groups * config.rows,
        radix=config.encoding.radix,
        trit_sums=int(config.encoding is Encoding.TERNARY),
        lanes=config.lanes,
        digit_pairs=d.in_digits * d.weight_digits,
    )
