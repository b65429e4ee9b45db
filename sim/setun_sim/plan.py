"""What a program does to the images, with weights and parameters already laid out for the compiled kernels."""

from dataclasses import dataclass, replace

import numpy as np

from setun_compiler.program import Program
from setun_hw.descriptor import Compute, Descriptor, Mode, Opcode, Post, Transfer
from setun_sim.check import check_descriptor
from setun_sim.errors import SimulationError
from setun_sim.kernels.compute import count_reads
from setun_sim.kernels.names import PADS
from setun_sim.order import actions, descriptors_of, posts_of
from setun_sim.parameters import Parameters
from setun_sim.remember import remembered
from setun_sim.resident import Resident
from setun_sim.words import Planes, beat_bytes
from setun_sim.work import Work, work_of


@dataclass(frozen=True, kw_only=True)
class Move:
    """A transfer of activations or residuals."""

    index: int  #: descriptor in its list
    transfer: Transfer
    row_bytes: int


Operation = Move | Work


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All operations of the init list and then of the run list, in order."""

    operations: tuple[Operation, ...]
    activation_words: int  #: words of a bank that anything uses, and behind them PADS for what lies beside maps
    residual_words: int


class _Planner:
    """Follows the weight and parameter memories through a program."""

    def __init__(self, program: Program) -> None:
        self.program, self.config = program, program.config
        self.resident = Resident(program.config, program.image)
        self.operations: list[Operation] = []
        self.activation_words = self.residual_words = 0
        self.groups: list[tuple[int, Planes, Parameters]] = []

    def follow(self, offset: int, count: int, in_run: bool) -> None:
        """Add what one descriptor list does."""
        descriptors = descriptors_of(self.program.image, offset, count)
        posts = posts_of(descriptors)
        for index, descriptor in enumerate(descriptors):
            check_descriptor(index, descriptor, posts[index], self.config)
            self.use(descriptor, posts[index])
        open_index = -1
        for index, group in actions(descriptors):
            descriptor = descriptors[index]
            if isinstance(descriptor, Compute):
                if index != open_index or self.apart(descriptor, posts[index]):
                    self.close(descriptors, posts, open_index, in_run)
                    open_index = index
                self.groups.append((group, *self.resident.read(descriptor, posts[index], index, group)))
            elif isinstance(descriptor, Transfer):
                if descriptor.opcode in (Opcode.LOAD_WEIGHTS, Opcode.LOAD_PARAMETERS):
                    self.resident.load(descriptor)
                else:
                    self.close(descriptors, posts, open_index, in_run)
                    open_index = -1
                    residual = descriptor.opcode in (Opcode.LOAD_RESIDUAL, Opcode.STORE_RESIDUAL)
                    bits = self.config.residual_word_bits if residual else self.config.word_bits
                    bits *= self.config.strips if descriptor.lines else 1
                    row_bytes = beat_bytes(descriptor.row_words, bits, self.config)
                    self.operations.append(Move(index=index, transfer=descriptor, row_bytes=row_bytes))
        self.close(descriptors, posts, open_index, in_run)

    def use(self, d: Descriptor, post: Post) -> None:
        """Remember how far a descriptor reaches into the memories of feature maps."""
        end = residual_end = 0
        if isinstance(d, Compute):
            end = max(d.in_end, d.out_end * (d.mode != Mode.NONE))
            residual_end = max(post.res_end * d.residual, post.res_out_end * d.residual_write)
        elif isinstance(d, Transfer) and d.opcode in (Opcode.LOAD_ACTIVATIONS, Opcode.STORE_ACTIVATIONS):
            end = d.base + d.row_words * min(d.rows, d.strip_rows)
        elif isinstance(d, Transfer) and d.opcode in (Opcode.LOAD_RESIDUAL, Opcode.STORE_RESIDUAL):
            residual_end = d.base + d.row_words * min(d.rows, d.strip_rows)
        self.activation_words = max(self.activation_words, end)
        self.residual_words = max(self.residual_words, residual_end)

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

    def close(self, descriptors: list[Descriptor], posts: list[Post], index: int, in_run: bool) -> None:
        """Turn the groups taken so far into one piece of work."""
        if self.groups:
            d = descriptors[index]
            assert isinstance(d, Compute)
            self.operations.append(work_of(d, posts[index], self.config, self.groups, index, in_run))
            self.groups = []

    def finish(self) -> Plan:
        """The plan, once it is known how large memories must be: with it, how often each word is read."""
        words = self.activation_words + PADS
        operations = tuple(
            self.counted(operation, words) if isinstance(operation, Work) else operation
            for operation in self.operations
        )
        return Plan(operations=operations, activation_words=words, residual_words=self.residual_words)

    def counted(self, work: Work, words: int) -> Work:
        """The work with its reads, which are the same in every run."""
        if work.geometry.no_array:
            return work
        counted = np.zeros(self.config.strips * words, np.int64)
        padded = bool(work.pad.any())
        beside = count_reads(work.geometry, words, self.config.strips, len(work.weights), padded, counted)
        if beside < 0:
            raise SimulationError(f"descriptor {work.index} reads beyond its tensor's end")
        reads = counted.reshape(self.config.strips, words)
        used = np.flatnonzero(reads[:, :-PADS].any(0))
        first, last = (int(used[0]), int(used[-1]) + 1) if used.size else (0, 0)
        kept = np.concatenate([reads[:, first:last], reads[:, -PADS:]], axis=1)
        return replace(work, first_read=first, word_reads=kept, padding_reads=beside)


@remembered
def plan(program: Program) -> Plan:
    """Everything the init list and then the run list do to the images.

    Raises
    ------
    SimulationError
        When a descriptor leaves a memory or waits for ever, naming it.
    """
    planner = _Planner(program)
    planner.follow(program.init_offset, program.init_count, False)
    planner.follow(program.run_offset, program.run_count, True)
    return planner.finish()
