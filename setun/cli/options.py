"""Arguments and options that several verbs share, and how results and progress are shown."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from setun_sim.cost import Technology

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
ProgramFile = Annotated[Path, typer.Argument(metavar="NET.setun", help="Compiled program.", show_default=False)]
ConfigName = Annotated[
    str, typer.Option("--config", metavar="NAME|FILE.toml", help="Named configuration (see `setun configs`) or a file.")
]
Latency = Annotated[int, typer.Option("--latency", help="External memory: cycles from address to first beat.")]
Interval = Annotated[int, typer.Option("--interval", help="External memory: cycles from beat to beat.")]
InputFile = Annotated[
    Path | None, typer.Option("--input", metavar="X.npy|X.npz", help="Inputs, one row each.", show_default=False)
]
TechnologyName = Annotated[
    str,
    typer.Option("--technology", metavar="NAME|FILE.toml", help="Technology (see `setun technologies`) or a file."),
]
MemoryName = Annotated[
    str, typer.Option("--memory", metavar="NAME|FILE.toml", help="External memory: technology of kind memory.")
]
LibertyFile = Annotated[
    Path | None,
    typer.Option("--liberty", metavar="FILE.lib", help="Cells of a library as the gates.", show_default=False),
]
Clock = Annotated[float | None, typer.Option("--clock", metavar="MHZ", help="Clock.", show_default="the technology's")]
InputRange = Annotated[
    tuple[float, float] | None,
    typer.Option("--input-range", metavar="LO HI", help="Smallest and largest input value.", show_default=False),
]
Calibration = Annotated[
    Path | None, typer.Option("--calibration", metavar="X.npz", help="Inputs that show the range.", show_default=False)
]
Toggles = Annotated[
    bool, typer.Option("--toggles", help="Count the dot products' switching on real operands (slower).")
]
Key = Annotated[str, typer.Option("--key", metavar="NAME", help="Which array of an npz file holds the inputs.")]


def technology_for(name: str, liberty: Path | None) -> "Technology":
    """A technology by name or file, its gates from a Liberty file where there is one."""
    from setun_sim.cost import technology
    from setun_sim.cost.celled import with_library
    from setun_sim.cost.library import read_library

    found = technology(name)
    return found if liberty is None else with_library(found, read_library(liberty))


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


@contextmanager
def counting() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on stderr, driven by calls (sentence, done, total); silent when stderr is not a terminal."""
    if not sys.stderr.isatty():
        yield lambda sentence, done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description} {task.completed}/{task.total}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=1)
        yield lambda sentence, done, total: bar.update(task, description=sentence, completed=done, total=total)
