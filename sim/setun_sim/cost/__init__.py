"""What a network costs: energy, area and delay in a technology whose every number has a source.

``technology`` and ``technologies`` read files of numbers; ``structure`` counts an accelerator's parts; ``energy``
prices a
simulation; ``compare`` sets the encodings beside each other.
"""

from setun_sim.cost.errors import CostError, StructureError, TechnologyError
from setun_sim.cost.quantity import Quantity, Status
from setun_sim.cost.structure import COMPONENTS, Structure, structure
from setun_sim.cost.technology import Kind, Technology, technologies, technology

__all__ = [
    "COMPONENTS",
    "CostError",
    "Kind",
    "Quantity",
    "Status",
    "Structure",
    "StructureError",
    "Technology",
    "TechnologyError",
    "structure",
    "technologies",
    "technology",
]
