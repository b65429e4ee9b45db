"""Last check, also of every loaded file: no descriptor leaves its memory, its tensor or its region."""

from collections.abc import Iterator

from setun_compiler.program import Program
from setun_hw.config import Config
from setun_hw.descriptor import SIZE, Compute, Descriptor, End, Mode, Opcode, Region, Transfer, unpack
from setun_hw.errors import SetunError
from setun_hw.external import transfer_beats


class ProgramError(SetunError):
    """A program that a machine of its configuration could not carry out."""


def descriptors(program: Program) -> tuple[list[Descriptor], list[Descriptor]]:
    """The init list and the run list, END included.

    Raises
    ------
    ProgramError
        When a list leaves the image or does not finish with its only END.
    DescriptorError
        When bytes are no descriptor.
    """
    lists = []
    for name, offset, count in (
        ("init", program.init_offset, program.init_count),
        ("run", program.run_offset, program.run_count),
    ):
        if offset < 0 or offset % SIZE or count < 1 or offset + count * SIZE > len(program.image):
            raise ProgramError(f"the {name} list of {count} descriptors at byte {offset} leaves the image")
        found = [unpack(program.image[at : at + SIZE]) for at in range(offset, offset + count * SIZE, SIZE)]
        ends = [k for k, d in enumerate(found) if isinstance(d, End)]
        if ends != [count - 1]:
            raise ProgramError(f"the {name} list must have its only END last, not at {ends}")
        lists.append(found)
    return lists[0], lists[1]


def check_program(program: Program) -> None:
    """Refuse a program with a descriptor that is out of range.

    Raises
    ------
    SetunError
        Naming the list, the descriptor and the field.
    """
    config = program.config
    regions = {
        Region.PROGRAM: len(program.image),
        Region.INPUT: program.input_bytes,
        Region.OUTPUT: program.output_bytes,
        Region.SCRATCH: program.scratch_bytes,
    }
    for name, found in zip(("init", "run"), descriptors(program), strict=True):
        groups = transfers = 0
        total = sum(isinstance(d, Transfer) for d in found)
        for index, descriptor in enumerate(found):
            problems: Iterator[str] = iter(())
            if isinstance(descriptor, Transfer):
                problems = _transfer_problems(descriptor, config, regions, groups)
                transfers += 1
            elif isinstance(descriptor, Compute):
                problems = _compute_problems(descriptor, config, total)
                groups += descriptor.groups
            for problem in problems:
                raise ProgramError(f"{name} descriptor {index}: {problem}")


