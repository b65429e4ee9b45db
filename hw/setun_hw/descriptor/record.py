"""What all kinds of descriptor share: opcodes, words, check word, packing."""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, NamedTuple, Self

from setun_hw.errors import SetunError

#: format version, checked by hardware and software
VERSION = 3
#: exclusive or of a good descriptor's 32 words
CHECK = 0x53455455
#: bytes of a descriptor
SIZE = 128
WORDS = SIZE // 4
#: word addresses have 24 bits
ADDRESS_MASK = (1 << 24) - 1


class DescriptorError(SetunError):
    """A field that does not fit, or bytes that are no descriptor."""


class Opcode(IntEnum):
    """What a descriptor asks for."""

    END = 0  #: the program is complete once all engines are idle
    LOAD_WEIGHTS = 1  #: external memory to weight memory
    LOAD_PARAMETERS = 2  #: external memory to parameter memory
    LOAD_ACTIVATIONS = 3  #: external memory to activation banks
    STORE_ACTIVATIONS = 4  #: activation banks to external memory
    COMPUTE = 5  #: one layer, or one band of it
    LOAD_RESIDUAL = 6  #: external memory to residual memories
    STORE_RESIDUAL = 7  #: residual memories to external memory
    SET_POST = 8  #: fixed-point settings of the COMPUTEs that follow


class Field(NamedTuple):
    """Where a field lies: 32-bit word, lowest bit, width; two's complement if ``signed``."""

    word: int
    low: int
    bits: int
    signed: bool = False


@dataclass(frozen=True, kw_only=True)
class Record:
    """Packing shared by all kinds of descriptor."""

    LAYOUT: ClassVar[dict[str, Field]]
    #: fields that follow from the others: products the hardware would otherwise have to form; no constructor takes them
    DERIVED: ClassVar[frozenset[str]] = frozenset()
    opcode: Opcode

    def __post_init__(self) -> None:
        for name, field in self.LAYOUT.items():
            value = int(getattr(self, name))
            low = -(1 << field.bits - 1) if field.signed else 0
            high = low + (1 << field.bits) - 1
            if not low <= value <= high:
                raise DescriptorError(f"descriptor field {name} must be between {low} and {high}, not {value}")

    def pack(self) -> bytes:
        """The 128 bytes, check word included."""
        words = [0] * WORDS
        words[0] = int(self.opcode) | VERSION << 8
        for name, field in self.LAYOUT.items():
            words[field.word] |= (int(getattr(self, name)) & (1 << field.bits) - 1) << field.low
        words[-1] = CHECK
        for word in words[:-1]:
            words[-1] ^= word
        return struct.pack("<32I", *words)

    @classmethod
    def from_words(cls, words: tuple[int, ...], opcode: Opcode) -> Self:
        """The record that these words hold; opcode, version and check word are checked already.

        Raises
        ------
        DescriptorError
            When a derived field contradicts the others.
        """
        values = {}
        for name, field in cls.LAYOUT.items():
            value = words[field.word] >> field.low & (1 << field.bits) - 1
            if field.signed and value >> field.bits - 1:
                value -= 1 << field.bits
            values[name] = value
        derived = {name: values.pop(name) for name in cls.DERIVED}
        record = cls(opcode=opcode, **values)
        for name, value in derived.items():
            if value != getattr(record, name):
                raise DescriptorError(f"descriptor field {name} must be {getattr(record, name)}, not {value}")
        return record
