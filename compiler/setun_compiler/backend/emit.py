"""Descriptors in order, each waiting for what it touches, and the memory image."""

from dataclasses import dataclass, replace

import numpy as np

from setun_compiler.backend.descriptors import compute_descriptor, post_descriptor
from setun_compiler.backend.hazards import Memory
from setun_compiler.backend.pieces import Data, Key, make_pieces, with_beats
from setun_compiler.backend.plan import Buffer, CompileError, Fetch, Keep, Plan, Run, run_buffers
from setun_compiler.backend.rounds import sequence
from setun_compiler.backend.scratch import External
from setun_compiler.backend.stream import Slot, Streamer
from setun_compiler.digits import to_codes
from setun_compiler.layout import ceil_div, pack_map
from setun_compiler.program import Placement
from setun_hw.descriptor import SIZE, Compute, Descriptor, DescriptorError, End, Opcode, Post, Region, Transfer

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
    turns = sequence(plan)
    runs = [step for _, step in turns if isinstance(step, Run)]
    prepared = emitter.prepare(runs[0])
    done = 0
    for number, step in turns:
        if isinstance(step, Fetch):
            emitter.fetch(step, number)
        elif isinstance(step, Keep):
            emitter.keep(step, number)
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
        self.run: list[Transfer | Compute | Post] = []
        self.owners: list[list[int]] = [[] for _ in plan.ops]
        self._transfers = self._groups = 0
        self._banks, self._residuals = Memory(config.activation_words), Memory(config.residual_words)
        self._data, self._post = data, Post()
        self._weights, self._parameters = Memory(config.weight_words), Memory(config.parameter_words)
        self._weight_streamer = Streamer(self._weights, self.pieces.weight_words, config.weight_words)
        self._parameter_streamer = Streamer(self._parameters, self.pieces.parameter_words, config.parameter_words)
        self._buffers: dict[Buffer, list[int]] = {}
        self._blanks: dict[Buffer, int] = {}
        self._streamed: list[Placement] = []

    # -- feature maps ---------------------------------------------------------------------------
    def fetch(self, step: Fetch, number: int) -> None:
        """Bring (a band of) a feature map on chip."""
        self._transfers += 1
        buffer = step.buffer
        after = self._memory(buffer).load(buffer.base, buffer.base + buffer.words, self._transfers)
        opcode = Opcode.LOAD_RESIDUAL if self.plan.tensors[buffer.tensor].residual else Opcode.LOAD_ACTIVATIONS
        self._move(opcode, buffer, after, number, self._blank(buffer) if step.blank else None, step.lines)

    def keep(self, step: Keep, number: int) -> None:
        """Take (a band of) a feature map off chip."""
        self._transfers += 1
        buffer = step.buffer
        after = self._memory(buffer).store(buffer.base, buffer.base + buffer.words, self._transfers)
        opcode = Opcode.STORE_RESIDUAL if self.plan.tensors[buffer.tensor].residual else Opcode.STORE_ACTIVATIONS
        self._move(opcode, buffer, after, number, lines=step.lines)

    def _memory(self, buffer: Buffer) -> Memory:
        return self._residuals if self.plan.tensors[buffer.tensor].residual else self._banks

    def _blank(self, buffer: Buffer) -> int:
        """Store zeros for a buffer in the image, once for all rounds, and return where they begin."""
        if buffer in self._blanks:
            return self._blanks[buffer]
        tensor, config = self.plan.tensors[buffer.tensor], self.plan.config
        zeros = np.full((1, tensor.channels, buffer.rows, tensor.cols), -tensor.shift)
        codes = to_codes(zeros, tensor.digits, config.encoding)
        image = pack_map(codes, config.lanes, config.axi_data_bits)
        return self._blanks.setdefault(buffer, self._data.append(np.tile(image, (self.plan.images, 1)).ravel()))

    def _move(
        self, opcode: Opcode, buffer: Buffer, after: int, number: int, blank: int | None = None, lines: bool = False
    ) -> None:
        tensor = self.plan.tensors[buffer.tensor]
        rows = 1 if lines else self.plan.images * buffer.rows
        row_words = buffer.words if lines else tensor.row_words
        owner, region = None, Region.PROGRAM
        if blank is None:
            outside = self.external.maps[buffer.tensor]
            region, offset = self.external.regions[buffer.tensor], outside.offset + buffer.first_row * outside.row_bytes
            offset += tensor.run_bytes(self.plan.config, buffer.first_col * tensor.col_words, lines=lines)
        else:
            offset = blank
        if region in (Region.INPUT, Region.OUTPUT):
            offset += number * self.external.round_bytes(self.plan, buffer.tensor)
        else:
            named = [k for k, op in enumerate(self.plan.ops) if buffer.tensor in (*op.reads, *op.writes)]
            owner = named[-1] if opcode in (Opcode.LOAD_ACTIVATIONS, Opcode.LOAD_RESIDUAL) else named[0]
        self._touch(buffer)
        try:
            transfer = Transfer(
                opcode=opcode, after=after, region=region, words=rows * row_words, base=buffer.base, rows=rows,
                offset=offset, row_words=row_words, lines=int(lines),
                strip_rows=1 if lines else tensor.rows if self.plan.batch else buffer.strip_rows,
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
        parameters_end = parameters.base + self.pieces.parameters[key].words
        needs = [self._parameters.read(parameters.base, parameters_end, last)]
        for buffer, rows in ((step.source, step.read), (step.operand, ())):
            if buffer is not None:
                held, words = self._memory(buffer), self.plan.tensors[buffer.tensor].row_words
                for first, end in [(first * words, end * words) for first, end in rows] or [(0, buffer.words)]:
                    needs.append(held.read(buffer.base + first, buffer.base + end, last))
        for buffer in (step.target, step.fixed):
            if buffer is not None:
                needs.append(self._memory(buffer).write(buffer.base, buffer.base + buffer.words, last))
        if weights.by_group:  # group g counts on the g-th transfer from here on
            needs.append(self._transfers)
        else:
            needs.append(self._weights.read(weights.base, weights.base + weights.ring, last))
        for buffer in run_buffers(step):
            self._touch(buffer)
        try:
            if op.affine is not None:
                self._set_post(post_descriptor(self.plan, step), step.op)
            index = len(self.run)
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

    def _set_post(self, post: Post, op: int) -> None:
        """Change the fixed-point settings, unless they are these already."""
        if post != self._post:
            self._append(post, op)
            self._post = post

    # -- records --------------------------------------------------------------------------------
    def _append(self, descriptor: Transfer | Compute | Post, op: int | None) -> None:
        if op is not None:
            self.owners[op].append(len(self.run))
        self.run.append(descriptor)

    def _touch(self, buffer: Buffer) -> None:
        place = replace(buffer, first_row=0, first_col=0) if buffer.part else buffer
        self._buffers.setdefault(place, []).append(len(self.run))

    def all_placements(self) -> tuple[Placement, ...]:
        """Where everything lay, and while which descriptors."""
        buffers = [
            Placement(
                tensor=buffer.tensor,
                memory="residual" if self.plan.tensors[buffer.tensor].residual else "activations",
                base=buffer.base,
                words=buffer.words,
                first=min(uses),
                last=max(uses),
            )
            for buffer, uses in self._buffers.items()
        ]
        return (*buffers, *self._streamed)
