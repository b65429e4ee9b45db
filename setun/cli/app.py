"""The typer application: its verbs, in the order the help lists them, and what a failure looks like."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from setun.cli import (
    comparing,
    compiling,
    demonstrating,
    generating,
    looking,
    modelling,
    plotting,
    reporting,
    running,
    ternarizing,
    verifying,
)
from setun_hw.errors import SetunError


class _Group(TyperGroup):
    """Turns every failure of the user's input into one sentence on stderr and exit status 2."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except SetunError as error:
            sentence = str(error)
        except BrokenPipeError:
            raise  # the reader of a pipe went away: typer ends quietly
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            sentence = f"{where}{error.strerror or error}"
        except MemoryError:
            sentence = "there is not enough memory for this input"
        except KeyboardInterrupt:
            raise SystemExit(130) from None
        # One line, and nothing in it that could move the cursor: names in it may come from a hostile file.
        printable = "".join(c if c.isprintable() else " " for c in sentence)
        typer.echo(f"Error: {printable}", err=True)
        raise SystemExit(2)


app = typer.Typer(
    name="setun",
    cls=_Group,
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"setun {version('setun')}")
        raise typer.Exit


@app.callback()
def setun(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Compile trained ternary networks, simulate them cycle by cycle, generate the Verilog, prove both equal."""


app.command("demo")(demonstrating.demo)
app.command("compile")(compiling.compile_)
app.command("run")(running.run)
app.command("simulate")(running.simulate)
app.command("verilog")(generating.verilog)
app.command("verify")(verifying.verify)
app.command("info")(looking.info)
app.command("configs")(looking.configs)
app.command("doctor")(looking.doctor)
app.command("models")(modelling.models)
app.command("ternarize")(ternarizing.ternarize)
app.command("compare")(comparing.compare)
app.command("report")(reporting.report)
app.command("plot")(plotting.plot)
app.command("technologies")(comparing.technologies)
