"""Plots of a report's document as files that appear whole or not at all."""

from pathlib import Path
from typing import Any

from setun.files import OutputError, make_folder, replacing
from setun_sim.report.plots import KINDS, draw

FORMS = (".svg", ".png")


def write_plots(document: dict[str, Any], output: Path, kind: str | None = None, form: str = "svg") -> list[Path]:
    """Draw one kind into a file, or one or all kinds into a folder, there in a given form; return the files written.

    Raises
    ------
    OutputError
        When all kinds should go into one file or one kind into a file of another form, there is nothing to draw, or
        the output cannot be written.
    """
    if output.suffix in FORMS and not output.is_dir():
        if kind is None:
            raise OutputError(f"{output}: all plots need a folder, one file needs a kind: {', '.join(KINDS)}")
        targets = {kind: output}
    elif kind is not None and output.suffix and not output.is_dir():
        raise OutputError(f"{output}: a plot's file must end in {' or '.join(FORMS)}")
    else:
        folder = make_folder(output)
        targets = {one: folder / f"{one}.{form}" for one in ([kind] if kind else KINDS)}
    files = []
    for one, path in targets.items():
        if one == "tornado" and not document["comparison"]["tornado"]:
            if kind is not None:
                raise OutputError(f"{path}: there is no tornado, because no technology has both kinds of logic")
            continue
        with replacing(path) as temporary:
            draw(one, document, temporary, path.suffix.removeprefix("."))
        files.append(path)
    return files
