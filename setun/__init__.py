"""Ternary neural network accelerators: compile, simulate, generate, prove equal.

The names most users need; everything else lives in ``setun_compiler``, ``setun_sim`` and ``setun_hw``. They are
imported on first use, so that the command starts fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from setun.arrays import load_array
    from setun_compiler import compile_model
    from setun_compiler.container import load, save
    from setun_compiler.program import Program
    from setun_hw.config import Config, Encoding
    from setun_hw.errors import SetunError
    from setun_hw.presets import config, configs
    from setun_hw.verilog import write as write_verilog
    from setun_sim import simulate
    from setun_sim.verify.verify import verify

_HOMES = {
    "Config": "setun_hw.config",
    "Encoding": "setun_hw.config",
    "Program": "setun_compiler.program",
    "SetunError": "setun_hw.errors",
    "compile_model": "setun_compiler",
    "config": "setun_hw.presets",
    "configs": "setun_hw.presets",
    "load": "setun_compiler.container",
    "load_array": "setun.arrays",
    "save": "setun_compiler.container",
    "simulate": "setun_sim",
    "verify": "setun_sim.verify.verify",
}

__all__ = [
    "Config",
    "Encoding",
    "Program",
    "SetunError",
    "compile_model",
    "config",
    "configs",
    "load",
    "load_array",
    "save",
    "simulate",
    "verify",
    "write_verilog",
]


def __getattr__(name: str) -> Any:
    if name == "write_verilog":
        return import_module("setun_hw.verilog").write
    if name not in _HOMES:
        raise AttributeError(f"module 'setun' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