def _transfer_problems(d: Transfer, config: Config, regions: dict[Region, int], groups: int) -> Iterator[str]:
    beat_bytes = config.axi_data_bits // 8
    if d.offset % beat_bytes:
        yield f"offset {d.offset} is no multiple of a beat of {beat_bytes} bytes"
    if d.after > groups:
        yield f"waits for {d.after} channel groups, but only {groups} come before it"
    if not d.words:
        yield "moves no words"
    if d.opcode in (Opcode.LOAD_WEIGHTS, Opcode.LOAD_PARAMETERS):
        weights = d.opcode is Opcode.LOAD_WEIGHTS
        capacity = config.weight_words if weights else config.parameter_words
        if d.base + d.words > capacity:
            yield f"words {d.base} to {d.base + d.words} leave a memory of {capacity}"
        if d.region != Region.PROGRAM:
            yield "weights and parameters must come from the PROGRAM region"
        if weights and d.packed != config.packed_weights:
            yield "is packed otherwise than the configuration says"
    else:
        if not d.strip_rows or not d.row_words or d.words != d.rows * d.row_words:
            yield f"{d.words} words are not {d.rows} rows of {d.row_words}"
            return
        if -(-d.rows // d.strip_rows) > config.strips:
            yield f"{d.rows} rows in strips of {d.strip_rows} take more than {config.strips} strips"
        if d.base + min(d.rows, d.strip_rows) * d.row_words > config.activation_words:
            yield f"its rows leave banks of {config.activation_words} words"
        if d.opcode is Opcode.STORE_ACTIVATIONS and d.region not in (Region.OUTPUT, Region.SCRATCH):
            yield "results may be stored to the OUTPUT and SCRATCH regions only"
    beats = transfer_beats(config, d)
    if d.beats != beats:
        yield f"beats must be {beats}, not {d.beats}"
    if d.offset + beats * beat_bytes > regions[Region(d.region)]:
        yield f"bytes {d.offset} to {d.offset + beats * beat_bytes} leave the {Region(d.region).name} region"


def _compute_problems(d: Compute, c: Config, transfers: int) -> Iterator[str]:
    at_least_one = (
        "groups", "in_digits", "weight_digits", "in_cols", "in_strip_rows", "blocks", "kernel_rows", "kernel_cols",
        "kernel_row_step", "kernel_col_step", "pool_rows", "pool_cols", "pool_row_step", "pool_col_step", "row_step",
        "col_step", "out_rows", "out_cols", "out_digits", "chunks", "last_chunks",
    )  # fmt: skip
    for field in at_least_one:
        if getattr(d, field) < 1:
            yield f"{field} must be positive"
            return
    if d.mode not in (Mode.THRESHOLD, Mode.RAW):
        yield f"mode {d.mode} is unknown"
    if d.after + (d.groups - 1) * d.after_step > transfers:
        yield f"waits for {d.after + (d.groups - 1) * d.after_step} transfers of {transfers}"
    held = d.in_full_strips + (d.in_last_rows > 0)
    if (d.batch and d.in_full_strips) or held > c.strips or d.in_last_rows > d.in_strip_rows or not held:
        yield f"{d.in_full_strips} full strips and {d.in_last_rows} rows do not fit {c.strips} x {d.in_strip_rows} rows"
    steps = (d.kernel_rows, d.kernel_row_step), (d.pool_rows, d.pool_row_step), (d.out_rows, d.row_step)
    reach = max(step for count, step in (*steps, (2, d.pad_top), (2, 1 - d.pad_top)) if count > 1)
    if reach > d.in_strip_rows:
        yield f"padding or steps between rows reach past a strip of {d.in_strip_rows} rows"
    most = c.code_digits if d.mode == Mode.THRESHOLD else c.raw_digits
    if d.out_digits > most:
        yield f"out_digits must be at most {most}, not {d.out_digits}"
    if d.chunks > c.chunks or d.last_chunks > c.chunks:
        yield f"chunks must be at most {c.chunks}"
    read = (d.in_strip_rows - 1) * d.in_row_stride + (d.in_cols - 1) * d.in_col_stride
    read += ((d.groups - 1) * d.group_block_step + d.blocks) * d.in_digits
    if d.in_base + read > d.in_end or d.in_end > c.activation_words:
        yield f"input words {d.in_base} to {d.in_base + read} leave a tensor that ends at {d.in_end}"
    last = (d.groups - 1) * c.chunks + d.last_chunks - 1
    written = (d.out_rows - 1) * d.out_row_stride + (d.out_cols - 1) * d.out_col_stride
    written += (last // (c.lanes // c.post) + 1) * d.out_digits
    if d.out_base + written > d.out_end or d.out_end > c.activation_words:
        yield f"output words {d.out_base} to {d.out_base + written} leave a tensor that ends at {d.out_end}"
    if d.weight_plane != d.kernel_rows * d.kernel_cols * d.blocks:
        yield "weight_plane is not kernel_rows * kernel_cols * blocks"
    group_words = d.weight_plane * d.weight_digits
    if d.groups > 1 and (d.weight_group_step < group_words or d.weight_ring % d.weight_group_step):
        yield "weight_ring is no multiple of weight_group_step, or groups overlap"
    if d.weight_ring < group_words or d.weight_base + d.weight_ring > c.weight_words:
        yield f"weights at {d.weight_base} leave a memory of {c.weight_words} words"
    if d.mode == Mode.THRESHOLD and d.parameter_base + last + 1 > c.parameter_words:
        yield f"parameters at {d.parameter_base} leave a memory of {c.parameter_words} words"
