"""What docs/machine.md says the front end does, cycle by cycle: written from the page alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from setun_hw import timing
from setun_hw.config import Config
from setun_hw.descriptor import SIZE, Compute, Descriptor, End, Opcode, Post, Transfer
from setun_hw.external import map_sharing, parameter_sharing, transfer_beats, weight_sharing

#: a word written on chip: cycle, kind, bank, address, number in the transfer
Write = tuple[int, Opcode, int, int]


@dataclass(frozen=True)
class Surroundings:
    """Memory's timing, and what the engine does in each cycle."""

    latency: int
    interval: int
    groups: Callable[[int], int]
    port: Callable[[int], bool]
    room: Callable[[int], bool]
    idle: Callable[[int], bool]
    #: whether post-processing leaves the residual memories' write port, and their read port, to transfers
    residual_write: Callable[[int], bool]
    residual_read: Callable[[int], bool]


@dataclass
class Trace:
    """Everything that happens."""

    reads: list[tuple[int, int, int]] = field(default_factory=list)  #: cycle, address, beats
    writes: list[tuple[int, int, int]] = field(default_factory=list)
    beats_taken: list[int] = field(default_factory=list)
    beats_given: list[int] = field(default_factory=list)
    words_written: list[Write] = field(default_factory=list)
    words_read: list[tuple[int, int, int]] = field(default_factory=list)  #: cycle, bank, address
    pushes: list[int] = field(default_factory=list)
    records: list[list[int] | None] = field(default_factory=list)
    end: int = 0


#: stands for the bank of a line's words
ALL = -1


def first(start: int, holds: Callable[[int], bool]) -> int:
    """First cycle from ``start`` on in which something holds."""
    while not holds(start):
        start += 1
    return start


