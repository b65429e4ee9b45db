"""What a descriptor must satisfy before it is carried out."""

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from setun_hw.config import Config
from setun_hw.descriptor import VERSION, Opcode
from setun_hw.engine.layout import ERROR_LAYOUT, TRANSFER_LAYOUT
from setun_hw.error_codes import ErrorCode


class DescriptorCheck(wiring.Component):
    """Judges a descriptor's frame, and the fields of transfers; combinational. The engine judges COMPUTE's fields.

    Members
    -------
    sound : ``In(1)``                    the check word is right
    version, opcode : ``In(8)``
    transfer : ``In(TRANSFER_LAYOUT)``
    affine_fields : ``In(1)``            a field of COMPUTE is used that only configurations with ``affine`` have
    error : ``Out(ERROR_LAYOUT)``        the first thing wrong
    """

    sound: Signal
    version: Signal
    opcode: Signal
    transfer: "data.View[data.StructLayout]"
    affine_fields: Signal
    error: "data.View[data.StructLayout]"

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "sound": In(1),
                "version": In(8),
                "opcode": In(8),
                "transfer": In(TRANSFER_LAYOUT),
                "affine_fields": In(1),
                "error": Out(ERROR_LAYOUT),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, t = self.config, self.transfer
        weights, parameters = self.opcode == Opcode.LOAD_WEIGHTS, self.opcode == Opcode.LOAD_PARAMETERS
        maps = (self.opcode == Opcode.LOAD_ACTIVATIONS) | (self.opcode == Opcode.STORE_ACTIVATIONS)
        depth = Mux(weights, config.weight_words, Mux(parameters, config.parameter_words, config.activation_words))
        if config.affine:
            residuals = (self.opcode == Opcode.LOAD_RESIDUAL) | (self.opcode == Opcode.STORE_RESIDUAL)
            maps, depth = maps | residuals, Mux(residuals, config.residual_words, depth)
            unknown_fields: Value = Const(0, 1)
        else:
            unknown_fields = (self.opcode == Opcode.COMPUTE) & self.affine_fields
        # Rows beyond the first are followed word by word; a run's end is known at once.
        words = Mux(maps, t.row_words, t.words)
        beat_bits = (config.axi_data_bits // 8).bit_length() - 1
        bad_field = Cat(
            t.beats == 0,
            t.words == 0,
            t.offset[:beat_bits] != 0,
            t.packed != (weights & int(config.packed_weights)),
            maps & ((t.rows == 0) | (t.strip_rows == 0) | (t.row_words == 0)),
            t.lines & ~(maps & (t.rows == 1) & (t.strip_rows == 1)),
        ).any()
        faults = {
            ErrorCode.BAD_CHECK: ~self.sound,
            ErrorCode.BAD_VERSION: self.version != VERSION,
            ErrorCode.BAD_OPCODE: self.opcode > (Opcode.SET_POST if config.affine else Opcode.COMPUTE),
            ErrorCode.BAD_FIELD: ((weights | parameters | maps) & bad_field) | unknown_fields,
            ErrorCode.OUT_OF_RANGE: (weights | parameters | maps) & (t.base + words > depth),
        }
        m.d.comb += self.error.valid.eq(Cat(*faults.values()).any())
        for code, fault in reversed(faults.items()):
            with m.If(fault):
                m.d.comb += self.error.code.eq(code)
        return m
