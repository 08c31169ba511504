"""What may be written at a position: keys of the table there, values of the key there, names that the file declares."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, get_args, get_origin
from zoneinfo import available_timezones

from tusk_platform.editor.allowed import Key, blocks, entries_at, key_at, keys_at, limits_at, shapes_at, value_at
from tusk_platform.editor.buffer import Buffer
from tusk_platform.editor.names import names_at
from tusk_platform.editor.places import Path, Place, place_at
from tusk_platform.generate.reference_values import default_of, sentence, values_of
from tusk_platform.generate.shapes import Shape
from tusk_platform.sections.block import Block, written
from tusk_platform.sections.fields import EnvReference, Query
from tusk_platform.sections.streams import sources
from tusk_platform.sections.validate import SECTIONS
from tusk_platform.tsk.words import KEY

Kind = Literal["section", "key", "value", "name", "operator"]

_ENV: Final = "@env(NAME)"
_FREQUENCIES: Final = ("daily", "weekly")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One thing that may be written. ``text`` is it whole, ``snippet`` the same with places to fill in (``${1:...}``).

    ``start`` and ``end`` are the offsets of what it takes the place of, ``matched`` is what that is compared with.
    """

    label: str
    kind: Kind
    text: str
    snippet: str
    start: int
    end: int
    detail: str = ""
    documentation: str = ""
    matched: str = ""


def completions(buffer: Buffer, line: int, column: int) -> list[Suggestion]:
    """What may be written at a line and column, both from 1, the likeliest first."""
    place = place_at(buffer, line, column)
    match place.role:
        case "key":
            found = _keys(buffer, place)
        case "value" | "item":
            found = _values(buffer, place)
        case "header":
            found = _headers(buffer, place)
        case _:
            found = iter(())
    # What is asked for right behind the sign gets the space that belongs there.
    space = " " if place.role == "value" and buffer.source.text[place.start - 1 : place.start] == "=" else ""
    return [
        replace(
            s,
            text=f"{space}{s.text}",
            snippet=f"{space}{s.snippet}",
            start=place.start,
            end=place.end,
            matched=s.text if place.quoted else s.label,
        )
        for s in dict.fromkeys(found)
    ]


def kind_of(key: Key) -> str:
    """What may stand behind a key in words, with an example; without the links of a page."""
    return re.sub(r"\[([^\]]+)\]\(#[^)]*\)", r"\1", values_of(key.field))


def documentation(key: Key) -> str:
    """What is known of a key, as Markdown: what it does, its kind, its default, an example."""
    needed = "needed" if key.field.is_required() else ""
    default = default_of(key.field)
    facts = [kind_of(key), needed, f"default {default}" if default else ""]
    return "\n\n".join(part for part in (key.field.description or "", "; ".join(f for f in facts if f)) if part)


# -- Keys --------------------------------------------------------------------------------------------------------------


def _keys(buffer: Buffer, place: Place) -> Iterator[Suggestion]:
    here = value_at(buffer.data, place.table)
    there = set(here) if isinstance(here, dict) else set()
    # The key at the position is about to be another one, unless it stands a second time.
    there -= {place.text} if place.text and place.signed else set()
    if not place.table:
        for name, section in SECTIONS.items():
            if name not in there:
                yield _section(name, sentence(section.__doc__), signed=place.signed)
    keys = keys_at(place.table, buffer.data)
    for key in sorted(keys.values(), key=lambda k: not k.field.is_required()):
        limits = limits_at((*place.table, key.name), buffer.data)
        if key.name not in there and limits != (key.field.default,):
            yield _key(key, signed=place.signed)
    entries = entries_at(place.table, buffer.data)
    if entries is not None:
        yield from _named(place, buffer, entries[1], there)


def _section(name: str, documented: str, *, signed: bool) -> Suggestion:
    snippet = name if signed else f"{name} = {{\n\t$0\n}}"
    return Suggestion(name, "section", _without_stops(snippet), snippet, 0, 0, "section", documented)


def _key(key: Key, *, signed: bool) -> Suggestion:
    snippet = key.name if signed else f"{key.name} = {_value_snippet(key)}"
    detail = kind_of(key) + (" (needed)" if key.field.is_required() else "")
    return Suggestion(key.name, "key", _without_stops(snippet), snippet, 0, 0, detail, documentation(key))


def _value_snippet(key: Key) -> str:
    """The key's example, to be overwritten; a table opens its braces."""
    shapes = key.shapes
    if all(s.block or s.entries for s in shapes):
        return "{\n\t$0\n}"
    examples = key.field.examples or []
    return f"${{1:{_escaped(written(examples[0]))}}}" if examples else "$0"


def _named(place: Place, buffer: Buffer, shapes: tuple[Shape, ...], there: set[str]) -> Iterator[Suggestion]:
    """Names of one's own that the table takes: those known, else one to fill in."""
    known = [n for n in names_at((*place.table, ""), buffer) if n not in there]
    for name in known or ["name"]:
        body = _body(shapes)
        left = _escaped(name) if known else f"${{1:{name}}}"
        snippet = left if place.signed else f"{left} = {body}"
        inside = blocks(shapes)
        detail = sentence(inside[0].__doc__) if len(inside) == 1 else "a name of your own"
        if known or not place.signed:
            yield Suggestion(name, "name", _without_stops(snippet), snippet, 0, 0, detail, detail)


