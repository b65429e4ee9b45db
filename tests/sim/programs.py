"""Programs laid out by hand from chains of convolutions, without the compiler, so that tests of meaning stand alone."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from setun_compiler.program import ExternalMap, InputPort, LayerRecord, OutputPort, Program
from setun_hw import external, packing
from setun_hw.config import Config, Encoding
from setun_hw.descriptor import Compute, Descriptor, End, Mode, Opcode, Region, Transfer

Integers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Conv:
    """One layer in the words of a network; sums are max-pooled, then compared or left raw."""

    weights: Integers  #: (out channels, in channels, kernel rows, kernel cols)
    weight_digits: int = 1
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)  #: top, left, bottom, right
    pad_value: int = 0
    pool: tuple[int, int] = (1, 1)
    thresholds: Integers | None = None  #: (out channels, T), or None for RAW
    codes: Integers | None = None  #: (out channels, T+1)
    out_digits: int = 1


@dataclass(frozen=True, kw_only=True)
class Chain:
    """A whole program's shape: input map, layers, and how weights travel."""

    config: Config
    shape: tuple[int, int, int]  #: (channels, rows, cols) of one image
    in_digits: int = 1
    layers: Sequence[Conv] = field(default=())
    batch: bool = False
    stream: bool = False  #: two groups of weights on chip at a time, the next fetched meanwhile; else resident, by init

    def program(self) -> Program:
        """Lay everything out."""
        return _Builder(self).program()


