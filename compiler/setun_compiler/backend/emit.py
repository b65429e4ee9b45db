"""Descriptors in order, each waiting for what it touches, and the memory image."""

from dataclasses import dataclass, replace

import numpy as np

from setun_compiler.backend.hazards import Memory
from setun_compiler.backend.pieces import Data, Key, Piece, make_pieces, with_beats
from setun_compiler.backend.plan import Buffer, CompileError, Fetch, Keep, Plan, Run
from setun_compiler.backend.scratch import External
from setun_compiler.backend.stream import Slot, Streamer
from setun_compiler.digits import to_codes
from setun_compiler.layout import ceil_div
from setun_compiler.program import Placement
from setun_hw.descriptor import SIZE, Compute, Descriptor, DescriptorError, End, Mode, Opcode, Region, Transfer

#: data of the image starts at a multiple of this, so that bursts split as little as possible
ALIGNMENT = 4096


@dataclass(frozen=True, kw_only=True)
class Emitted:
    """The image, and what its descriptors are for."""

    image: bytes
    init_count: int
    run_count: int
    owners: tuple[tuple[int, ...], ...]  #: for each op the run descriptors that are its own
    placements: tuple[Placement, ...]


def emit(plan: Plan, external: External) -> Emitted:
    """Turn steps into descriptors.

    Raises
    ------
    CompileError
        When a number does not fit its field, naming the layer.
    """
    data = Data()
    emitter = Emitter(plan, external, data)
    runs = [step for step in plan.steps if isinstance(step, Run)]
    prepared = emitter.prepare(runs[0])
    done = 0
    for step in plan.steps:
        if isinstance(step, Fetch):
            emitter.fetch(step)
        elif isinstance(step, Keep):
            emitter.keep(step)
        else:
            emitter.compute(step, *prepared)
            done += 1
            # what the next layer needs first comes while this one computes, before anything waits for its results
            prepared = emitter.prepare(runs[done]) if done < len(runs) else prepared
    init: list[Descriptor] = [*emitter.pieces.init, End()]
    run: list[Descriptor] = [*emitter.run, End()]
    start = ceil_div((len(init) + len(run)) * SIZE, ALIGNMENT) * ALIGNMENT
    head = b"".join(_moved(descriptor, start).pack() for descriptor in init + run)
    image = head.ljust(start, b"\0") + b"".join(part.tobytes() for part in data.parts)
    return Emitted(
        image=image, init_count=len(init), run_count=len(run), owners=tuple(map(tuple, emitter.owners)),
        placements=emitter.all_placements(),
    )  # fmt: skip


def _moved(descriptor: Descriptor, start: int) -> Descriptor:
    """A descriptor whose PROGRAM offset counts from the image instead of its data."""
    if isinstance(descriptor, Transfer) and descriptor.region == Region.PROGRAM:
        if descriptor.offset + start >= 1 << 32:
            raise CompileError("weights and parameters take more than 4 GiB")
        return replace(descriptor, offset=descriptor.offset + start)
    return descriptor


