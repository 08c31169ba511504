"""The commands of ``tusk``. Thin: each calls the floors below and prints what they return."""

from tusk_platform.cli.main import main

__all__ = ["main"]
