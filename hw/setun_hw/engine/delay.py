"""Delay lines."""

from amaranth import Module, Signal, Value


def delayed(m: Module, value: Value, cycles: int, name: str, *, reset_less: bool = False) -> Value:
    """``value`` as it was ``cycles`` cycles ago; 0 before that, or undefined with ``reset_less``."""
    for stage in range(1, cycles + 1):
        later = Signal(value.shape(), name=f"{name}_{stage}", reset_less=reset_less)
        m.d.sync += later.eq(value)
        value = later
    return value
