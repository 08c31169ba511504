"""What a schema's complaint means to the person who wrote the config: words instead of the validator's codes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import ErrorDetails

from tusk_platform.sections.fields import EnvReference, Query, came, did_you_mean, listed, misplaced

Path = tuple[str | int, ...]

_EXPECTED: Final[Mapping[str, str]] = {
    "int": "a whole number", "float": "a number", "finite": "a number", "decimal": "a number", "string": "text",
    "bool": "`true` or `false`", "list": "a list", "tuple": "a list", "set": "a list", "frozen": "a list",
    "iterable": "a list", "dict": "a table", "mapping": "a table", "model": "a table", "dataclass": "a table",
}  # fmt: skip
_BOUNDS: Final = (("ge", "at least"), ("gt", "more than"), ("le", "at most"), ("lt", "less than"))
_LENGTHS: Final = (("min_length", "at least"), ("max_length", "at most"))


@dataclass(frozen=True, slots=True)
class Explained:
    """One complaint in words.

    ``on`` is what it is about: a ``value``, a ``missing`` or ``unknown`` key, an ``absent`` key whose default does not
    fit, or a ``secret``. ``offset`` is a position inside a text.
    """

    path: Path
    message: str
    hint: str
    value: object
    on: str = "value"
    offset: tuple[int, int, int] | None = None


def explain(error: ErrorDetails, *, example: str = "") -> Explained:
    """A complaint in words. ``example`` is a line of config that would be right."""
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    path: Path = error["loc"]
    if kind == "tusk":
        right = context["hint"] or _example(example)
        on = context.get("on", "value")
        return Explained((*path, *context["at"]), context["message"], right, value, on, context["offset"])
    if kind == "missing":
        return Explained(path, f"`{path[-1]}` is missing", _example(example), value, "missing")
    if kind == "extra_forbidden":
        return Explained(path, f"unknown key `{path[-1]}`", "", value, "unknown")
    if kind in {"value_error", "assertion_error"}:
        return Explained(path, str(context.get("error") or "this value is not right"), _example(example), value)
    expected = wanted(error)
    return Explained(
        path, f"expected {expected}, got {came(value)}", correction(value, expected, context, example), value
    )


def wanted(error: ErrorDetails) -> str:
    """What would have been right, in words: ``a whole number``, ``at least 1``, ``lz4 or zstd``."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "tusk":
        said = re.fullmatch(r"expected (.+?), got .*", context["message"], re.DOTALL)
        return said.group(1) if said else "another value"
    if choices := _choices(context):
        return listed(choices)
    for name, words in _BOUNDS:
        if name in context:
            return f"{words} {context[name]:g}" if isinstance(context[name], float) else f"{words} {context[name]}"
    for name, words in _LENGTHS:
        if name in context:
            things = "characters" if kind.startswith("string") else "items"
            count = context[name]
            return f"{words} one {things[:-1]}" if count == 1 else f"{words} {count} {things}"
    if "pattern" in context:
        return f"text of the form `{context['pattern']}`"
    return _EXPECTED.get(kind.split("_")[0], "another value")


def correction(value: object, expected: str, context: Mapping[str, Any], example: str) -> str:
    """How to put it right: the nearest choice, the value in or without quotes or brackets, or an example."""
    if isinstance(value, EnvReference | Query):
        return misplaced(value)
    if choices := _choices(context):
        return did_you_mean(value, choices) or _example(example) or f'such as `"{choices[0]}"`'
    if isinstance(value, str) and len(value) < 40:
        if expected in {"a whole number", "a number"} and re.fullmatch(r"-?\d+(\.\d+)?", value.strip()):
            return f"write it without quotes: `{value.strip()}`"
        if "`true`" in expected and value.strip().lower() in {"true", "false"}:
            return f"write it without quotes: `{value.strip().lower()}`"
        if expected == "a list":
            return f'write it in brackets: `["{value}"]`'
    if expected == "text" and isinstance(value, int | float) and len(came(value)) < 60:
        return f'write it in quotes: `"{str(value).lower()}"`'
    return _example(example) or _GENERIC.get(expected, "")


_GENERIC: Final = {
    "a whole number": "such as `8`",
    "a number": "such as `0.5`",
    "text": "write it in quotes",
    "`true` or `false`": "such as `true`",
    "a list": 'such as `["a", "b"]`',
    "a table": "such as `{ name = value }`",
}


def _example(example: str) -> str:
    return f"such as `{example}`" if example else ""


def _choices(context: Mapping[str, Any]) -> list[str]:
    expected = context.get("expected") or context.get("expected_tags")
    return re.findall(r"'([^']*)'", expected) if isinstance(expected, str) else []


# -- Complaints about values that may be of several kinds --------------------------------------------------------------

ExampleOf = Callable[[Path], str]


def complaints(errors: Iterable[ErrorDetails], data: object, example_of: ExampleOf = lambda _: "") -> list[Explained]:
    """The errors in words, each mistake once, at places that exist in ``data``.

    Where a value may be of several kinds the schema complains once a kind; of these the kind that came nearest is
    kept, or one complaint that names all kinds. ``example_of`` gives a right line for a place.
    """
    found: list[Explained] = []
    forks: dict[Path, dict[str | int, list[ErrorDetails]]] = {}
    for e in errors:
        if _is_echo(e):
            continue
        path, fork = _real(e, data)
        at_home = e.copy()
        at_home["loc"] = path
        if fork is None:
            found.append(explain(at_home, example=example_of(path)))
        else:
            forks.setdefault(fork[0], {}).setdefault(fork[1], []).append(at_home)
    for path, kinds in forks.items():
        found += _nearest_kind(path, list(kinds.values()), example_of)
    return found


def _is_echo(error: ErrorDetails) -> bool:
    """Whether a list is called too short only because its items are wrong, which is said of each of them."""
    least = error.get("ctx", {}).get("min_length", 0)
    return error["type"] == "too_short" and isinstance(error["input"], Sized) and len(error["input"]) >= least


def _real(error: ErrorDetails, data: object) -> tuple[Path, tuple[Path, str | int] | None]:
    """The location without the names of kinds, and the first place where a kind was named."""
    path: list[str | int] = []
    fork: tuple[Path, str | int] | None = None
    missing = error["type"] == "missing" or error.get("ctx", {}).get("on") in {"missing", "absent"}
    for index, step in enumerate(error["loc"]):
        last = index == len(error["loc"]) - 1
        if isinstance(data, Mapping) and (step in data or (missing and last)):
            data = data.get(step)
        elif isinstance(data, Sequence) and not isinstance(data, str) and isinstance(step, int) and step < len(data):
            data = data[step]
        elif step != "[key]":
            fork = fork or (tuple(path), step)
            continue
        path.append(step)
    return tuple(path), fork


def _nearest_kind(path: Path, kinds: list[list[ErrorDetails]], example_of: ExampleOf) -> list[Explained]:
    depths = [min(len(e["loc"]) for e in errors) for errors in kinds]
    best = kinds[depths.index(max(depths))]
    if max(depths) > len(path) or len(kinds) == 1:
        return [explain(e, example=example_of(e["loc"])) for e in best]
    expected = " or ".join(dict.fromkeys(wanted(e) for errors in kinds for e in errors))
    value = best[0]["input"]
    right = misplaced(value) or _example(example_of(path))
    return [Explained(path, f"expected {expected}, got {came(value)}", right, value)]
