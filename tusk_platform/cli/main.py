"""The ``tusk`` program: all commands, and the one place where an exception becomes an exit code."""

from __future__ import annotations

import sys
import traceback
from typing import Final, NoReturn

import typer

from tusk_platform.cli import config, data, editor, explain, language, mending, restore, services
from tusk_platform.errors import ConfigError, TuskError

OURS: Final = 2
THEIRS: Final = 1

app = typer.Typer(
    name="tusk",
    help="One TuskLang file becomes a real-time analytics platform.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for module in (config, data, editor, explain, language, mending, restore, services):
    module.register(app)


def main() -> NoReturn:
    """Run a command. Exit 0: fine, 1: something to mend on the user's side, 2: a mistake of ours."""
    try:
        app()
    except SystemExit as e:
        if isinstance(e.__context__, BrokenPipeError):
            sys.exit(0)  # whoever read our output has seen enough
        # The parser of the command line says 2 for a wrong option; here that is the user's 1.
        sys.exit(THEIRS if e.code == OURS else e.code)
    except KeyboardInterrupt:
        sys.exit(130)
    except ConfigError as e:
        count = len(e.problems)
        print(f"{e}\n{count} mistake{'s' if count > 1 else ''}", file=sys.stderr)  # noqa: T201 - the program's own output
        sys.exit(THEIRS)
    except TuskError as e:
        print(f"tusk: {e}", file=sys.stderr)  # noqa: T201 - the program's own output
        sys.exit(THEIRS)
    except Exception:  # noqa: BLE001 - the outermost border
        traceback.print_exc()
        print("tusk: this is a mistake of ours, please report it with the lines above", file=sys.stderr)  # noqa: T201
        sys.exit(OURS)
    sys.exit(0)
