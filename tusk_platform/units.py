"""Durations, sizes, shares and rates as people write them; integers inside (microseconds, bytes)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

MICROSECOND: Final = 1
MILLISECOND: Final = 1_000
SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
WEEK: Final = 7 * DAY
YEAR: Final = 365 * DAY

TIME_UNITS: Final[dict[str, int]] = {
    "us": MICROSECOND, "microsecond": MICROSECOND,
    "ms": MILLISECOND, "millisecond": MILLISECOND,
    "s": SECOND, "sec": SECOND, "second": SECOND,
    "m": MINUTE, "min": MINUTE, "minute": MINUTE,
    "h": HOUR, "hr": HOUR, "hour": HOUR,
    "d": DAY, "day": DAY,
    "w": WEEK, "week": WEEK,
    "month": 30 * DAY,
    "y": YEAR, "year": YEAR,
}  # fmt: skip
SIZE_UNITS: Final[dict[str, int]] = {
    "b": 1,
    "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
_QUANTITY: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*")
_RATE: Final = re.compile(r"\s*(\d+)\s*(?:requests?|events?|calls?)?\s*(?:per|/)\s*(.+)", re.IGNORECASE)
DURATION_FORM: Final = 'a duration such as "30 seconds", "15s", "5 minutes", "1 hour" or "7 days"'
SIZE_FORM: Final = 'a size such as "512MB" or "1GB"'
RATE_FORM: Final = 'a rate such as "300 requests per 15 minutes"'


def duration(text: str) -> int:
    """Microseconds of ``"5 minutes"``, ``"15s"``, ``"1 year"`` (365 days); ValueError says what is allowed.

    >>> duration("1 minute")
    60000000
    """
    found = _QUANTITY.fullmatch(text)
    unit = found.group(2).lower() if found else ""
    scale = TIME_UNITS.get(unit) or TIME_UNITS.get(unit.removesuffix("s"))
    if not found or not scale:
        raise ValueError(f"expected {DURATION_FORM}")
    micros = round(float(found.group(1)) * scale)
    if micros <= 0:
        raise ValueError("a duration must be longer than nothing")
    return micros


def size(text: str) -> int:
    """Bytes of ``"512MB"`` or ``"1GiB"``; ValueError says what is allowed."""
    found = _QUANTITY.fullmatch(text)
    scale = SIZE_UNITS.get(found.group(2).lower()) if found else None
    if not found or scale is None:
        raise ValueError(f"expected {SIZE_FORM}")
    return round(float(found.group(1)) * scale)


def share(text: str) -> float:
    """``"80%"`` as 0.8; ValueError unless between 0 and 100 percent."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", text)
    if not found or float(found.group(1)) > 100:
        raise ValueError('expected a percentage such as "80%"')
    return float(found.group(1)) / 100


@dataclass(frozen=True, slots=True)
class Rate:
    """So many calls in a span of microseconds."""

    count: int
    per: int


def rate(text: str) -> Rate:
    """``"300 requests per 15 minutes"`` as a Rate; ValueError says what is allowed."""
    found = _RATE.fullmatch(text)
    if not found:
        raise ValueError(f"expected {RATE_FORM}")
    span = found.group(2)
    return Rate(int(found.group(1)), duration(span if span[0].isdigit() else f"1 {span}"))


def spell(micros: int) -> str:
    """A duration in the largest unit that holds it whole: ``300_000_000`` is ``"5 minutes"``."""
    for name, scale in (
        ("day", DAY),
        ("hour", HOUR),
        ("minute", MINUTE),
        ("second", SECOND),
        ("millisecond", MILLISECOND),
    ):
        if micros % scale == 0 and micros:
            count = micros // scale
            return f"{count} {name}{'' if count == 1 else 's'}"
    return f"{micros} microseconds"


def spell_long(micros: int) -> str:
    """A duration in two units where one would be a large number: 1470 minutes are ``"1 day 30 minutes"``."""
    for scale in (DAY, HOUR):
        whole, rest = micros // scale * scale, micros % scale
        if whole and rest and micros >= 2 * HOUR:
            return f"{spell(whole)} {spell(rest)}"
    return spell(micros)
