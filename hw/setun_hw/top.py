"""The accelerator as one component."""

from amaranth import Module, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect

from setun_hw import registers
from setun_hw.config import Config
from setun_hw.engine import Engine
from setun_hw.frontend.axi import LiteSignature, MasterSignature
from setun_hw.frontend.control import Control
from setun_hw.frontend.frontend import FrontEnd
from setun_hw.frontend.ports import engine_members
from setun_hw.frontend.records import Records

MASTER, SLAVE = "m_axi_", "s_axil_"


class Accelerator(wiring.Component):
    """Front end, control registers and engine (docs/hardware.md).

    Members
    -------
    m_axi_* : AXI4 master towards memory
    s_axil_* : AXI4-Lite slave towards the host
    irq : ``Out(1)``   level, active high
    """

    irq: Signal

    def __init__(self, config: Config) -> None:
        self.config = config
        lite = LiteSignature(registers.address_bits(config))
        super().__init__(
            {
                **{MASTER + name: member for name, member in MasterSignature(config).members.items()},
                **{SLAVE + name: member for name, member in lite.members.items()},
                "irq": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Elaboratable:
        m = Module()
        m.submodules.engine = engine = Engine(self.config)
        m.submodules.front_end = front_end = FrontEnd(self.config)
        m.submodules.control = control = Control(self.config)
        m.submodules.records = records = Records(self.config)
        for name, member in engine_members(self.config).items():
            inside, outside = getattr(engine, name), getattr(front_end, name)
            if member.is_signature:
                connect(m, outside, inside)
            elif member.flow is Out:
                m.d.comb += inside.eq(outside)
            else:
                m.d.comb += outside.eq(inside)
        m.d.comb += [
            front_end.start.eq(control.start),
            front_end.reset.eq(control.reset),
            front_end.settings.eq(control.settings),
            control.status.eq(front_end.status),
            front_end.running.eq(records.running),
            records.front.eq(front_end.front),
            records.compute.eq(engine.record),
            records.push.eq(front_end.push),
            records.index.eq(front_end.status.index),
            records.clear.eq(front_end.clear),
            records.record.eq(control.record),
            records.word.eq(control.word),
            control.record_data.eq(records.data),
            self.irq.eq(control.irq),
        ]
        for prefix, bus in ((MASTER, front_end.axi), (SLAVE, control.bus)):
            for name, member in bus.signature.members.items():
                inside, outside = getattr(bus, name), getattr(self, prefix + name)
                m.d.comb += outside.eq(inside) if member.flow is Out else inside.eq(outside)
        return m
