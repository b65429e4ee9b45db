"""The machine's state, cycle by cycle, as far as time depends on it: compiled, a few nanoseconds a cycle.

Written beside "Cycles" of docs/machine.md. State lives in small integer arrays whose places the names below give;
functions named ``*_cycle`` advance one part of the machine through cycle ``c``.
"""
# mypy: disable-error-code="no-untyped-def"

import numba as nb
import numpy as np

from setun_hw.descriptor import Opcode

# -- what is known of a descriptor before time begins: columns of the table ------------------------
(KIND, AFTER, AFTER_STEP, GROUPS, PIXEL_STEPS, PIXELS, WINDOW, CHUNKS, LAST_CHUNKS, CHUNK_CYCLES, CHUNK_WORDS, LEAD,
 RESIDUAL_READ, RESIDUAL_WRITE, ADDRESS, BEATS, RUNS, RUN_WORDS, SHARE, WORD_BEATS) = range(20)  # fmt: skip
COLUMNS = 20
# -- what is found out: columns of the counters (docs/machine.md), then two for traces ------------
START, END, COUNT, WAIT_FIRST, WAIT_SECOND, WAIT_THIRD, WORDS, OPCODE, ACT, BEGIN = range(10)
RESULTS = 10

# -- memory and hardware constants -------------------------------------------------------------------
(LATENCY, INTERVAL, QUEUE_DEPTH, BEAT_BYTES, DECODE, SETUP, WRITE, READ, BURST_BEATS, BURST_BOUNDARY, IN_FLIGHT,
 STORE_LATENCY, STORE_ENTRIES) = range(13)  # fmt: skip
PARAMETERS = 13

_IDLE, _RUN, _FINISH = range(3)
# -- state of the array -----------------------------------------------------------------------------
(_STATE, _CURRENT, _FIRST, _STEP, _PIXEL, _GROUP, _GATE, _QUEUED, _TAKEN, _TRANSFERS, _GROUPS_DONE,
 _WRITES_FROM, _WRITES_TO, _DONE_FROM, _DONE_TO, _READS_FROM, _READS_TO) = range(17)  # fmt: skip
# -- state of a transfer ------------------------------------------------------------------------------
(_NEXT_BURST, _LEFT, _AT, _ANNOUNCED, _UNFINISHED, _OLDEST, _WAITING, _BEAT_OF_WORD, _WORD_OF_RUN, _MOVED,
 _READ_WORDS, _READ_RUNS, _ENTRY_LEFT, _ENTRIES_READ, _ENTRIES_SENT, _ENTRY_BEAT, _RESPONSES) = range(17)  # fmt: skip
#: rings are indexed modulo this; more than the windows, groups, bursts or entries that can be under way at once
_RING = 64

#: nobody can ever move again
STUCK = -1

_LOAD_ACTIVATIONS, _STORE_ACTIVATIONS = int(Opcode.LOAD_ACTIVATIONS), int(Opcode.STORE_ACTIVATIONS)
_LOAD_RESIDUAL, _STORE_RESIDUAL = int(Opcode.LOAD_RESIDUAL), int(Opcode.STORE_RESIDUAL)
_COMPUTE, _SET_POST, _END = int(Opcode.COMPUTE), int(Opcode.SET_POST), int(Opcode.END)
# -- what post-processing does to memories in a cycle: bits ------------------------------------------
_BANK_WRITTEN, _RESIDUAL_WRITTEN, _RESIDUAL_READ = 1, 2, 4

_jit = nb.njit(cache=True)


@_jit
def _note(ring, place, begin, cycles, k):
    """Put a pixel's cycles into a ring."""
    ring[place % _RING, 0], ring[place % _RING, 1], ring[place % _RING, 2] = begin, begin + cycles, k


