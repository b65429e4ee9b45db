"""The array: P strips of M rows of N multipliers, with an accumulator for each row."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from setun_hw.arithmetic import Accumulator, DotProduct, sum_width
from setun_hw.config import Config, Encoding
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
    second_values : ``Out(values_layout(config))``  with ``two_scale``: of steps with ``second``, which add digits
    times |w|
    """

    step: "data.View[data.StructLayout]"
    digits: "data.View[data.ArrayLayout]"
    weights: Signal
    accumulates: "data.View[data.StructLayout]"
    values: "data.View[data.ArrayLayout]"
    second_values: "data.View[data.ArrayLayout]"

    def __init__(self, config: Config) -> None:
        self.config = config
        second = {"second_values": Out(values_layout(config))} if config.two_scale else {}
        super().__init__(
            {
                "step": In(STEP_LAYOUT),
                "digits": In(data.ArrayLayout(config.word_bits, config.strips)),
                "weights": In(config.weight_word_bits),
                "accumulates": Out(STEP_LAYOUT),
                "values": Out(values_layout(config)),
                **second,
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        stages = [self.step]
        for stage in range(config.tree_registers + 1):
            stages.append(Signal(STEP_LAYOUT, name=f"step{stage}"))
            m.d.sync += stages[-1].eq(stages[-2])
        step = stages[-1]
        m.d.comb += self.accumulates.eq(step)
        # every register on the way of a step loads only when there is one: its clock can be gated
        loads = Cat(stage.valid for stage in stages[:-2])
        weights = self._magnitudes(m) if config.two_scale else self.weights
        for p in range(config.strips):
            for row in range(config.rows):
                m.submodules[f"dot_{p}_{row}"] = dot = DotProduct(config)
                m.submodules[f"accumulator_{p}_{row}"] = accumulator = Accumulator(config)
                total = Signal(sum_width(config), name=f"sum_{p}_{row}", reset_less=True)
                with m.If(stages[-2].valid):
                    m.d.sync += total.eq(dot.sum)
                if config.tree_registers:
                    m.d.comb += dot.loads.eq(loads)
                m.d.comb += [
                    dot.weights.eq(weights.word_select(row, config.word_bits)),
                    dot.digits.eq(self.digits[p]),
                    accumulator.sum.eq(total),
                    accumulator.enable.eq(step.valid & ~step.second),
                    accumulator.clear.eq(step.clear),
                    accumulator.scale.eq(step.scale),
                    self.values[p][row].eq(accumulator.value),
                ]
                if config.two_scale:
                    m.submodules[f"second_{p}_{row}"] = second = Accumulator(config)
                    m.d.comb += [
                        second.sum.eq(total),
                        second.enable.eq(step.valid & step.second),
                        second.clear.eq(step.clear),
                        second.scale.eq(step.scale),
                        self.second_values[p][row].eq(second.value),
                    ]
        return m

    def _magnitudes(self, m: Module) -> Signal:
        """The weights, or in steps with ``second`` their magnitudes."""
        balanced = self.config.encoding is not Encoding.BINARY2
        weights = Signal.like(self.weights)
        for low in range(0, len(weights), 2):
            plus, minus = self.weights[low], self.weights[low + 1]
            some = plus | minus if balanced else plus  # bit 0 of radix-4 digits tells 1 and -1 from 0
            m.d.comb += weights[low : low + 2].eq(Mux(self.step.second, some, Cat(plus, minus)))
        return weights
