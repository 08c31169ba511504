"""Values of a plan as people write them: spans of time spelled, windows and metrics in words, secrets not at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tusk_platform.cli.plan_page import masked
from tusk_platform.units import spell

# What is counted in microseconds, by the last word of its name.
_SPANS: Final = frozenset({
    "retention", "horizon", "timeout", "lateness", "frequency", "interval", "range", "slide", "gap", "offset", "bucket",
    "future", "back", "ttl", "limit", "step", "history", "every", "window",
})  # fmt: skip
_SPANS_WHOLE: Final = frozenset({"size", "max_size", "batch_interval"})
# Numbers with such a name that are none of time.
_NO_SPANS: Final = frozenset({"cache.size"})
_KINDS: Final[Mapping[str, str]] = {
    "queries": "query", "watched": "watched series", "inactive": "not active yet:", "rules": "row rule",
}  # fmt: skip


def kind_in_words(kind: str) -> str:
    """One node of a kind: ``alert_rules`` is ``alert rule``."""
    word = _KINDS.get(kind) or (kind.removesuffix("s") if not kind.endswith("ss") else kind)
    return word.replace("_", " ")


def value_in_words(field: str, value: Any) -> str:  # noqa: ANN401 - any value of a plan
    """A value as it stands in a line of text."""
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case int() if _is_span(field):
            return spell(value) if value else "none"
        case float():
            return f"{value:g}"
        case list():
            return ", ".join(value_in_words(field, v) for v in value) or "none"
        case Mapping():
            return _table_in_words(field, value)
    return str(value)


def shown(kind: str, field: str, value: Any) -> Any:  # noqa: ANN401 - any value of a plan
    """A value as it may be printed: of a connection only what is no secret."""
    if kind != "connections" or value is None:
        return value
    if isinstance(value, Mapping) and "@env" not in value:
        return {k: shown(kind, f"{field}.{k}", v) for k, v in value.items()}
    return masked(field.rsplit(".", 1)[-1], value)


def counted(number: int, word: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{number} {word}{'' if number == 1 else 's'}"


def _is_span(field: str) -> bool:
    name = field.rsplit(".", 1)[-1]
    if field in _NO_SPANS or field.startswith(("options.", "values.")):
        return False
    return name in _SPANS_WHOLE or name.rsplit("_", 1)[-1] in _SPANS


def _table_in_words(field: str, value: Mapping[str, Any]) -> str:
    match value:
        case {"@env": [name, *_]}:
            return f"@env({name})"
        case {"kind": "tumbling", "size": size, **rest}:
            return spell(size) + _shift(rest)
        case {"kind": "sliding", "size": size, "slide": slide, **rest}:
            return f"{spell(size)} every {spell(slide)}" + _shift(rest)
        case {"kind": "session", "gap": gap, "max_size": longest}:
            return f"sessions with gap {spell(gap)}, up to {spell(longest)}"
        case {"function": "ratio", "numerator": above, "denominator": below}:
            return f"{above or 'all events'} ÷ {below or 'all events'}"
        case {"function": function, "column": column, "where": where}:
            return f"{function}({column or '*' if function == 'count' else column or ''})" + (
                f" where {where}" if where else ""
            )
        case {"name": _, "type": kind, "aliases": _}:
            return str(kind)
    said = {k: v for k, v in value.items() if v not in (None, [], {}) and k not in {"origin", "name", "at"}}
    return ", ".join(f"{k} {value_in_words(f'{field}.{k}', v)}" for k, v in said.items()) or "nothing"


def _shift(window: Mapping[str, Any]) -> str:
    return f", shifted by {spell(window['offset'])}" if window.get("offset") else ""
