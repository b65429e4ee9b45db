"""Latencies of the hardware, in cycles: the constants of the cycle model (docs/machine.md, "Cycles")."""

from setun_hw.config import Config

#: from the cycle in which a descriptor's last beat is taken to the first in which it can act
DECODE = 2
#: from the cycle in which a COMPUTE descriptor is taken to the first in which a step can issue
SETUP = 2
#: longest AXI burst, in beats
BURST_BEATS = 256
#: no burst crosses a multiple of this many bytes
BURST_BOUNDARY = 4096
#: bursts whose address has been taken and whose last beat (reads) or response (writes) has not
BURSTS_IN_FLIGHT = 2
#: from the cycle in which a store reads a word of the banks to the one in which the front end sees it
STORE_LATENCY = 2
#: beats (or words longer than a beat) that a store reads ahead; enough to hide the latency of the reads
STORE_ENTRIES = STORE_LATENCY + 2


def write_latency(config: Config) -> int:
    """Cycles from the issue of a convolution pixel's last step to the write of its first chunk."""
    return 6 + config.tree_registers
