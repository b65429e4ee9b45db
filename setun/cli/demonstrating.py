"""``setun demo``."""

from pathlib import Path
from typing import Annotated

import typer

from setun.cli.options import Json, counting, print_json


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for everything the demo writes.")
    ] = Path("setun-demo"),
    json: Json = False,
) -> None:
    """Take a real trained network the whole way, and report.

    Compiles, simulates, generates Verilog and proves it equal, in all three encodings. Needs nothing but what is
    installed with setun, and takes under five minutes on two cores. Exit status 1 when anything differs.

    \b
    Example: setun demo -o demo
    """
    from setun.demo import run_demo

    result = run_demo(output, say=lambda line: typer.echo(line, err=json), progress=counting)
    if json:
        print_json(result.to_json())
    if not result.passed:
        raise typer.Exit(1)