@_jit
def _array_cycle(c, p, table, found, queue, a, writes, reads, dones, stored):
    """Sequencer and post-processing in cycle ``c``; ``stored``: a store reads the banks.

    ``writes`` and ``reads`` are rings of the pixels that post-processing is to write, and to read residuals for: the
    first cycle, the one behind the last, and the descriptor.
    """
    if a[_STATE] == _IDLE and a[_QUEUED] > 0:
        k = queue[a[_TAKEN]]
        a[_TAKEN] += 1
        a[_QUEUED] -= 1
        a[_STATE], a[_CURRENT], a[_FIRST] = _RUN, k, c + p[SETUP]
        a[_STEP] = a[_PIXEL] = a[_GROUP] = 0
        a[_GATE] = 0
        found[k, START] = c
        return
    if a[_STATE] != _RUN or c < a[_FIRST]:
        return
    k = a[_CURRENT]
    last = a[_STEP] == table[k, PIXEL_STEPS] - 1
    if a[_STEP] == 0 and a[_PIXEL] == 0 and a[_TRANSFERS] < table[k, AFTER] + a[_GROUP] * table[k, AFTER_STEP]:
        found[k, WAIT_FIRST] += 1
        return
    if last and c < a[_GATE]:
        found[k, WAIT_SECOND] += 1
        return
    if stored:
        found[k, WAIT_THIRD] += 1
        return
    found[k, COUNT] += 1
    if not last:
        a[_STEP] += 1
        return
    a[_STEP] = 0
    chunks = table[k, LAST_CHUNKS] if a[_GROUP] == table[k, GROUPS] - 1 else table[k, CHUNKS]
    drain = chunks * table[k, CHUNK_CYCLES]
    a[_GATE] = c + drain
    a[_PIXEL] += 1
    if table[k, RESIDUAL_READ]:
        _note(reads, a[_READS_TO], c + p[READ], drain, k)
        a[_READS_TO] += 1
    if a[_PIXEL] % table[k, WINDOW] == 0:
        _note(writes, a[_WRITES_TO], c + p[WRITE], drain, k)
        a[_WRITES_TO] += 1
        found[k, WORDS] += chunks * table[k, CHUNK_WORDS]
    if a[_PIXEL] == table[k, PIXELS]:
        a[_PIXEL] = 0
        a[_GROUP] += 1
        dones[a[_DONE_TO] % _RING] = c + p[WRITE] + drain
        a[_DONE_TO] += 1
        if a[_GROUP] == table[k, GROUPS]:
            a[_STATE] = _FINISH


@_jit
def _settle(c, table, found, a, writes, reads, dones):
    """What shows from cycle ``c`` on: groups done, array idle; returns what post-processing does to memories in it."""
    if a[_DONE_FROM] < a[_DONE_TO] and dones[a[_DONE_FROM] % _RING] == c:
        a[_DONE_FROM] += 1
        a[_GROUPS_DONE] += 1
        if a[_STATE] == _FINISH and a[_DONE_FROM] == a[_DONE_TO]:
            a[_STATE] = _IDLE
            found[a[_CURRENT], END] = c
    while a[_WRITES_FROM] < a[_WRITES_TO] and writes[a[_WRITES_FROM] % _RING, 1] <= c:
        a[_WRITES_FROM] += 1
    while a[_READS_FROM] < a[_READS_TO] and reads[a[_READS_FROM] % _RING, 1] <= c:
        a[_READS_FROM] += 1
    busy = 0
    pixel = writes[a[_WRITES_FROM] % _RING]
    if a[_WRITES_FROM] < a[_WRITES_TO] and pixel[0] <= c:
        k, phase = pixel[2], (c - pixel[0]) % table[pixel[2], CHUNK_CYCLES]
        if phase >= table[k, LEAD] and table[k, CHUNK_WORDS]:
            busy |= _BANK_WRITTEN
        if phase == table[k, LEAD] and table[k, RESIDUAL_WRITE]:
            busy |= _RESIDUAL_WRITTEN
    pixel = reads[a[_READS_FROM] % _RING]
    if a[_READS_FROM] < a[_READS_TO] and pixel[0] <= c:
        k, phase = pixel[2], (c - pixel[0]) % table[pixel[2], CHUNK_CYCLES]
        if phase <= table[k, LEAD]:
            busy |= _RESIDUAL_READ
    return busy


@_jit
def _skip(c, act, table, found, a, dones):
    """Issue steps that cannot be held up, in cycles in which nothing else happens; returns their number.

    The front end moves nothing and acts in ``act`` or, if that is past, once a group is done or the queue moves on.
    """
    if a[_STATE] != _RUN or a[_STEP] == 0:
        return 0
    steps = table[a[_CURRENT], PIXEL_STEPS] - 1 - a[_STEP]
    if c <= act:
        steps = min(steps, act - c)
    if a[_DONE_FROM] < a[_DONE_TO]:
        steps = min(steps, dones[a[_DONE_FROM] % _RING] - c)
    a[_STEP] += steps
    found[a[_CURRENT], COUNT] += steps
    return steps


@_jit
def _burst(p, t):
    """Length of the next burst, in beats."""
    to_boundary = (p[BURST_BOUNDARY] - t[_AT] % p[BURST_BOUNDARY]) // p[BEAT_BYTES]
    return min(t[_LEFT], p[BURST_BEATS], to_boundary)


@_jit
def _begin(c, p, row, t):
    """A transfer begins in cycle ``c``."""
    t[:] = 0
    t[_NEXT_BURST] = c + 1
    t[_LEFT], t[_AT] = row[BEATS], row[ADDRESS]


