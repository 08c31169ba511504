"""What becomes of an error of ours in a step: tried again later where that may help, else a failure in plain words."""

from __future__ import annotations

from types import TracebackType
from typing import Final

import dagster as dg

from tusk_platform.errors import Held, TuskError, Unavailable
from tusk_platform.plan.profile import FaultTolerance

# Seconds before the first retry; each further wait is the multiplier times the one before.
FIRST_WAIT: Final = 5.0
# However often and steeply the config wants it: a step that waits longer is a forgotten one.
LONGEST_WAIT: Final = 3600.0


def wait_before(retry: int, tolerance: FaultTolerance) -> float:
    """Seconds to wait before a retry, the first of them number 0.

    >>> [wait_before(n, FaultTolerance(backoff_multiplier=3)) for n in range(3)]
    [5.0, 15.0, 45.0]
    """
    return min(FIRST_WAIT * tolerance.backoff_multiplier**retry, LONGEST_WAIT)


class plainly:  # noqa: N801 - reads as a word at its use
    """Turns an error of ours into a retry or a failure, without a traceback of ours.

    A service that does not answer and a lease that somebody holds are tried again as often as the config says; a
    mistake would be the same mistake again.
    """

    def __init__(self, context: dg.AssetExecutionContext | dg.OpExecutionContext, tolerance: FaultTolerance) -> None:
        self._context = context
        self._tolerance = tolerance

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not isinstance(error, TuskError):
            return
        failure = dg.Failure(str(error), allow_retries=False)
        retry, most = self._context.retry_number, self._tolerance.max_retries
        if not isinstance(error, Unavailable | Held) or retry >= most:
            raise failure from None
        wait = wait_before(retry, self._tolerance)
        self._context.log.warning(f"{error}; tried again in {wait:g} s ({retry + 1} of {most})")
        raise dg.RetryRequested(max_retries=most, seconds_to_wait=wait) from failure