class Emitter:
    """Keeps count of transfers, channel groups and the words they touch."""

    def __init__(self, plan: Plan, external: External, data: Data) -> None:
        config = plan.config
        self.plan, self.external = plan, external
        self.pieces = make_pieces(plan, data)
        self.run: list[Transfer | Compute] = []
        self.owners: list[list[int]] = [[] for _ in plan.ops]
        self._transfers = self._groups = 0
        self._banks = Memory(config.activation_words)
        self._weights, self._parameters = Memory(config.weight_words), Memory(config.parameter_words)
        self._weight_streamer = Streamer(self._weights, self.pieces.weight_words, config.weight_words)
        self._parameter_streamer = Streamer(self._parameters, self.pieces.parameter_words, config.parameter_words)
        self._buffers: dict[Buffer, list[int]] = {}
        self._streamed: list[Placement] = []

    # -- activations ----------------------------------------------------------------------------
    def fetch(self, step: Fetch) -> None:
        """Bring (a band of) a feature map on chip."""
        self._transfers += 1
        buffer = step.buffer
        after = self._banks.load(buffer.base, buffer.base + buffer.words, self._transfers)
        self._move(Opcode.LOAD_ACTIVATIONS, buffer, after)

    def keep(self, step: Keep) -> None:
        """Take (a band of) a feature map off chip."""
        self._transfers += 1
        buffer = step.buffer
        after = self._banks.store(buffer.base, buffer.base + buffer.words, self._transfers)
        self._move(Opcode.STORE_ACTIVATIONS, buffer, after)

    def _move(self, opcode: Opcode, buffer: Buffer, after: int) -> None:
        tensor = self.plan.tensors[buffer.tensor]
        outside = self.external.maps[buffer.tensor]
        rows = self.plan.images * buffer.rows
        region = self.external.regions[buffer.tensor]
        owner = None
        if region == Region.SCRATCH:
            named = [k for k, op in enumerate(self.plan.ops) if buffer.tensor in (op.source, op.target)]
            owner = named[0] if opcode is Opcode.STORE_ACTIVATIONS else named[-1]
        self._touch(buffer)
        try:
            transfer = Transfer(
                opcode=opcode, after=after, region=region, words=rows * tensor.row_words, base=buffer.base, rows=rows,
                offset=outside.offset + buffer.first_row * outside.row_bytes, row_words=tensor.row_words,
                strip_rows=tensor.rows if self.plan.batch else buffer.strip_rows,
            )  # fmt: skip
        except DescriptorError as error:
            raise CompileError(f"feature {buffer.tensor!r}: {error}") from None
        self._append(with_beats(transfer, self.plan.config), owner)

    # -- weights and parameters -----------------------------------------------------------------
    def prepare(self, step: Run) -> tuple[Slot, Slot]:
        """Fetch a run's parameters and its first weights, unless they are on chip."""
        key = Key(step.op, step.segment)

        def load_parameters(base: int, words: int, offset: int) -> None:
            self._load(Opcode.LOAD_PARAMETERS, self._parameters, step.op, base, words, offset)

        def load_weights(base: int, words: int, offset: int) -> None:
            self._load(Opcode.LOAD_WEIGHTS, self._weights, step.op, base, words, offset)

        parameters = self._parameter_streamer.prepare(self.pieces.parameters[key], load_parameters)
        return parameters, self._weight_streamer.prepare(self.pieces.weights[key], load_weights)

    def _load(self, opcode: Opcode, memory: Memory, op: int, base: int, words: int, offset: int) -> None:
        self._transfers += 1
        after = memory.load(base, base + words, self._transfers)
        config, weights = self.plan.config, opcode is Opcode.LOAD_WEIGHTS
        transfer = Transfer(
            opcode=opcode, after=after, packed=int(weights and config.packed_weights), offset=offset, words=words,
            base=base,
        )  # fmt: skip
        self._append(with_beats(transfer, config), op)

    # -- compute --------------------------------------------------------------------------------
    def compute(self, step: Run, parameters: Slot, weights: Slot) -> None:
        """One COMPUTE, and the transfers of its later groups' weights."""
        op = self.plan.ops[step.op]
        key = Key(step.op, step.segment)
        groups = op.segments[step.segment].groups
        piece, last = self.pieces.weights[key], self._groups + groups
        read, write = step.source, step.target
        parameters_end = parameters.base + self.pieces.parameters[key].words
        needs = [
            self._banks.read(read.base, read.base + read.words, last),
            self._banks.write(write.base, write.base + write.words, last),
            self._parameters.read(parameters.base, parameters_end, last),
        ]
        if weights.by_group:  # group g counts on the g-th transfer from here on
            needs.append(self._transfers)
        else:
            needs.append(self._weights.read(weights.base, weights.base + weights.ring, last))
        self._touch(read)
        self._touch(write)
        index = len(self.run)
        try:
            self._append(compute_descriptor(self.plan, step, parameters, weights, piece, max(needs)), step.op)
        except DescriptorError as error:
            raise CompileError(f"layer {op.name!r}: {error}") from None
        if weights.by_group:
            for group in range(groups):
                base = weights.base + group * piece.group_words % weights.ring
                if group:
                    self._load(
                        Opcode.LOAD_WEIGHTS, self._weights, step.op, base, piece.group_words, piece.offsets[group]
                    )
                self._weights.read(base, base + piece.group_words, self._groups + group + 1)
        self._groups += groups
        for memory, slot, size in (
            ("weights", weights, weights.ring),
            ("parameters", parameters, self.pieces.parameters[key].words),
        ):
            if size:
                self._streamed.append(
                    Placement(
                        tensor=op.name, memory=memory, base=slot.base, words=size, first=index, last=len(self.run) - 1
                    )
                )

    # -- records --------------------------------------------------------------------------------
    def _append(self, descriptor: Transfer | Compute, op: int | None) -> None:
        if op is not None:
            self.owners[op].append(len(self.run))
        self.run.append(descriptor)

    def _touch(self, buffer: Buffer) -> None:
        self._buffers.setdefault(buffer, []).append(len(self.run))

    def all_placements(self) -> tuple[Placement, ...]:
        """Where everything lay, and while which descriptors."""
        buffers = [
            Placement(
                tensor=buffer.tensor,
                memory="activations",
                base=buffer.base,
                words=buffer.words,
                first=min(uses),
                last=max(uses),
            )
            for buffer, uses in self._buffers.items()
        ]
        return (*buffers, *self._streamed)


