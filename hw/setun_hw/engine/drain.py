"""Control of post-processing: which chunk and digit of a finished pixel is where, cycle by cycle."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from setun_hw.config import Config
from setun_hw.descriptor import Mode
from setun_hw.engine.layout import STEP_LAYOUT, compute_layout, index_bits, most_digits
from setun_hw.engine.output_walk import OutputWalk


def digit_bits(config: Config) -> int:
    """Bits of a digit's index in a code or a raw accumulator."""
    return index_bits(most_digits(config))


def pool_layout(config: Config) -> data.StructLayout:
    """What the pooling stage does."""
    fields = {
        "snapshot": 1,  # the accumulators are complete in this cycle
        "takes": 1,  # the next chunk is taken
        "chunk": index_bits(config.chunks),
        "first": 1,  # of a pooling window: nothing to compare with
        "single": 1,  # the pixel has no other chunk
    }
    if config.affine:
        fields["emit"] = 1  # last pixel of a pooling window
        fields["carries"] = 1  # it counts for the next window too
        fields["reads"] = 1  # a word of the chunk's residual window is due
        fields["fires"] = 1  # it is the window's last, so the chunk's digits begin
        fields["ends"] = 1  # last cycle of the chunk
    return data.StructLayout(fields)


def place_layout(config: Config) -> data.StructLayout:
    """Where a strip writes."""
    return data.StructLayout(
        {
            "enable": 1,
            "address": index_bits(config.activation_words),
            "place": config.lanes // config.post,
        }
    )


def ends_layout(config: Config) -> data.StructLayout:
    """What leaves at the end of a drain: members of :class:`DrainControl` of the same names."""
    return data.StructLayout({"write": place_layout(config), "group_done": 1, "last_group_done": 1, "out_of_range": 1})


