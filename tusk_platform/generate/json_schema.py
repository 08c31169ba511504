"""The JSON schema of the config, for editors and other programs: what its plain values may be.

It describes what ``tusk parse`` prints, operators in their plain form: ``{"@env": ["NAME"]}``. All of it comes from the
schemas of the sections. What they check beyond a single value, an offset that must be less than a size, is not in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

from tusk_platform import units
from tusk_platform.generate.reference_values import plain_default, sentence, values_of
from tusk_platform.generate.shapes import Shape, limits_of, options_of, own_names, shapes, shapes_of, shipped_sources
from tusk_platform.sections.block import Block, written
from tusk_platform.sections.fields import EnvReference, Query
from tusk_platform.sections.live_dashboards import Grid
from tusk_platform.sections.streams import StreamKeys
from tusk_platform.sections.top_level import TopLevel
from tusk_platform.sections.validate import SECTIONS
from tusk_platform.tsk.parser import parse
from tusk_platform.tsk.values import plain

Schema = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_NUMBER: Final = r"\d+(?:\.\d+)?"
_SCALARS: Final[dict[Any, str]] = {bool: "boolean", int: "integer", float: "number", str: "string"}
_BOUNDS: Final = (("ge", "minimum"), ("gt", "exclusiveMinimum"), ("le", "maximum"), ("lt", "exclusiveMaximum"))


def any_case(words: Iterable[str]) -> str:
    """A pattern for words however their letters are written; JSON schema knows no flag for that.

    >>> any_case(["ms", "s"])
    '(?:[mM][sS]|[sS])'
    """
    letters = ("".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in word) for word in words)
    return f"(?:{'|'.join(letters)})"


_DURATION: Final = rf"\s*{_NUMBER}\s*{any_case(units.TIME_UNITS)}[sS]?\s*"
_ENV: Final[Schema] = {"$ref": "#/$defs/env"}
_SOME_TEXT: Final[Schema] = {"type": "string", "pattern": r"\S"}
# The operators and the forms of text that several keys share.
_SHARED: Final[dict[str, Schema]] = {
    "env": {
        "description": "`@env(NAME)` or `@env(NAME, default)`: a variable of the environment.",
        "type": "object",
        "properties": {
            "@env": {
                "type": "array",
                "prefixItems": [
                    {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
                    {
                        "anyOf": [
                            {"type": ["string", "number", "boolean"]},
                            {
                                "type": "object",
                                "properties": {"default": {"type": ["string", "number", "boolean"]}},
                                "required": ["default"],
                                "additionalProperties": False,
                            },
                        ]
                    },
                ],
                "minItems": 1,
                "items": False,
            }
        },
        "required": ["@env"],
        "additionalProperties": False,
    },
    "secret": {
        "description": "`@env(NAME)`: a secret, which comes from the environment and has no default.",
        "type": "object",
        "properties": {
            "@env": {
                "type": "array",
                "items": {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
                "minItems": 1,
                "maxItems": 1,
            }
        },
        "required": ["@env"],
        "additionalProperties": False,
    },
    "query": {
        "description": '`@query("SELECT ...")`: SQL whose result is a table.',
        "type": "object",
        "properties": {"@query": {"type": "array", "items": _SOME_TEXT, "minItems": 1, "maxItems": 1}},
        "required": ["@query"],
        "additionalProperties": False,
    },
    "duration": {"type": "string", "pattern": f"^{_DURATION}$"},
    "size": {"type": "string", "pattern": rf"^\s*{_NUMBER}\s*{any_case(units.SIZE_UNITS)}\s*$"},
    "percentage": {"type": "string", "pattern": rf"^\s*{_NUMBER}\s*%\s*$"},
    "rate": {
        "type": "string",
        "pattern": rf"^\s*\d+\s*(?:{any_case(['request', 'event', 'call'])}[sS]?)?\s*"
        rf"(?:{any_case(['per'])}|/)\s*(?:{_DURATION}|{any_case(units.TIME_UNITS)}[sS]?\s*)$",
    },
    "name": {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]{0,62}$"},
    "column": {"type": "string", "pattern": '^[^_"][^"]{0,127}$'},
    "metric": {"type": "string", "pattern": r"^[A-Za-z][A-Za-z0-9_]{0,62}(?:\.[A-Za-z][A-Za-z0-9_]{0,62})?$"},
}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


_OFTEN: Final[list[Schema]] = [
    {"enum": ["daily", "weekly"]},
    _ref("duration"),
    # A cron line; and the words with white space around.
    {"type": "string", "pattern": r"^\s*(?:daily|weekly|\S+(?:\s+\S+){4})\s*$"},
]
# What the kinds with words of their own are, beside those above.
_KINDS: Final[dict[str, Schema]] = {
    **{name: _ref(name) for name in _SHARED if name not in {"env", "secret", "query"}},
    "time zone": {"type": "string", "minLength": 1},
    "duration or window": {"anyOf": [_ref("duration"), _ref("name")]},
    "text": _SOME_TEXT,
    "`@env`": _ref("secret"),
    "folder or address or `@env`": {"anyOf": [_SOME_TEXT, _ENV]},
    "address or `@env`": {"anyOf": [{"type": "string", "pattern": f"^{any_case(['http'])}[sS]?://"}, _ENV]},
    "SQL over a row": _SOME_TEXT,
    "duration, `daily`, `weekly` or cron line": {"anyOf": _OFTEN},
    "`real_time`, duration, `daily`, `weekly` or cron line": {"anyOf": [{"const": "real_time"}, *_OFTEN]},
}


def schema_text(sources: Iterable[str] | None = None) -> str:
    """The schema as a file."""
    return json.dumps(config_schema(sources), indent=2, ensure_ascii=False) + "\n"


def config_schema(sources: Iterable[str] | None = None) -> Schema:
    """The schema of a whole config. ``sources`` are those that streams may name: not said, the platform's own."""
    found = _Definitions(tuple(sources) if sources is not None else shipped_sources())
    properties = found.properties(TopLevel)
    for name, section in SECTIONS.items():
        properties[name] = {**found.any_of(shapes(section)), "description": sentence(section.__doc__)}
    return {
        "$schema": DIALECT,
        "title": "A Tusk Platform config",
        "description": "Plain values of a .tsk file, as `tusk parse` prints them.",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "$defs": _SHARED | dict(sorted(found.tables.items())),
    }


