"""``setun compare`` and ``setun technologies``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from setun.cli.options import (
    Calibration,
    Clock,
    InputFile,
    InputRange,
    Interval,
    Json,
    Key,
    Latency,
    LibertyFile,
    MemoryName,
    ProgramFile,
    Toggles,
    print_json,
    working,
)

if TYPE_CHECKING:
    from setun_sim.cost import Technology
    from setun_sim.cost.library import Library


def compare(
    program: ProgramFile,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE.html", help="Write a page as well.", show_default=False),
    ] = None,
    input_file: InputFile = None,
    technology: Annotated[
        list[str] | None,
        typer.Option(
            "--technology", metavar="NAME|FILE.toml", help="May be repeated; FPGAs too.", show_default="all of logic"
        ),
    ] = None,
    liberty: LibertyFile = None,
    memory: MemoryName = "lpddr4",
    clock: Clock = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", metavar="MODEL.onnx", help="Compile it in every encoding.", show_default=False),
    ] = None,
    input_range: InputRange = None,
    calibration: Calibration = None,
    toggles: Toggles = False,
    latency: Latency = 8,
    interval: Interval = 1,
    key: Key = "x",
    json: Json = False,
) -> None:
    """Set ternary logic beside two-bit binary logic: energy, area, delay, wires.

    Same network, geometry, memories and work in every encoding and technology. Without --input, one random
    input is drawn. Steps of the other encodings are carried over by their digits; --model, with the options it
    was compiled with, makes them exact.

    \b
    Example: setun compare net.setun --technology ptm32 --input x.npy
    """
    from setun.arrays import load_array
    from setun.comparison import comparison_text
    from setun.files import replacing
    from setun.recompiling import in_every_encoding
    from setun_compiler.container import load
    from setun_sim.cost import technology as find
    from setun_sim.cost.library import read_library
    from setun_sim.report.comparison import compared, comparison_page

    compiled = load(program)
    samples = load_array(input_file, key) if input_file is not None else None
    library = read_library(liberty) if liberty is not None else None
    using = None if technology is None else [find(name) for name in technology]
    if library is not None:
        using = _technologies(technology or ["22fdx"], library)
    seen = load_array(calibration, key) if calibration is not None else None
    with working(f"comparing {program}"):
        others = None
        if model is not None:
            others = in_every_encoding(compiled, model, input_range=input_range, calibration=seen)
        found = compared(
            compiled, samples, using, memory=find(memory), clock_mhz=clock, latency=latency, interval=interval,
            others=others, count_toggles=toggles, library=library,
        )  # fmt: skip
    if output is not None:
        with replacing(output, program, input_file) as temporary:
            temporary.write_text(comparison_page(found), encoding="utf-8")
    if json:
        print_json({"random_inputs": samples is None, **found.to_json()})
        return
    if samples is None:
        typer.echo("no inputs were given: activity is that of random inputs\n")
    typer.echo(comparison_text(found))
    if output is not None:
        typer.echo(f"\nwrote {output}")


def _technologies(names: list[str], library: "Library") -> "list[Technology]":
    """FPGAs as they are, and the one other with the library's cells."""
    from setun_sim.cost import CostError, Kind
    from setun_sim.cost import technology as find
    from setun_sim.cost.celled import with_library

    known = [find(name) for name in names]
    if sum(one.kind is not Kind.FPGA for one in known) != 1:
        raise CostError("a Liberty file needs one technology of kind logic, for what it does not hold")
    return [one if one.kind is Kind.FPGA else with_library(one, library) for one in known]


def technologies(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME|FILE.toml]", help="One to explain; without it, list all.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """List the technologies, or explain every number of one with its source.

    \b
    Example: setun technologies 22fdx
    """
    from setun.technologies import technologies_text, technology_document, technology_text
    from setun_sim.cost.technology import technologies as all_of_them
    from setun_sim.cost.technology import technology

    known = list(all_of_them().values()) if name is None else [technology(name)]
    if json:
        print_json(technology_document(known))
    else:
        typer.echo(technologies_text(known) if name is None else technology_text(known[0]))
