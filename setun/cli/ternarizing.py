"""``setun ternarize``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from setun.cli.options import Json, Key, print_json, working
from setun.tables import table


class Method(StrEnum):
    """The papers' formulas."""

    TWN = "twn"
    TTQ = "ttq"
    ASYMMETRIC = "asymmetric"
    UNIFORM = "uniform"


def ternarize(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="Trained float network.", show_default=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT.onnx", help="Where to write it.", show_default=False)
    ],
    method: Annotated[Method, typer.Option("--method", help="How weights become ternary.")] = Method.TWN,
    layer: Annotated[
        list[str] | None,
        typer.Option("--layer", metavar="NAME", help="A layer to change; may be repeated.", show_default="all"),
    ] = None,
    keep_ends: Annotated[
        bool, typer.Option("--keep-ends/--all", help="Leave the first and the last layer as they are.")
    ] = True,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="X.npz", help="Inputs and labels to measure accuracy on.", show_default=False),
    ] = None,
    key: Key = "x",
    labels: Annotated[str, typer.Option("--labels", metavar="NAME", help="Which array of it holds labels.")] = "label",
    json: Json = False,
) -> None:
    """Make the weights of a trained float model ternary, without training.

    \b
    Example: setun ternarize net.onnx -o ternary.onnx --method twn --data test.npz
    """
    from setun.arrays import load_array
    from setun.files import replacing
    from setun_compiler import ternarize as library

    samples = (load_array(data, key), load_array(data, labels)) if data is not None else None
    with working(f"ternarizing {model}"), replacing(output, model, data) as temporary:
        result = library.ternarize(model, method.value, tuple(layer or ()), keep_ends=keep_ends)
        temporary.write_bytes(result.model.SerializeToString())
        before = library.accuracy(model, *samples) if samples is not None else None
        after = library.accuracy(temporary, *samples) if samples is not None else None
    if json:
        layers = [
            {"layer": done.layer, "weights": done.weights, "zeros": done.zeros, "error": done.error}
            for done in result.layers
        ]
        print_json(
            {"model": str(output), "method": method.value, "layers": layers, "kept": list(result.kept),
             "accuracy_before": before, "accuracy_after": after}
        )  # fmt: skip
        return
    rows = [(done.layer, done.weights, f"{done.zeros:.1%}", f"{done.error:.1%}") for done in result.layers]
    typer.echo(table(("layer", "weights", "zeros", "change"), rows))
    if result.kept:
        typer.echo(f"kept: {', '.join(result.kept)}")
    if before is not None:
        typer.echo(f"accuracy: {before:.4f} before, {after:.4f} after")
    typer.echo(f"wrote {output}")
