"""How often something is done again: ``daily``, ``weekly``, a duration, a cron line, or with every micro-batch."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic_core import PydanticCustomError

from tusk_platform import units
from tusk_platform.plan.learning import Cadence
from tusk_platform.sections.fields import (
    Parsed,
    came,
    did_you_mean,
    misplaced,
    wrong,
)

_NAMED: Final = {"daily": "0 0 * * *", "weekly": "0 0 * * 1"}
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# minute, hour, day of month, month, day of week (7 is Sunday too): least, greatest, names
_CRON: Final[tuple[tuple[int, int, tuple[str, ...]], ...]] = (
    (0, 59, ()),
    (0, 23, ()),
    (1, 31, ()),
    (1, 12, _MONTHS),
    (0, 7, _DAYS),
)
_FORMS: Final = 'such as "daily", "weekly", "6 hours" or the cron line "0 3 * * *"'


def is_cron(text: str) -> bool:
    """Whether a text is a cron line of five fields, each within its bounds.

    >>> is_cron("*/15 3-5 * jan,feb mon"), is_cron("61 * * * *")
    (True, False)
    """
    fields = text.lower().split()
    return len(fields) == len(_CRON) and all(
        all(_is_cron_item(item, *bounds) for item in field.split(","))
        for field, bounds in zip(fields, _CRON, strict=True)
    )


def _is_cron_item(item: str, least: int, greatest: int, names: tuple[str, ...]) -> bool:
    span, slash, step = item.partition("/")
    if slash and not (re.fullmatch(r"[0-9]{1,2}", step) and int(step) > 0):
        return False
    if span == "*":
        return True
    ends = [_cron_number(end, least, names) for end in span.split("-")]
    inside = all(end is not None and least <= end <= greatest for end in ends)
    return inside and len(ends) <= 2 and (len(ends) == 1 or (ends[0] or 0) <= (ends[1] or 0))


def _cron_number(text: str, least: int, names: tuple[str, ...]) -> int | None:
    if text in names:
        return names.index(text) + least
    return int(text) if re.fullmatch(r"[0-9]{1,2}", text) else None


def _frequency(value: object) -> Cadence:
    if not isinstance(value, str):
        raise wrong(f"expected how often, got {came(value)}", misplaced(value) or _FORMS)
    text = value.strip()
    if text in _NAMED:
        return Cadence(text, cron=_NAMED[text])
    if is_cron(text):
        return Cadence(text, cron=" ".join(text.lower().split()))
    try:
        every = units.duration(text)
    except (ValueError, OverflowError):
        raise wrong(f"expected how often, got {came(value)}", did_you_mean(text, tuple(_NAMED)) or _FORMS) from None
    if every > 10 * units.YEAR:
        raise wrong(f"expected at least every 10 years, got {came(value)}", _FORMS)
    return Cadence(text, every=every)


def _online(value: object) -> Cadence:
    if value == "real_time":
        return Cadence("real_time")
    try:
        return _frequency(value)
    except PydanticCustomError as error:
        hint = did_you_mean(value, ("real_time", *_NAMED))
        raise wrong(f"expected how often, got {came(value)}", hint) if hint else error from None


Often = Annotated[Cadence, Parsed(_frequency)]
OftenOrRealTime = Annotated[Cadence, Parsed(_online)]
