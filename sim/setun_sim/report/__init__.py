"""What a simulation found, as one page and as plots.

``content`` gathers one document of plain values; ``page`` and ``plots`` show that document and nothing else.
"""

from setun_sim.report.content import Report, report

__all__ = ["Report", "report"]
