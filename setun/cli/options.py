"""Arguments and options that several verbs share, and how results and progress are shown."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
ProgramFile = Annotated[Path, typer.Argument(metavar="NET.setun", help="Compiled program.", show_default=False)]
ConfigName = Annotated[
    str, typer.Option("--config", metavar="NAME|FILE.toml", help="Named configuration (see `setun configs`) or a file.")
]
Key = Annotated[str, typer.Option("--key", metavar="NAME", help="Which array of an npz file holds the inputs.")]


def print_json(document: dict[str, Any]) -> None:
    """The one JSON document of a verb."""
    typer.echo(json.dumps(document, indent=2, allow_nan=False))


@contextmanager
def working(message: str) -> Iterator[None]:
    """Show on stderr that something long is going on; silent when stderr is not a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(f"{message} ..."):
        yield
