"""What a model can do wrong, and how its names are printed."""

from setun_hw.errors import SetunError

NAME_LIMIT = 80


class ModelError(SetunError):
    """A model file that cannot be compiled; the text names the node or tensor and says what is expected."""


def printable(name: str) -> str:
    """A name out of a model file in quotes, safe to print: control characters escaped, length limited."""
    shown = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in name[: NAME_LIMIT + 1])
    return f"'{shown[:NAME_LIMIT]}...'" if len(shown) > NAME_LIMIT else f"'{shown}'"
