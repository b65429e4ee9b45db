"""What the cost model refuses."""

from setun_hw.errors import SetunError


class TechnologyError(SetunError):
    """A technology file that cannot be used, or a number it does not have; the text names file and field."""


class StructureError(SetunError):
    """A circuit whose gates cannot be counted."""


class CostError(SetunError):
    """A question that cost model cannot answer."""