def compute_descriptor(plan: Plan, step: Run, parameters: Slot, weights: Slot, piece: Piece, after: int) -> Compute:
    """The COMPUTE of one run."""
    config, op = plan.config, plan.ops[step.op]
    segment = op.segments[step.segment]
    source, target = plan.tensors[op.source], plan.tensors[op.target]
    read, write = step.source, step.target
    reach = op.reach
    pads = to_codes(np.array(op.pad_value), source.digits, config.encoding)
    channels = min(segment.groups * config.rows, op.channels - segment.first_group * config.rows)
    return Compute(
        mode=Mode.RAW if op.thresholds is None else Mode.THRESHOLD,
        batch=int(plan.batch),
        after=after,
        after_step=int(weights.by_group),
        groups=segment.groups,
        in_base=read.base + segment.first_block * source.digits,
        in_end=read.base + read.words,
        in_digits=source.digits,
        weight_digits=op.weight_digits,
        in_row_stride=source.row_words,
        in_col_stride=source.col_words,
        in_cols=source.cols,
        in_strip_rows=read.strip_rows,
        in_full_strips=0 if plan.batch else read.rows // read.strip_rows,
        in_last_rows=read.rows if plan.batch else read.rows % read.strip_rows,
        pad_digits=sum(int(code) << 2 * plane for plane, code in enumerate(pads)),
        blocks=segment.blocks,
        group_block_step=segment.group_block_step,
        kernel_rows=op.kernel[0],
        kernel_cols=op.kernel[1],
        kernel_row_step=reach[1],
        kernel_col_step=op.dilation[1] if op.kernel[1] > 1 else 1,
        pool_rows=op.pool.rows,
        pool_cols=op.pool.cols,
        pool_row_step=reach[2],
        pool_col_step=op.stride[1] if op.pool.cols > 1 else 1,
        row_step=step.row_step,
        col_step=op.col_step if target.cols > 1 else 1,
        pad_top=step.pad_top,
        pad_left=op.padding[1],
        weight_base=weights.base,
        weight_group_step=piece.group_words if segment.groups > 1 else 0,
        weight_ring=weights.ring,
        weight_plane=op.kernel[0] * op.kernel[1] * segment.blocks,
        parameter_base=parameters.base,
        out_rows=step.out_rows,
        out_cols=target.cols,
        out_base=write.base + segment.first_group * config.rows // config.lanes * target.digits,
        out_end=write.base + write.words,
        out_digits=target.digits,
        out_row_stride=target.row_words,
        out_col_stride=target.col_words,
        chunks=config.chunks,
        last_chunks=ceil_div(channels - (segment.groups - 1) * config.rows, config.post),
    )
