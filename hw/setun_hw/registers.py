"""Register map of the control port: data for the hardware, the test benches, the drivers and the documentation.

The port is an AXI4-Lite slave of 32 data bits. Registers lie in the first 4 KiB, the performance counters behind.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from setun_hw.config import Config, Encoding
from setun_hw.descriptor import CHECK as CHECK
from setun_hw.descriptor import VERSION as VERSION
from setun_hw.descriptor import Region

#: version of this map
INTERFACE = 1
#: cycles without progress after which a program is stopped, unless the host writes something else
WATCHDOG_CYCLES = 1 << 20
#: region bases and the descriptor list start at multiples of this many bytes; lower address bits read as 0
ALIGNMENT = 128
#: bytes of a performance counter record: eight words
RECORD_BYTES = 32


class Access(StrEnum):
    """What the host can do with a register."""

    READ = "read"
    WRITE = "read and write"
    COMMAND = "write ones to act, reads as 0"
    CLEAR = "read; write ones to clear"


class Offset(IntEnum):
    """Byte offsets of the registers that are not constants of the configuration."""

    ID = 0x00
    VERSION = 0x04
    CONTROL = 0x08
    STATUS = 0x0C
    ERROR_INDEX = 0x10
    INTERRUPT_ENABLE = 0x14
    INTERRUPT = 0x18
    WATCHDOG = 0x1C
    LIST = 0x20
    CYCLES = 0x24
    DESCRIPTOR = 0x28
    TRANSFERS = 0x2C
    GROUPS = 0x30
    RECORDS = 0x34
    PROGRAM_BASE = 0x40
    INPUT_BASE = 0x48
    OUTPUT_BASE = 0x50
    SCRATCH_BASE = 0x58


class Control(IntEnum):
    """Bits of CONTROL."""

    START = 1 << 0
    RESET = 1 << 1


class Status(IntEnum):
    """Bits of STATUS; the error code is in bits 15..8."""

    BUSY = 1 << 0
    DONE = 1 << 1
    ERROR = 1 << 2
    DRAINING = 1 << 3


class Interrupt(IntEnum):
    """Bits of INTERRUPT and INTERRUPT_ENABLE."""

    DONE = 1 << 0
    ERROR = 1 << 1


#: lowest bit of the error code in STATUS
STATUS_CODE = 8
#: codes of the encodings in ENCODING
ENCODINGS = {Encoding.TERNARY: 0, Encoding.RAILS: 1, Encoding.BINARY2: 2}
#: where the constants of the configuration begin
CONSTANTS = 0x80
#: constants of the configuration in the order of their registers
CONSTANT_FIELDS = (
    "encoding", "rows", "lanes", "strips", "post", "thresholds", "code_digits", "accumulator_bits", "activation_words",
    "weight_words", "parameter_words", "axi_data_bits", "axi_address_bits", "queue_depth", "tree_registers",
    "packed_weights", "counter_records", "affine", "two_scale", "coefficient_bits", "residual_bits", "residual_words",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Register:
    """One register as the host sees it."""

    name: str
    offset: int
    access: Access
    #: value after reset; of constants, the value
    reset: int
    text: str


def base_offset(region: Region) -> int:
    """Offset of a region's base register, low half; the high half follows."""
    return Offset.PROGRAM_BASE + 8 * int(region)


def records_offset(config: Config) -> int:
    """Where the performance counter records begin; also the number of bytes reserved for them."""
    return max(0x1000, 1 << (RECORD_BYTES * config.counter_records - 1).bit_length())


def address_bits(config: Config) -> int:
    """Address bits of the control port."""
    return records_offset(config).bit_length()


def record_offset(config: Config, index: int, word: int = 0) -> int:
    """Where word ``word`` of descriptor ``index``'s record lies."""
    return records_offset(config) + RECORD_BYTES * index + 4 * word


def constants(config: Config) -> dict[str, int]:
    """Values of the constant registers, by configuration field."""
    values = {**config.to_dict(), "encoding": ENCODINGS[config.encoding]}
    return {name: int(values[name]) for name in CONSTANT_FIELDS}


def registers(config: Config) -> tuple[Register, ...]:
    """The whole map, in order of address, without the records."""
    read, write = Access.READ, Access.WRITE
    rows: list[tuple[Offset, Access, int, str]] = [
        (Offset.ID, read, CHECK, 'the letters "UTES", lowest byte first: this is the accelerator'),
        (Offset.VERSION, read, INTERFACE << 8 | VERSION, "bits 15..8: version of this map, 7..0: of descriptors"),
        (Offset.CONTROL, Access.COMMAND, 0, "bit 0: start (ignored while busy), bit 1: soft reset"),
        (Offset.STATUS, read, 0, "bit 0: busy, 1: done, 2: error, 3: draining the bus, 15..8: error code"),
        (Offset.ERROR_INDEX, read, 0, "index of the descriptor that failed"),
        (Offset.INTERRUPT_ENABLE, write, 0, "bit 0: when done, bit 1: on errors"),
        (Offset.INTERRUPT, Access.CLEAR, 0, "what happened: bit 0: done, bit 1: error; irq = any that is enabled"),
        (Offset.WATCHDOG, write, WATCHDOG_CYCLES, "cycles without progress that stop a program; 0: never"),
        (Offset.LIST, write, 0, "byte offset of the first descriptor from the PROGRAM base, a multiple of 128"),
        (Offset.CYCLES, read, 0, "cycles since the start, until done"),
        (Offset.DESCRIPTOR, read, 0, "index of the descriptor at hand"),
        (Offset.TRANSFERS, read, 0, "transfers completed"),
        (Offset.GROUPS, read, 0, "channel groups completed"),
        (Offset.RECORDS, read, records_offset(config), "byte offset of the performance counter records"),
    ]
    result = [Register(name=o.name, offset=o, access=a, reset=r, text=text) for o, a, r, text in rows]
    for region in Region:
        for half, bits in enumerate(("31..0, a multiple of 128", "63..32")):
            name, offset = f"{region.name}_BASE_{'HIGH' if half else 'LOW'}", base_offset(region) + 4 * half
            text = f"address of the {region.name} region, bits {bits}"
            result.append(Register(name=name, offset=offset, access=write, reset=0, text=text))
    for index, (name, value) in enumerate(constants(config).items()):
        text = f"{name} of the configuration"
        result.append(Register(name=name.upper(), offset=CONSTANTS + 4 * index, access=read, reset=value, text=text))
    return tuple(result)
