"""What connects the front end with control registers and engine."""

from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Member, Out

from setun_hw.config import Config
from setun_hw.descriptor import Region
from setun_hw.engine.layout import (
    ERROR_LAYOUT,
    compute_layout,
    load_layout,
    parameter_write_layout,
    residual_load_layout,
    residual_store_layout,
    store_layout,
    weight_write_layout,
)
from setun_hw.error_codes import ErrorCode


def settings_layout(config: Config) -> data.StructLayout:
    """What the host sets: region bases, list (byte offset of the first descriptor), watchdog."""
    return data.StructLayout(
        {
            "bases": data.ArrayLayout(config.axi_address_bits, len(Region)),
            "list": 32,
            "watchdog": 32,
        }
    )


#: what the host reads
STATUS_LAYOUT = data.StructLayout(
    {
        "busy": 1,
        "done": 1,
        "error": 1,
        "draining": 1,
        "code": max(ErrorCode).bit_length(),
        "error_index": 32,
        "index": 32,
        "cycles": 32,
        "transfers": 32,
        "groups": 32,
    }
)


def residual_members(config: Config) -> dict[str, Member]:
    """Those for residual transfers; none without ``affine``."""
    if not config.affine:
        return {}
    return {
        "residual_load": Out(stream.Signature(residual_load_layout(config))),
        "residual_store": Out(stream.Signature(residual_store_layout(config))),
        "residual_stored": In(data.ArrayLayout(config.residual_word_bits, config.strips)),
    }


def engine_members(config: Config) -> dict[str, Member]:
    """Members towards the engine; the engine's own of the same names are their opposites."""
    return {
        **residual_members(config),
        "descriptor": Out(stream.Signature(compute_layout(config))),
        "transfers_done": Out(32),
        "groups_done": In(32),
        "idle": In(1),
        "clear": Out(1),
        "load": Out(stream.Signature(load_layout(config))),
        "store": Out(stream.Signature(store_layout(config))),
        "stored": In(data.ArrayLayout(config.word_bits, config.strips)),
        "weight_write": Out(weight_write_layout(config)),
        "parameter_write": Out(parameter_write_layout(config)),
        "now": Out(32),
        "error": In(ERROR_LAYOUT),
    }
