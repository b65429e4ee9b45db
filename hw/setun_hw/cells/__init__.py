"""The library of ternary cells and the datapath drawn in them; importing this needs no hardware library."""

from setun_hw.cells.netlist import CellNetlist, Node
from setun_hw.cells.tables import CELLS, CellKind

__all__ = ["CELLS", "CellKind", "CellNetlist", "Node"]
