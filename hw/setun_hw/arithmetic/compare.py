"""Comparison of accumulators."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from setun_hw.cells import datapath
from setun_hw.cells.models import instantiate
from setun_hw.config import Config, Encoding
from setun_hw.library import ModuleLibrary, Shared


class _OfTwo(Shared, wiring.Component):
    """A function of the accumulators ``a`` and ``b``."""

    a: Signal
    b: Signal

    clocked = False
    result: str
    name: str

    def __init__(self, config: Config, width: int) -> None:
        self.config = config
        shape = config.accumulator_width
        super().__init__({"a": In(shape), "b": In(shape), self.result: Out(width)})

    @property
    def module_name(self) -> str:
        """Encoding and width."""
        return f"setun_{self.name}_{self.config.encoding}_{self.config.accumulator_width}"

    def pins(self) -> tuple[dict[str, Signal], dict[str, Signal]]:
        """Inputs and output by name."""
        return {"a": self.a, "b": self.b}, {self.result: getattr(self, self.result)}

    def _trits(self) -> dict[str, list[Value]]:
        return {
            name: [word[low : low + 2] for low in range(0, len(word), 2)]
            for name, word in (("a", self.a), ("b", self.b))
        }


class Comparator(_OfTwo):
    """``at_least`` = (``a >= b``).

    Members
    -------
    a, b : ``In(config.accumulator_width)``
    at_least : ``Out(1)``
    """

    at_least: Signal
    result = "at_least"
    name = "comparison"

    def __init__(self, config: Config) -> None:
        super().__init__(config, 1)

    def build(self, library: ModuleLibrary | None = None) -> Module:
        """Cells for ``ternary``, a subtraction for the others and where an FPGA has carry chains for one."""
        m = Module()
        if self.config.encoding is Encoding.TERNARY and library is not None and library.family is not None:
            m.d.comb += self.at_least.eq(_ordered(self.a) >= _ordered(self.b))
        elif self.config.encoding is Encoding.TERNARY:
            (sign,) = instantiate(m, datapath.comparison(self.config), self._trits())["sign"]
            m.d.comb += self.at_least.eq(~sign[1])
        else:
            m.d.comb += self.at_least.eq(self.a.as_signed() >= self.b.as_signed())
        return m


class Maximum(_OfTwo):
    """``larger`` of ``a`` and ``b``.

    Members
    -------
    a, b : ``In(config.accumulator_width)``
    larger : ``Out(config.accumulator_width)``
    """

    larger: Signal
    result = "larger"
    name = "maximum"

    def __init__(self, config: Config) -> None:
        super().__init__(config, config.accumulator_width)

    def build(self, library: ModuleLibrary | None = None) -> Module:
        """A comparator and a choice."""
        m = Module()
        m.submodules.comparator = comparator = Comparator(self.config)
        m.d.comb += [comparator.a.eq(self.a), comparator.b.eq(self.b)]
        if self.config.encoding is Encoding.TERNARY:
            wires = {**self._trits(), "at_least": [comparator.at_least]}
            m.d.comb += self.larger.eq(Cat(instantiate(m, datapath.maximum(self.config), wires)["larger"]))
        else:
            m.d.comb += self.larger.eq(Mux(comparator.at_least, self.a, self.b))
        return m


def _ordered(trits: Value) -> Value:
    """Trits as an unsigned number of the same order: each rail pair becomes 0, 1 or 3."""
    return Cat(Cat(~trits[low + 1], trits[low]) for low in range(0, len(trits), 2))
