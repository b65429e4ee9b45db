"""``setun models``."""

from pathlib import Path
from typing import Annotated

import typer

from setun.cli.options import Json, print_json, working
from setun.tables import table


def models(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Network to write; without it, list all.", show_default=False)
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE.onnx", help="Where to write it.", show_default=False)
    ] = None,
    sparsity: Annotated[float, typer.Option("--sparsity", help="Share of zero weights.")] = 0.5,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the random weights.")] = 0,
    size: Annotated[
        int | None, typer.Option("--size", help="Rows and columns of the image.", show_default="the paper's")
    ] = None,
    width: Annotated[int, typer.Option("--width", help="Divide all channel counts by this.")] = 1,
    json: Json = False,
) -> None:
    """List the literature's networks, or write one as ONNX.

    Their structure is the paper's, their ternary weights are random: for cycles, memories and cost, not for accuracy.

    \b
    Example: setun models resnet20 -o resnet20.onnx --sparsity 0.6
    """
    from setun.files import replacing
    from setun_compiler import zoo

    if name is None:
        rows = [(key, found.size or "-", found.source) for key, found in zoo.ARCHITECTURES.items()]
        if json:
            print_json({"models": [{"name": key, "source": source} for key, _, source in rows]})
        else:
            typer.echo(table(("name", "image", "source"), rows, widest=55))
        return
    if output is None:
        raise typer.BadParameter("a network to write needs --output FILE.onnx")
    with replacing(output) as temporary, working(f"building {name}"):
        model = zoo.build(name, sparsity=sparsity, seed=seed, size=size, width=width)
        temporary.write_bytes(model.SerializeToString())
    if json:
        print_json({"name": name, "model": str(output), "bytes": output.stat().st_size})
    else:
        typer.echo(f"wrote {output}")