class DrainControl(wiring.Component):
    """Four stages behind the accumulation of a pixel's last step: fetch, pool, compare, write.

    One digit of a chunk goes through them each cycle.

    Members
    -------
    descriptor : ``In(compute_layout(config))``  valid from the cycle of ``start`` on
    start : ``In(1)``
    accumulates : ``In(STEP_LAYOUT)``    the step added in this cycle
    fetches : ``Out(1)``                 stage *fetch*: a chunk is there
    parameter_address, fetch_chunk : ``Out``   stage *fetch*: parameter word and pooling word to read
    pool : ``Out(pool_layout(config))``  stage *pool*, the cycle after
    pool_step : ``Out(STEP_LAYOUT)``     stage *pool*: the pixel that drains; ``valid`` in its first cycle
    digit : ``Out``                      stage *compare*, the cycle after: index of the digit, 0 the least significant
    write : ``Out(place_layout(config))``  stage *write*, the cycle after
    group_done, last_group_done : ``Out(1)``   the write is the last of a group, of the layer
    out_of_range : ``Out(1)``            a write would leave the tensor; it and all later ones are suppressed
    """

    descriptor: "data.View[data.StructLayout]"
    start: Signal
    accumulates: "data.View[data.StructLayout]"
    fetches: Signal
    parameter_address: Signal
    fetch_chunk: Signal
    pool: "data.View[data.StructLayout]"
    pool_step: "data.View[data.StructLayout]"
    digit: Signal
    write: "data.View[data.StructLayout]"
    group_done: Signal
    last_group_done: Signal
    out_of_range: Signal

    def __init__(self, config: Config) -> None:
        self.config = config
        super().__init__(
            {
                "descriptor": In(compute_layout(config)),
                "start": In(1),
                "accumulates": In(STEP_LAYOUT),
                "fetches": Out(1),
                "parameter_address": Out(index_bits(config.parameter_words)),
                "fetch_chunk": Out(index_bits(config.chunks)),
                "pool": Out(pool_layout(config)),
                "pool_step": Out(STEP_LAYOUT),
                "digit": Out(digit_bits(config)),
                "write": Out(place_layout(config)),
                "group_done": Out(1),
                "last_group_done": Out(1),
                "out_of_range": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config, d = self.config, self.descriptor

        # Fetch.
        begins = self.accumulates.valid & self.accumulates.pixel
        held = Signal(STEP_LAYOUT)  # the pixel that drains
        step = Signal(STEP_LAYOUT)
        m.d.comb += step.eq(Mux(begins, self.accumulates, held))
        m.d.sync += held.eq(step)
        chunks = Mux(self.accumulates.last_group, d.last_chunks, d.chunks)
        chunks_left, chunk, digit = Signal(8), Signal(index_bits(config.chunks)), Signal(digit_bits(config))
        left, digit_now = Signal(8), Signal.like(digit)
        drains, last_digit, single = Signal(), Signal(), Signal()
        top_digit = (d.out_digits - 1)[: len(digit)]
        # Words of the residual window before the last: cycles before a chunk's first digit.
        window, more, more_now = Signal(16), Signal(16), Signal(16)
        if config.affine:
            m.d.sync += window.eq(Mux(d.residual, d.res_window - 1, 0))
            m.d.comb += more_now.eq(Mux(begins, window, more))
        m.d.comb += [
            left.eq(Mux(begins, chunks, chunks_left)),  # chunks to drain, this one included
            digit_now.eq(Mux(begins, top_digit, digit)),
            drains.eq(left != 0),
            self.fetches.eq(drains),
            last_digit.eq((digit_now == 0) & (more_now == 0)),
            self.fetch_chunk.eq(chunk),  # 0 when a drain begins
        ]
        with m.If(drains):
            with m.If(last_digit):
                m.d.sync += [digit.eq(top_digit), chunks_left.eq(left - 1), chunk.eq(Mux(left == 1, 0, chunk + 1))]
                m.d.sync += more.eq(window)
            with m.Elif(more_now != 0):
                m.d.sync += [digit.eq(digit_now), chunks_left.eq(left), more.eq(more_now - 1)]
            with m.Else():
                m.d.sync += [digit.eq(digit_now - 1), chunks_left.eq(left), more.eq(0)]
        with m.If(begins):
            # In time: the first pixel of a pooling window, which may find the last group's value, does not look.
            m.d.sync += single.eq(chunks == 1)

        group_parameters, parameters = Signal.like(self.parameter_address), Signal.like(self.parameter_address)
        m.d.comb += self.parameter_address.eq(Mux(begins, group_parameters, parameters))
        m.d.sync += parameters.eq(self.parameter_address + last_digit)
        with m.If(self.start):
            m.d.sync += group_parameters.eq(d.parameter_base)
        with m.Elif(begins & step.emit & step.last_col & step.last_row):
            m.d.sync += group_parameters.eq(group_parameters + config.chunks)

        # Pool.
        pool, walk_drains, pool_last_digit, pool_digit = (
            Signal(pool_layout(config)),
            Signal(),
            Signal(),
            Signal.like(digit),
        )
        pool_step, pool_ends, pool_holds = Signal(STEP_LAYOUT), Signal(), Signal()
        m.d.sync += [
            pool.snapshot.eq(begins),
            pool.takes.eq(drains & (digit_now == top_digit) & (more_now == window)),
            pool.chunk.eq(chunk),
            pool.first.eq(step.pool_first),
            pool.single.eq(single),
            walk_drains.eq(drains),
            pool_last_digit.eq(last_digit),
            pool_digit.eq(digit_now),
            pool_step.eq(step),
            pool_ends.eq(drains & last_digit & (left == 1)),
            pool_holds.eq(more_now != 0),
        ]
        if config.affine:
            m.d.sync += [
                pool.emit.eq(step.emit),
                pool.carries.eq(step.emit & d.pool_carry),
                pool.reads.eq(drains & (digit_now == top_digit)),
                pool.fires.eq(drains & (digit_now == top_digit) & (more_now == 0)),
                pool.ends.eq(drains & last_digit),
            ]
        m.d.comb += [self.pool.eq(pool), self.pool_step.eq(pool_step), self.pool_step.valid.eq(pool.snapshot)]
        m.submodules.walk = walk = OutputWalk(config)
        m.d.comb += [
            walk.descriptor.eq(d),
            walk.start.eq(self.start),
            walk.step.eq(self.pool_step),
            walk.drains.eq(walk_drains),
            walk.holds.eq(pool_holds),
            walk.last_digit.eq(pool_last_digit),
        ]

        # Compare.
        to_banks = d.mode != Mode.NONE if config.affine else 1
        address, place, writes = Signal.like(walk.address), Signal.like(walk.place), Signal()
        compare_ends, compare_last = Signal(), Signal()
        ends_group = pool_ends & pool_step.emit & pool_step.last_col & pool_step.last_row
        m.d.sync += [
            self.digit.eq(pool_digit),
            address.eq(walk.address),
            place.eq(walk.place),
            writes.eq(walk_drains & pool_step.emit & ~pool_holds & to_banks),
            compare_ends.eq(ends_group),
            compare_last.eq(pool_step.last_group),
        ]
        inside = (address < d.out_end) & (address < config.activation_words)
        failed = Signal()
        m.d.comb += self.out_of_range.eq(writes & ~inside)
        with m.If(self.out_of_range):
            m.d.sync += failed.eq(1)

        # Write.
        m.d.sync += [
            self.write.enable.eq(writes & inside & ~failed),
            self.write.address.eq(address),
            self.write.place.eq(place),
            self.group_done.eq(compare_ends & ~failed & ~self.out_of_range),
            self.last_group_done.eq(compare_ends & compare_last & ~failed & ~self.out_of_range),
        ]
        return m
