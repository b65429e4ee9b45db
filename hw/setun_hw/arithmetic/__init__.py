"""The arithmetic of the datapath: dot product, accumulator and comparison, in all three encodings."""

from setun_hw.arithmetic.accumulator import Accumulator
from setun_hw.arithmetic.compare import at_least, maximum
from setun_hw.arithmetic.dot_product import DotProduct
from setun_hw.codec import decode_accumulator, encode_accumulator, sum_width

__all__ = [
    "Accumulator",
    "DotProduct",
    "at_least",
    "decode_accumulator",
    "encode_accumulator",
    "maximum",
    "sum_width",
]
