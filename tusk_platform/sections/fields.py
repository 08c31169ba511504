"""The types of config values: names, numbers, spans of time, sizes, choices, and what each says when it is wrong.

Durations are integer microseconds, sizes integer bytes, percentages shares of one. An ``@env`` is kept as an
``EnvReference`` wherever free text or a number may stand; what decides the shape of the plan takes none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    PlainSerializer,
    Strict,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema

from tusk_platform import units
from tusk_platform.plan.nodes import ColumnType
from tusk_platform.sections.wording import EnvReference, Query, came, did_you_mean, listed, misplaced, wrong
from tusk_platform.units import Rate

__all__ = [
    "AtLeastOne", "CallRate", "ColumnKind", "ColumnName", "Count", "Duration", "EnvReference", "HttpAddress",
    "Location", "MetricPath", "Name", "OneOrMore", "Parsed", "Percent", "PlainText", "Query", "Secret", "Several",
    "Share", "Size", "Text", "TimeZone", "WindowChoice", "address", "came", "did_you_mean", "listed", "misplaced",
    "number", "settled", "whole", "wrong",
]  # fmt: skip

T = TypeVar("T")

_LONGEST: Final = 100 * units.YEAR
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
_WORDS: Final = ("milliseconds", "seconds", "minutes", "hours", "days", "weeks", "months", "years")


def _text(value: object, expected: str, hint: str = "") -> str:
    if not isinstance(value, str):
        raise wrong(f"expected {expected}, got {came(value)}", misplaced(value) or hint)
    return value


@dataclass(frozen=True, slots=True)
class Parsed:
    """Metadata of ``Annotated``: the value is what ``parse`` makes of the config's, which is of type ``written``."""

    parse: Callable[[Any], Any]
    written: Any = str

    def __get_pydantic_core_schema__(self, _source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.parse, json_schema_input_schema=handler.generate_schema(self.written)
        )


# -- @env beside text and numbers --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _OrEnvironment:
    """Metadata of ``Annotated``: a value as ``inner`` says, or an ``EnvReference`` in its place."""

    inner: Any

    def __get_pydantic_core_schema__(self, _source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(
            _pass_reference,
            handler.generate_schema(self.inner),
            serialization=core_schema.wrap_serializer_function_ser_schema(_dumped, when_used="json"),
        )


def _dumped(value: object, handler: Callable[[object], object]) -> object:
    return value.as_json() if isinstance(value, EnvReference) else handler(value)


def _pass_reference(value: object, handler: Callable[[object], object]) -> object:
    if not isinstance(value, EnvReference):
        return handler(value)
    if value.default is not None:
        # A variable holds text, so a number in quotes is as good a default as a number.
        found = _NUMBER.fullmatch(value.default) if isinstance(value.default, str) else None
        try:
            handler(value.default)
        except ValidationError:
            if not found:
                raise
            handler(float(found.group()) if found.group(1) else int(found.group()))
    return value


def whole(minimum: int | None = None, maximum: int | None = None) -> _OrEnvironment:
    """Metadata for ``int | EnvReference``: a whole number within bounds."""
    return _OrEnvironment(Annotated[int, Field(ge=minimum, le=maximum)])


def number(
    *,
    above: float | None = None,
    minimum: float | None = None,
    below: float | None = None,
    maximum: float | None = None,
) -> _OrEnvironment:
    """Metadata for ``float | EnvReference``: a number within bounds."""
    return _OrEnvironment(Annotated[float, Field(gt=above, ge=minimum, lt=below, le=maximum)])


def settled(value: T | EnvReference, environment: Mapping[str, str], otherwise: T) -> T:
    """A number or text with its ``@env`` filled in, or ``otherwise`` where the variable is unset and has no default.

    ValueError names the variable whose text is not of the kind of ``otherwise``; it never shows that text.
    """
    if not isinstance(value, EnvReference):
        return value
    held = value.settle(environment)
    if held is None:
        return otherwise
    try:
        return type(otherwise)(held)  # type: ignore[call-arg] # T is int, float or str
    except ValueError:
        kind = {int: "a whole number", float: "a number"}.get(type(otherwise), "text")
        raise ValueError(f"environment variable `{value.variable}` does not hold {kind}") from None


# -- Text --------------------------------------------------------------------------------------------------------------


def _free_text(value: object) -> str:
    quoted = f': `"{str(value).lower()}"`' if isinstance(value, bool) or _is_number(value) else ""
    text = _text(value, "text", f"write it in quotes{quoted}")
    if not text.strip():
        raise wrong("expected some text, got empty text")
    return text


def _is_number(value: object) -> bool:
    return isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**40)


