"""What a store says when it fails, as an error that a person can act on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from deltalake.exceptions import DeltaError, TableNotFoundError

from tusk_platform.errors import Unavailable, UsageError

# Whatever a folder, an object store or delta-rs may raise while files are read and written.
STORE_ERRORS: Final = (OSError, DeltaError)
_LONGEST: Final = 300
_DECORATION: Final = re.compile(r"\x1b\[[0-9;]*m|↳")
_FRAME: Final = re.compile(r"\d+: |stack backtrace|Backtrace|Help: ")


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turn what a store raises into Unavailable: what was being done, and the store's own first line."""
    try:
        yield
    except TableNotFoundError as error:
        raise UsageError(f"{doing}: there is no such table in the lake yet") from error
    except STORE_ERRORS as error:
        raise Unavailable(f"{doing}: {reason(error)}") from error


def reason(error: Exception) -> str:
    """An error and its causes in one line, without colours and the stack of the library below."""
    lines = [_DECORATION.sub("", line).strip() for line in str(error).splitlines()]
    told = ": ".join(line.removesuffix(":") for line in lines if line and not _FRAME.match(line))
    told = told or type(error).__name__
    return told if len(told) <= _LONGEST else f"{told[:_LONGEST]}…"
