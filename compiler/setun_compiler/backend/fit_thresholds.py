"""Pass 5: step functions reduced to what the sums can reach, and fitted to the configuration's comparators."""

from dataclasses import replace

import numpy as np

from setun_compiler.backend.plan import CompileError, Op, Plan
from setun_compiler.network import Integers
from setun_hw.config import Config
from setun_hw.presets import having


def fit_thresholds(plan: Plan) -> Plan:
    """Give every channel exactly T thresholds.

    Thresholds that no sum reaches, that every sum reaches or that change nothing go; those missing become "never".

    Raises
    ------
    CompileError
        When a channel needs more than T, naming the layer, the channel and the number.
    """
    return plan.with_(ops=tuple(_fit(op, plan.config) for op in plan.ops))


def _fit(op: Op, config: Config) -> Op:
    if op.thresholds is None:
        return op
    assert op.codes is not None
    assert op.low is not None
    assert op.high is not None
    low, high, never = op.low, op.high, config.accumulator_limit + 1
    if op.affine is not None:  # then its results are compared, and there are fewer of them
        low, high = (np.full(op.channels, limit) for limit in (op.affine.low, op.affine.high))
        never = 1 << config.residual_bits - 1
    thresholds, codes, steps = reduce_steps(op.thresholds, op.codes, low, high)
    channel = int(steps.argmax())
    if steps[channel] > config.thresholds:
        raise CompileError(
            f"layer {op.name!r}: channel {channel} needs {steps[channel]} thresholds, but configuration"
            f" {config.name!r} has {config.thresholds}{having('thresholds', int(steps[channel]))}"
        )
    fitted = np.full((op.channels, config.thresholds), never, np.int64)
    fitted_codes = np.repeat(codes[:, -1:], config.thresholds + 1, axis=1)
    keep = min(config.thresholds, thresholds.shape[1])
    used = np.arange(keep) < steps[:, None]
    fitted[:, :keep] = np.where(used, thresholds[:, :keep], never)
    fitted_codes[:, : keep + 1] = codes[:, : keep + 1]
    return replace(op, thresholds=fitted, codes=fitted_codes)


def reduce_steps(
    thresholds: Integers, codes: Integers, low: Integers, high: Integers
) -> tuple[Integers, Integers, Integers]:
    """The same step functions on ``low`` .. ``high`` with the fewest thresholds, moved to the front.

    Returns thresholds, codes (constant beyond a channel's last step) and the number of thresholds left per channel.
    """
    channels, count = thresholds.shape
    out = np.zeros_like(thresholds)
    out_codes = np.zeros_like(codes)
    # level a channel starts on: thresholds at or below its smallest sum are always reached
    start = (thresholds <= low[:, None]).sum(axis=1)
    current = codes[np.arange(channels), start]
    out_codes[:] = current[:, None]
    steps = np.zeros(channels, np.int64)
    for t in range(count):
        # several equal thresholds act as one: only the code after the last of them is seen
        last = thresholds[:, t] != thresholds[:, t + 1] if t + 1 < count else np.ones(channels, bool)
        code = codes[:, t + 1]
        change = (t >= start) & last & (thresholds[:, t] <= high) & (code != current)
        where = np.flatnonzero(change)
        out[where, steps[where]] = thresholds[where, t]
        steps[where] += 1
        current = np.where(change, code, current)
        beyond = change[:, None] & (np.arange(count + 1) >= steps[:, None])
        out_codes = np.where(beyond, code[:, None], out_codes)
    return out, out_codes, steps
