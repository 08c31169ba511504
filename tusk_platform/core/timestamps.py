"""Points in time as events carry them (ISO 8601, epochs of any unit, a format of the stream) to microseconds UTC."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from tusk_platform.core.schema import TIMESTAMP
from tusk_platform.units import SECOND

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)
_EARLIEST: Final = -62_135_596_800 * SECOND
_LATEST: Final = 253_402_300_800 * SECOND - 1
# An epoch's unit follows from its magnitude: below the bound it is this many microseconds (ns: a thousandth of one).
_EPOCHS: Final = ((10**11, SECOND), (10**14, 1_000), (10**17, 1))
# From 2037 on Arrow forgets daylight saving.
_RULES_END: Final = 2_114_380_800 * SECOND
_NAIVE: Final = pa.timestamp("us")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?", re.ASCII)
_BASIC_DATE: Final = re.compile(r"(19|20)[0-9]{6}", re.ASCII)


def micros(value: object, timezone: str = "UTC", time_format: str | None = None) -> int:
    """Microseconds UTC of one value of an event; ValueError where it is no time between the years 1 and 9999.

    >>> micros("2024-01-31T12:00:00+01:00") == micros(1706698800) == micros("1706698800000")
    True
    """
    try:
        found = _micros(value, timezone, time_format)
    except OverflowError as error:  # a zone's offset at the edge of the calendar
        raise ValueError("not a time") from error
    if not _EARLIEST <= found <= _LATEST:
        raise ValueError("a time beyond the years 1 to 9999")
    return found


def column(values: Sequence[object], kinds: set[type], timezone: str) -> pa.Array | None:
    """All values at once where they are of one plain form, as a timestamp array; None where each needs a look."""
    try:
        if kinds == {str}:
            return _bounded(_texts(pa.array(values, pa.string()), timezone))
        if kinds == {int}:
            return _bounded(_epochs(pa.array(values, pa.int64())))
    except (pa.ArrowInvalid, OverflowError):
        return None
    return None


def localized(naive: pa.Array, timezone: str) -> pa.Array:
    """Naive timestamps read as that zone's wall clock; ArrowInvalid where each needs a look of its own."""
    if timezone == "UTC":
        return naive.cast(TIMESTAMP)
    bounds = pc.min_max(naive.cast(pa.int64()))
    if naive.null_count < len(naive) and not (bounds["min"].as_py() >= 0 and bounds["max"].as_py() < _RULES_END):
        raise pa.ArrowInvalid("years whose clock changes Arrow does not know")
    return pc.assume_timezone(naive, timezone, ambiguous="earliest", nonexistent="raise").cast(TIMESTAMP)


def _micros(value: object, timezone: str, time_format: str | None) -> int:
    match value:
        case str():
            return _of_text(value, timezone, time_format)
        case dt.datetime():
            return _of_datetime(value, timezone)
        case dt.date():
            return _of_datetime(dt.datetime.combine(value, dt.time()), timezone)
        case bool():
            raise ValueError("not a time")
        case int() | float() if time_format:
            return _of_text(str(value), timezone, time_format)
        case int() | float():
            return _of_epoch(value)
    raise ValueError("not a time")


def _texts(texts: pa.Array, timezone: str) -> pa.Array:
    try:
        return texts.cast(TIMESTAMP)
    except pa.ArrowInvalid:
        return localized(texts.cast(_NAIVE), timezone)


def _epochs(numbers: pa.Array) -> pa.Array | None:
    low, high = (bound.as_py() for bound in pc.min_max(numbers).values())
    largest, least = max(abs(low), abs(high)), 0 if low <= 0 <= high else min(abs(low), abs(high))
    floor = 0
    for bound, scale in _EPOCHS:
        if floor <= least and largest < bound:
            return pc.multiply(numbers, scale).cast(_NAIVE).cast(TIMESTAMP)
        floor = bound
    return None


def _bounded(times: pa.Array | None) -> pa.Array | None:
    if times is None:
        return None
    bounds = pc.min_max(times.cast(pa.int64()))
    low, high = bounds["min"].as_py(), bounds["max"].as_py()
    return times if low is not None and low >= _EARLIEST and high <= _LATEST else None


@lru_cache(maxsize=65_536)
def _of_text(text: str, timezone: str, time_format: str | None) -> int:
    text = text.strip()
    if time_format:
        return _of_datetime(dt.datetime.strptime(text, time_format), timezone)  # noqa: DTZ007 - the zone follows
    if _NUMBER.fullmatch(text) and not _BASIC_DATE.fullmatch(text):
        return _of_epoch(float(text) if set(text) & set(".eE") else int(text))
    if text.endswith(" UTC"):
        text = text[:-4] + "Z"
    return _of_datetime(dt.datetime.fromisoformat(text), timezone)


def _of_datetime(moment: dt.datetime, timezone: str) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC if timezone == "UTC" else ZoneInfo(timezone))
    return (moment - _EPOCH) // _MICROSECOND


def _of_epoch(number: int | float) -> int:
    for bound, scale in _EPOCHS:
        if abs(number) < bound:
            return round(number * scale)
    if abs(number) < 2**63:
        return round(number) // 1_000
    raise ValueError("not an epoch in seconds, milliseconds, microseconds or nanoseconds")
