"""Descriptors: every field survives, none overlaps, damage is seen."""

import struct
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setun_hw.descriptor import CHECK, KINDS, SIZE, VERSION, Compute, DescriptorError, End, Opcode, Transfer, unpack

LAYOUTS = sorted(set(KINDS.values()), key=lambda kind: kind.__name__)


@st.composite
def descriptors(draw: st.DrawFn) -> object:
    """Any descriptor of any kind, each settable field anywhere in its range."""
    opcode = draw(st.sampled_from(sorted(KINDS)))
    kind = KINDS[opcode]
    values: dict[str, int] = {}
    for field in fields(kind):
        if field.name == "opcode":
            continue
        place = kind.LAYOUT[field.name]
        low = -(1 << place.bits - 1) if place.signed else 0
        values[field.name] = draw(st.integers(low, low + (1 << place.bits) - 1))
    return kind(opcode=opcode, **values)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_fields_lie_inside_their_words_and_apart(kind: type[Compute]) -> None:
    taken: dict[tuple[int, int], str] = {}
    for name, place in kind.LAYOUT.items():
        assert place.word < 31, "word 31 is the check word"
        assert place.low + place.bits <= 32
        for bit in range(place.low, place.low + place.bits):
            assert place.word or bit >= 16, "opcode and version"
            assert (place.word, bit) not in taken, f"{name} overlaps {taken.get((place.word, bit))}"
            taken[place.word, bit] = name


@given(descriptors())
def test_packing_loses_nothing(descriptor: Compute) -> None:
    data = descriptor.pack()
    assert len(data) == SIZE
    assert unpack(data) == descriptor


@given(descriptors(), st.integers(0, SIZE * 8 - 1))
def test_any_single_wrong_bit_is_seen(descriptor: Compute, bit: int) -> None:
    data = bytearray(descriptor.pack())
    data[bit // 8] ^= 1 << bit % 8
    with pytest.raises(DescriptorError):
        unpack(bytes(data))


def test_bytes_of_one_descriptor_by_hand() -> None:
    """Opcode 2 and the version in word 0, 7 words in word 3, the check word last."""
    words = struct.unpack("<32I", Transfer(opcode=Opcode.LOAD_PARAMETERS, words=7).pack())
    assert words[0] == 2 | VERSION << 8
    assert words[3] == 7
    assert words[31] == CHECK ^ words[0] ^ words[3]


def with_word(word: int, value: int) -> bytes:
    """An END whose one word is replaced and whose check word is right again."""
    words = list(struct.unpack("<32I", End().pack()))
    words[31] ^= words[word] ^ value
    words[word] = value
    return struct.pack("<32I", *words)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", f"a descriptor has {SIZE} bytes, not 0"),
        (bytes(SIZE), "descriptor check word is wrong"),
        (with_word(0, 99 << 8), f"descriptor version must be {VERSION}, not 99"),
        (with_word(0, 200 | VERSION << 8), "unknown descriptor opcode 200"),
    ],
)
def test_what_is_no_descriptor_is_refused(data: bytes, text: str) -> None:
    with pytest.raises(DescriptorError) as caught:
        unpack(data)
    assert str(caught.value) == text


def test_a_field_out_of_range_is_named() -> None:
    with pytest.raises(DescriptorError, match=r"^descriptor field kernel_rows must be between 0 and 255, not 256$"):
        Compute(kernel_rows=256)
