"""``python -m setun``."""

from setun.cli import main

main()
