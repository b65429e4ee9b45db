"""What a program does to the images, with weights and parameters already laid out for the compiled kernels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from setun_compiler.program import Program
from setun_hw import packing
from setun_hw.config import Config, Encoding
from setun_hw.descriptor import Compute, Descriptor, Mode, Opcode, Post, Region, Transfer
from setun_sim.check import check_compute, check_opcode
from setun_sim.errors import SimulationError
from setun_sim.geometry import Geometry, geometry
from setun_sim.kernels import VECTOR
from setun_sim.order import NO_POST, actions, descriptors_of, posts_of
from setun_sim.parameters import Parameters, parameters
from setun_sim.runs import Runs, code_bits, read_runs, write_pieces, write_runs

Planes = NDArray[Any]  # uint16, uint32 or uint64


@dataclass(frozen=True, kw_only=True)
class Move:
    """A transfer of activations or residuals."""

    index: int  #: descriptor in its list
    transfer: Transfer
    row_bytes: int


@dataclass(frozen=True, kw_only=True)
class Work:
    """Consecutive channel groups of one COMPUTE; arrays as :func:`setun_sim.kernels.compute` takes them."""

    index: int  #: descriptor in its list
    in_run: bool  #: of the run list, not of the init list
    geometry: Geometry
    weights: Planes
    pad: Planes
    active: NDArray[np.bool_]
    thresholds: NDArray[np.int64]
    codes: NDArray[np.uint32]
    pieces: NDArray[np.int64]
    fixed: NDArray[np.int64]
    reads: Runs
    writes: Runs
    nonzero_weights: int  #: digits of the weight words read for one convolution pixel


Operation = Move | Work


def word_type(config: Config) -> Any:
    """The unsigned type, the narrowest that holds a plane of a word, else of 64 bits."""
    return next((kind for kind in (np.uint16, np.uint32) if config.lanes <= np.dtype(kind).itemsize * 8), np.uint64)


def units(config: Config) -> int:
    """Integers of :func:`word_type` in a plane of a word."""
    return -(-config.lanes // (int(np.dtype(word_type(config)).itemsize) * 8))


def beat_bytes(words: int, word_bits: int, config: Config) -> int:
    """Bytes of a run of words in external memory."""
    beat = config.axi_data_bits
    beats = words * -(-word_bits // beat) if word_bits >= beat else -(-words // (beat // word_bits))
    return beats * beat // 8


class _Planner:
    """Follows the weight and parameter memories through a program, which no image changes."""

    def __init__(self, program: Program) -> None:
        self.program, self.config = program, program.config
        c = self.config
        self.kind, self.units = word_type(c), units(c)
        self.weights = np.zeros((c.weight_words, 2, self.units, c.rows), self.kind)
        self.parameters = np.zeros((c.parameter_words, c.parameter_word_bits), np.uint8)
        self.operations: list[Operation] = []
        self.groups: list[tuple[int, Planes, Parameters]] = []

    def follow(self, offset: int, count: int, in_run: bool) -> None:
        """Add what one descriptor list does."""
        descriptors = descriptors_of(self.program.image, offset, count)
        posts = posts_of(descriptors)
        for index, descriptor in enumerate(descriptors):
            self.check(index, descriptor, posts[index])
        open_index = -1
        for index, group in actions(descriptors):
            descriptor = descriptors[index]
            if isinstance(descriptor, Compute):
                if index != open_index or self.apart(descriptor, posts[index]):
                    self.close(descriptors, posts, open_index, in_run)
                    open_index = index
                self.open(descriptor, posts[index], index, group)
            elif isinstance(descriptor, Transfer):
                if descriptor.opcode is Opcode.LOAD_WEIGHTS:
                    self.load_weights(descriptor)
                elif descriptor.opcode is Opcode.LOAD_PARAMETERS:
                    self.load_parameters(descriptor)
                else:
                    self.close(descriptors, posts, open_index, in_run)
                    open_index = -1
                    residual = descriptor.opcode in (Opcode.LOAD_RESIDUAL, Opcode.STORE_RESIDUAL)
                    bits = self.config.residual_word_bits if residual else self.config.word_bits
                    bits *= self.config.strips if descriptor.lines else 1
                    row_bytes = beat_bytes(descriptor.row_words, bits, self.config)
                    self.operations.append(Move(index=index, transfer=descriptor, row_bytes=row_bytes))
        self.close(descriptors, posts, open_index, in_run)

    def check(self, index: int, d: Descriptor, post: Post) -> None:
        """Refuse what would leave a memory; the kernels themselves only check tensors' ends."""
        c = self.config
        check_opcode(index, d, c)
        if isinstance(d, Compute):
            last_weight = d.weight_base + max(0, d.weight_ring - 1) + d.weight_digits * d.weight_plane
            good = (
                d.in_end <= c.activation_words
                and (d.out_end <= c.activation_words or d.mode == Mode.NONE)
                and last_weight - (d.weight_digits * d.weight_plane - 1 if d.weight_ring else 0) <= c.weight_words
                and min(d.in_strip_rows, d.groups, d.in_digits, d.weight_digits, d.out_digits, d.blocks) > 0
                and max(d.chunks, d.last_chunks) <= c.chunks
                and (d.mode != Mode.THRESHOLD or d.out_digits <= c.code_digits)
                and (not d.residual or post.res_end <= c.residual_words)
                and (not d.residual_write or post.res_out_end <= c.residual_words)
            )
        elif isinstance(d, Transfer):
            depth = {
                Opcode.LOAD_WEIGHTS: c.weight_words,
                Opcode.LOAD_PARAMETERS: c.parameter_words,
                Opcode.LOAD_RESIDUAL: c.residual_words,
                Opcode.STORE_RESIDUAL: c.residual_words,
            }.get(d.opcode, c.activation_words)
            stores = d.opcode in (Opcode.STORE_ACTIVATIONS, Opcode.STORE_RESIDUAL)
            moves = stores or d.opcode in (Opcode.LOAD_ACTIVATIONS, Opcode.LOAD_RESIDUAL)
            words = d.row_words * min(d.rows, d.strip_rows) if moves else d.words
            good = d.base + words <= depth and (moves or d.region == Region.PROGRAM)
            good = good and (not moves or (d.strip_rows > 0 and d.rows <= d.strip_rows * c.strips))
            good = good and (not d.lines or (moves and d.rows == d.strip_rows == 1 and d.words == d.row_words))
            good = good and (not stores or d.region in (Region.OUTPUT, Region.SCRATCH))
        else:
            good = True
        if not good:
            raise SimulationError(f"descriptor {index}: {d.opcode.name} leaves a memory or contradicts itself")
        if isinstance(d, Compute):
            check_compute(index, d, post, c)

    def apart(self, d: Compute, post: Post) -> bool:
        """Whether groups must be worked on one after the other, as they write residuals that others read.

        Otherwise all groups of a pixel come together, which does no harm where each word is read for the pixel and
        chunk that writes it, and for no other.
        """
        if not (d.residual and d.residual_write):
            return False
        if post.res_end <= post.res_out_base or post.res_out_end <= post.res_base:
            return False
        same = (post.res_base, post.res_row_words, post.res_col_words, post.res_first, post.res_window)
        mine = (post.res_out_base, post.res_out_row_stride, post.res_out_col_stride, 0, 1)
        return same != mine or post.res_chunks < d.groups * self.config.chunks

    # -- memories -------------------------------------------------------------------------------
    def words(self, t: Transfer, word_bits: int) -> NDArray[np.uint8]:
        """Bits of a run of words of the program image, (words, word_bits)."""
        c = self.config
        size = beat_bytes(t.words, word_bits, c)
        if t.offset + size > len(self.program.image):
            raise SimulationError(f"{t.opcode.name} of {size} bytes at byte {t.offset} leaves the program image")
        data = np.frombuffer(self.program.image, np.uint8, size, t.offset)
        if word_bits >= c.axi_data_bits:
            return np.unpackbits(data.reshape(t.words, -1), axis=1, bitorder="little", count=word_bits)
        share = c.axi_data_bits // word_bits
        bits = np.unpackbits(data.reshape(-1, c.axi_data_bits // 8), axis=1, bitorder="little", count=share * word_bits)
        return bits.reshape(-1, word_bits)[: t.words]

    def load_weights(self, t: Transfer) -> None:
        c = self.config
        if t.packed:
            count = -(-c.rows * c.lanes // packing.TRITS)
            bits = self.words(t, max(8 * count, c.axi_data_bits))
            trits = packing.unpack(np.packbits(bits, axis=1, bitorder="little")[:, :count])[:, : c.rows * c.lanes]
            rails = np.stack([trits > 0, trits < 0], axis=1).astype(np.uint8)
        else:
            rails = self.words(t, c.weight_word_bits).reshape(t.words, -1, 2).swapaxes(1, 2)
        padded = np.zeros((t.words, 2, c.rows, self.units * np.dtype(self.kind).itemsize * 8), np.uint8)
        padded[..., : c.lanes] = rails.reshape(t.words, 2, c.rows, c.lanes)
        planes = np.packbits(padded, axis=-1, bitorder="little").view(np.dtype(self.kind).newbyteorder("<"))
        self.weights[t.base : t.base + t.words] = planes.swapaxes(2, 3)

    def load_parameters(self, t: Transfer) -> None:
        self.parameters[t.base : t.base + t.words] = self.words(t, self.config.parameter_word_bits)

    # -- compute --------------------------------------------------------------------------------
    def open(self, d: Compute, post: Post, index: int, group: int) -> None:
        """Take the weights and parameters a group finds in the memories."""
        c = self.config
        base = d.weight_base + (group * d.weight_group_step % (d.weight_ring or 1 << 62))
        positions = d.kernel_rows * d.kernel_cols * d.blocks
        address = base + np.arange(d.weight_digits)[:, None] * d.weight_plane + np.arange(positions)
        first, wanted = d.parameter_base + group * c.chunks, d.mode == Mode.THRESHOLD or d.affine
        if d.no_array:
            address = np.zeros(0, np.int64)
        if address.max(initial=0) >= c.weight_words or (wanted and first + c.chunks > c.parameter_words):
            raise SimulationError(f"descriptor {index}: group {group} reads beyond the weight or parameter memory")
        bits = self.parameters[first : first + c.chunks] if wanted else np.zeros((0, c.parameter_word_bits), np.uint8)
        found = parameters(bits.reshape(-1, c.channel_parameter_bits), c, post if d.affine else None, d.residual_after)
        self.groups.append((group, self.weights[address.ravel()], found))

    def close(self, descriptors: list[Descriptor], posts: list[Post], index: int, in_run: bool) -> None:
        """Turn the groups taken so far into one piece of work."""
        if not self.groups:
            return
        d, post, c = descriptors[index], posts[index], self.config
        assert isinstance(d, Compute)
        numbers, weights, found = (list(column) for column in zip(*self.groups, strict=True))
        self.groups = []
        written = [(d.last_chunks if g == d.groups - 1 else d.chunks) * c.post for g in numbers]
        active = np.arange(c.rows) < np.array(written)[:, None]
        parts: list[list[NDArray[Any]]] = [weights, *(list(part) for part in zip(*found, strict=True))]
        if d.group_block_step:
            w, t, k, fixed = (np.stack(part) for part in parts)
        else:
            w, t, k, fixed = (np.concatenate(part, -1)[None] for part in parts)
            active = active.reshape(1, -1)
        k = k[:, :, d.out_digits - 1 :: -1]
        t = np.sort(t, axis=1)
        # Thresholds that no sum may reach (unused ones) decide nothing.
        reachable = np.flatnonzero((t <= (post.high if d.affine else c.accumulator_limit)).any((0, 2)))
        used = int(reachable[-1]) + 1 if reachable.size else 0
        t, k = t[:, :used], k[:, : used + 1 if d.mode == Mode.THRESHOLD else 0]
        w = _fill(w, -1)
        if d.two_scale:
            w = np.concatenate([w, self.magnitudes(w)], -1)
        nonzero = int(np.bitwise_count(w[:, :, 0] | w[:, :, 1]).sum(dtype=np.int64)) * d.in_digits
        active = _fill(active, -1)
        channels = (np.array(numbers).reshape(len(w), -1)[:, 0] * c.rows).tolist()
        self.operations.append(
            Work(
                index=index,
                in_run=in_run,
                geometry=geometry(d, post, c, numbers[0], len(numbers) // len(w)),
                weights=w,
                pad=self.pad(d),
                active=active,
                thresholds=_fill(t, -1),
                codes=code_bits(_fill(k, -1)),
                pieces=write_pieces(active, channels, c.lanes, np.dtype(self.kind).itemsize * 8),
                fixed=_fill(fixed, -1),
                reads=read_runs(active, channels, post if d.residual else NO_POST, c.post),
                writes=write_runs(active, channels, c.post),
                nonzero_weights=nonzero,
            )
        )

    def magnitudes(self, w: Planes) -> Planes:
        """|w| of single-digit weights: rails of trits, the low bits of radix-4 digits (of -2 it is 0)."""
        binary = self.config.encoding is Encoding.BINARY2
        return np.stack([w[:, :, 0] if binary else w[:, :, 0] | w[:, :, 1], np.zeros_like(w[:, :, 0])], axis=2)

    def pad(self, d: Compute) -> Planes:
        """The word read beside the map, [digit, plane, unit]."""
        width = np.dtype(self.kind).itemsize * 8
        lanes = np.clip(self.config.lanes - np.arange(self.units) * width, 0, width)
        full = np.array([(1 << int(n)) - 1 for n in lanes], self.kind)
        bits = np.array([[d.pad_digits >> 2 * i + plane & 1 for plane in range(2)] for i in range(d.in_digits)])
        return np.where(bits[..., None] == 1, full, self.kind(0))


def _fill(array: NDArray[Any], axis: int) -> NDArray[Any]:
    """Zeros after the channels, up to a whole number of vectors."""
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, -array.shape[axis] % VECTOR)
    return np.ascontiguousarray(np.pad(array, widths))


def plan(program: Program) -> list[Operation]:
    """Everything the init list and then the run list do to the images, in order.

    Raises
    ------
    SimulationError
        When a descriptor leaves a memory or waits for ever, naming it.
    """
    planner = _Planner(program)
    planner.follow(program.init_offset, program.init_count, False)
    planner.follow(program.run_offset, program.run_count, True)
    return planner.operations