@_jit
def _announce(c, p, t, bursts):
    """Send the address of the next burst if it is time; bursts[k] = (cycle of address, beats left)."""
    if t[_LEFT] > 0 and c >= t[_NEXT_BURST] and t[_UNFINISHED] < p[IN_FLIGHT]:
        beats = _burst(p, t)
        place = t[_ANNOUNCED] % _RING
        bursts[place, 0], bursts[place, 1] = c, beats
        t[_ANNOUNCED] += 1
        t[_UNFINISHED] += 1
        t[_LEFT] -= beats
        t[_AT] += beats * p[BEAT_BYTES]
        t[_NEXT_BURST] = c + 2


@_jit
def _load_cycle(c, p, row, t, bursts, bus, written, result):
    """One cycle of a LOAD; true in its last. ``bus[0]`` is the cycle in which the last beat of all was taken.

    ``written``: post-processing writes to the memory that is loaded.
    """
    free = t[_WAITING] == 0
    if t[_WAITING] > 0:
        if written:
            result[WAIT_THIRD] += 1
        else:
            t[_WAITING] -= 1
            t[_MOVED] += 1
            free = t[_WAITING] == 0
    if free and result[COUNT] < row[BEATS]:
        place = t[_OLDEST] % _RING
        valid = t[_OLDEST] < t[_ANNOUNCED] and c >= bursts[place, 0] + p[LATENCY] and c >= bus[0] + p[INTERVAL]
        if valid:
            bus[0] = c
            result[COUNT] += 1
            bursts[place, 1] -= 1
            if bursts[place, 1] == 0:
                t[_OLDEST] += 1
                t[_UNFINISHED] -= 1
            t[_BEAT_OF_WORD] += 1
            if t[_BEAT_OF_WORD] == row[WORD_BEATS]:
                t[_BEAT_OF_WORD] = 0
                words = min(row[SHARE], row[RUN_WORDS] - t[_WORD_OF_RUN])
                t[_WAITING] = words
                t[_WORD_OF_RUN] = (t[_WORD_OF_RUN] + words) % row[RUN_WORDS]
        else:
            result[WAIT_SECOND] += 1
    result[WORDS] = t[_MOVED]
    return t[_MOVED] == row[RUNS] * row[RUN_WORDS]


@_jit
def _store_reads(c, p, row, t, entries, begin, taken, result):
    """Whether a STORE reads a word in cycle ``c``; entries[k] = (cycle from which its beats are offered, beats).

    ``taken``: post-processing reads the memory that is stored, and comes first.
    """
    if c <= begin or t[_READ_RUNS] == row[RUNS]:
        return False
    if t[_ENTRY_LEFT] == 0 and t[_ENTRIES_READ] - t[_ENTRIES_SENT] >= p[STORE_ENTRIES]:
        return False
    if taken:
        result[WAIT_THIRD] += 1
        return False
    if t[_ENTRY_LEFT] == 0:
        t[_ENTRY_LEFT] = min(row[SHARE], row[RUN_WORDS] - t[_READ_WORDS])
        entries[t[_ENTRIES_READ] % _RING] = np.iinfo(np.int64).max
        t[_ENTRIES_READ] += 1
    t[_ENTRY_LEFT] -= 1
    t[_READ_WORDS] += 1
    if t[_ENTRY_LEFT] == 0:
        entries[(t[_ENTRIES_READ] - 1) % _RING] = c + p[STORE_LATENCY] + 1
    if t[_READ_WORDS] == row[RUN_WORDS]:
        t[_READ_WORDS] = 0
        t[_READ_RUNS] += 1
    return True


@_jit
def _store_cycle(c, p, row, t, bursts, entries, responses, bus, result):
    """Beats and responses of a STORE in cycle ``c``; true in its last. Entries freed count from the next cycle on."""
    sent = 0
    if t[_ENTRIES_SENT] < t[_ENTRIES_READ] and entries[t[_ENTRIES_SENT] % _RING] <= c:
        place = t[_OLDEST] % _RING
        if t[_OLDEST] < t[_ANNOUNCED] and c >= bus[1] + p[INTERVAL]:
            bus[1] = c
            result[COUNT] += 1
            t[_ENTRY_BEAT] += 1
            if t[_ENTRY_BEAT] == row[WORD_BEATS]:
                t[_ENTRY_BEAT] = 0
                sent = 1
            bursts[place, 1] -= 1
            if bursts[place, 1] == 0:
                responses[t[_OLDEST] % _RING] = c + p[LATENCY]
                t[_OLDEST] += 1
        else:
            result[WAIT_SECOND] += 1
    t[_ENTRIES_SENT] += sent
    if t[_RESPONSES] < t[_OLDEST] and responses[t[_RESPONSES] % _RING] == c:
        t[_RESPONSES] += 1
        t[_UNFINISHED] -= 1
    result[WORDS] = row[RUNS] * row[RUN_WORDS]
    return result[COUNT] == row[BEATS] and t[_RESPONSES] == t[_ANNOUNCED]


