"""What may stand behind a key of the config, taken apart: the alternatives of its type, each with its bounds."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Union, get_args, get_origin, get_type_hints

from tusk_platform import ports
from tusk_platform.generate.reference_values import known_kind
from tusk_platform.sections import fields
from tusk_platform.sections.block import Block
from tusk_platform.sections.streams import sources

# What turns one item into a list of it; where it stands, the item alone is as good as the list.
_IN_LIST: Final = get_args(fields.OneOrMore)[-1]
_EXTRA: Final = "__pydantic_extra__"
_OURS: Final = "tusk_platform."


@dataclass(frozen=True, slots=True)
class Shape:
    """One alternative: its type without wrapping, its bounds, and the words for it where it has some of its own."""

    type: Any
    metadata: tuple[Any, ...] = ()
    kind: str = ""

    @property
    def block(self) -> type[Block] | None:
        """The schema of a table with keys of its own."""
        return self.type if isinstance(self.type, type) and issubclass(self.type, Block) else None

    @property
    def entries(self) -> tuple[Any, Any] | None:
        """The types of names and values of a table whose names are the reader's own."""
        origin = get_origin(self.type)
        named = isinstance(origin, type) and issubclass(origin, Mapping)
        return get_args(self.type) if named else None

    @property
    def item(self) -> Any:  # noqa: ANN401 - any type of a field
        """The type of a list's items; None where it is no list."""
        return get_args(self.type)[0] if get_origin(self.type) is tuple else None

    def bound(self, name: str) -> Any:  # noqa: ANN401 - a number, or None where there is no such bound
        """A bound by its name: ``ge``, ``max_length``."""
        return next((b for m in self.metadata if (b := getattr(m, name, None)) is not None), None)


def shapes(annotation: Any, metadata: tuple[Any, ...] = ()) -> tuple[Shape, ...]:  # noqa: ANN401 - any type of a field
    """The alternatives that a type stands for, as they are written in a file."""
    return tuple(dict.fromkeys(_shapes(annotation, metadata)))


def shapes_of(field: Any) -> tuple[Shape, ...]:  # noqa: ANN401 - a field of a schema; this floor does not know its library
    """The alternatives behind a key."""
    return shapes(field.annotation, tuple(field.metadata))


def _shapes(annotation: Any, metadata: tuple[Any, ...]) -> Iterator[Shape]:  # noqa: ANN401 - as above
    flat = tuple(_flat(metadata))
    origin = get_origin(annotation)
    inner = next((i for m in flat if (i := getattr(m, "inner", None)) is not None), None)
    read = next((w for m in flat if (w := getattr(m, "written", str)) is not str), None)
    root = getattr(annotation, "model_fields", {}).get("root")
    if origin is Annotated:
        yield from _shapes(get_args(annotation)[0], (*get_args(annotation)[1:], *metadata))
    elif kind := known_kind(annotation, metadata):
        yield Shape(annotation, flat, kind)
    elif inner is not None:
        # A value, or the variable of the environment that holds it.
        yield from _shapes(inner, ())
        yield Shape(fields.EnvReference)
    elif read is not None:
        yield from _shapes(read, ())
    elif origin in {Union, types.UnionType}:
        for arm in get_args(annotation):
            if arm is not type(None):
                yield from _shapes(arm, metadata)
    elif root is not None:
        yield from shapes_of(root)
    elif origin is tuple and _IN_LIST in flat:
        yield Shape(annotation, flat)
        yield from _shapes(get_args(annotation)[0], ())
    else:
        yield Shape(annotation, flat)


def _flat(metadata: tuple[Any, ...]) -> Iterator[Any]:
    """Metadata with that of fields among it laid open."""
    for m in metadata:
        inside = getattr(m, "metadata", None)
        yield from _flat(tuple(inside)) if isinstance(inside, list) else (m,)


def own_names(block: type[Block]) -> Any:  # noqa: ANN401 - a type, or None
    """The type of the entries that a table takes under names of the reader's own, beside its keys; None: no such."""
    if block.model_config.get("extra") != "allow":
        return None
    return get_type_hints(block, include_extras=True)[_EXTRA]


def shipped_sources() -> tuple[str, ...]:
    """Sources that come with the platform; what else is installed here is no part of a page or of its schema."""
    return tuple(n for n in sources() if type(ports.source_adapter(n)).__module__.startswith(_OURS))


def options_of(source: str) -> type[Block] | None:
    """The schema of a source's own keys; None where it does not say them."""
    adapter = ports.source_adapter(source)
    return adapter.options if isinstance(adapter, ports.Described) else None


def limits_of(source: str) -> dict[str, tuple[Any, ...]]:
    """The values that a source leaves of keys of every stream: only files have other formats, or still grow."""
    return {} if ports.source_adapter(source).replay else {"format": ("json", "csv"), "live": (False,)}
