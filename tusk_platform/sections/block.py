"""The base of every table of the config: frozen, strict, without unknown keys, and clear about what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, ValidationInfo, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from tusk_platform.errors import nearest
from tusk_platform.sections.explain import Explained, Path, complaints, explain
from tusk_platform.sections.fields import came, did_you_mean, listed, misplaced, wrong

T = TypeVar("T")
Spell = Callable[[Any], str]

CONFIG: Final = ConfigDict(frozen=True, extra="forbid", strict=True)


class Block(BaseModel):
    """A table of the config. ``None`` in an optional key means that the config leaves it open."""

    model_config = CONFIG

    @model_validator(mode="wrap")
    @classmethod
    def _in_words(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:  # noqa: ANN401 - any config value
        try:
            return handler(value)
        except ValidationError as error:
            raise in_words(cls, error.errors(include_url=False), value) from None

    @classmethod
    def config_keys(cls) -> dict[str, FieldInfo]:
        """The config keys of this table with what is known of each."""
        return {field.alias or name: field for name, field in cls.model_fields.items()}


def in_words(block: type[Block], errors: Iterable[ErrorDetails], value: object) -> ValidationError:
    """The same errors in words, with the nearest key for an unknown one and an example for a missing one."""
    keys = block.config_keys()
    present = set(value) if isinstance(value, Mapping) else set()
    absent = [n for n in keys if n not in present]

    def example_of(path: Path) -> str:
        return example(str(path[0]), keys.get(str(path[0]))) if len(path) == 1 else ""

    written_ones: list[ErrorDetails] = []
    found: list[Explained] = []
    for error in errors:
        if error["type"] != "missing" and error["loc"] and error["loc"][0] in absent:
            # A default that does not fit what is written elsewhere in the table.
            found.append(replace(explain(error), on="absent"))
        else:
            written_ones.append(error)
    meant: set[Path] = set()
    for e in complaints(written_ones, value, example_of):
        if e.on == "unknown" and len(e.path) == 1:
            hint = e.hint or _nearest_key(str(e.path[0]), absent, list(keys))
            meant.add((hint.split("`")[1],) if hint.startswith("did") else ())
            found.append(replace(e, hint=hint))
        else:
            found.append(e)
    # A misspelt key is one mistake, not an unknown key and a missing one.
    return rebuilt(block.__name__, [e for e in found if e.on != "missing" or e.path not in meant])


def rebuilt(title: str, found: Iterable[Explained]) -> ValidationError:
    """A ValidationError that carries complaints in words, to travel through the schemas around it."""
    lines = [
        InitErrorDetails(
            type=PydanticCustomError(
                "tusk",
                "{message}",
                {"message": e.message, "hint": e.hint, "at": (), "offset": e.offset, "on": e.on},
            ),
            loc=e.path,
            input=e.value,
        )
        for e in found
    ]
    return ValidationError.from_exception_data(title, lines)


def unknown_key(name: str, value: object, hint: str) -> Explained:
    """The complaint about a key that nobody knows."""
    return Explained((name,), f"unknown key `{name}`", hint, value, "unknown")


def _nearest_key(word: str, absent: list[str], known: list[str]) -> str:
    hint = nearest(word, absent)
    return hint if hint.startswith("did") else nearest(word, known)


def kind_of(key: str, kinds: Mapping[str, type[Block]]) -> Callable[[object], Block]:
    """A validator for tables whose other keys depend on the value of ``key``."""

    def validate(value: object) -> Block:
        if isinstance(value, Block):
            return value
        if not isinstance(value, Mapping):
            raise wrong(f"expected a table, got {came(value)}", f"such as `{{ {key} = {written(next(iter(kinds)))} }}`")
        if key not in value:
            near = next((k for k in value if isinstance(k, str) and did_you_mean(k, [key])), None)
            missing = Explained((key,), f"`{key}` is missing", f"one of {listed(list(kinds))}", value, "missing")
            raise rebuilt(key, [unknown_key(near, value[near], f"did you mean `{key}`?") if near else missing])
        said = value[key]
        if not isinstance(said, str) or said not in kinds:
            close = (
                did_you_mean(said, list(kinds)) or misplaced(said) or f"such as `{key} = {written(next(iter(kinds)))}`"
            )
            text = f"expected {listed(list(kinds))}, got {came(said)}"
            raise rebuilt(key, [Explained((key,), text, close, said)])
        return kinds[said].model_validate(value)

    return validate


# -- Rules between two keys of one table: field validators, so that they run although other keys are wrong -------------


def plainly(value: int | float) -> str:
    """A number as a person writes it: ``20`` for ``20.0``."""
    return f"{value:.12g}"


def more_than(value: T, info: ValidationInfo, other: str, *, or_equal: bool = False, spell: Spell = plainly) -> T:
    """The value, where it is more than that of another key declared before it."""
    bound: Any = info.data.get(other)
    given: Any = value
    if _comparable(given, bound) and not (given > bound or (or_equal and given == bound)):
        words = "at least" if or_equal else "more than"
        raise wrong(f"`{info.field_name}` must be {words} `{other}`, which is {spell(bound)}", "change one of them")
    return value


def less_than(value: T, info: ValidationInfo, other: str, *, or_equal: bool = False, spell: Spell = plainly) -> T:
    """The value, where it is less than that of another key declared before it."""
    bound: Any = info.data.get(other)
    given: Any = value
    if _comparable(given, bound) and not (given < bound or (or_equal and given == bound)):
        words = "at most" if or_equal else "less than"
        raise wrong(f"`{info.field_name}` must be {words} `{other}`, which is {spell(bound)}", "change one of them")
    return value


def only_with(value: T, info: ValidationInfo, other: str, allowed: Container[object]) -> T:
    """The value, where another key declared before it has one of the values with which this key does something."""
    said = info.data.get(other)
    if said is not None and said not in allowed:
        shown = written(said) if isinstance(said, bool) else said
        raise wrong(f"`{info.field_name}` does nothing where `{other}` is `{shown}`", "leave it out")
    return value


def _comparable(value: object, bound: object) -> bool:
    return isinstance(value, int | float) and isinstance(bound, int | float)


def example(name: str, field: FieldInfo | None) -> str:
    """A line of config with the field's first example, or nothing where it has none."""
    examples = (field.examples if field else None) or []
    return f"{name} = {written(examples[0])}" if examples else ""


def written(value: object) -> str:
    """A plain value as the config language writes it.

    >>> written({"min": 0, "names": ["a", True]})
    '{ min = 0, names = ["a", true] }'
    """
    match value:
        case bool():
            return str(value).lower()
        case str():
            # An operator is written as it is.
            return value if value.startswith("@") else f'"{value}"'
        case Mapping():
            return "{ " + ", ".join(f"{k} = {written(v)}" for k, v in value.items()) + " }"
        case list() | tuple():
            return "[" + ", ".join(written(v) for v in value) + "]"
    return str(value)
