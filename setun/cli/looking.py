"""``setun info``, ``setun configs`` and ``setun doctor``."""

import textwrap

import typer

from setun.cli.options import Json, ProgramFile, print_json
from setun.tables import table


def info(program: ProgramFile, json: Json = False) -> None:
    """Show what is in a program.

    \b
    Example: setun info net.setun
    """
    from setun.describe import describe, describe_text
    from setun_compiler.container import load

    compiled = load(program)
    if json:
        print_json(describe(compiled))
    else:
        typer.echo(describe_text(compiled))


def configs(json: Json = False) -> None:
    """List the named configurations.

    \b
    Example: setun configs
    """
    from setun.describe import memory_bits
    from setun_hw import presets

    known, reason = presets.configs(), presets.reason
    if json:
        print_json(
            {
                "configs": [
                    {**c.to_dict(), "multipliers": c.multipliers, "memory_bits": memory_bits(c), "reason": reason(name)}
                    for name, c in known.items()
                ]
            }
        )
        return
    header = ("name", "encoding", "rows", "lanes", "strips", "post", "multipliers", "on-chip kbit")
    rows = [
        (c.name, c.encoding, c.rows, c.lanes, c.strips, c.post, c.multipliers, memory_bits(c) / 1000)
        for c in known.values()
    ]
    typer.echo(f"{table(header, rows)}\n")
    for name in known:
        typer.echo(textwrap.fill(reason(name), 78, initial_indent=f"{name:<10}", subsequent_indent=" " * 10))


def doctor(json: Json = False) -> None:
    """Show which tools are there, and how to get the others.

    Exit status 1 when `setun verify` could not run.

    \b
    Example: setun doctor
    """
    from setun_sim.verify import tools

    found = tools.doctor()
    ready = all(tool.found for tool in found if tool.name in tools.NEEDED)
    if json:
        fields = ("name", "found", "version", "purpose", "hint")
        print_json({"ready": ready, "tools": [{f: getattr(tool, f) for f in fields} for tool in found]})
    else:
        rows = [(t.name, t.version or "?" if t.found else "missing", t.purpose) for t in found]
        typer.echo(table(("tool", "version", "for"), rows, widest=40))
        for tool in found:
            if not tool.found:
                typer.echo(f"{tool.name} is missing: {tool.hint}")
    if not ready:
        raise typer.Exit(1)
