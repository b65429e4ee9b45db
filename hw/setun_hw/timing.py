"""Latencies of the hardware, in cycles: the constants of the cycle model (docs/machine.md, "Cycles")."""

from setun_hw.config import Config
from setun_hw.descriptor import Compute, Post

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


#: cycles that fixed-point post-processing adds to the way to the banks, used or not
AFFINE = 11


def write_latency(config: Config) -> int:
    """Cycles from the issue of a convolution pixel's last step to the write of its first chunk (after a window of
    one word)."""
    return 6 + config.tree_registers + (AFFINE if config.affine else 0)


def chunk_cycles(compute: Compute, post: Post) -> int:
    """Cycles that post-processing spends on each chunk of a convolution pixel; ``post`` matters with ``residual``
    only."""
    return compute.out_digits + (post.res_window - 1 if compute.residual else 0)
