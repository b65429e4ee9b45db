"""Order in which the parts of a descriptor list take place, as far as their dependencies decide it.

Transfers happen one by one and channel groups happen one by one; ``after`` fields tie the two sequences together. A
well-formed program means the same under every order that respects them, so two extreme orders are offered: a test
that runs both finds programs that rely on timing.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from setun_hw.descriptor import SIZE, Compute, Descriptor, End, Opcode, Post, Transfer, fields_of, unpack
from setun_sim.errors import SimulationError

#: what holds for fixed-point post-processing before the first SET_POST
NO_POST = Post(opcode=Opcode.SET_POST, **dict.fromkeys(fields_of(Post), 0))


class Action(NamedTuple):
    """One step of a program: a whole transfer, or one channel group of a COMPUTE."""

    descriptor: int  #: its index in the list
    group: int  #: channel group; 0 for transfers


def descriptors_of(image: bytes, offset: int, count: int) -> list[Descriptor]:
    """Unpack a list of ``count`` descriptors, END included.

    Raises
    ------
    SimulationError
        When the list leaves the image or does not finish with its only END.
    """
    if offset < 0 or count < 1 or offset + count * SIZE > len(image):
        raise SimulationError(
            f"descriptor list of {count} at byte {offset} leaves the program image of {len(image)} bytes"
        )
    found = [unpack(image[offset + k * SIZE : offset + (k + 1) * SIZE]) for k in range(count)]
    ends = [k for k, descriptor in enumerate(found) if isinstance(descriptor, End)]
    if ends != [count - 1]:
        raise SimulationError(f"descriptor list of {count} must have one END, at its end, not at {ends}")
    return found


def posts_of(descriptors: Sequence[Descriptor]) -> list[Post]:
    """The settings of SET_POST that hold at each descriptor."""
    found, post = [], NO_POST
    for descriptor in descriptors:
        post = descriptor if isinstance(descriptor, Post) else post
        found.append(post)
    return found


def actions(descriptors: Sequence[Descriptor], *, eager: bool = True) -> Iterator[Action]:
    """Yield every transfer and channel group once, in an order the dependencies allow.

    ``eager`` runs a group as soon as its transfers are complete, otherwise only once a transfer or the end asks for it.

    Raises
    ------
    SimulationError
        When a dependency can never be met, naming the descriptor.
    """
    pending: deque[Action] = deque()
    groups_done = transfers_done = 0

    def runnable() -> bool:
        if not pending:
            return False
        compute = descriptors[pending[0].descriptor]
        assert isinstance(compute, Compute)
        return transfers_done >= compute.after + pending[0].group * compute.after_step

    for index, descriptor in enumerate(descriptors):
        if isinstance(descriptor, Compute):
            pending += [Action(index, group) for group in range(descriptor.groups)]
        elif isinstance(descriptor, Transfer):
            while groups_done < descriptor.after:
                if not runnable():
                    raise SimulationError(
                        f"descriptor {index} waits for {descriptor.after} groups, but only {groups_done} can complete"
                    )
                yield pending.popleft()
                groups_done += 1
            yield Action(index, 0)
            transfers_done += 1
        while (eager or index == len(descriptors) - 1) and runnable():
            yield pending.popleft()
            groups_done += 1
    if pending:
        raise SimulationError(f"descriptor {pending[0].descriptor} waits for transfers that never come")