class _Definitions:
    """The schemas of tables by name, made as they are needed."""

    def __init__(self, sources: tuple[str, ...]) -> None:
        self.sources = sources
        self.tables: dict[str, Schema] = {}

    def any_of(self, alternatives: tuple[Shape, ...]) -> Schema:
        """The schema of what may be of several shapes."""
        arms = [self.shape(shape) for shape in alternatives]
        distinct = [arm for n, arm in enumerate(arms) if arm not in arms[:n]]
        return dict(distinct[0]) if len(distinct) == 1 else {"anyOf": distinct}

    def shape(self, shape: Shape) -> Schema:
        """The schema of one shape."""
        if shape.kind == "[source](#sources)":
            return {"enum": list(self.sources)}
        if shape.kind == "type":
            return dict(shape.bound("json_schema"))
        if shape.kind:
            return _KINDS[shape.kind]
        if shape.block is not None:
            return self.table(shape.block)
        if shape.entries is not None:
            names, values = shape.entries
            inner = {"propertyNames": self.any_of(shapes(names)), "additionalProperties": self.any_of(shapes(values))}
            return {"type": "object", **inner, **_counted(shape, "Properties")}
        if shape.item is not None:
            items = self.any_of(shapes(shape.item))
            return {"type": "array", "items": items, "uniqueItems": True, **_counted(shape, "Items")}
        return _scalar(shape)

    def table(self, block: type[Block]) -> Schema:
        """A reference to the schema of a table."""
        name = f"{block.__module__.rpartition('.')[2]}.{block.__name__}"
        if name not in self.tables:
            self.tables[name] = {}
            self.tables[name] = self.stream(block) if issubclass(block, StreamKeys) else self.plain_table(block)
        return _ref(name)

    def plain_table(self, block: type[Block]) -> Schema:
        """A table whose keys are all its own."""
        own = own_names(block)
        others: Schema = {"additionalProperties": False}
        if own is not None:
            names, values = own.__args__
            others = {"propertyNames": self.any_of(shapes(names)), "additionalProperties": self.any_of(shapes(values))}
        return {**self.head(block), "properties": self.properties(block), **_required(block), **others}

    def stream(self, block: type[StreamKeys]) -> Schema:
        """A table whose other keys depend on its source."""
        return {
            **self.head(block),
            "properties": self.properties(block),
            **_required(block),
            "allOf": [
                {
                    "if": {"properties": {block.source_key: {"const": source}}, "required": [block.source_key]},
                    "then": self.of_source(source),
                }
                for source in self.sources
            ],
            "unevaluatedProperties": False,
        }

    def of_source(self, source: str) -> Schema:
        """What a stream's source adds to the keys of every stream, or allows of them."""
        options = options_of(source)
        limits: Schema = {key: {"enum": list(left)} for key, left in limits_of(source).items()}
        if options is None:
            return {"properties": limits, "additionalProperties": True}
        common = StreamKeys.config_keys()
        own = {key: schema for key, schema in self.properties(options).items() if key not in common}
        return {"description": sentence(options.__doc__), "properties": limits | own, **_required(options)}

    def head(self, block: type[Block]) -> Schema:
        """What is said of a table as a whole."""
        return {"description": sentence(block.__doc__), "type": "object"}

    def properties(self, block: type[Block]) -> Schema:
        """The keys of a table."""
        return {key: self.property(field) for key, field in block.config_keys().items()}

    def property(self, field: Any) -> Schema:  # noqa: ANN401 - a field of a schema; this floor does not know its library
        """One key: what it may be, what it does, its default and an example."""
        default = plain_default(field)
        kind = values_of(field)
        return {
            **({"description": field.description} if field.description else {}),
            **self.any_of(shapes_of(field)),
            **({} if default is None else {"default": _as_parsed(default)}),
            **({"examples": [_as_parsed(e) for e in field.examples]} if field.examples and kind else {}),
        }


def _scalar(shape: Shape) -> Schema:
    if shape.type is EnvReference:
        return _ENV
    if shape.type is Query:
        return _ref("query")
    if shape.type is Grid:
        return {"type": "string", "pattern": r"^\s*[0-9]{1,2}\s*[xX×]\s*[0-9]{1,2}\s*$"}
    choices = getattr(shape.type, "__args__", None)
    if choices:
        return {"enum": list(choices)}
    bounds = {name: shape.bound(bound) for bound, name in _BOUNDS if shape.bound(bound) is not None}
    return {"type": _SCALARS[shape.type], **bounds}


def _counted(shape: Shape, things: str) -> Schema:
    least, most = shape.bound("min_length"), shape.bound("max_length")
    found = {f"min{things}": least, f"max{things}": most}
    return {name: count for name, count in found.items() if count is not None}


def _required(block: type[Block]) -> Schema:
    needed = [key for key, field in block.config_keys().items() if field.is_required()]
    return {"required": needed} if needed else {}


def _as_parsed(value: object) -> Any:  # noqa: ANN401 - what JSON can hold
    """An example or default as the parsed file holds it, operators included."""
    return plain(parse(f"it = {written(value)}", "").root)["it"]
