"""What is left of a section without its mistakes, so that the names in the rest of a file can be judged too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ValidationError

Path = tuple[str | int, ...]
# Each mistake costs some looks at the section; of a file with more, people mend some before they read on.
_MOST: Final = 20


def remains(schema: type[BaseModel], value: object) -> tuple[BaseModel, tuple[Path, ...]] | None:
    """The section without what is wrong in it, and the paths that were left out; None where too much is wrong.

    Left out is the least that lets the mistake go: a key, or the table that needs it.
    """
    left_out: list[Path] = []
    found = _looked_at(schema, value)
    while not isinstance(found, BaseModel):
        if not found or len(left_out) + len(found) > _MOST:
            return None
        path = _places(found[0], value)
        for length in range(len(path), 0, -1):
            trial = _without(value, path[:length])
            after = _looked_at(schema, trial)
            if isinstance(after, BaseModel) or len(after) < len(found):
                value, found = trial, after
                left_out.append(path[:length])
                break
        else:
            return None
    return found, tuple(left_out)


def _looked_at(schema: type[BaseModel], value: object) -> BaseModel | list[Path]:
    try:
        return schema.model_validate(value)
    except ValidationError as error:
        return list(dict.fromkeys(e["loc"] for e in error.errors(include_url=False, include_input=False)))


def _places(location: Sequence[str | int], value: Any) -> Path:  # noqa: ANN401 - any config value
    """The steps of an error's location that are in the value; others name kinds of value."""
    path: list[str | int] = []
    for step in location:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            continue
        path.append(step)
    return tuple(path)


def _without(value: Any, path: Path) -> Any:  # noqa: ANN401 - any config value
    """The value without what stands at a path."""
    step, rest = path[0], path[1:]
    if isinstance(value, Mapping):
        return {k: _without(v, rest) if k == step else v for k, v in value.items() if rest or k != step}
    return [_without(v, rest) if n == step else v for n, v in enumerate(value) if rest or n != step]
