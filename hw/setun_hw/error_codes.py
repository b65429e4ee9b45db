"""What stopped a program: the codes in the status register."""

from enum import IntEnum


class ErrorCode(IntEnum):
    """First cause of a stop; 0 while nothing has gone wrong."""

    NONE = 0
    BAD_CHECK = 1  #: a descriptor's check word is wrong
    BAD_VERSION = 2  #: a descriptor is of another format version
    BAD_OPCODE = 3  #: a descriptor's opcode is unknown
    BAD_FIELD = 4  #: a descriptor's field has a value that the configuration or docs/machine.md excludes
    OUT_OF_RANGE = 5  #: an address outside the tensor or the memory
    AXI_READ = 6  #: the memory answered a read with an error
    AXI_WRITE = 7  #: the memory answered a write with an error
    TIMEOUT = 8  #: the watchdog waited too long for the memory
