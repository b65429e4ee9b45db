"""The arithmetic of the datapath: dot product, accumulator and comparison, in all three encodings."""

from setun_hw.arithmetic.accumulator import Accumulator
from setun_hw.arithmetic.compare import Comparator, Maximum
from setun_hw.arithmetic.dot_product import DotProduct
from setun_hw.arithmetic.unpacker import Unpacker
from setun_hw.codec import decode_accumulator, encode_accumulator, sum_width

__all__ = [
    "Accumulator",
    "Comparator",
    "DotProduct",
    "Maximum",
    "Unpacker",
    "decode_accumulator",
    "encode_accumulator",
    "sum_width",
]