def _secret(value: object) -> EnvReference:
    if isinstance(value, EnvReference) and value.default is None:
        return value
    hint = "secrets come from environment variables: `@env(NAME)`"
    if isinstance(value, EnvReference):
        raise wrong("a secret has no default in the config", hint, on="secret")
    raise wrong("a secret stands in the config", hint, on="secret")


PlainText = Annotated[str, Parsed(_free_text)]
Text = Annotated[str | EnvReference, _OrEnvironment(PlainText)]
Secret = Annotated[
    EnvReference,
    Parsed(_secret),
    PlainSerializer(lambda value: value.as_json(), when_used="json"),
]


def _name(value: object) -> str:
    text = _text(value, "a name", 'such as `"user_events"`')
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,62}", text):
        better = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_").lower()[:63]
        hint = f"such as `{better}`" if re.match(r"[a-z]", better) else "such as `user_events`"
        raise wrong(f"expected a name of letters, digits and `_` that begins with a letter, got {came(text)}", hint)
    return text


def _column_name(value: object) -> str:
    text = _text(value, "the name of a column", 'such as `"user_id"`')
    if not text.strip() or len(text) > 128 or not text.isprintable() or '"' in text:
        raise wrong(f"expected the name of a column, got {came(text)}", 'such as `"user_id"`')
    if text.startswith("_"):
        raise wrong(
            f"names that begin with `_` belong to the platform, got {came(text)}", f"such as `{text.strip('_')}`"
        )
    return text


def _metric_path(value: object) -> str:
    text = _text(value, "the name of a metric", 'such as `"user_metrics.session_count"`')
    if not re.fullmatch(r"[A-Za-z]\w{0,62}(\.[A-Za-z]\w{0,62})?", text, re.ASCII):
        hint = 'such as `"session_count"` or `"user_metrics.session_count"`'
        raise wrong(f"expected the name of a metric, got {came(text)}", hint)
    return text


Name = Annotated[str, Parsed(_name)]
ColumnName = Annotated[str, Parsed(_column_name)]
MetricPath = Annotated[str, Parsed(_metric_path)]


def _time_zone(value: object) -> str:
    text = _text(value, "a time zone", 'such as `"Europe/Berlin"`')
    try:
        ZoneInfo(text)
    except (ValueError, OSError, KeyError):
        from zoneinfo import available_timezones  # noqa: PLC0415 - reads a folder tree, only needed for the hint

        hint = did_you_mean(text, sorted(available_timezones())) or 'such as `"Europe/Berlin"`'
        raise wrong(f"expected a time zone, got {came(text)}", hint) from None
    return text


TimeZone = Annotated[str, Parsed(_time_zone)]


def _address(schemes: tuple[str, ...], value: object) -> str:
    example = f'such as `"{schemes[0]}://host:port"`'
    text = _text(value, "an address", example)
    try:
        found = urlsplit(text)
        complete = found.scheme in schemes and bool(found.hostname) and (found.port or 1) > 0
    except ValueError:
        complete, found = False, urlsplit("")
    if found.password:
        hint = "take the whole address from the environment: `@env(NAME)`"
        raise wrong("a password stands in an address", hint, on="secret")
    if not complete:
        kinds = " or ".join(f"`{s}://`" for s in schemes)
        raise wrong(f"expected an address that begins with {kinds}, got {came(text)}", example)
    return text


def address(*schemes: str) -> _OrEnvironment:
    """Metadata for ``str | EnvReference``: an address with one of the schemes and no password in it."""
    return _OrEnvironment(Annotated[str, Parsed(lambda value: _address(schemes, value))])


def _location(value: object) -> str:
    text = _text(value, "a folder or an `s3://` address", 'such as `"s3://bucket/folder"`')
    scheme = text.split("://", 1)[0] if "://" in text else "file"
    if not text.strip() or scheme not in {"file", "s3"} or text.rstrip("/") in {"s3:", "file:"}:
        raise wrong(f"expected a folder or an `s3://` address, got {came(text)}", 'such as `"s3://bucket/folder"`')
    return text


Location = Annotated[str | EnvReference, _OrEnvironment(Annotated[str, Parsed(_location)])]
HttpAddress = Annotated[str | EnvReference, address("http", "https")]


# -- Lists -------------------------------------------------------------------------------------------------------------


def _distinct(items: tuple[T, ...]) -> tuple[T, ...]:
    for index, item in enumerate(items):
        if item in items[:index]:
            raise wrong(f"{came(item)} stands twice in the list", "write it once", at=(index,))
    return items


def _in_list(value: object) -> object:
    return value if isinstance(value, list | tuple | Mapping) else [value]