class Reference:
    """Runs a program."""

    def __init__(self, config: Config, around: Surroundings, bases: Sequence[int]) -> None:
        self.config, self.around, self.bases = config, around, bases
        self.trace = Trace()
        self.last_read = self.last_write = -(1 << 30)

    def run(self, descriptors: Sequence[Descriptor], at: int) -> Trace:
        """Trace of a program whose list lies ``at`` bytes into the PROGRAM region."""
        begin, beat_bytes = 0, self.config.axi_data_bits // 8
        for number, d in enumerate(descriptors):
            beats = SIZE // beat_bytes
            self.trace.reads.append((begin, self.bases[0] + at + SIZE * number, beats))
            valid = begin + self.around.latency
            for _ in range(beats):
                valid = self.take(max(valid, self.last_read + self.around.interval))
            act = valid + timing.DECODE
            if isinstance(d, Compute):
                push = first(act, self.around.room)
                self.trace.pushes.append(push)
                self.trace.records.append(None)
                begin = push + 1
            elif isinstance(d, Post):
                self.trace.records.append([begin, act + 1, 0, 0, 0, 0, 0, int(d.opcode)])
                begin = act + 1
            elif isinstance(d, End):
                end = self.trace.end = first(act, self.around.idle)
                self.trace.records.append([begin, end, 0, end - act, 0, 0, 0, int(d.opcode)])
            else:
                after = d.after
                go = first(act, lambda c, after=after: self.around.groups(c) >= after)  # type: ignore[misc]
                move = self.store if d.opcode in (Opcode.STORE_ACTIVATIONS, Opcode.STORE_RESIDUAL) else self.load
                end, memory, port, words = move(d, go)
                beats = transfer_beats(self.config, d)
                self.trace.records.append([begin, end, beats, go - act, memory, port, words, int(d.opcode)])
                begin = end
        return self.trace

    def take(self, cycle: int) -> int:
        self.last_read = cycle
        self.trace.beats_taken.append(cycle)
        return cycle

    def bursts(self, d: Transfer) -> list[tuple[int, int]]:
        """Address and beats of each burst."""
        beat = self.config.axi_data_bits // 8
        address, left = self.bases[d.region] + d.offset, transfer_beats(self.config, d)
        result = []
        while left:
            here = min(left, timing.BURST_BEATS, (timing.BURST_BOUNDARY - address % timing.BURST_BOUNDARY) // beat)
            result.append((address, here))
            address, left = address + here * beat, left - here
        return result

    def places(self, d: Transfer) -> list[tuple[int, int, int]]:
        """For each word in order: bank, address, 1 if it ends its row."""
        if d.opcode in (Opcode.LOAD_WEIGHTS, Opcode.LOAD_PARAMETERS):
            return [(0, d.base + k, int(k == d.words - 1)) for k in range(d.words)]
        return [
            (row // d.strip_rows, d.base + row % d.strip_rows * d.row_words + k, int(k == d.row_words - 1))
            for row in range(d.rows)
            for k in range(d.row_words)
        ]

    def load(self, d: Transfer, t: int) -> tuple[int, int, int, int]:
        residual = d.opcode == Opcode.LOAD_RESIDUAL
        sharing = {
            Opcode.LOAD_WEIGHTS: weight_sharing(self.config),
            Opcode.LOAD_PARAMETERS: parameter_sharing(self.config),
        }.get(d.opcode, map_sharing(self.config, residual=residual, lines=bool(d.lines)))
        places = self.places(d)
        ports = {Opcode.LOAD_ACTIVATIONS: self.around.port, Opcode.LOAD_RESIDUAL: self.around.residual_write}
        port = ports.get(d.opcode, lambda _cycle: True)
        free = t + 1  # first cycle in which a beat can be taken
        wait_memory = wait_port = done = piece = 0
        addresses: list[int] = []
        ends: list[int] = []
        for k, (address, beats) in enumerate(self.bursts(d)):
            asked = t + 1 if k == 0 else max(addresses[-1] + 2, ends[-2] + 1 if k >= 2 else 0)
            # Valid one cycle after the burst before the last ended, which may be later than now.
            addresses.append(asked)
            self.trace.reads.append((asked, address, beats))
            earliest = asked + self.around.latency
            for _ in range(beats):
                taken = self.take(max(earliest, self.last_read + self.around.interval, free))
                wait_memory += taken - free
                free = taken + 1
                piece += 1
                if piece < sharing.beats:
                    continue
                piece = 0
                word = taken
                for _slot in range(sharing.words):
                    ready = word + 1
                    word = first(ready, port)
                    wait_port += word - ready
                    bank, at, ends_row = places[done]
                    bank = ALL if d.lines and self.config.strips > 1 else bank
                    self.trace.words_written.append((word, d.opcode, bank, at))
                    done += 1
                    if ends_row:
                        break
                free = max(free, word)
            ends.append(self.last_read)
        assert done == len(places)
        return self.trace.words_written[-1][0] + 1, wait_memory, wait_port, done

    def store(self, d: Transfer, t: int) -> tuple[int, int, int, int]:
        residual = d.opcode == Opcode.STORE_RESIDUAL
        sharing = map_sharing(self.config, residual=residual, lines=bool(d.lines))
        port = self.around.residual_read if residual else lambda _cycle: True
        entries: list[list[tuple[int, int]]] = [[]]
        for bank, address, ends_row in self.places(d):
            entries[-1].append((bank, address))
            if len(entries[-1]) == sharing.words or ends_row:
                entries.append([])
        entries.pop()
        beats = [(index, k) for index in range(len(entries)) for k in range(sharing.beats)]
        released: list[int] = []  # cycle in which each entry's last beat is taken
        offered: list[int] = []
        read, wait_port = t, 0

        def read_until(index: int) -> None:
            nonlocal read, wait_port
            while len(offered) <= index:
                number = len(offered)
                if number >= timing.STORE_ENTRIES:  # as many are in use until that one's last beat was taken
                    read = max(read, released[number - timing.STORE_ENTRIES])
                for bank, address in entries[number]:
                    could = read + 1
                    read = first(could, port)
                    wait_port += read - could
                    self.trace.words_read.append((read, bank, address))
                offered.append(read + timing.STORE_LATENCY + 1)

        wait_memory, at = 0, 0
        addresses: list[int] = []
        responses: list[int] = []
        for k, (address, count) in enumerate(self.bursts(d)):
            asked = t + 1 if k == 0 else max(addresses[-1] + 2, responses[-2] + 1 if k >= 2 else 0)
            addresses.append(asked)
            self.trace.writes.append((asked, address, count))
            for _ in range(count):
                index, piece = beats[at]
                at += 1
                read_until(index)
                before = (
                    self.trace.beats_given[-1] + 1 if piece else max([offered[index], *(r + 1 for r in released[-1:])])
                )
                taken = max(before, asked, self.last_write + self.around.interval)
                wait_memory += taken - before
                self.last_write = taken
                self.trace.beats_given.append(taken)
                if piece == sharing.beats - 1:
                    released.append(taken)
            responses.append(max(self.last_write, asked) + self.around.latency)
        return responses[-1] + 1, wait_memory, wait_port, sum(map(len, entries))
