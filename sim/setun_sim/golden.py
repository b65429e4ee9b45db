"""Golden interpreter: what a program means, in plain NumPy integers, written to be read beside docs/machine.md.

It knows nothing of networks or of time. Speed is not its aim; the fast simulator and the hardware are compared with it.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from setun_compiler.program import Program
from setun_hw import packing
from setun_hw.config import Config, Encoding
from setun_hw.descriptor import Compute, Descriptor, Mode, Opcode, Region, Transfer
from setun_sim.errors import SimulationError
from setun_sim.golden_words import Bits, beats_of, read_words, write_words
from setun_sim.order import actions, descriptors_of

Integers = NDArray[np.int64]

#: digit that stands for the two-bit codes 00, 01, 10, 11
TRITS = np.array([0, 1, -1, 0])
RADIX4 = np.array([0, 1, -2, -1])


@dataclass(frozen=True, kw_only=True)
class ComputeRecord:
    """What one channel group of a COMPUTE did; arrays are (strips, out_rows, out_cols, channels in its chunks)."""

    index: int  #: descriptor in the run list
    group: int
    pooled: Integers  #: sums after pooling
    levels: Integers  #: thresholds reached; zeros where the mode is RAW
    digits: NDArray[np.uint8]  #: two-bit codes written, with a last axis of out_digits planes


class Observer:
    """Receives what the array does, for tests that count events one by one. Each method may be overridden."""

    def step(self, index: int, x: Integers, w: Integers, padding: NDArray[np.bool_]) -> None:
        """One step of all output pixels at once.

        ``x`` (strips, out_rows, out_cols, lanes) and ``w`` (rows, lanes) are digits, ``padding`` is x without lanes.
        """

    def group(self, record: ComputeRecord) -> None:
        """A channel group is complete."""


@dataclass
class Machine:
    """On-chip memories as two-bit codes (parameters as bits), and the external regions."""

    config: Config
    regions: dict[int, bytearray]
    activations: NDArray[np.uint8] = field(init=False)  #: (strips, words, lanes)
    weights: NDArray[np.uint8] = field(init=False)  #: (words, rows, lanes)
    parameters: Bits = field(init=False)  #: (words, bits)

    def __post_init__(self) -> None:
        c = self.config
        self.activations = np.zeros((c.strips, c.activation_words, c.lanes), np.uint8)
        self.weights = np.zeros((c.weight_words, c.rows, c.lanes), np.uint8)
        self.parameters = np.zeros((c.parameter_words, c.parameter_word_bits), np.uint8)

    def execute(self, descriptors: list[Descriptor], observer: Observer, eager: bool) -> None:
        """Carry out one descriptor list."""
        for index, group in actions(descriptors, eager=eager):
            descriptor = descriptors[index]
            if isinstance(descriptor, Transfer):
                self.transfer(descriptor)
            elif isinstance(descriptor, Compute):
                observer.group(self.compute(descriptor, index, group, observer))

    # -- transfers ------------------------------------------------------------------------------
    def transfer(self, t: Transfer) -> None:
        """Move the words of one LOAD or STORE."""
        c, region = self.config, self.regions[t.region]
        if t.opcode is Opcode.LOAD_WEIGHTS:
            if t.packed:
                codes = self.unpack_weights(region, t)
            else:
                bits = read_words(region, t.offset, t.words, c.weight_word_bits, c.axi_data_bits)
                codes = (bits[:, 0::2] + 2 * bits[:, 1::2]).reshape(t.words, c.rows, c.lanes)
            self.weights[t.base : t.base + t.words] = codes
        elif t.opcode is Opcode.LOAD_PARAMETERS:
            self.parameters[t.base : t.base + t.words] = read_words(
                region, t.offset, t.words, c.parameter_word_bits, c.axi_data_bits
            )
        else:
            row_bytes = beats_of(t.row_words, c.word_bits, c.axi_data_bits) * c.axi_data_bits // 8
            for row in range(t.rows):
                base = t.base + row % t.strip_rows * t.row_words
                words = self.activations[row // t.strip_rows, base : base + t.row_words]
                if t.opcode is Opcode.LOAD_ACTIVATIONS:
                    bits = read_words(region, t.offset + row * row_bytes, t.row_words, c.word_bits, c.axi_data_bits)
                    words[:] = bits[:, 0::2] + 2 * bits[:, 1::2]
                else:
                    bits = np.stack([words & np.uint8(1), words >> np.uint8(1)], axis=-1)
                    bits = bits.reshape(t.row_words, c.word_bits)
                    write_words(region, t.offset + row * row_bytes, bits, c.axi_data_bits)

    def unpack_weights(self, region: bytearray, t: Transfer) -> NDArray[np.uint8]:
        """Weight words stored as bytes of five trits, each word padded to whole beats."""
        c = self.config
        word_bytes = -(-c.rows * c.lanes // packing.TRITS)
        bits = read_words(region, t.offset, t.words, max(8 * word_bytes, c.axi_data_bits), c.axi_data_bits)
        codes = packing.unpack(np.packbits(bits, axis=1, bitorder="little")[:, :word_bytes]) & 3
        codes = np.where(codes == 3, 2, codes)[:, : c.rows * c.lanes]
        return codes.reshape(t.words, c.rows, c.lanes).astype(np.uint8)

    # -- compute --------------------------------------------------------------------------------
    def compute(self, d: Compute, index: int, group: int, observer: Observer) -> ComputeRecord:
        """One channel group of all output pixels, strips and rows."""
        c = self.config
        pooled: Integers | None = None
        for py in range(d.pool_rows):
            for px in range(d.pool_cols):
                acc = self.convolve(d, index, group, py, px, observer)
                pooled = acc if pooled is None else np.maximum(pooled, acc)
        assert pooled is not None
        pooled = pooled[..., : (d.last_chunks if group == d.groups - 1 else d.chunks) * c.post]
        worst = int(np.abs(pooled).max())
        if worst > c.accumulator_limit:
            raise SimulationError(
                f"descriptor {index}: a sum of magnitude {worst} exceeds the accumulator's limit of "
                f"{c.accumulator_limit}"
            )
        levels = np.zeros(pooled.shape, np.int64)
        if d.mode == Mode.THRESHOLD:
            levels, planes = self.threshold(d, group, pooled)
        else:
            planes = raw_planes(pooled, c, d.out_digits)
        self.write(d, index, group, planes)
        return ComputeRecord(index=index, group=group, pooled=pooled, levels=levels, digits=planes)

    def convolve(self, d: Compute, index: int, group: int, py: int, px: int, observer: Observer) -> Integers:
        """Sums of convolution pixel (py, px) of every pooling window, (strips, out_rows, out_cols, rows)."""
        c = self.config
        weight_base = d.weight_base + (group * d.weight_group_step % (d.weight_ring or 1 << 62))
        acc = np.zeros((c.strips, d.out_rows, d.out_cols, c.rows), np.int64)
        for s in range(d.in_digits + d.weight_digits - 1):
            acc = c.encoding.radix * acc
            for i in range(max(0, s - d.weight_digits + 1), min(s, d.in_digits - 1) + 1):
                j = s - i
                for kh in range(d.kernel_rows):
                    for kw in range(d.kernel_cols):
                        y = (
                            np.arange(d.out_rows) * d.row_step
                            + py * d.pool_row_step
                            + kh * d.kernel_row_step
                            - d.pad_top
                        )
                        x = (
                            np.arange(d.out_cols) * d.col_step
                            + px * d.pool_col_step
                            + kw * d.kernel_col_step
                            - d.pad_left
                        )
                        for b in range(d.blocks):
                            word = (group * d.group_block_step + b) * d.in_digits + i
                            codes, padding = self.read_pixels(d, index, y, x, word, i)
                            address = weight_base + j * d.weight_plane + (kh * d.kernel_cols + kw) * d.blocks + b
                            w = decode(self.weights[address], c.encoding)
                            digits = decode(codes, c.encoding)
                            if c.encoding is not Encoding.BINARY2 and ((codes == 3).any((0, 1, 2)) & w.any(0)).any():
                                raise SimulationError(f"descriptor {index} multiplies a trit that has both rails set")
                            observer.step(index, digits, w, padding)
                            acc = acc + np.einsum("pyxn,mn->pyxm", digits, w)
        return acc

    def read_pixels(
        self, d: Compute, index: int, y: Integers, x: Integers, word: int, digit: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Two-bit codes of one word at rows ``y`` and columns ``x`` of each strip, and which of them are padding."""
        c = self.config
        strip, yy, xx = np.meshgrid(np.arange(c.strips), y, x, indexing="ij")
        bank, row = strip + yy // d.in_strip_rows, yy % d.in_strip_rows
        if d.batch:
            inside = (bank == strip) & (row < d.in_last_rows)
        else:
            rows_held = np.where(
                bank < d.in_full_strips, d.in_strip_rows, np.where(bank == d.in_full_strips, d.in_last_rows, 0)
            )
            inside = (bank >= 0) & (bank < c.strips) & (row < rows_held)
        inside &= (xx >= 0) & (xx < d.in_cols)
        address = d.in_base + row * d.in_row_stride + xx * d.in_col_stride + word
        if inside.any() and int(address[inside].max()) >= d.in_end:
            raise SimulationError(
                f"descriptor {index} reads word {address[inside].max()}, beyond its tensor's end {d.in_end}"
            )
        codes = self.activations[np.where(inside, bank, 0), np.where(inside, address, 0)]
        return np.where(inside[..., None], codes, np.uint8(d.pad_digits >> 2 * digit & 3)), ~inside

    def threshold(self, d: Compute, group: int, pooled: Integers) -> tuple[Integers, NDArray[np.uint8]]:
        """Levels and code planes (..., channels, out_digits) of sums (..., channels)."""
        c = self.config
        levels = np.zeros(pooled.shape, np.int64)
        planes = np.zeros((*pooled.shape, d.out_digits), np.uint8)
        for channel in range(pooled.shape[-1]):
            word = self.parameters[d.parameter_base + group * c.chunks + channel // c.post]
            low = channel % c.post * c.channel_parameter_bits
            bits = word[low : low + c.channel_parameter_bits]
            thresholds = [
                accumulator_value(bits[t * c.accumulator_width : (t + 1) * c.accumulator_width], c.encoding)
                for t in range(c.thresholds)
            ]
            codes = bits[c.thresholds * c.accumulator_width :].reshape(c.thresholds + 1, c.code_digits, 2)
            for t in thresholds:
                levels[..., channel] += pooled[..., channel] >= t
            for plane in range(d.out_digits):
                digit = codes[:, d.out_digits - 1 - plane]
                planes[..., channel, plane] = (digit[:, 0] + 2 * digit[:, 1])[levels[..., channel]]
        return levels, planes

    def write(self, d: Compute, index: int, group: int, planes: NDArray[np.uint8]) -> None:
        """Write the chunks of one group to every bank, leaving other digits of the words alone."""
        c = self.config
        per_word = c.lanes // c.post
        for chunk in range(planes.shape[3] // c.post):
            block, place = divmod(group * c.chunks + chunk, per_word)
            lanes = slice(place * c.post, (place + 1) * c.post)
            for oy in range(d.out_rows):
                for ox in range(d.out_cols):
                    for plane in range(d.out_digits):
                        address = (
                            d.out_base + oy * d.out_row_stride + ox * d.out_col_stride + block * d.out_digits + plane
                        )
                        if address >= d.out_end:
                            raise SimulationError(
                                f"descriptor {index} writes word {address}, beyond its tensor's end {d.out_end}"
                            )
                        self.activations[:, address, lanes] = planes[
                            :, oy, ox, chunk * c.post : (chunk + 1) * c.post, plane
                        ]


def decode(codes: NDArray[np.uint8], encoding: Encoding) -> Integers:
    """Digits that two-bit codes stand for; both rails at once cancel (lanes nobody uses may hold such leftovers)."""
    return (RADIX4 if encoding is Encoding.BINARY2 else TRITS)[codes]


def accumulator_value(bits: Bits, encoding: Encoding) -> int:
    """Threshold on ``accumulator_width`` bits, lowest first: trits, or two's complement."""
    if encoding is Encoding.TERNARY:
        return sum(3**k * (int(bits[2 * k]) - int(bits[2 * k + 1])) for k in range(len(bits) // 2))
    value = sum(int(bit) << k for k, bit in enumerate(bits))
    return value - (int(bits[-1]) << len(bits))


def raw_planes(sums: Integers, config: Config, planes: int) -> NDArray[np.uint8]:
    """Lowest ``planes`` two-bit planes of accumulators, most significant first, on a new last axis."""
    rest, found = sums.copy(), []
    for _ in range(planes):
        if config.encoding is Encoding.TERNARY:
            trit = (rest + 1) % 3 - 1
            found.append(np.where(trit < 0, 2, trit))
            rest = (rest - trit) // 3
        else:
            found.append(rest & 3)
            rest = rest >> 2
    return np.stack(found[::-1], axis=-1).astype(np.uint8)


def run(program: Program, inputs: bytes, *, observer: Observer | None = None, eager: bool = True) -> bytes:
    """OUTPUT region that one run makes of one INPUT region: the init list once, then the run list once.

    ``observer`` sees the run list only. ``eager`` chooses between the two orders of :func:`setun_sim.order.actions`.

    Raises
    ------
    SimulationError
        When the program reads or writes outside its tensors, overflows an accumulator or waits for ever.
    """
    if len(inputs) != program.input_bytes:
        raise SimulationError(f"input region must have {program.input_bytes} bytes, not {len(inputs)}")
    regions = {
        int(Region.PROGRAM): bytearray(program.image),
        int(Region.INPUT): bytearray(inputs),
        int(Region.OUTPUT): bytearray(program.output_bytes),
        int(Region.SCRATCH): bytearray(program.scratch_bytes),
    }
    machine = Machine(program.config, regions)
    machine.execute(descriptors_of(program.image, program.init_offset, program.init_count), Observer(), eager)
    machine.execute(descriptors_of(program.image, program.run_offset, program.run_count), observer or Observer(), eager)
    return bytes(regions[int(Region.OUTPUT)])


class _Recorder(Observer):
    def __init__(self) -> None:
        self.records: list[ComputeRecord] = []

    def group(self, record: ComputeRecord) -> None:
        self.records.append(record)


def run_detailed(program: Program, inputs: bytes) -> tuple[bytes, list[ComputeRecord]]:
    """Like :func:`run`, with the sums, levels and outputs of every channel group of the run list in order."""
    recorder = _Recorder()
    return run(program, inputs, observer=recorder), recorder.records
