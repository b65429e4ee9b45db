"""Programs laid out by hand from chains of convolutions, without the compiler, so that tests of meaning stand alone."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from setun_compiler.network import Affine
from setun_compiler.program import ExternalMap, InputPort, LayerRecord, OutputPort, Program
from setun_hw import external
from setun_hw.descriptor import Compute, Descriptor, End, Mode, Opcode, Post, Region, Transfer
from tests.sim.chains import Chain, Conv
from tests.sim.regions import beats, blocks_of, codes_of, digits_of
from tests.sim.weight_words import parameter_bits, weight_bytes


@dataclass(frozen=True, kw_only=True)
class _Map:
    """A feature map on chip."""

    shape: tuple[int, int, int]
    base: int
    strip_rows: int
    words: int  #: of a pixel
    digits: int = 1

    @property
    def row_words(self) -> int:
        return self.shape[2] * self.words

    @property
    def end(self) -> int:
        return self.base + self.strip_rows * self.row_words


class Builder:
    """Lays a chain out, descriptor by descriptor."""

    def __init__(self, chain: Chain) -> None:
        self.chain, self.c = chain, chain.config
        self.payload = bytearray()
        self.init: list[Transfer | End] = []
        self.run: list[Transfer | Compute | Post | End] = []
        self.fixed: dict[int, _Map] = {}
        self.residual_word = self.scratch = 0
        self.layers: list[LayerRecord] = []
        self.weight_word = self.parameter_word = self.activation_word = 0
        self.transfers = self.groups = 0

    def add(self, data: bytes) -> int:
        """Place data in the image, as an offset from the payload's start."""
        self.payload += bytes(-len(self.payload) % 128)
        offset = len(self.payload)
        self.payload += data
        return offset

    def place(self, words: int) -> int:
        base, self.activation_word = self.activation_word, self.activation_word + words
        assert self.activation_word <= self.c.activation_words, "activation memory is too small for this chain"
        return base

    def program(self) -> Program:
        c, chain = self.c, self.chain
        channels, rows, cols = chain.shape
        images = c.strips if chain.batch else 1
        heights = self.heights()
        words = blocks_of(channels, c.lanes) * chain.in_digits
        source = _Map(
            shape=chain.shape,
            base=self.place(heights[0] * cols * words),
            strip_rows=heights[0],
            words=words,
            digits=chain.in_digits,
        )
        row_bytes = self.row_bytes(source.row_words, c.word_bits)
        in_map = ExternalMap(
            channels=channels,
            rows=rows,
            cols=cols,
            digits=chain.in_digits,
            offset=0,
            row_words=source.row_words,
            row_bytes=row_bytes,
            size=rows * row_bytes,
        )
        self.run.append(self.move(Opcode.LOAD_ACTIVATIONS, Region.INPUT, source))
        for number, layer in enumerate(chain.layers):
            source = self.layer(number, layer, source, heights[number + 1])
        self.run.append(self.move(Opcode.STORE_ACTIVATIONS, Region.OUTPUT, source))
        channels, rows, cols = source.shape
        digits, row_words = source.digits, source.row_words
        row_bytes = self.row_bytes(row_words, c.word_bits)
        out_map = ExternalMap(
            channels=channels,
            rows=rows,
            cols=cols,
            digits=digits,
            offset=0,
            row_words=row_words,
            row_bytes=row_bytes,
            size=rows * row_bytes,
        )
        self.init.append(End())
        self.run.append(End())
        start = (len(self.init) + len(self.run)) * 128
        moved = [self.finished(d, start) for d in (*self.init, *self.run)]
        low, high = c.encoding.digit_range(chain.in_digits)
        return Program(
            name="chain",
            config=c,
            image=b"".join(d.pack() for d in moved) + bytes(self.payload),
            init_offset=0,
            init_count=len(self.init),
            run_offset=len(self.init) * 128,
            run_count=len(self.run),
            images=images,
            input=InputPort(
                name="x", shape=chain.shape, axes=(), scale=1.0, zero=0, low=low, high=high, unfold=None, map=in_map
            ),
            output=OutputPort(
                name="y",
                shape=(channels, rows, cols),
                raw=chain.layers[-1].mode == Mode.RAW,
                scale=np.ones(channels),
                bias=np.zeros(channels),
                map=out_map,
            ),
            input_bytes=images * in_map.size,
            output_bytes=images * out_map.size,
            scratch_bytes=self.scratch,
            layers=tuple(self.layers),
            placements=(),
        )

    def row_bytes(self, words: int, word_bits: int) -> int:
        return len(beats(np.zeros((words, word_bits), np.uint8), self.c.axi_data_bits))

    def move(self, opcode: Opcode, region: Region, m: _Map, offset: int = 0) -> Transfer:
        """A transfer of a whole map, once all before it is computed."""
        images, rows = self.c.strips if self.chain.batch else 1, m.shape[1]
        self.transfers += 1
        return Transfer(
            opcode=opcode,
            after=self.groups,
            region=region,
            offset=offset,
            words=rows * images * m.row_words,
            base=m.base,
            rows=rows * images,
            strip_rows=rows if self.chain.batch else m.strip_rows,
            row_words=m.row_words,
        )

    def out_shape(self, layer: Conv, rows: int, cols: int) -> tuple[int, int, int]:
        if layer.no_array:
            assert layer.operand is not None
            _, rows, cols = self.fixed[layer.operand].shape
            w = layer.window
            return len(layer.weights), (rows - w.rows) // w.row_step + 1, (cols - w.cols) // w.col_step + 1
        kh, kw = layer.weights.shape[2:]
        rows += layer.padding[0] + layer.padding[2] - layer.dilation[0] * (kh - 1) - 1
        cols += layer.padding[1] + layer.padding[3] - layer.dilation[1] * (kw - 1) - 1
        return (
            len(layer.weights),
            (rows // layer.stride[0] + 1) // layer.pool[0],
            (cols // layer.stride[1] + 1) // layer.pool[1],
        )

    def heights(self) -> list[int]:
        """Strip height of every tensor: strides keep strips aligned, and every map fits into the strips."""
        strips = 1 if self.chain.batch else self.c.strips
        rows, cols = self.chain.shape[1:]
        steps, maps, step = [1], [(rows, cols)], 1
        fixed: dict[int, tuple[int, tuple[int, int]]] = {}
        for number, layer in enumerate(self.chain.layers):
            if layer.no_array:
                assert layer.operand is not None
                own, operand = fixed[layer.operand]
                w = layer.window
                shape = (operand[0] - w.rows) // w.row_step + 1, (operand[1] - w.cols) // w.col_step + 1
            else:
                own, shape = step, self.out_shape(layer, rows, cols)[1:]
            own *= layer.stride_rows
            steps.append(own)
            maps.append(shape)
            fixed[number] = own, shape
            if layer.mode != Mode.NONE:
                step, (rows, cols) = own, shape
        if strips == 1:
            return [shape[0] for shape in maps]
        most = max(steps)
        unit = max(-(-shape[0] * own // (strips * most)) for own, shape in zip(steps, maps, strict=True))
        return [unit * most // own for own in steps]

    def layer(self, number: int, layer: Conv, source: _Map, out_rows: int) -> _Map:
        """Emit a layer; returns the map that the next one reads."""
        c, chain = self.c, self.chain
        channels, rows, cols = source.shape
        out = self.out_shape(layer, rows, cols)
        blocks, groups = blocks_of(channels, c.lanes), blocks_of(out[0], c.rows)
        kh, kw = layer.weights.shape[2:]
        plane = kh * kw * blocks
        words = layer.weight_digits * plane
        self.weights_and_parameters(layer, blocks, groups, words)
        out_digits = {Mode.RAW: c.raw_digits, Mode.NONE: 1}.get(layer.mode, layer.out_digits)
        out_words = blocks_of(out[0], c.lanes) * out_digits
        banks = layer.mode != Mode.NONE
        target = _Map(
            shape=out,
            base=self.place(out_rows * out[2] * out_words) if banks else 0,
            strip_rows=out_rows,
            words=out_words,
            digits=out_digits,
        )
        last_channels = out[0] - (groups - 1) * c.rows
        pads = codes_of(digits_of(np.array([layer.pad_value]), c.encoding, source.digits), c.encoding)[0]
        macs = 0 if layer.no_array else layer.weights.size * out[1] * out[2] * layer.pool[0] * layer.pool[1]
        if layer.affine is not None:
            self.run.append(self.post(number, layer, layer.affine, out, out_rows))
        if not layer.no_array:
            in_strip_rows, full, rest = source.strip_rows, rows // source.strip_rows, rows % source.strip_rows
        else:
            in_strip_rows, full, rest = out_rows, 0, 0
        step = 0 if layer.no_array else 1
        self.layers.append(
            LayerRecord(
                name=f"conv{number}",
                descriptors=(len(self.run),),
                macs=macs,
                digit_macs=macs * source.digits * layer.weight_digits * (1 + layer.two_scale),
                in_shape=source.shape,
                out_shape=out,
                weights=layer.weights.size,
                zero_weights=int((layer.weights == 0).sum()),
                accumulator_bound=c.accumulator_limit,
            )
        )
        self.run.append(
            Compute(
                mode=layer.mode,
                batch=int(chain.batch),
                affine=int(layer.affine is not None),
                two_scale=int(layer.two_scale),
                no_array=int(layer.no_array),
                residual=int(layer.operand is not None),
                residual_after=int(layer.affine is not None and layer.affine.residual_after),
                residual_write=int(layer.keep),
                after=self.transfers + (1 if chain.stream else 0),
                after_step=1 if chain.stream else 0,
                groups=groups,
                in_base=source.base,
                in_digits=1 if layer.no_array else source.digits,
                weight_digits=layer.weight_digits,
                in_row_stride=source.row_words,
                in_col_stride=source.words,
                in_cols=cols,
                in_strip_rows=in_strip_rows,
                in_full_strips=0 if chain.batch else full,
                in_last_rows=rows if chain.batch else rest,
                pad_digits=int(sum(int(p) << 2 * k for k, p in enumerate(pads))),
                blocks=1 if layer.no_array else blocks,
                kernel_rows=1 if layer.no_array else kh,
                kernel_cols=1 if layer.no_array else kw,
                kernel_row_step=layer.dilation[0] * step,
                kernel_col_step=layer.dilation[1],
                pool_rows=layer.pool[0],
                pool_cols=layer.pool[1],
                pool_row_step=layer.stride[0] * step,
                pool_col_step=layer.stride[1],
                row_step=layer.stride[0] * layer.pool[0] if step else 1,
                col_step=layer.stride[1] * layer.pool[1],
                pad_top=layer.padding[0],
                pad_left=layer.padding[1],
                weight_base=self.weight_base,
                weight_group_step=words,
                weight_ring=words * (2 if chain.stream else groups),
                weight_plane=plane,
                parameter_base=self.parameter_base,
                out_rows=out_rows,
                out_cols=out[2],
                out_base=target.base,
                out_digits=out_digits,
                out_row_stride=target.row_words,
                chunks=c.chunks,
                out_col_stride=out_words,
                last_chunks=-(-last_channels // c.post),
                out_end=target.end if banks else 0,
                in_end=0 if layer.no_array else source.end,
            )
        )
        if chain.stream:
            for group in range(groups):
                self.run.append(
                    Transfer(
                        opcode=Opcode.LOAD_WEIGHTS,
                        after=max(0, self.groups + group - 1),
                        words=words,
                        base=self.weight_base + group % 2 * words,
                        offset=self.stream_offsets[group],
                        packed=int(c.packed_weights),
                    )
                )
            self.transfers += groups
        self.groups += groups
        if layer.spill:
            self.spill(number)
        return target if banks else source

    def post(self, number: int, layer: Conv, affine: Affine, out: tuple[int, int, int], out_rows: int) -> Post:
        """SET_POST of a layer; places its residual map."""
        c, w = self.c, layer.window
        chunks = -(-out[0] // c.rows) * c.chunks
        fields: dict[str, Any] = {}
        if layer.operand is not None:
            m = self.fixed[layer.operand]
            fields |= {
                "res_base": m.base,
                "res_rows": w.rows,
                "res_cols": w.cols,
                "res_row_stride": m.row_words,
                "res_col_stride": m.words,
                "res_chunks": -(-m.shape[0] // c.post),
                "res_row_step": w.row_step,
                "res_col_step": w.col_step,
                "res_end": m.end,
            }
        if layer.keep:
            if layer.in_place:
                assert layer.operand is not None
                mine = self.fixed[layer.operand]
                assert (mine.shape, mine.strip_rows) == (out, out_rows)
            else:
                mine = self.place_fixed(_Map(shape=out, base=0, strip_rows=out_rows, words=chunks))
            self.fixed[number] = mine
            fields |= {
                "res_out_base": mine.base,
                "res_out_row_stride": mine.row_words,
                "res_out_col_stride": mine.words,
                "res_out_end": mine.end,
            }
        return Post(shift=affine.shift, shift1=affine.shift1, low=affine.low, high=affine.high, **fields)

    def place_fixed(self, m: _Map) -> _Map:
        placed = dataclasses.replace(m, base=self.residual_word)
        self.residual_word = placed.end
        assert placed.end <= self.c.residual_words, "residual memory is too small for this chain"
        return placed

    def spill(self, number: int) -> None:
        """Store a residual map, and load it to another place."""
        old = self.fixed[number]
        new = self.fixed[number] = self.place_fixed(old)
        offset = self.scratch
        images = self.c.strips if self.chain.batch else 1
        self.scratch += old.shape[1] * images * self.row_bytes(old.row_words, self.c.residual_word_bits)
        self.run.append(self.move(Opcode.STORE_RESIDUAL, Region.SCRATCH, old, offset))
        self.run.append(self.move(Opcode.LOAD_RESIDUAL, Region.SCRATCH, new, offset))

    def weights_and_parameters(self, layer: Conv, blocks: int, groups: int, words: int) -> None:
        c, encoding = self.c, self.c.encoding
        out, channels, kh, kw = layer.weights.shape
        full = np.zeros((groups * c.rows, blocks * c.lanes, kh, kw), np.int64)
        full[:out, :channels] = layer.weights
        digits = digits_of(full, encoding, layer.weight_digits).reshape(groups, c.rows, blocks, c.lanes, kh, kw, -1)
        codes = codes_of(digits.transpose(0, 6, 4, 5, 2, 1, 3), encoding).reshape(groups, words, c.rows * c.lanes)
        self.weight_base = self.weight_word
        self.weight_word += words * (2 if self.chain.stream else groups)
        assert self.weight_word <= c.weight_words, "weight memory is too small for this chain"
        self.stream_offsets = []
        for group in range(groups):
            offset = self.add(weight_bytes(c, codes[group]))
            if self.chain.stream:
                self.stream_offsets.append(offset)
            else:
                self.init.append(
                    Transfer(
                        opcode=Opcode.LOAD_WEIGHTS,
                        words=words,
                        base=self.weight_base + group * words,
                        offset=offset,
                        packed=int(c.packed_weights),
                    )
                )
        self.parameter_base = self.parameter_word
        if layer.mode == Mode.RAW:
            return
        self.parameter_word += groups * c.chunks
        assert self.parameter_word <= c.parameter_words, "parameter memory is too small for this chain"
        words_ = parameter_bits(c, layer, groups).reshape(groups * c.chunks, -1)
        self.init.append(
            Transfer(
                opcode=Opcode.LOAD_PARAMETERS,
                words=len(words_),
                base=self.parameter_base,
                offset=self.add(beats(words_, c.axi_data_bits)),
            )
        )

    def finished(self, d: Descriptor, start: int) -> Descriptor:
        """A descriptor with its beats, and its offset counted from the program's start."""
        if not isinstance(d, Transfer):
            return d
        offset = d.offset + start if d.region == Region.PROGRAM else d.offset
        return dataclasses.replace(d, offset=offset, beats=external.transfer_beats(self.c, d))
