"""What may stand behind a key of the config, in words: kind, choices, an example, the default."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from tusk_platform.plan.learning import Cadence
from tusk_platform.sections import fields, frequency, sql, streams
from tusk_platform.sections.block import Block, written
from tusk_platform.sections.live_dashboards import Grid
from tusk_platform.sections.wording import EnvReference
from tusk_platform.units import Rate, spell

_KINDS: Final[tuple[tuple[Any, str], ...]] = (
    (fields.Duration, "duration"),
    (fields.Size, "size"),
    (fields.Share, "percentage"),
    (fields.CallRate, "rate"),
    (fields.Name, "name"),
    (fields.ColumnName, "column"),
    (fields.ColumnKind, "type"),
    (fields.MetricPath, "metric"),
    (fields.TimeZone, "time zone"),
    (fields.WindowChoice, "duration or window"),
    (fields.PlainText, "text"),
    (fields.Secret, "`@env`"),
    (fields.Location, "folder or address or `@env`"),
    (fields.HttpAddress, "address or `@env`"),
    (sql.RowSql, "SQL over a row"),
    (streams.SourceName, "[source](#sources)"),
    (frequency.Often, "duration, `daily`, `weekly` or cron line"),
    (frequency.OftenOrRealTime, "`real_time`, duration, `daily`, `weekly` or cron line"),
)
_PLURALS: Final = {"name": "names", "column": "columns", "text": "texts", "table": "tables"}
_PLAIN: Final[dict[Any, str]] = {int: "whole number", float: "number", str: "text", bool: "`true` or `false`"}


def values_of(field: Any) -> str:  # noqa: ANN401 - a field of a schema; this floor does not know its library
    """The kind of a key's value with an example: ``duration, `"5 minutes"```."""
    kind = _of(field.annotation, tuple(field.metadata))
    examples = (
        [] if _lists_choices(kind) or kind == "table" else [f"`{written(e)}`" for e in (field.examples or [])[:1]]
    )
    return ", ".join([kind, *examples]) if kind else ", ".join(examples)


def default_of(field: Any) -> str:  # noqa: ANN401 - as above
    """What holds where the key is left out, as the config would say it; nothing where the description says it."""
    value = plain_default(field)
    return "" if value is None else f"`{written(value)}`"


def plain_default(field: Any) -> Any:  # noqa: ANN401 - as above
    """What holds where the key is left out, as a plain value of the config; None where the description says it."""
    value = None if field.is_required() else field.default
    if value is None or isinstance(value, Block) or repr(value) == "PydanticUndefined" or value in ({}, ()):
        return None
    return _said(value, _of(field.annotation, tuple(field.metadata)))


def _said(value: Any, kind: str) -> Any:  # noqa: ANN401 - as above
    match value:
        case Grid():
            return f"{value.columns}x{value.rows}"
        case Cadence():
            return value.text
        case Rate():
            return f"{value.count} per {spell(value.per)}"
        case int() if kind.startswith("duration"):
            return spell(value)
        case int() if kind.startswith("size"):
            return f"{value // 10**6}MB"
        case float() if kind.startswith("percentage"):
            return f"{value:.0%}"
        case float() if value.is_integer():
            return int(value)
    return value


def known_kind(annotation: Any, metadata: tuple[Any, ...] = ()) -> str:  # noqa: ANN401 - as above
    """The words for a type that has some of its own: ``duration``, ``column``; nothing for others."""
    for known, words in _KINDS:
        if annotation == known or set(get_args(known)[1:]) & set(_hashable(metadata)):
            return words
    return ""


def _of(annotation: Any, metadata: tuple[Any, ...] = ()) -> str:  # noqa: ANN401 - as above
    """The kind of a type in words."""
    if words := known_kind(annotation, metadata):
        return words
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _of(arguments[0], arguments[1:])
    if origin in {Union, types.UnionType}:
        kinds = dict.fromkeys(_of(arm) for arm in arguments if arm is not type(None))
        return " or ".join(k for k in kinds if k)
    if origin is Literal:
        return ", ".join(f"`{written(choice)}`" for choice in arguments)
    if origin is tuple:
        kind = _of(arguments[0])
        return f"list of {_PLURALS.get(kind, kind)}" if kind else "list"
    if annotation is EnvReference:
        return "`@env`"
    if isinstance(origin or annotation, type) and issubclass(origin or annotation, Mapping | Block):
        return "table"
    return _PLAIN.get(annotation, "")


def _hashable(metadata: tuple[Any, ...]) -> list[Any]:
    return [m for m in metadata if getattr(type(m), "__hash__", None) is not None]


def _lists_choices(kind: str) -> bool:
    return kind.count("`") > 2 or (kind.startswith("`") and kind != "`@env`")


def sentence(docstring: str | None) -> str:
    """A docstring's first paragraph on one line, as Markdown."""
    first = (docstring or "").strip().split("\n\n", 1)[0]
    return " ".join(first.split()).replace("``", "`")
