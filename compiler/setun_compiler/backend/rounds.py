"""The order of steps when one run goes through the network several times.

The next round's input is fetched while this one computes, and its first layer starts before this one's results leave.
Both only move ahead of steps that touch none of their words: what waits for what is settled in this order.
"""

from setun_compiler.backend.plan import Buffer, Fetch, Keep, Plan, Run, Step, run_buffers

#: a step, and the round it belongs to
Turn = tuple[int, Step]


def sequence(plan: Plan) -> list[Turn]:
    """All steps of all rounds."""
    steps = list(plan.steps)
    ahead: list[Step] = []
    if plan.rounds > 1 and isinstance(steps[0], Fetch) and isinstance(steps[1], Run):
        ahead = steps[:2]
    tail = len(steps)
    while isinstance(steps[tail - 1], Keep):
        tail -= 1
    turns: list[Turn] = [(0, step) for step in ahead]
    for number in range(plan.rounds):
        own: list[Turn] = [(number, step) for step in steps[len(ahead) :]]
        if number + 1 < plan.rounds and ahead:
            fetch, run = ahead
            places = [_place(plan, steps[len(ahead) :], fetch, plan.config.queue_depth + 1)]
            places.append(max(places[0], _place(plan, steps[len(ahead) :], run, len(steps))))
            for place, step in reversed(list(zip(places, ahead, strict=True))):
                own.insert(place, (number + 1, step))
        turns += own
    return turns


def _place(plan: Plan, steps: list[Step], moved: Step, runs: int) -> int:
    """How many of ``steps`` must come before a step of the next round: ``runs`` Runs, those that keep the array busy,
    and all that share words with it; but no Keep at the end that does not."""
    place = seen = 0
    for number, step in enumerate(steps, 1):
        seen += isinstance(step, Run)
        if share_words(plan, step, moved) or (isinstance(step, Run) and seen <= runs):
            place = number
    return place


def share_words(plan: Plan, step: Step, other: Step) -> bool:
    """Whether two steps touch the same words on chip."""
    return any(_overlap(plan, a, b) for a in _buffers(step) for b in _buffers(other))


def _buffers(step: Step) -> tuple[Buffer, ...]:
    return run_buffers(step) if isinstance(step, Run) else (step.buffer,)


def _overlap(plan: Plan, a: Buffer, b: Buffer) -> bool:
    same = plan.tensors[a.tensor].residual == plan.tensors[b.tensor].residual
    return same and a.base < b.base + b.words and b.base < a.base + a.words
