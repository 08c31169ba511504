"""Commands for editors: the schema of the config, the language server."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

import typer

from tusk_platform.cli.output import ConfigOption, say
from tusk_platform.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command("schema")(schema)
    app.command("lsp")(lsp)


def schema(
    config: ConfigOption = None,  # noqa: ARG001 - every command takes it; the schema is the same for all files
) -> None:
    """The JSON schema of a config's plain values, as `tusk parse` prints them; with the sources installed here."""
    from tusk_platform.generate.json_schema import schema_text
    from tusk_platform.sections.streams import sources

    say(schema_text(sources()).rstrip("\n"))


def lsp(
    config: ConfigOption = None,  # noqa: ARG001 - every command takes it; an editor names its files itself
    stdio: Annotated[bool, typer.Option("--stdio", help="Over standard input and output, as always.")] = True,  # noqa: ARG001, FBT002 - editors pass it
) -> None:
    """A language server for editors over standard input and output: mistakes, completion, hover, definitions."""
    if find_spec("pygls") is None:
        raise UsageError("`tusk lsp` needs pygls, which is not installed: run `pip install 'tusk-platform[editor]'`")
    from tusk_platform.editor.server import serve

    raise typer.Exit(serve())
