"""Random configs that their schemas accept, built from the schemas and the examples of their keys."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st
from pydantic import BaseModel, RootModel, ValidationError
from pydantic.fields import FieldInfo

from tusk_platform.sections.block import Block, written
from tusk_platform.sections.reading import read
from tusk_platform.sections.validate import SECTIONS
from tusk_platform.tsk.parser import parse
from tusk_platform.tsk.values import plain

Values = dict[str, Any]

# The names of the examples, so that some find each other.
NAMES = st.sampled_from(
    ["user_events", "system_metrics", "business_events", "user_metrics", "business_metrics", "purchase", "page_view"]
)
QUERIES = st.sampled_from(
    [
        "SELECT 1 AS one",
        "\n    SELECT COUNT(*) AS n\n    FROM user_events\n    WHERE created_at >= NOW() - INTERVAL 1 HOUR\n",
    ]
)
SOURCES: list[Values] = [
    {"source": "kafka", "topic": "user-events"},
    {"source": "prometheus", "scrape_interval": "15s", "metrics": ["cpu", "memory"]},
    {"source": "database", "table": "business_events"},
    {"source": "demo"},
    {"source": "http", "schema": {"at": "timestamp", "amount": "decimal"}, "event_time": "at"},
    {"source": "mqtt", "topics": ["sensor/temperature"], "qos": 1},
]


def configs() -> st.SearchStrategy[Values]:
    """Some sections, each as its schema wants it."""
    sections = st.fixed_dictionaries({}, optional={name: of_model(schema) for name, schema in SECTIONS.items()})
    top = st.fixed_dictionaries({}, optional={"timezone": st.just("Europe/Berlin"), "demo": st.booleans()})
    return st.builds(lambda one, other: {**one, **other}, top, sections)


def of_model(schema: type[BaseModel]) -> st.SearchStrategy[Values]:
    """Tables that a schema accepts; keys that do not go together with others are left out again."""
    if issubclass(schema, RootModel):
        return of_type(schema.model_fields["root"].annotation, schema.model_fields["root"])
    assert issubclass(schema, Block)
    keys = schema.config_keys()
    if schema.__name__ == "DataStream":
        return st.sampled_from(SOURCES)
    inner = {key: of_type(field.annotation, field) for key, field in keys.items()}
    required = {key: value for key, value in inner.items() if keys[key].is_required()}
    optional = {key: value for key, value in inner.items() if not keys[key].is_required()}
    made = st.fixed_dictionaries(required, optional=optional)
    return made.map(lambda values: accepted(schema, values) or {}).filter(
        lambda values: required.keys() <= values.keys()
    )


def of_type(kind: Any, field: FieldInfo) -> st.SearchStrategy[Any]:  # noqa: ANN401 - whatever an annotation can be
    """Values of one key."""
    if get_origin(kind) is Annotated:
        return of_type(get_args(kind)[0], field)
    if get_origin(kind) in (Union, types.UnionType):
        tables = [inner for inner in get_args(kind) if _is_table(inner)]
        if tables:
            return st.one_of([of_type(inner, field) for inner in tables])
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    if get_origin(kind) is not None and isinstance(get_origin(kind), type) and issubclass(get_origin(kind), Mapping):
        inner = get_args(kind)[1]
        if _is_table(inner) or "Query" in str(inner):
            return st.dictionaries(NAMES, of_type(inner, field), min_size=1, max_size=3)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return of_model(kind)
    if kind is bool:
        return st.booleans()
    if "Query" in str(kind):
        return QUERIES.map(lambda sql: {"@query": [sql]})
    assert field.examples, field
    return st.sampled_from([_parsed(example) for example in field.examples])


def _is_table(kind: Any) -> bool:  # noqa: ANN401 - whatever an annotation can be
    if get_origin(kind) is Annotated or get_origin(kind) in (Union, types.UnionType):
        return any(_is_table(inner) for inner in get_args(kind)[:1] if inner is not kind)
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _parsed(example: object) -> Any:  # noqa: ANN401 - any config value
    """An example as plain values, operators as tables."""
    return plain(parse(f"x = {written(example)}", "example.tsk").root)["x"]


def accepted(schema: type[Block], values: Values) -> Values | None:
    """The values without those that the schema refuses beside the others; None where it needs one of them."""
    keys = schema.config_keys()
    for _ in range(len(values) + 1):
        try:
            schema.model_validate(as_data(values))
        except ValidationError as error:
            refused = {str(e["loc"][0]) for e in error.errors() if e["loc"]}
            removable = {k for k in refused if k in values and not keys[k].is_required()}
            if not removable:
                return None
            values = {k: v for k, v in values.items() if k not in removable}
        else:
            return values
    return None


def as_data(values: Values) -> Any:  # noqa: ANN401 - what the schemas take
    """Plain values as the schemas get them."""
    text = ", ".join(f"{key} = {_text(value)}" for key, value in values.items())
    return read(parse(text, "made.tsk").root).data


def _text(value: Any) -> str:  # noqa: ANN401 - any config value
    if isinstance(value, dict) and len(value) == 1 and re.match("@", next(iter(value))):
        ((name, arguments),) = value.items()
        return f"{name}({', '.join(_text(a) for a in arguments)})"
    if isinstance(value, dict):
        return "{ " + ", ".join(f'"{k}" = {_text(v)}' for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_text, value)) + "]"
    return written(value)
