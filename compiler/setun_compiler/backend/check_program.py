"""Last check, also of every loaded file: no descriptor leaves its memory, its tensor or its region."""

from collections.abc import Iterator
from itertools import chain

from setun_compiler.program import Program
from setun_hw.config import Config
from setun_hw.descriptor import SIZE, Compute, Descriptor, End, Mode, Opcode, Post, Region, Transfer, unpack
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
        post = Post()
        total = sum(isinstance(d, Transfer) for d in found)
        for index, descriptor in enumerate(found):
            problems: Iterator[str] = iter(())
            if isinstance(descriptor, Transfer):
                problems = _transfer_problems(descriptor, config, regions, groups)
                transfers += 1
            elif isinstance(descriptor, Compute):
                problems = chain(_compute_problems(descriptor, config, total), _post_problems(descriptor, post, config))
                groups += descriptor.groups
            elif isinstance(descriptor, Post):
                post = descriptor
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
    if d.opcode > Opcode.COMPUTE and not config.affine:
        yield f"{d.opcode.name} needs a configuration with affine"
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
        if d.lines and not d.rows == d.strip_rows == 1:
            yield f"lines are one row, not {d.rows} in strips of {d.strip_rows}"
        if not d.strip_rows or not d.row_words or d.words != d.rows * d.row_words:
            yield f"{d.words} words are not {d.rows} rows of {d.row_words}"
            return
        if -(-d.rows // d.strip_rows) > config.strips:
            yield f"{d.rows} rows in strips of {d.strip_rows} take more than {config.strips} strips"
        residual = d.opcode in (Opcode.LOAD_RESIDUAL, Opcode.STORE_RESIDUAL)
        capacity = config.residual_words if residual else config.activation_words
        if d.base + min(d.rows, d.strip_rows) * d.row_words > capacity:
            yield f"its rows leave banks of {capacity} words"
        stores = d.opcode in (Opcode.STORE_ACTIVATIONS, Opcode.STORE_RESIDUAL)
        if stores and d.region not in (Region.OUTPUT, Region.SCRATCH):
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
    if d.mode not in list(Mode):
        yield f"mode {d.mode} is unknown"
    if d.after + (d.groups - 1) * d.after_step > transfers:
        yield f"waits for {d.after + (d.groups - 1) * d.after_step} transfers of {transfers}"
    most = {Mode.THRESHOLD: c.code_digits, Mode.RAW: c.raw_digits, Mode.DIGITS: c.value_digits}.get(Mode(d.mode), 1)
    if d.out_digits > most:
        yield f"out_digits must be at most {most}, not {d.out_digits}"
    if d.chunks > c.chunks or d.last_chunks > c.chunks:
        yield f"chunks must be at most {c.chunks}"
    last = (d.groups - 1) * c.chunks + d.last_chunks - 1
    if d.mode != Mode.NONE:
        written = (d.out_rows - 1) * d.out_row_stride + (d.out_cols - 1) * d.out_col_stride
        written += (last // (c.lanes // c.post) + 1) * d.out_digits
        if d.out_base + written > d.out_end or d.out_end > c.activation_words:
            yield f"output words {d.out_base} to {d.out_base + written} leave a tensor that ends at {d.out_end}"
    if (d.affine or d.mode == Mode.THRESHOLD) and d.parameter_base + last + 1 > c.parameter_words:
        yield f"parameters at {d.parameter_base} leave a memory of {c.parameter_words} words"
    if not d.no_array:
        yield from _array_problems(d, c)


def _array_problems(d: Compute, c: Config) -> Iterator[str]:
    held = d.in_full_strips + (d.in_last_rows > 0)
    if (d.batch and d.in_full_strips) or held > c.strips or d.in_last_rows > d.in_strip_rows or not held:
        yield f"{d.in_full_strips} full strips and {d.in_last_rows} rows do not fit {c.strips} x {d.in_strip_rows} rows"
    steps = (d.kernel_rows, d.kernel_row_step), (d.pool_rows, d.pool_row_step), (d.out_rows, d.row_step)
    reach = max(step for count, step in (*steps, (2, d.pad_top), (2, 1 - d.pad_top)) if count > 1)
    if reach > d.in_strip_rows:
        yield f"padding or steps between rows reach past a strip of {d.in_strip_rows} rows"
    read = (d.in_strip_rows - 1) * d.in_row_stride + (d.in_cols - 1) * d.in_col_stride
    read += ((d.groups - 1) * d.group_block_step + d.blocks) * d.in_digits
    if d.in_base + read > d.in_end or d.in_end > c.activation_words:
        yield f"input words {d.in_base} to {d.in_base + read} leave a tensor that ends at {d.in_end}"
    if d.weight_plane != d.kernel_rows * d.kernel_cols * d.blocks:
        yield "weight_plane is not kernel_rows * kernel_cols * blocks"
    group_words = d.weight_plane * d.weight_digits
    if d.groups > 1 and (d.weight_group_step < group_words or d.weight_ring % d.weight_group_step):
        yield "weight_ring is no multiple of weight_group_step, or groups overlap"
    if d.weight_ring < group_words or d.weight_base + d.weight_ring > c.weight_words:
        yield f"weights at {d.weight_base} leave a memory of {c.weight_words} words"


def _post_problems(d: Compute, post: Post, c: Config) -> Iterator[str]:
    """What fixed-point post-processing would do wrong."""
    if not d.affine:
        bits = (
            d.two_scale, d.no_array, d.residual, d.residual_after, d.residual_write, d.pool_carry, d.residual_max,
        )  # fmt: skip
        if any(bits) or d.mode in (Mode.DIGITS, Mode.NONE):
            yield "its fields of fixed-point post-processing need affine"
        return
    if not c.affine or (d.two_scale and not c.two_scale):
        yield "needs affine, or two_scale, which its configuration has not"
    alone = d.residual < d.residual_after or d.residual_after < d.residual_max
    if d.mode == Mode.RAW or (d.two_scale and d.weight_digits > 1) or alone:
        yield "its fields of fixed-point post-processing exclude each other"
    limit = 1 << c.residual_bits - 1
    if not -limit <= post.low <= post.high < limit:
        yield f"results of {post.low} to {post.high} leave residual_bits"
    least, most = c.encoding.digit_range(d.out_digits)
    if d.mode == Mode.DIGITS and not least <= post.low <= post.high <= most:
        yield f"results of {post.low} to {post.high} do not fit {d.out_digits} digits"
    if d.residual:
        if not post.res_window or post.res_first >= post.res_chunks:
            yield "its residual operand is empty"
        read = (d.out_rows - 1) * post.res_row_words + (post.res_rows - 1) * post.res_row_stride
        read += (d.out_cols - 1) * post.res_col_words + (post.res_cols - 1) * post.res_col_stride + post.res_chunks
        if post.res_base + read > post.res_end or post.res_end > c.residual_words:
            yield f"residual words {post.res_base} to {post.res_base + read} leave a tensor that ends at {post.res_end}"
    if d.residual_write:
        written = (d.out_rows - 1) * post.res_out_row_stride + (d.out_cols - 1) * post.res_out_col_stride
        written += (d.groups - 1) * c.chunks + d.last_chunks
        base, end = post.res_out_base, post.res_out_end
        if base + written > end or end > c.residual_words:
            yield f"residual words {base} to {base + written} leave a tensor that ends at {end}"
