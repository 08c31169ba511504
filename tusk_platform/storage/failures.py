"""What a store says when it fails, as an error that a person can act on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from tusk_platform.errors import Unavailable, UsageError

# Whatever a folder, an object store or delta-rs may raise while files are read and written.
STORE_ERRORS: Final = (OSError, DeltaError)
# delta-rs says so of a handle whose commits after it were already cleaned away: too old to be judged.
_LOST_TRACK: Final = "Invalid table version"
_LONGEST: Final = 300


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turn what a store raises into Unavailable: what was being done, and the store's own first line."""
    try:
        yield
    except TableNotFoundError as error:
        raise UsageError(f"{doing}: there is no such table in the lake yet") from error
    except STORE_ERRORS as error:
        raise Unavailable(f"{doing}: {reason(error)}") from error


def is_contention(error: Exception) -> bool:
    """Whether a commit failed because of other commits, and not because the store did."""
    return isinstance(error, CommitFailedError) or _LOST_TRACK in str(error)


def reason(error: Exception) -> str:
    """The first line of an error, without the stack of the library below."""
    line = next((part.strip() for part in str(error).splitlines() if part.strip()), type(error).__name__)
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
