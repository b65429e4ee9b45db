"""The front end's passes in their order, and its one entry point."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from setun_compiler.frontend import graph as graphs
from setun_compiler.frontend.check import check_network
from setun_compiler.frontend.errors import ModelError, printable
from setun_compiler.frontend.graph import Graph
from setun_compiler.frontend.load import load
from setun_compiler.frontend.output import finish, leave_ranking_to_the_host
from setun_compiler.frontend.trace import MALFORMED, Tracer, supported
from setun_compiler.network import Network


def refuse_unsupported(graph: Graph) -> Graph:
    """Name every operator that is not supported in one sentence, before any work is done."""
    missing: dict[str, list[str]] = {}
    for node in graph.nodes:
        if not supported(node):
            kind = (
                f"{printable(node.domain)[1:-1]}.{printable(node.op)[1:-1]}"
                if node.domain
                else printable(node.op)[1:-1]
            )
            missing.setdefault(kind, []).append(printable(node.name or (node.outputs[0] if node.outputs else "")))
    if missing:
        shown = [
            f"{kind} ({', '.join(names[:2])}{f' and {len(names) - 2} more' if len(names) > 2 else ''})"
            for kind, names in sorted(missing.items())
        ]
        more = f" and {len(shown) - 20} more" if len(shown) > 20 else ""
        raise ModelError(f"operators that are not supported: {', '.join(shown[:20])}{more}")
    return graph


#: graph -> graph, in this order; the checks of ``graph.check`` hold before the first and after each
PASSES: tuple[tuple[str, Callable[[Graph], Graph]], ...] = (
    # so that what only ranks the outputs is not asked of the hardware
    ("leave ranking to the host", leave_ranking_to_the_host),
    # so that later passes see every node after those it reads, and unused ones cannot be the reason for a refusal
    ("prune and order", graphs.prune_and_order),
    # so that the user learns all that is missing at once
    ("refuse unsupported", refuse_unsupported),
)


def read(
    path: str | Path, *, input_range: tuple[float, float] | None = None, calibration: NDArray[np.floating] | None = None
) -> Network:
    """Read an ONNX or QONNX file and make it a network of integers.

    The input's integers are, in this order of preference: 256 values over ``input_range``; those of an integer
    input or of the quantizer the model begins with; the grid all ``calibration`` samples (any shape) lie on;
    256 values over 0..1, which the network's notes then say.

    Raises
    ------
    ModelError
        When the file is damaged or hostile, or holds something that cannot be compiled: a sentence naming the node.
    """
    path = Path(path)
    graph, digest = load(path)
    graphs.check(graph)
    for _, apply in PASSES:
        graph = apply(graph)
        graphs.check(graph)
    if calibration is not None and (calibration.dtype.kind not in "fiu" or not calibration.size):
        raise ModelError("calibration samples must be numbers, at least one")
    tracer = Tracer.start(graph, input_range, calibration)
    result = tracer.run()
    try:
        output = finish(graph, tracer.builder, result)
    except MALFORMED as error:
        raise ModelError(
            f"output {printable(graph.output.name)} is malformed ({printable(str(error))[1:-1]})"
        ) from None
    if tracer.builder.port is None:
        raise ModelError("the model's output does not depend on its input")
    network = Network(
        name=graph.name, port=tracer.builder.port, output=output, features=tracer.builder.features,
        layers=tuple(tracer.builder.layers), source_hash=digest, notes=(*graph.notes, *tracer.builder.notes),
    )  # fmt: skip
    check_network(network)
    return network
