"""What the interpreter and the simulator refuse."""

from setun_hw.errors import SetunError


class SimulationError(SetunError):
    """A program that the machine could not carry out; the text names the descriptor."""