def reference(chain: Chain, x: Integers) -> Integers:
    """Integers that leave the last layer for one image, straight from the definition of convolution."""
    for layer in chain.layers:
        top, left, bottom, right = layer.padding
        x = np.pad(x, ((0, 0), (top, bottom), (left, right)), constant_values=layer.pad_value)
        kh, kw = layer.weights.shape[2:]
        rows = (x.shape[1] - layer.dilation[0] * (kh - 1) - 1) // layer.stride[0] + 1
        cols = (x.shape[2] - layer.dilation[1] * (kw - 1) - 1) // layer.stride[1] + 1
        acc = np.zeros((len(layer.weights), rows, cols), np.int64)
        for i in range(kh):
            for j in range(kw):
                y0, x0 = i * layer.dilation[0], j * layer.dilation[1]
                part = x[:, y0 : y0 + layer.stride[0] * rows : layer.stride[0]]
                part = part[:, :rows, x0 : x0 + layer.stride[1] * cols : layer.stride[1]][:, :, :cols]
                acc += np.tensordot(layer.weights[:, :, i, j], part, 1)
        py, px = layer.pool
        acc = acc[:, : rows // py * py, : cols // px * px]
        acc = acc.reshape(len(acc), rows // py, py, cols // px, px).max((2, 4))
        if layer.thresholds is None or layer.codes is None:
            return acc
        level = (acc[..., None] >= layer.thresholds[:, None, None, :]).sum(-1)
        x = np.take_along_axis(layer.codes[:, None, :], level.reshape(len(acc), 1, -1), 2).reshape(acc.shape)
    return x


def digits_of(values: Integers, encoding: Encoding, digits: int) -> Integers:
    """Digits on a new last axis, most significant first."""
    found, rest = [], np.asarray(values, np.int64).copy()
    for _ in range(digits):
        digit = (rest - encoding.lowest) % encoding.radix + encoding.lowest
        found.append(digit)
        rest = (rest - digit) // encoding.radix
    assert not rest.any(), "value does not fit its digits"
    return np.stack(found[::-1], -1)


def codes_of(digits: Integers, encoding: Encoding) -> Integers:
    """Two-bit codes of digits."""
    return digits & 3 if encoding is Encoding.BINARY2 else np.where(digits < 0, 2, digits)


def _bits(codes: Integers) -> NDArray[np.uint8]:
    return np.stack([codes & 1, codes >> 1], -1).reshape(*codes.shape[:-1], -1).astype(np.uint8)


def beats(words: NDArray[np.uint8], beat: int) -> bytes:
    """Words (count, bits) as bytes of whole beats."""
    count, bits = words.shape
    if bits >= beat:
        return np.packbits(np.pad(words, ((0, 0), (0, -bits % beat))), bitorder="little").tobytes()
    share = beat // bits
    words = np.pad(words, ((0, -count % share), (0, 0))).reshape(-1, share * bits)
    return np.packbits(np.pad(words, ((0, 0), (0, beat - share * bits))), bitorder="little").tobytes()


def _blocks(channels: int, lanes: int) -> int:
    return -(-channels // lanes)


def encode(chain: Chain, images: Sequence[Integers]) -> bytes:
    """INPUT region of one run: one image, or ``strips`` of them in batch mode."""
    c, found = chain.config, b""
    for x in images:
        channels = _blocks(chain.shape[0], c.lanes) * c.lanes
        full = np.zeros((channels, *chain.shape[1:]), np.int64)
        full[: len(x)] = x
        codes = codes_of(digits_of(full, c.encoding, chain.in_digits), c.encoding)
        for row in range(chain.shape[1]):
            words = codes[:, row].reshape(-1, c.lanes, chain.shape[2], chain.in_digits).transpose(2, 0, 3, 1)
            found += beats(_bits(words.reshape(-1, c.lanes)), c.axi_data_bits)
    return found


def decode(program: Program, output: bytes) -> Integers:
    """Integers (images, channels, rows, cols) of an OUTPUT region."""
    c, m, found = program.config, program.output.map, []
    for image in range(program.images):
        rows = []
        for row in range(m.rows):
            start = m.offset + image * m.size + row * m.row_bytes
            bits = np.unpackbits(np.frombuffer(output[start : start + m.row_bytes], np.uint8), bitorder="little")
            share = max(1, c.axi_data_bits // c.word_bits)
            if c.word_bits >= c.axi_data_bits:
                words = bits.reshape(m.row_words, -1)[:, : c.word_bits]
            else:
                words = bits.reshape(-1, c.axi_data_bits)[:, : share * c.word_bits].reshape(-1, c.word_bits)[
                    : m.row_words
                ]
            codes = words.reshape(m.cols, -1, m.digits, c.lanes, 2).astype(np.int64)
            codes = (codes[..., 0] + 2 * codes[..., 1]).transpose(0, 1, 3, 2).reshape(m.cols, -1, m.digits)
            if c.encoding is Encoding.BINARY2 or (program.output.raw and c.encoding is Encoding.RAILS):
                value = sum(codes[..., d] << 2 * (m.digits - 1 - d) for d in range(m.digits))
                value = value - ((codes[..., 0] >> 1) << 2 * m.digits)
            else:
                value = sum(
                    (codes[..., d] & 1) * 3 ** (m.digits - 1 - d) - (codes[..., d] >> 1) * 3 ** (m.digits - 1 - d)
                    for d in range(m.digits)
                )
            rows.append(value[:, : m.channels].T)
        found.append(np.stack(rows, 1))
    return np.stack(found)


class _Builder:
    def __init__(self, chain: Chain) -> None:
        self.chain, self.c = chain, chain.config
        self.payload = bytearray()
        self.init: list[Transfer | End] = []
        self.run: list[Transfer | Compute | End] = []
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
        digits = chain.in_digits
        heights = self.heights()
        strip_rows = heights[0]
        row_words = cols * _blocks(channels, c.lanes) * digits
        source = self.place(strip_rows * row_words)
        row_bytes = len(beats(np.zeros((row_words, c.word_bits), np.uint8), c.axi_data_bits))
        in_map = ExternalMap(
            channels=channels,
            rows=rows,
            cols=cols,
            digits=digits,
            offset=0,
            row_words=row_words,
            row_bytes=row_bytes,
            size=rows * row_bytes,
        )
        self.run.append(
            Transfer(
                opcode=Opcode.LOAD_ACTIVATIONS,
                region=Region.INPUT,
                words=rows * images * row_words,
                base=source,
                rows=rows * images,
                strip_rows=rows if chain.batch else strip_rows,
                row_words=row_words,
            )
        )
        self.transfers += 1
        for number, layer in enumerate(chain.layers):
            source, digits = self.layer(
                number, layer, (channels, rows, cols), digits, source, strip_rows, heights[number + 1]
            )
            (channels, rows, cols), strip_rows = self.out_shape(layer, rows, cols), heights[number + 1]
        row_words = cols * _blocks(channels, c.lanes) * digits
        row_bytes = len(beats(np.zeros((row_words, c.word_bits), np.uint8), c.axi_data_bits))
        self.run.append(
            Transfer(
                opcode=Opcode.STORE_ACTIVATIONS,
                after=self.groups,
                region=Region.OUTPUT,
                base=source,
                words=rows * images * row_words,
                rows=rows * images,
                strip_rows=strip_rows,
                row_words=row_words,
            )
        )
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
                raw=chain.layers[-1].thresholds is None,
                scale=np.ones(channels),
                bias=np.zeros(channels),
                map=out_map,
            ),
            input_bytes=images * in_map.size,
            output_bytes=images * out_map.size,
            scratch_bytes=0,
            layers=tuple(self.layers),
            placements=(),
        )

    def out_shape(self, layer: Conv, rows: int, cols: int) -> tuple[int, int, int]:
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
        shapes, steps = [self.chain.shape], [1]
        for layer in self.chain.layers:
            shapes.append(self.out_shape(layer, *shapes[-1][1:]))
            steps.append(layer.stride[0] * layer.pool[0])
        strips = 1 if self.chain.batch else self.c.strips
        if strips == 1:
            return [rows for _, rows, _ in shapes]
        scale = [int(np.prod(steps[k + 1 :])) for k in range(len(shapes))]
        last = max(-(-rows // (strips * s)) for (_, rows, _), s in zip(shapes, scale, strict=True))
        return [last * s for s in scale]

    def layer(
        self,
        number: int,
        layer: Conv,
        shape: tuple[int, int, int],
        digits: int,
        source: int,
        strip_rows: int,
        out_rows: int,
    ) -> tuple[int, int]:
        c, chain = self.c, self.chain
        channels, rows, cols = shape
        out = self.out_shape(layer, rows, cols)
        blocks, groups = _blocks(channels, c.lanes), _blocks(out[0], c.rows)
        kh, kw = layer.weights.shape[2:]
        plane = kh * kw * blocks
        words = layer.weight_digits * plane
        self.weights_and_parameters(layer, blocks, groups, words)
        raw = layer.thresholds is None
        out_digits = c.raw_digits if raw else layer.out_digits
        out_words = _blocks(out[0], c.lanes) * out_digits
        target = self.place(out_rows * out[2] * out_words)
        last_channels = out[0] - (groups - 1) * c.rows
        pads = codes_of(digits_of(np.array([layer.pad_value]), c.encoding, digits), c.encoding)[0]
        self.layers.append(
            LayerRecord(
                name=f"conv{number}",
                descriptors=(len(self.run),),
                macs=layer.weights.size * out[1] * out[2] * layer.pool[0] * layer.pool[1],
                digit_macs=layer.weights.size
                * out[1]
                * out[2]
                * layer.pool[0]
                * layer.pool[1]
                * digits
                * layer.weight_digits,
                in_shape=shape,
                out_shape=out,
                weights=layer.weights.size,
                zero_weights=int((layer.weights == 0).sum()),
                accumulator_bound=c.accumulator_limit,
            )
        )
        self.run.append(
            Compute(
                mode=Mode.RAW if raw else Mode.THRESHOLD,
                batch=int(chain.batch),
                after=self.transfers + (1 if chain.stream else 0),
                after_step=1 if chain.stream else 0,
                groups=groups,
                in_base=source,
                in_digits=digits,
                weight_digits=layer.weight_digits,
                in_row_stride=cols * blocks * digits,
                in_col_stride=blocks * digits,
                in_cols=cols,
                in_strip_rows=strip_rows,
                in_full_strips=0 if chain.batch else rows // strip_rows,
                in_last_rows=rows if chain.batch else rows % strip_rows,
                pad_digits=int(sum(int(p) << 2 * k for k, p in enumerate(pads))),
                blocks=blocks,
                kernel_rows=kh,
                kernel_cols=kw,
                kernel_row_step=layer.dilation[0],
                kernel_col_step=layer.dilation[1],
                pool_rows=layer.pool[0],
                pool_cols=layer.pool[1],
                pool_row_step=layer.stride[0],
                pool_col_step=layer.stride[1],
                row_step=layer.stride[0] * layer.pool[0],
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
                out_base=target,
                out_digits=out_digits,
                out_row_stride=out[2] * out_words,
                chunks=c.chunks,
                out_col_stride=out_words,
                last_chunks=-(-last_channels // c.post),
                out_end=target + out_rows * out[2] * out_words,
                in_end=source + strip_rows * cols * blocks * digits,
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
        return target, out_digits

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
            offset = self.add(self.weight_bytes(codes[group]))
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
        if layer.thresholds is None or layer.codes is None:
            return
        self.parameter_word += groups * c.chunks
        assert self.parameter_word <= c.parameter_words, "parameter memory is too small for this chain"
        never = c.accumulator_limit + 1
        bits = np.zeros((groups * c.rows, c.channel_parameter_bits), np.uint8)
        for channel in range(out):
            row = bits[channel]
            count = layer.thresholds.shape[1]
            for t in range(c.thresholds):
                value = int(layer.thresholds[channel, t]) if t < count else never
                row[t * c.accumulator_width : (t + 1) * c.accumulator_width] = self.accumulator_bits(value)
            for k in range(c.thresholds + 1):
                code = digits_of(layer.codes[channel, min(k, count)], encoding, c.code_digits)[::-1]
                low = c.thresholds * c.accumulator_width + k * 2 * c.code_digits
                row[low : low + 2 * c.code_digits] = _bits(codes_of(code, encoding))
        words_ = bits.reshape(groups * c.chunks, -1)
        self.init.append(
            Transfer(
                opcode=Opcode.LOAD_PARAMETERS,
                words=len(words_),
                base=self.parameter_base,
                offset=self.add(beats(words_, c.axi_data_bits)),
            )
        )

    def weight_bytes(self, codes: Integers) -> bytes:
        if not self.c.packed_weights:
            return beats(_bits(codes), self.c.axi_data_bits)
        beat = self.c.axi_data_bits // 8
        words = packing.pack(np.where(codes == 2, -1, codes))
        return np.pad(words, ((0, 0), (0, -words.shape[1] % beat))).tobytes()

    def accumulator_bits(self, value: int) -> NDArray[np.uint8]:
        c = self.c
        if c.encoding is Encoding.TERNARY:
            trits = digits_of(np.array(value), c.encoding, c.accumulator_trits)[::-1]
            return _bits(codes_of(trits, c.encoding))
        return np.array([value >> k & 1 for k in range(c.accumulator_width)], np.uint8)

    def finished(self, d: Descriptor, start: int) -> Descriptor:
        """A descriptor with its beats, and its offset counted from the program's start."""
        if not isinstance(d, Transfer):
            return d
        offset = d.offset + start if d.region == Region.PROGRAM else d.offset
        return dataclasses.replace(d, offset=offset, beats=external.transfer_beats(self.c, d))