@_jit
def simulate(table, p):
    """Counters of every descriptor of ``table`` (descriptors, COLUMNS); END is ``STUCK`` where one waits for ever.

    Returns (descriptors, RESULTS): the eight counter words, then the cycle from which the descriptor could act, then
    the one in which it was pushed or began.
    """
    count = table.shape[0]
    found = np.zeros((count, RESULTS), np.int64)
    a, t = np.zeros(17, np.int64), np.zeros(17, np.int64)
    writes, reads, dones = np.zeros((_RING, 3), np.int64), np.zeros((_RING, 3), np.int64), np.zeros(_RING, np.int64)
    bursts, entries, responses = np.zeros((_RING, 2), np.int64), np.zeros(_RING, np.int64), np.zeros(_RING, np.int64)
    queue = np.zeros(count, np.int64)
    bus = np.full(2, -(1 << 40), np.int64)
    pushed = 0
    k, moving, fetched, c = 0, False, False, 0
    while True:
        busy = _settle(c, table, found, a, writes, reads, dones)
        idle = a[_STATE] == _IDLE and a[_QUEUED] == 0
        room = a[_QUEUED] < p[QUEUE_DEPTH]
        row, result = table[k], found[k]
        if not fetched:
            beats = max(1, 128 // p[BEAT_BYTES])
            bus[0] = max(c + p[LATENCY], bus[0] + p[INTERVAL]) + (beats - 1) * p[INTERVAL]
            result[OPCODE] = row[KIND]
            result[ACT] = bus[0] + p[DECODE]
            if row[KIND] != _COMPUTE:
                result[START] = c
            fetched = True
        stored, ends = False, False
        if moving:
            _announce(c, p, t, bursts)
            if row[KIND] == _STORE_ACTIVATIONS:
                stored = _store_reads(c, p, row, t, entries, result[BEGIN], False, result)
            elif row[KIND] == _STORE_RESIDUAL:
                _store_reads(c, p, row, t, entries, result[BEGIN], busy & _RESIDUAL_READ != 0, result)
            if row[KIND] == _STORE_ACTIVATIONS or row[KIND] == _STORE_RESIDUAL:
                ends = _store_cycle(c, p, row, t, bursts, entries, responses, bus, result)
            else:
                written = row[KIND] == _LOAD_ACTIVATIONS and busy & _BANK_WRITTEN != 0
                written = written or (row[KIND] == _LOAD_RESIDUAL and busy & _RESIDUAL_WRITTEN != 0)
                ends = _load_cycle(c, p, row, t, bursts, bus, written, result)
        elif c >= result[ACT]:
            if row[KIND] == _COMPUTE:
                if room:
                    queue[pushed] = k
                    pushed += 1
                    result[BEGIN] = c
                    ends = True
            elif row[KIND] == _SET_POST:
                result[BEGIN] = c
                ends = True
            elif row[KIND] == _END:
                if idle:
                    result[BEGIN] = result[END] = c
                    result[WAIT_FIRST] = c - result[ACT]
                    return found
            elif a[_GROUPS_DONE] >= row[AFTER]:
                result[BEGIN] = c
                result[WAIT_FIRST] = c - result[ACT]
                _begin(c, p, row, t)
                moving = True
        _array_cycle(c, p, table, found, queue, a, writes, reads, dones, stored)
        if ends:
            if row[KIND] == _COMPUTE:
                a[_QUEUED] += 1
            else:
                result[END] = c + 1
                a[_TRANSFERS] += row[KIND] != _SET_POST
                moving = False
            k += 1
            fetched = False
        c += 1
        # Groups and transfers can only wait for each other; if neither side has anything under way, nothing ever comes.
        waiting = a[_STATE] == _IDLE and a[_QUEUED] == 0
        if a[_STATE] == _RUN and a[_STEP] == 0 and a[_PIXEL] == 0:
            compute = table[a[_CURRENT]]
            waiting = a[_TRANSFERS] < compute[AFTER] + a[_GROUP] * compute[AFTER_STEP]
        if fetched and waiting and not moving and c > result[ACT] + 1 and a[_DONE_FROM] == a[_DONE_TO]:
            blocked = row[KIND] == _COMPUTE and a[_QUEUED] == p[QUEUE_DEPTH]
            blocked = blocked or (row[KIND] == _END and (a[_STATE] != _IDLE or a[_QUEUED] > 0))
            blocked = blocked or (row[KIND] not in (_COMPUTE, _END) and a[_GROUPS_DONE] < row[AFTER])
            if blocked:
                found[k, END] = STUCK
                return found
        if fetched and not moving:
            c += _skip(c, found[k, ACT], table, found, a, dones)
