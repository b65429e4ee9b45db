"""The array: P strips of M rows of N multipliers, with an accumulator for each row."""

from amaranth import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from setun_hw.arithmetic import Accumulator, DotProduct, sum_width
from setun_hw.config import Config
from setun_hw.engine.layout import STEP_LAYOUT


def values_layout(config: Config) -> data.ArrayLayout:
    """Accumulators: ``[strip][row]``."""
    return data.ArrayLayout(data.ArrayLayout(config.accumulator_width, config.rows), config.strips)


class Array(wiring.Component):
    """Dot products and accumulators.

    Members
    -------
    step : ``In(STEP_LAYOUT)``, digits : ``In(ArrayLayout(2*N, P))``, weights : ``In(2*M*N)``   of the same step
    accumulates : ``Out(STEP_LAYOUT)``      the step whose sums are added now, ``tree_registers + 1`` cycles later
    values : ``Out(values_layout(config))`` accumulators; hold that step's result from the next cycle on
    """

    step: "data.View[data.StructLayout]"
    digits: "data.View[data.ArrayLayout]"
    weights: Signal
    accumulates: "data.View[data.StructLayout]"
    values: "data.View[data.ArrayLayout]"

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "step": In(STEP_LAYOUT),
                "digits": In(data.ArrayLayout(config.word_bits, config.strips)),
                "weights": In(config.weight_word_bits),
                "accumulates": Out(STEP_LAYOUT),
                "values": Out(values_layout(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        step = self.step
        for stage in range(config.tree_registers + 1):
            later = Signal(STEP_LAYOUT, name=f"step{stage}")
            m.d.sync += later.eq(step)
            step = later
        m.d.comb += self.accumulates.eq(step)
        for p in range(config.strips):
            for row in range(config.rows):
                m.submodules[f"dot_{p}_{row}"] = dot = DotProduct(config)
                m.submodules[f"accumulator_{p}_{row}"] = accumulator = Accumulator(config)
                total = Signal(sum_width(config), name=f"sum_{p}_{row}", reset_less=True)
                m.d.sync += total.eq(dot.sum)
                m.d.comb += [
                    dot.weights.eq(self.weights.word_select(row, config.word_bits)),
                    dot.digits.eq(self.digits[p]),
                    accumulator.sum.eq(total),
                    accumulator.enable.eq(step.valid),
                    accumulator.clear.eq(step.clear),
                    accumulator.scale.eq(step.scale),
                    self.values[p][row].eq(accumulator.value),
                ]
        return m
