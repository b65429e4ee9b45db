"""Golden interpreter and cycle-exact simulator of setun programs.

``simulate`` is imported on first use: its compiled kernels take a moment to load.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from setun_sim.simulation import Result, simulate

__all__ = ["Result", "simulate"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from setun_sim import simulation

        return getattr(simulation, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
