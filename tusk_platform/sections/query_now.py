"""The present in a query: what stands for it, and how far before it a time is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tusk_platform.units import DAY, HOUR, MINUTE, SECOND, WEEK

if TYPE_CHECKING:
    from sqlglot import exp

# Functions of the present that the parser does not know, and what of them is one.
NOW_FUNCTIONS: Final = frozenset({"NOW", "SYSDATE", "UNIX_TIMESTAMP"})
# The longest that each may last: a day on which the clocks go back, a month of 31 days.
_LONGEST: Final = {
    "MICROSECOND": 1, "SECOND": SECOND, "MINUTE": MINUTE, "HOUR": HOUR, "DAY": DAY + HOUR, "WEEK": WEEK + HOUR,
    "MONTH": 31 * DAY + HOUR, "QUARTER": 92 * DAY + HOUR, "YEAR": 366 * DAY + HOUR,
}  # fmt: skip
_EXACT: Final = _LONGEST | {"DAY": DAY, "WEEK": WEEK, "MONTH": 31 * DAY, "QUARTER": 92 * DAY, "YEAR": 366 * DAY}


def is_now(node: exp.Expr) -> bool:
    """Whether a node is the present: ``NOW()``, ``CURDATE()`` and the like."""
    from sqlglot import exp  # noqa: PLC0415 - a third of a second, and most configs hold no query

    if isinstance(node, exp.Anonymous):
        return str(node.this).upper() in NOW_FUNCTIONS and not node.expressions
    kinds = (exp.CurrentTimestamp, exp.CurrentDate, exp.CurrentTime, exp.CurrentDatetime, exp.UtcTimestamp, exp.UtcDate)
    return isinstance(node, (*kinds, exp.UtcTime, exp.Localtime, exp.Localtimestamp))


def back_from_now(node: exp.Expr) -> int | None:
    """The most that a time is before now, in microseconds: an hour for ``NOW() - INTERVAL 1 HOUR``; None: not known."""
    from sqlglot import exp  # noqa: PLC0415 - as above

    if is_now(node):
        return _LONGEST["DAY"] if isinstance(node, exp.CurrentDate | exp.UtcDate) else 0
    if isinstance(node, exp.Sub | exp.DateSub | exp.Add | exp.DateAdd):
        from_now, span = back_from_now(node.this), _span(node)
        if from_now is None or span is None:
            return None
        return max(0, from_now + (span if isinstance(node, exp.Sub | exp.DateSub) else -span))
    if isinstance(node, exp.TsOrDsToDate | exp.Date | exp.TimestampTrunc | exp.DateTrunc):
        unit = str(node.args["unit"].name).upper() if node.args.get("unit") else "DAY"
        from_now = back_from_now(node.this)
        return None if from_now is None or unit not in _LONGEST else from_now + _LONGEST[unit]
    if isinstance(node, exp.Paren | exp.Cast):
        return back_from_now(node.this)
    return None


def _span(node: exp.Expr) -> int | None:
    """The span that is added or taken off, an ``INTERVAL`` of one number."""
    from sqlglot import exp  # noqa: PLC0415 - as above

    interval = node.expression
    unit = interval.args.get("unit") if isinstance(interval, exp.Interval) else node.args.get("unit")
    amount = interval.this if isinstance(interval, exp.Interval) else interval
    if not isinstance(amount, exp.Literal) or unit is None:
        return None
    name = str(unit.name).upper().removesuffix("S")
    if name not in _EXACT or not re.fullmatch(r"\d{1,9}", str(amount.this)):
        return None
    return int(amount.this) * _EXACT[name]
