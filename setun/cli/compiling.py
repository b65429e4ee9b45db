"""``setun compile``."""

from pathlib import Path
from typing import Annotated

import typer

from setun.cli.options import ConfigName, Json, Key, print_json, working
from setun_hw.config import Encoding


def compile_(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx", help="Trained network.", show_default=False)],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="NET.setun", help="Where to write the program.", show_default=False),
    ],
    config: ConfigName = "small",
    encoding: Annotated[
        Encoding | None, typer.Option("--encoding", help="Digit encoding, in place of the configuration's own.")
    ] = None,
    input_range: Annotated[
        tuple[float, float] | None,
        typer.Option("--input-range", metavar="LO HI", help="Smallest and largest input value.", show_default=False),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option("--calibration", metavar="X.npz", help="Inputs that show the range.", show_default=False),
    ] = None,
    key: Key = "x",
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels", metavar="NAME", help="Which array of it holds labels ('label', if there).", show_default=False
        ),
    ] = None,
    batch: Annotated[bool, typer.Option("--batch", help="Give every strip an image of its own.")] = False,
    rounds: Annotated[
        int,
        typer.Option(
            "--rounds", metavar="N", min=1, help="Images (with --batch: batches) in a run, the next fetched meanwhile."
        ),
    ] = 1,
    json: Json = False,
) -> None:
    """Compile an ONNX or QONNX file to a program.

    \b
    Example: setun compile net.onnx -o net.setun --config small --encoding rails
    """
    from dataclasses import asdict

    from setun.arrays import array_names, load_array
    from setun.describe import agreement_text, describe, describe_text
    from setun.files import replacing
    from setun_compiler import compile_model
    from setun_compiler.agreement import compile_compared
    from setun_compiler.container import save
    from setun_hw import presets

    chosen = presets.config(config)
    if encoding is not None:
        chosen = chosen.replace(encoding=encoding)
    compared = None
    with working(f"compiling {model}"), replacing(output, model, calibration) as temporary:
        if calibration is None:
            program = compile_model(model, chosen, input_range=input_range, batch=batch, rounds=rounds)
        else:
            samples = load_array(calibration, key)
            truth = load_array(calibration, labels) if labels is not None else None
            if labels is None and "label" in array_names(calibration):
                found = load_array(calibration, "label")
                truth = found if found.shape == samples.shape[:1] else None  # else nobody said that it is one each
            program, compared = compile_compared(
                model, chosen, samples, truth, input_range=input_range, batch=batch, rounds=rounds
            )  # fmt: skip
        save(program, temporary)
    if json:
        agreed = {"agreement": asdict(compared)} if compared is not None else {}
        print_json({"program": str(output), **describe(program), **agreed})
    else:
        text = f"{agreement_text(compared)}\n" if compared is not None else ""
        typer.echo(f"{describe_text(program)}\n{text}wrote {output}")
