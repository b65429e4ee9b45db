"""Layer descriptors: 128-byte records the sequencer executes, defined once for software and hardware.

A descriptor is 32 little-endian 32-bit words. Word 0 holds the opcode and the format version, word 31 a check
word that makes the exclusive or of all 32 words equal to :data:`CHECK`. ``docs/descriptors.md`` explains each
field; the tables of this package are their only definition, and the hardware's layouts are made from them.
"""

import struct
from dataclasses import fields

from setun_hw.descriptor.compute import Compute, Mode
from setun_hw.descriptor.post import Post
from setun_hw.descriptor.record import (
    ADDRESS_MASK,
    CHECK,
    SIZE,
    VERSION,
    WORDS,
    DescriptorError,
    Field,
    Opcode,
    Record,
)
from setun_hw.descriptor.transfer import End, Region, Transfer

__all__ = [
    "ADDRESS_MASK",
    "CHECK",
    "KINDS",
    "SIZE",
    "VERSION",
    "WORDS",
    "Compute",
    "Descriptor",
    "DescriptorError",
    "End",
    "Field",
    "Mode",
    "Opcode",
    "Post",
    "Record",
    "Region",
    "Transfer",
    "fields_of",
    "unpack",
]

Descriptor = End | Transfer | Compute | Post

KINDS: dict[Opcode, type[End] | type[Transfer] | type[Compute] | type[Post]] = {
    Opcode.END: End,
    Opcode.LOAD_WEIGHTS: Transfer,
    Opcode.LOAD_PARAMETERS: Transfer,
    Opcode.LOAD_ACTIVATIONS: Transfer,
    Opcode.STORE_ACTIVATIONS: Transfer,
    Opcode.COMPUTE: Compute,
    Opcode.LOAD_RESIDUAL: Transfer,
    Opcode.STORE_RESIDUAL: Transfer,
    Opcode.SET_POST: Post,
}


def unpack(data: bytes) -> Descriptor:
    """Read one descriptor back.

    Raises
    ------
    DescriptorError
        On a wrong size, check word, version or opcode, or a derived field that contradicts the others.
    """
    if len(data) != SIZE:
        raise DescriptorError(f"a descriptor has {SIZE} bytes, not {len(data)}")
    words = struct.unpack("<32I", data)
    check = 0
    for word in words:
        check ^= word
    if check != CHECK:
        raise DescriptorError("descriptor check word is wrong")
    if words[0] >> 8 & 0xFF != VERSION:
        raise DescriptorError(f"descriptor version must be {VERSION}, not {words[0] >> 8 & 0xFF}")
    try:
        opcode = Opcode(words[0] & 0xFF)
    except ValueError:
        raise DescriptorError(f"unknown descriptor opcode {words[0] & 0xFF}") from None
    return KINDS[opcode].from_words(words, opcode)


def fields_of(kind: type[Record]) -> list[str]:
    """Names of a kind's fields in the order of their definition (for tables in docs and reports)."""
    return [field.name for field in fields(kind) if field.name != "opcode"]
