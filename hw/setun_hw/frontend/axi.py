"""Signals of the two buses: AXI4 towards memory, AXI4-Lite towards the host (Arm IHI 0022)."""

from typing import Final

from amaranth.lib import data
from amaranth.lib.wiring import In, Member, Out, Signature

from setun_hw.config import Config
from setun_hw.timing import BURST_BEATS

OKAY: Final = 0
SLVERR: Final = 2
INCR: Final = 1
#: normal, non-cacheable, bufferable
CACHE: Final = 0b0011

_LENGTH_BITS = BURST_BEATS.bit_length()


def burst_layout(config: Config) -> data.StructLayout:
    """A burst: byte address and number of beats."""
    return data.StructLayout({"address": config.axi_address_bits, "beats": _LENGTH_BITS})


def _address_channel(prefix: str, address_bits: int) -> dict[str, Member]:
    return {
        f"{prefix}id": Out(1),
        f"{prefix}addr": Out(address_bits),
        f"{prefix}len": Out(8),
        f"{prefix}size": Out(3),
        f"{prefix}burst": Out(2),
        f"{prefix}lock": Out(1),
        f"{prefix}cache": Out(4),
        f"{prefix}prot": Out(3),
        f"{prefix}qos": Out(4),
        f"{prefix}valid": Out(1),
        f"{prefix}ready": In(1),
    }


class ReadSignature(Signature):
    """Read channels of an AXI4 master."""

    def __init__(self, config: Config) -> None:
        super().__init__(
            {
                **_address_channel("ar", config.axi_address_bits),
                "rid": In(1),
                "rdata": In(config.axi_data_bits),
                "rresp": In(2),
                "rlast": In(1),
                "rvalid": In(1),
                "rready": Out(1),
            }
        )


class WriteSignature(Signature):
    """Write channels of an AXI4 master."""

    def __init__(self, config: Config) -> None:
        super().__init__(
            {
                **_address_channel("aw", config.axi_address_bits),
                "wdata": Out(config.axi_data_bits),
                "wstrb": Out(config.axi_data_bits // 8),
                "wlast": Out(1),
                "wvalid": Out(1),
                "wready": In(1),
                "bid": In(1),
                "bresp": In(2),
                "bvalid": In(1),
                "bready": Out(1),
            }
        )


class MasterSignature(Signature):
    """All channels of an AXI4 master, named flat."""

    def __init__(self, config: Config) -> None:
        super().__init__({**dict(ReadSignature(config).members), **dict(WriteSignature(config).members)})


class LiteSignature(Signature):
    """An AXI4-Lite slave of 32 data bits, named flat."""

    def __init__(self, address_bits: int) -> None:
        super().__init__(
            {
                "awaddr": In(address_bits),
                "awprot": In(3),
                "awvalid": In(1),
                "awready": Out(1),
                "wdata": In(32),
                "wstrb": In(4),
                "wvalid": In(1),
                "wready": Out(1),
                "bresp": Out(2),
                "bvalid": Out(1),
                "bready": In(1),
                "araddr": In(address_bits),
                "arprot": In(3),
                "arvalid": In(1),
                "arready": Out(1),
                "rdata": Out(32),
                "rresp": Out(2),
                "rvalid": Out(1),
                "rready": In(1),
            }
        )
