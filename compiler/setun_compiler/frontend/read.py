"""The front end's passes in their order, and its one entry point."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from setun_compiler.frontend import graph as graphs
from setun_compiler.frontend.builder import Builder
from setun_compiler.frontend.check import check_network
from setun_compiler.frontend.demands import Meaning, Precision
from setun_compiler.frontend.errors import ModelError, printable
from setun_compiler.frontend.evaluate import Ranges, measure
from setun_compiler.frontend.graph import Graph
from setun_compiler.frontend.load import load
from setun_compiler.frontend.output import finish, leave_ranking_to_the_host
from setun_compiler.frontend.trace import MALFORMED, Tracer, supported
from setun_compiler.frontend.weights import FloatLayers
from setun_compiler.host import InputError
from setun_compiler.network import Network


def refuse_unsupported(graph: Graph) -> Graph:
    """Name every operator that is not supported in one sentence, before any work is done."""
    dynamic = next((node for node in graph.nodes if not node.domain and node.op == "DynamicQuantizeLinear"), None)
    if dynamic is not None:
        raise ModelError(
            f"{dynamic}: its scale is computed from its input (dynamic quantisation), but the accelerator needs static "
            "scales"
        )
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


#: samples whose ranges are measured: so many, or fewer, but not fewer than the second, of so many numbers in all
CALIBRATED, FEWEST = 256, 8
CALIBRATED_NUMBERS = 1 << 21

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
    path: str | Path,
    *,
    input_range: tuple[float, float] | None = None,
    calibration: NDArray[np.floating] | None = None,
    float_layers: FloatLayers = "quantise",
    precision: Precision = Precision(),  # noqa: B008 - frozen
) -> Network:
    """Read an ONNX or QONNX file and make it a network of integers.

    The input's integers are, in this order of preference: 256 values over ``input_range``; those of an integer
    input or of the quantizer the model begins with; the grid all ``calibration`` samples (any shape) lie on;
    256 values over 0..1, which the network's notes then say.

    ``calibration`` samples (samples, *shape of one) also give the ranges of real-valued tensors, which become fixed
    point of the widths in ``precision``; without them ranges are proved. Layers whose weights are floats are rounded to
    six trits, or refused.

    Raises
    ------
    ModelError
        When the file is damaged or hostile, or holds something that cannot be compiled: a sentence naming the node.
    """
    return read_meant(
        path, input_range=input_range, calibration=calibration, float_layers=float_layers, precision=precision
    )[0]


def read_meant(
    path: str | Path,
    *,
    input_range: tuple[float, float] | None = None,
    calibration: NDArray[np.floating] | None = None,
    float_layers: FloatLayers = "quantise",
    precision: Precision = Precision(),  # noqa: B008 - frozen
) -> tuple[Network, tuple[Meaning, ...]]:
    """The same with what each feature stands for in the model, for comparisons (:mod:`setun_compiler.agreement`)."""
    graph, digest = prepared(path)
    if calibration is not None and (calibration.dtype.kind not in "fiu" or not calibration.size):
        raise ModelError("calibration samples must be numbers, at least one")
    if calibration is not None and not np.isfinite(calibration).all():
        raise ModelError("calibration samples hold NaN or infinite values")
    if input_range is not None and len(input_range) != 2:
        raise ModelError(f"the input range must be two numbers, not {len(input_range)}")
    builder = Builder(precision=precision, ranges=_ranges(graph, calibration))
    if calibration is not None and builder.ranges is not None:
        count = measured(calibration)
        if count < min(CALIBRATED, len(calibration)):
            builder.note(f"ranges are measured on the first {count} of {len(calibration)} large calibration samples")
    tracer = Tracer.start(graph, builder, input_range, calibration, float_layers)
    result = tracer.run()
    try:
        output = finish(graph, builder, result)
        layers = builder.finish()
    except MALFORMED as error:
        raise ModelError(
            f"output {printable(graph.output.name)} is malformed ({printable(str(error))[1:-1]})"
        ) from None
    if builder.port is None:
        raise ModelError("the model's output does not depend on its input")
    network = Network(
        name=graph.name, port=builder.port, output=output, features=builder.features,
        layers=layers, source_hash=digest, notes=(*graph.notes, *builder.notes),
    )  # fmt: skip
    check_network(network)
    return network, builder.meanings()


def check_calibration(samples: NDArray[np.number], shape: tuple[int, ...]) -> None:
    """Refuse calibration data that are no samples of an input of ``shape``.

    Raises
    ------
    InputError
        Naming both shapes.
    """
    if samples.shape[1:] != shape:
        wanted = ", ".join(map(str, shape))
        raise InputError(f"calibration samples must have shape (samples, {wanted}), not {samples.shape}")


def prepared(path: str | Path) -> tuple[Graph, str]:
    """A model's graph after all passes, and the file's hash."""
    graph, digest = load(Path(path))
    graphs.check(graph)
    for _, apply in PASSES:
        graph = apply(graph)
        graphs.check(graph)
    return graph, digest


def _ranges(graph: Graph, calibration: NDArray[np.floating] | None) -> Ranges | None:
    """Ranges over the calibration samples, where they have the shape of the input."""
    shape = graph.input.shape
    if calibration is None or shape is None or calibration.ndim != len(shape):
        return None
    if any(extent not in (None, given) for extent, given in zip(shape[1:], calibration.shape[1:], strict=True)):
        return None
    return measure(graph, calibration[: measured(calibration)])


def measured(samples: NDArray[np.number]) -> int:
    """How many calibration samples are looked at, the first ones: a large sample takes seconds."""
    size = max(1, samples[:1].size)
    return max(1, min(len(samples), CALIBRATED, max(FEWEST, CALIBRATED_NUMBERS // size)))