# A list is taken for the tuple it becomes; its items stay strict.
_LIST: Final = Strict(strict=False)
Several = Annotated[tuple[T, ...], _LIST, AfterValidator(_distinct)]
AtLeastOne = Annotated[tuple[T, ...], _LIST, Field(min_length=1), AfterValidator(_distinct)]
OneOrMore = Annotated[tuple[T, ...], _LIST, Field(min_length=1), AfterValidator(_distinct), BeforeValidator(_in_list)]


# -- Amounts -----------------------------------------------------------------------------------------------------------


def _amount(value: object, expected: str, form: str, parse: Callable[[str], T]) -> T:
    """The parsed amount; the error says the form, and the nearest spelling where only a unit is misspelt."""
    if _is_number(value) and parse is units.duration:
        seconds = value if isinstance(value, int | float) and value > 0 else 30
        raise wrong(f"expected {expected}, got {came(value)} without a unit", f'such as `"{seconds} seconds"`')
    text = _text(value, expected, f"such as {form}")
    try:
        return parse(text)
    except (ValueError, OverflowError, IndexError):
        raise wrong(f"expected {expected}, got {came(text)}", _unit_hint(text, parse) or f"such as {form}") from None


def _form(sentence: str) -> str:
    return sentence.split(" such as ", 1)[1]


def _unit_hint(text: str, parse: Callable[[str], Any]) -> str:
    found = re.fullmatch(r"\s*(\d[\d.]*)\s*([A-Za-z]+)\s*", text)
    close = did_you_mean(found.group(2), _WORDS) if found and parse is units.duration else ""
    if not found or not close:
        return ""
    better = f"{found.group(1)} {close.split('`')[1]}"
    try:
        units.duration(better)
    except (ValueError, OverflowError):
        return ""
    return f'did you mean "{better}"?'


def _duration(value: object) -> int:
    micros = _amount(value, "a duration", _form(units.DURATION_FORM), units.duration)
    if micros > _LONGEST:
        raise wrong(f"expected a duration of at most 100 years, got {came(value)}", 'such as `"1 year"`')
    return micros


def _size(value: object) -> int:
    size = _amount(value, "a size", _form(units.SIZE_FORM), units.size)
    if not 0 < size < 2**60:
        raise wrong(f"expected a size of more than nothing and less than an exabyte, got {came(value)}")
    return size


def _share(value: object) -> float:
    share = _amount(value, "a percentage", '"80%"', units.share)
    if share <= 0:
        raise wrong(f"expected more than 0%, got {came(value)}", 'such as "80%"')
    return share


def _rate(value: object) -> Rate:
    rate = _amount(value, "a rate", _form(units.RATE_FORM), units.rate)
    if not 0 < rate.count < 2**60:
        raise wrong(f"expected a rate of at least one call, got {came(value)}", f"such as {_form(units.RATE_FORM)}")
    return rate


Duration = Annotated[int, Parsed(_duration)]
Size = Annotated[int, Parsed(_size)]
Share = Annotated[float, Parsed(_share)]
CallRate = Annotated[Rate, Parsed(_rate)]
Count = Annotated[int | EnvReference, whole(1, 2**31 - 1)]
Percent = Annotated[float | EnvReference, number(above=0, maximum=100)]


def _window(value: object) -> int | str:
    text = _text(value, "a duration or the name of a window", 'such as `"5 minutes"` or `"sliding"`')
    return _name(text) if re.fullmatch(r"[A-Za-z_]+\w*", text.strip()) else _duration(text)


WindowChoice = Annotated[int | str, Parsed(_window)]
"""A tumbling window's size in microseconds, or the name of a window of ``stream_processing.windows``."""

_COLUMN_TYPES: Final[Mapping[str, ColumnType]] = {
    "string": "string", "text": "string", "integer": "integer", "double": "double", "float": "double",
    "decimal": "decimal", "boolean": "boolean", "timestamp": "timestamp", "datetime": "timestamp", "date": "date",
    "uuid": "uuid", "json": "json",
}  # fmt: skip


def _column_type(value: object) -> ColumnType:
    text = _text(value, "the type of a column", f"one of {listed(list(_COLUMN_TYPES))}")
    if text not in _COLUMN_TYPES:
        known = list(_COLUMN_TYPES)
        raise wrong(f"expected {listed(known)}, got {came(text)}", did_you_mean(text, known) or 'such as `"string"`')
    return _COLUMN_TYPES[text]


ColumnKind = Annotated[
    ColumnType, Parsed(_column_type), WithJsonSchema({"type": "string", "enum": list(_COLUMN_TYPES)})
]
