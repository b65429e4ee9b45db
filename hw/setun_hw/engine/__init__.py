"""The compute engine: sequencer, memories, array and post-processing."""

from setun_hw.engine.engine import Engine

__all__ = ["Engine"]
