"""Modules that are written out once however often they are used.

An array holds hundreds of equal dot products of hundreds of equal cells. Converting each of them anew takes minutes and
gives a netlist of a hundred megabytes. A :class:`Shared` component behaves like any other in simulation and in
Amaranth's own back ends; in a design converted by :func:`convert` each use of it is an instance of one module.
"""

from typing import Any

from amaranth import ClockDomain, ClockSignal, Elaboratable, Fragment, Instance, Module, Signal
from amaranth.back import rtlil  # pyright: ignore[reportAttributeAccessIssue] - in no stub

#: of the clock in shared modules
CLOCK = "clk"


class Shared(Elaboratable):
    """A component of which equal ones share one module.

    It may use the clock domain ``sync``, without reset: its registers hold data that some other signal declares valid.
    """

    #: whether it uses the clock domain
    clocked: bool

    @property
    def module_name(self) -> str:
        """Name of the module: equal for components that are built equally, different for all others."""
        raise NotImplementedError

    def pins(self) -> tuple[dict[str, Signal], dict[str, Signal]]:
        """Inputs and outputs by their signals' names."""
        raise NotImplementedError

    def build(self, library: "ModuleLibrary | None" = None) -> Module:
        """The circuit itself; a library may say what it is for."""
        raise NotImplementedError

    def elaborate(self, platform: Any) -> Any:
        """The circuit, or an instance of its module where a :class:`ModuleLibrary` collects those."""
        return platform.instance(self) if isinstance(platform, ModuleLibrary) else self.build()


class ModuleLibrary:
    """The shared modules that a design uses; handed to Amaranth in place of a platform."""

    def __init__(self, top: Elaboratable, family: str | None) -> None:
        self._top = top
        #: FPGA family the circuits are shaped for, None for none in particular
        self.family = family
        self._pending: dict[str, Shared] = {}
        self._written: set[str] = set()

    def instance(self, component: Shared) -> Instance | Module:
        """An instance in place of a component, whose module will be written; for the design itself, the circuit."""
        if component is self._top:
            return component.build(self)
        name = component.module_name
        if name not in self._written:
            self._pending.setdefault(name, component)
        inputs, outputs = component.pins()
        pins: dict[str, Any] = {f"i_{pin}": signal for pin, signal in inputs.items()}
        pins |= {f"o_{pin}": signal for pin, signal in outputs.items()}
        if component.clocked:
            pins[f"i_{CLOCK}"] = ClockSignal()
        return Instance(name, **pins)

    def modules(self) -> str:
        """RTLIL of all modules that instances were made of, and of those they use in turn."""
        texts = []
        while self._pending:
            name, component = self._pending.popitem()
            self._written.add(name)
            module = component.build(self)
            inputs, outputs = component.pins()
            ports = [*inputs.values(), *outputs.values()]
            if component.clocked:
                domain: Any = ClockDomain("sync", reset_less=True)
                module.domains.sync = domain
                ports.append(domain.clk)
            text = rtlil.convert(Fragment.get(module, self), name=name, ports=ports, emit_src=False)
            texts.append(text.replace("attribute \\top 1\n", ""))
        return "".join(texts)


def convert(design: Elaboratable, name: str, ports: Any = None, family: str | None = None) -> str:
    """RTLIL of a design in which equal :class:`Shared` components are one module.

    Parameters
    ----------
    design, name, ports:
        As for Amaranth's own ``rtlil.convert``.
    family:
        FPGA family to shape adders for: ``ice40`` or ``xilinx``; any other, and None, gives what suits all.
    """
    library = ModuleLibrary(design, family)
    text = rtlil.convert(design, name=name, platform=library, ports=ports, emit_src=False)
    return text + library.modules()
