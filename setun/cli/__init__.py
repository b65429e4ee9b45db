"""The command ``setun``: each verb parses its arguments, calls one library function and writes one thing."""

from setun.cli.app import app


def main() -> None:
    """Entry point of the command; ends the process with its exit status."""
    app()