def _body(shapes: tuple[Shape, ...]) -> str:
    inside = blocks(shapes)
    if not inside:
        if any(s.entries for s in shapes):
            return "{\n\t$0\n}"
        return '@query("${2:SELECT ...}")' if any(s.type is Query for s in shapes) else "$0"
    lines = [
        f"\t{name} = ${{{stop}:{_escaped(written(field.examples[0]))}}}"
        for stop, (name, field) in enumerate(_needed(inside[0]), 2)
    ]
    return "{\n" + "\n".join(lines or ["\t$0"]) + "\n}"


def _needed(block: type[Block]) -> list[tuple[str, Any]]:
    return [(n, f) for n, f in block.config_keys().items() if f.is_required() and f.examples]


# -- Values ------------------------------------------------------------------------------------------------------------


def _values(buffer: Buffer, place: Place) -> Iterator[Suggestion]:
    shapes = shapes_at(place.path, buffer.data)
    key = key_at(place.path, buffer.data)
    documented = documentation(key) if key else ""
    names = names_at(place.path, buffer)
    there = value_at(buffer.data, place.path[:-1])
    listed = there if place.role == "item" and isinstance(there, list) else []
    for name, source in names.items():
        if name == place.text or name not in listed:
            detail = source.kind + (f" of {source.owner}" if source.owner else "") if source else ""
            yield _value(f'"{name}"', "name", detail, documented)
    limits = limits_at(place.path, buffer.data)
    left = {written(value) for value in limits}
    for text in (text for shape in shapes for text in _choices(shape)):
        if text in (left or {text}) and (text == f'"{place.text}"' or text.strip('"') not in listed):
            yield _value(text, "value", "", documented)
    yield from _operators(shapes, documented)
    chosen = any(True for s in shapes for _ in _choices(s)) or (names and not any("duration" in s.kind for s in shapes))
    if key and place.role == "value" and not chosen:
        for example in (key.field.examples or [])[:1]:
            yield _value(written(example), "value", "example", documented)


def _choices(shape: Shape) -> Iterator[str]:
    if shape.kind == "[source](#sources)":
        yield from (f'"{name}"' for name in sources())
    elif shape.kind == "type":
        yield from (f'"{name}"' for name in shape.bound("json_schema")["enum"])
    elif shape.kind == "time zone":
        yield from (f'"{name}"' for name in sorted(available_timezones()))
    elif "cron line" in shape.kind:
        yield from (['"real_time"'] if "real_time" in shape.kind else [])
        yield from (f'"{name}"' for name in _FREQUENCIES)
    elif get_origin(shape.type) is Literal:
        yield from (written(choice) for choice in get_args(shape.type))
    elif shape.type is bool:
        yield from ("true", "false")


def _operators(shapes: tuple[Shape, ...], documented: str) -> Iterator[Suggestion]:
    if any(s.type is EnvReference or "@env" in s.kind for s in shapes):
        detail = "a variable of the environment"
        yield Suggestion("@env", "operator", _ENV, "@env(${1:NAME})", 0, 0, detail, documented)
    if any(s.type is Query for s in shapes):
        sql = "SELECT ... FROM ..."
        snippet = f'@query("${{1:{sql}}}")'
        yield Suggestion(
            "@query", "operator", f'@query("{sql}")', snippet, 0, 0, "SQL whose result is a table", documented
        )
    if any(s.block or s.entries for s in shapes):
        yield Suggestion("{ }", "value", "{ }", "{\n\t$0\n}", 0, 0, "table", documented)
    if any(s.item is not None for s in shapes):
        yield Suggestion("[ ]", "value", "[]", "[$0]", 0, 0, "list", documented)


def _value(text: str, kind: Kind, detail: str, documented: str) -> Suggestion:
    return Suggestion(text.strip('"'), kind, text, _escaped(text), 0, 0, detail, documented)


# -- Headers and snippets ----------------------------------------------------------------------------------------------


def _headers(buffer: Buffer, place: Place) -> Iterator[Suggestion]:
    """Names of tables for the next part of a header."""
    above: Path = place.path[:-1]
    if not above:
        for name, section in SECTIONS.items():
            yield Suggestion(name, "section", name, name, 0, 0, "section", sentence(section.__doc__))
        return
    for key in keys_at(above, buffer.data).values():
        if any(s.block or s.entries for s in key.shapes):
            yield Suggestion(key.name, "key", key.name, key.name, 0, 0, kind_of(key), documentation(key))
    here = value_at(buffer.data, above)
    for name in here if isinstance(here, dict) and entries_at(above, buffer.data) else ():
        if KEY.fullmatch(name) and name != place.text:
            yield Suggestion(name, "name", name, name, 0, 0)


def _escaped(text: str) -> str:
    """Text as it stands in a snippet."""
    return re.sub(r"([\\$}])", r"\\\1", text)


def _without_stops(snippet: str) -> str:
    """A snippet as plain text, its places filled in."""
    filled = re.sub(r"\$\{\d+:((?:\\.|[^}\\])*)\}|\$\d", lambda m: m[1] or "", snippet)
    return re.sub(r"\\([\\$}])", r"\1", filled).replace("\t", "    ")
