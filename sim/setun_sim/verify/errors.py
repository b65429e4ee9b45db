"""What stops a verification before it can say anything about the hardware."""

from setun_hw.errors import SetunError


class ToolError(SetunError):
    """A program or package that verification needs is missing or too old; the text says how to get it."""


class BuildError(SetunError):
    """Verilator or the C++ compiler refused the generated Verilog."""


class SessionError(SetunError):
    """The simulator process ended before the bench had finished, or the accelerator never answered."""
