"""Golden interpreter: what a program means, in plain NumPy integers, written to be read beside docs/machine.md.

It knows nothing of networks or of time. Speed is not its aim; the fast simulator and the hardware are compared with it.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from setun_compiler.program import Program
from setun_hw.config import Encoding
from setun_hw.descriptor import Compute, Descriptor, Mode, Post, Region, Transfer
from setun_sim import golden_post
from setun_sim.check import check_compute, check_opcode
from setun_sim.errors import SimulationError
from setun_sim.golden_memory import Memories
from setun_sim.golden_post import Integers, Parameters, decode
from setun_sim.order import actions, descriptors_of, posts_of


@dataclass(frozen=True, kw_only=True)
class ComputeRecord:
    """What one channel group of a COMPUTE did; arrays are (strips, out_rows, out_cols, channels in its chunks)."""

    index: int  #: descriptor in the run list
    group: int
    pooled: Integers  #: sums after pooling; with ``affine`` y after pooling
    out: Integers  #: what codes, digits and residual words are made of: ``pooled``, or with ``affine`` the result
    levels: Integers  #: thresholds reached; zeros where the mode is not THRESHOLD
    digits: NDArray[np.uint8]  #: two-bit codes written, with a last axis of out_digits planes; none in mode NONE


class Observer:
    """Receives what the array does, for tests that count events one by one. Each method may be overridden."""

    def step(self, index: int, x: Integers, w: Integers, padding: NDArray[np.bool_]) -> None:
        """One step of all output pixels at once.

        ``x`` (strips, out_rows, out_cols, lanes) and ``w`` (rows, lanes) are digits, ``padding`` is x without lanes.
        """

    def shift(self, index: int, acc: Integers) -> None:
        """Accumulators (strips, out_rows, out_cols, rows) are multiplied by the radix."""

    def residual_read(self, index: int, words: Integers) -> None:
        """Post-processing reads residual words (strips, out_rows, out_cols, W), one for each output pixel."""

    def fixed_point(self, index: int, y: Integers) -> None:
        """The fixed-point unit makes y (strips, out_rows, out_cols, channels) for one pixel of every pooling window."""

    def residual_write(self, index: int, words: Integers) -> None:
        """Post-processing writes residual words (strips, out_rows, out_cols, W), one for each output pixel."""

    def group(self, record: ComputeRecord) -> None:
        """A channel group is complete."""


class Machine(Memories):
    """Carries out descriptors."""

    def execute(self, descriptors: list[Descriptor], observer: Observer, eager: bool) -> None:
        """Carry out one descriptor list."""
        posts = posts_of(descriptors)
        for index, descriptor in enumerate(descriptors):
            check_opcode(index, descriptor, self.config)
        for index, group in actions(descriptors, eager=eager):
            descriptor = descriptors[index]
            if isinstance(descriptor, Transfer):
                self.transfer(descriptor)
            elif isinstance(descriptor, Compute):
                check_compute(index, descriptor, posts[index], self.config)
                observer.group(self.compute(descriptor, posts[index], index, group, observer))

    def compute(self, d: Compute, post: Post, index: int, group: int, observer: Observer) -> ComputeRecord:
        """One channel group of all output pixels, strips and rows."""
        c = self.config
        channels = (d.last_chunks if group == d.groups - 1 else d.chunks) * c.post
        p = self.read_parameters(d, group, channels) if d.affine or d.mode == Mode.THRESHOLD else None
        pooled: Integers | None = None
        share: Integers | None = None
        x = np.zeros(0, np.int64)  # of the windows' last pixels in the end
        for py in range(d.pool_rows):
            for px in range(d.pool_cols):
                acc, acc2 = (sums[..., :channels] for sums in self.convolve(d, index, group, py, px, observer))
                x = acc
                if d.affine:
                    assert p is not None
                    self.check_sums(index, acc)
                    self.check_sums(index, acc2)
                    res = self.read_residual(d, post, index, group, channels, observer) if d.residual else None
                    x = golden_post.two_slopes(acc, acc2, None if d.residual_after else res, p, post, c)
                    if d.residual_after and res is not None:
                        share = golden_post.share_of(res, p, 0 if d.residual_max else post.shift, c)
                    observer.fixed_point(index, x)
                pooled = x if pooled is None else np.maximum(pooled, x)
        assert pooled is not None
        if d.pool_carry:
            pooled[:, :, 1:] = np.maximum(pooled[:, :, 1:], x[:, :, :-1])
        if not d.affine:
            self.check_sums(index, pooled)
        out = pooled
        if share is not None:
            out = np.maximum(out, share) if d.residual_max else out + share
        if d.affine:
            out = np.clip(out, post.low, post.high)
        levels, planes = np.zeros(out.shape, np.int64), np.zeros((*out.shape, 0), np.uint8)
        if d.mode == Mode.THRESHOLD:
            assert p is not None
            levels = golden_post.levels_of(out, p)
            planes = golden_post.code_planes(levels, p, d.out_digits)
        elif d.mode == Mode.DIGITS:
            planes = golden_post.digit_planes(out, c.encoding, d.out_digits)
        elif d.mode == Mode.RAW:
            planes = golden_post.raw_planes(out, c, d.out_digits)
        if d.mode != Mode.NONE:
            self.write(d, index, group, planes)
        if d.residual_write:
            self.write_residual(d, post, index, group, out, observer)
        return ComputeRecord(index=index, group=group, pooled=pooled, out=out, levels=levels, digits=planes)

    def check_sums(self, index: int, sums: Integers) -> None:
        """Refuse what would overflow an accumulator."""
        worst, limit = int(np.abs(sums).max()), self.config.accumulator_limit
        if worst > limit:
            raise SimulationError(
                f"descriptor {index}: a sum of magnitude {worst} exceeds the accumulator's limit of {limit}"
            )

    def read_parameters(self, d: Compute, group: int, channels: int) -> Parameters:
        """Parameters of a group's channels."""
        c = self.config
        first = d.parameter_base + group * c.chunks
        words = self.parameters[first : first + channels // c.post]
        return golden_post.parameters_of(words.reshape(channels, c.channel_parameter_bits), c, bool(d.affine))

    def convolve(
        self, d: Compute, index: int, group: int, py: int, px: int, observer: Observer
    ) -> tuple[Integers, Integers]:
        """Sums with w and |w| of pixel (py, px) of every pooling window, (strips, out_rows, out_cols, rows) each."""
        c = self.config
        weight_base = d.weight_base + (group * d.weight_group_step % (d.weight_ring or 1 << 62))
        acc = np.zeros((2, c.strips, d.out_rows, d.out_cols, c.rows), np.int64)
        if d.no_array:
            return acc[0], acc[1]
        for s in range(d.in_digits + d.weight_digits - 1):
            for scale in range(d.two_scale + 1):
                if s > 0:
                    acc[scale] = c.encoding.radix * acc[scale]
                    observer.shift(index, acc[scale])
            for i in range(max(0, s - d.weight_digits + 1), min(s, d.in_digits - 1) + 1):
                loops = (range(d.two_scale + 1), range(d.kernel_rows), range(d.kernel_cols), range(d.blocks))
                for scale, kh, kw, b in itertools.product(*loops):
                    codes, padding = self.read_pixels(d, index, group, (py, px), (kh, kw), b, i)
                    address = weight_base + (s - i) * d.weight_plane + (kh * d.kernel_cols + kw) * d.blocks + b
                    w = decode(self.weights[address], c.encoding)
                    if scale == 1:
                        w = golden_post.magnitudes(w)
                    if c.encoding is not Encoding.BINARY2 and ((codes == 3).any((0, 1, 2)) & w.any(0)).any():
                        raise SimulationError(f"descriptor {index} multiplies a trit that has both rails set")
                    digits = decode(codes, c.encoding)
                    observer.step(index, digits, w, padding)
                    acc[scale] += np.einsum("pyxn,mn->pyxm", digits, w)
        return acc[0], acc[1]

    def read_pixels(
        self, d: Compute, index: int, group: int, pool: tuple[int, int], kernel: tuple[int, int], block: int, digit: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Two-bit codes of one word for each output pixel of each strip, and which of them are padding."""
        c = self.config
        y = np.arange(d.out_rows) * d.row_step + pool[0] * d.pool_row_step + kernel[0] * d.kernel_row_step - d.pad_top
        x = np.arange(d.out_cols) * d.col_step + pool[1] * d.pool_col_step + kernel[1] * d.kernel_col_step - d.pad_left
        word = (group * d.group_block_step + block) * d.in_digits + digit
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

    def read_residual(
        self, d: Compute, post: Post, index: int, group: int, channels: int, observer: Observer
    ) -> Integers:
        """Sums over windows of the residual memories, or their largest, (strips, out_rows, out_cols, channels)."""
        c = self.config
        total = np.zeros((c.strips, d.out_rows, d.out_cols, channels), np.int64)
        if d.residual_max:
            total[:] = -(1 << c.residual_bits - 1)
        oy, ox = np.meshgrid(np.arange(d.out_rows), np.arange(d.out_cols), indexing="ij")
        for chunk in range(channels // c.post):
            lanes = slice(chunk * c.post, (chunk + 1) * c.post)
            place = (post.res_first + group * c.chunks + chunk) % post.res_chunks
            for wy in range(post.res_rows):
                for wx in range(post.res_cols):
                    address = (
                        post.res_base
                        + (oy * post.res_row_step + wy) * post.res_row_stride
                        + (ox * post.res_col_step + wx) * post.res_col_stride
                        + place
                    )
                    if address.max() >= min(post.res_end, c.residual_words):
                        raise SimulationError(
                            f"descriptor {index} reads residual word {address.max()}, beyond its tensor's end "
                            f"{min(post.res_end, c.residual_words)}"
                        )
                    words = self.residuals[:, address]
                    observer.residual_read(index, words)
                    total[..., lanes] = (
                        np.maximum(total[..., lanes], words) if d.residual_max else total[..., lanes] + words
                    )
        limit = 1 << c.accumulator_bits - 1
        if total.min() < -limit or total.max() >= limit:
            raise SimulationError(
                f"descriptor {index}: a residual sum of magnitude {np.abs(total).max()} does not fit the accumulator"
            )
        return total

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

    def write_residual(self, d: Compute, post: Post, index: int, group: int, out: Integers, observer: Observer) -> None:
        """Write the chunks of one group to every residual memory."""
        c = self.config
        oy, ox = np.meshgrid(np.arange(d.out_rows), np.arange(d.out_cols), indexing="ij")
        for chunk in range(out.shape[3] // c.post):
            address = post.res_out_base + oy * post.res_out_row_stride + ox * post.res_out_col_stride
            address = address + group * c.chunks + chunk
            if address.max() >= min(post.res_out_end, c.residual_words):
                raise SimulationError(
                    f"descriptor {index} writes residual word {address.max()}, beyond its tensor's end "
                    f"{min(post.res_out_end, c.residual_words)}"
                )
            words = out[..., chunk * c.post : (chunk + 1) * c.post]
            self.residuals[:, address] = words
            observer.residual_write(index, words)


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
