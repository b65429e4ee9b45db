"""Control registers (:mod:`setun_hw.registers`)."""

from typing import Any

from amaranth import C, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from setun_hw import registers
from setun_hw.config import Config
from setun_hw.descriptor import Region
from setun_hw.engine.layout import index_bits
from setun_hw.frontend.axi import LiteSignature
from setun_hw.frontend.lite import Lite
from setun_hw.frontend.ports import STATUS_LAYOUT, settings_layout
from setun_hw.registers import Control as ControlBit
from setun_hw.registers import Interrupt, Offset


class Control(wiring.Component):
    """What the host sees on the control port.

    Members
    -------
    bus : ``Out(LiteSignature(...))``             seen from inside: a slave
    irq : ``Out(1)``                              level, active high
    start, reset : ``Out(1)``                     for one cycle
    settings : ``Out(settings_layout(config))``
    status : ``In(STATUS_LAYOUT)``
    record, word : ``Out``, record_data : ``In(32)``   the performance counters; data a cycle after the address
    """

    bus: Any
    irq: Signal
    start: Signal
    reset: Signal
    settings: "data.View[data.StructLayout]"
    status: "data.View[data.StructLayout]"
    record: Signal
    word: Signal
    record_data: Signal

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "bus": Out(LiteSignature(registers.address_bits(config))),
                "irq": Out(1),
                "start": Out(1),
                "reset": Out(1),
                "settings": Out(settings_layout(config)),
                "status": In(STATUS_LAYOUT),
                "record": Out(index_bits(config.counter_records)),
                "word": Out(3),
                "record_data": In(32),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, settings, status = self.config, self.settings, self.status
        m.submodules.lite = lite = Lite(registers.address_bits(config))
        connect(m, flipped(self.bus), lite.bus)
        aligned = ~(registers.ALIGNMENT - 1) & 0xFFFFFFFF
        bases = [settings.bases[region] for region in Region]
        enable, pending = Signal(len(Interrupt)), Signal(len(Interrupt))
        watchdog = Signal(32, init=registers.WATCHDOG_CYCLES)
        list_offset = Signal(32)

        m.d.comb += [
            settings.watchdog.eq(watchdog),
            settings.list.eq(list_offset),
            self.irq.eq((pending & enable).any()),
        ]
        was = Signal(len(Interrupt))  # outcomes of the cycle before
        outcome = Cat(status.done, status.error)
        m.d.sync += [was.eq(outcome), pending.eq(pending | outcome & ~was)]

        # Writes.
        strobes = Cat(bit.replicate(8) for bit in lite.write_strobe)

        def write(offset: int, target: Value, mask: int = 0xFFFFFFFF) -> None:
            with m.If(lite.write & (lite.write_address == offset)):
                merged = (target & ~strobes) | (lite.write_data & strobes & mask)
                m.d.sync += target.eq(merged)

        command = Mux(lite.write & (lite.write_address == Offset.CONTROL) & lite.write_strobe[0], lite.write_data, 0)
        m.d.comb += [
            self.start.eq((command & ControlBit.START).any()),
            self.reset.eq((command & ControlBit.RESET).any()),
        ]
        write(Offset.INTERRUPT_ENABLE, enable)
        write(Offset.WATCHDOG, watchdog)
        write(Offset.LIST, list_offset, aligned)
        for region, base in zip(Region, bases, strict=True):
            write(registers.base_offset(region), base[:32], aligned)
            if len(base) > 32:
                write(registers.base_offset(region) + 4, base[32:])
        with m.If(lite.write & (lite.write_address == Offset.INTERRUPT)):
            m.d.sync += pending.eq((pending | outcome & ~was) & ~(lite.write_data & strobes))
        with m.If(self.reset):
            m.d.sync += [pending.eq(0), was.eq(~0)]

        # Reads.
        values: dict[int, Value] = {
            Offset.ID: C(registers.CHECK, 32),
            Offset.VERSION: C(registers.INTERFACE << 8 | registers.VERSION, 32),
            Offset.STATUS: Cat(
                status.busy, status.done, status.error, status.draining, C(0, registers.STATUS_CODE - 4), status.code
            ),
            Offset.ERROR_INDEX: status.error_index,
            Offset.INTERRUPT_ENABLE: enable,
            Offset.INTERRUPT: pending,
            Offset.WATCHDOG: watchdog,
            Offset.LIST: list_offset,
            Offset.CYCLES: status.cycles,
            Offset.DESCRIPTOR: status.index,
            Offset.TRANSFERS: status.transfers,
            Offset.GROUPS: status.groups,
            Offset.RECORDS: C(registers.records_offset(config), 32),
        }
        for region, base in zip(Region, bases, strict=True):
            values[registers.base_offset(region)] = base[:32]
            values[registers.base_offset(region) + 4] = base[32:]
        for index, value in enumerate(registers.constants(config).values()):
            values[registers.CONSTANTS + 4 * index] = C(value, 32)
        register = Signal(32)
        with m.Switch(lite.read_address[2:12]):
            for offset, value in values.items():
                with m.Case(offset >> 2):
                    m.d.sync += register.eq(value)
            with m.Default():
                m.d.sync += register.eq(0)
        in_records = lite.read_address[-1]
        m.d.comb += [
            self.word.eq(lite.read_address[2:]),
            self.record.eq(lite.read_address[5:-1]),
            lite.read_data.eq(Mux(in_records, self.record_data, register)),
        ]
        return m
