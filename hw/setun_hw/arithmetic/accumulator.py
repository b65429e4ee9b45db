"""The accumulator of a row."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from setun_hw.cells import datapath
from setun_hw.cells.models import instantiate
from setun_hw.codec import sum_width
from setun_hw.config import Config, Encoding
from setun_hw.library import ModuleLibrary, Shared


class Accumulator(Shared, wiring.Component):
    """``value <- (0 if clear else radix*value if scale else value) + sum`` at an edge with ``enable``.

    Members
    -------
    sum : ``In(sum_width(config))``          as the dot product gives it
    clear, scale, enable : ``In(1)``
    value : ``Out(config.accumulator_width)``  modulo the accumulator's range; undefined until cleared, since nothing
        resets it
    """

    sum: Signal
    clear: Signal
    scale: Signal
    enable: Signal
    value: Signal

    clocked = True

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "sum": In(sum_width(config)),
                "clear": In(1),
                "scale": In(1),
                "enable": In(1),
                "value": Out(config.accumulator_width),
            }
        )

    @property
    def module_name(self) -> str:
        """Encoding and both widths."""
        return f"setun_accumulator_{self.config.encoding}_{sum_width(self.config)}_{self.config.accumulator_width}"

    def pins(self) -> tuple[dict[str, Signal], dict[str, Signal]]:
        """Inputs and outputs by name."""
        inputs = {"sum": self.sum, "clear": self.clear, "scale": self.scale, "enable": self.enable}
        return inputs, {"value": self.value}

    def build(self, library: ModuleLibrary | None = None) -> Module:
        """Cells for ``ternary``, two's complement adders for the others."""
        m = Module()
        if self.config.encoding is Encoding.TERNARY:
            self._build_cells(m)
            return m
        value = Signal(self.config.accumulator_width, reset_less=True)
        radix = self.config.encoding.radix
        scaled = Mux(self.scale, value * radix if radix & radix - 1 == 0 else (value << 1) + value, value)
        added = scaled[: len(value)] + self.sum.as_signed()
        with m.If(self.enable):
            # choosing after the addition lets an adder's own look-up table choose
            m.d.sync += value.eq(Mux(self.clear, self.sum.as_signed(), added))
        m.d.comb += self.value.eq(value)
        return m

    def _build_cells(self, m: Module) -> None:
        netlist = datapath.accumulator(self.config)
        keep, keep_lowest = Signal(), Signal()
        m.d.comb += [keep.eq(~self.clear), keep_lowest.eq(~(self.clear | self.scale))]
        wires = {
            "sum": [self.sum[low : low + 2] for low in range(0, len(self.sum), 2)],
            "keep": [keep],
            "keep_lowest": [keep_lowest],
            "scale": [self.scale],
            "enable": [self.enable],
        }
        m.d.comb += self.value.eq(Cat(instantiate(m, netlist, wires)["value"]))
