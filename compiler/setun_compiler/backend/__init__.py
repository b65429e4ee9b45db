"""The back end: an integer network and a configuration become a program, in passes that each do one thing."""

from collections.abc import Callable

import numpy as np

from setun_compiler.backend.add_first import add_first
from setun_compiler.backend.check_network import check_network
from setun_compiler.backend.check_program import check_program
from setun_compiler.backend.choose_digits import choose_digits
from setun_compiler.backend.emit import Emitted, emit
from setun_compiler.backend.fit_thresholds import fit_thresholds
from setun_compiler.backend.lay_out import lay_out
from setun_compiler.backend.plan import CompileError, Plan
from setun_compiler.backend.prove_affine import prove_affine
from setun_compiler.backend.prove_bounds import prove_bounds
from setun_compiler.backend.scratch import External, place_scratch
from setun_compiler.backend.separate_pools import separate_pools
from setun_compiler.network import Network
from setun_compiler.program import InputPort, LayerRecord, OutputPort, Program
from setun_hw.config import Config
from setun_hw.descriptor import SIZE

__all__ = ["PASSES", "CompileError", "Plan", "compile_network"]

Pass = Callable[[Plan], Plan]

#: after :func:`check_network`, so that they need not doubt what they read
PASSES: tuple[Pass, ...] = (
    choose_digits,  # settles stored integers: all numbers below are those the array sees
    prove_bounds,  # needs stored ranges; finds how many planes raw results take
    prove_affine,  # needs the sums' ranges
    fit_thresholds,  # needs the sums' ranges
    lay_out,  # needs final sums; settles shapes, channel groups, strips, places and order
)


def compile_network(network: Network, config: Config, *, batch: bool = False, rounds: int = 1) -> Program:
    """Lower an integer network to a program for one configuration.

    With ``batch`` the strips take P images, one each; otherwise one image is spread over them. A run does that
    ``rounds`` times, and fetches the next input while it computes.

    Raises
    ------
    CompileError
        When the configuration cannot run the network, naming the layer and what it needs.
    """
    if rounds < 1:
        raise CompileError(f"rounds must be at least 1, not {rounds}")
    plan = _lowered(add_first(check_network(Plan(network=network, config=config, batch=batch, rounds=rounds))))
    external = place_scratch(plan)
    program = _program(plan, external, emit(plan, external))
    check_program(program)
    return program


def _lowered(plan: Plan) -> Plan:
    """All passes; with pooling past a map's edges as it is, or as a layer of its own if that is faster."""
    apart = separate_pools(plan)
    found: list[Plan] = []
    refusals: list[CompileError] = []
    for candidate in (plan, apart) if apart is not plan else (plan,):
        try:
            for step in PASSES:
                candidate = step(candidate)
            found.append(candidate)
        except CompileError as error:
            refusals.append(error)
    if not found:
        raise refusals[-1]
    return min(found, key=lambda lowered: lowered.cycles)


def _program(plan: Plan, external: External, emitted: Emitted) -> Program:
    network = plan.network
    return Program(
        name=network.name,
        config=plan.config,
        image=emitted.image,
        init_offset=0,
        init_count=emitted.init_count,
        run_offset=emitted.init_count * SIZE,
        run_count=emitted.run_count,
        images=plan.rounds * plan.images,
        rounds=plan.rounds,
        input=_input_port(plan, external),
        output=_output_port(plan, external),
        input_bytes=plan.rounds * external.round_bytes(plan, plan.input),
        output_bytes=plan.rounds * external.round_bytes(plan, plan.output),
        scratch_bytes=external.scratch_bytes,
        layers=_layer_records(plan, emitted),
        placements=emitted.placements,
        source_hash=network.source_hash,
        notes=network.notes,
    )


def _input_port(plan: Plan, external: External) -> InputPort:
    """The model's port in stored integers: the shift of the input feature moves its zero."""
    port, tensor = plan.network.port, plan.tensors[plan.input]
    feature = plan.network.features[plan.input]
    low, high, zero = feature.low - tensor.shift, feature.high - tensor.shift, port.zero - tensor.shift
    if port.table:  # then the shift moves what the table holds, not its index
        low, high, zero = 0, len(port.table) - 1, port.zero
    return InputPort(
        name=port.name, shape=port.shape, axes=port.axes, scale=port.scale, zero=zero, low=low, high=high,
        offset=port.offset, saturate=port.saturate, table=tuple(value - tensor.shift for value in port.table),
        unfold=plan.unfold, map=external.maps[plan.input],
    )  # fmt: skip


def _output_port(plan: Plan, external: External) -> OutputPort:
    output, tensor = plan.network.output, plan.tensors[plan.output]
    op = next(op for op in plan.ops if op.target == plan.output)
    bias = op.bias if tensor.raw else np.full(tensor.channels, float(tensor.shift))
    return OutputPort(
        name=output.name, shape=output.shape, raw=tensor.raw, scale=op.scale, bias=bias, map=external.maps[plan.output]
    )


def _layer_records(plan: Plan, emitted: Emitted) -> tuple[LayerRecord, ...]:
    records = []
    for layer, op, owned in zip(plan.network.layers, plan.ops, emitted.owners, strict=True):
        source = plan.network.features[op.reads[0]]
        weights = layer.weights if layer.weights is not None else np.zeros(0, np.int64)
        digits = plan.tensors[op.source].digits * op.weight_digits if op.source is not None else 0
        records.append(
            LayerRecord(
                name=layer.name, descriptors=owned, macs=op.macs,
                digit_macs=op.macs * digits * (2 if op.two_scale else 1),
                in_shape=source.shape, out_shape=(op.channels, op.rows, op.cols), weights=weights.size,
                zero_weights=int((weights == 0).sum()), accumulator_bound=op.bound,
            )
        )  # fmt: skip
    return tuple(records)
