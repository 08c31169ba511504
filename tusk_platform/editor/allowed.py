"""What may stand at a place of the config: the keys of its table, the shapes of its value. From the schemas alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from tusk_platform.editor.places import Path
from tusk_platform.generate.shapes import Shape, limits_of, options_of, own_names, shapes, shapes_of
from tusk_platform.sections.block import Block
from tusk_platform.sections.streams import StreamKeys, sources
from tusk_platform.sections.top_level import TopLevel
from tusk_platform.sections.validate import SECTIONS


@dataclass(frozen=True, slots=True)
class Key:
    """A key that a table may have: what is known of it, and whose key it is."""

    name: str
    block: type[Block]
    field: FieldInfo

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """What may stand behind it."""
        return shapes_of(self.field)


def value_at(data: Any, path: Iterable[str | int]) -> Any:  # noqa: ANN401 - plain values of a file
    """What a file says at a path, None where it says nothing."""
    for step in path:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def shapes_at(path: Path, data: Any) -> tuple[Shape, ...]:  # noqa: ANN401 - as above
    """What the value at a path may be; nothing where the schemas know no such path."""
    if not path:
        return ()
    key = path[0]
    if key in TopLevel.config_keys() and len(path) == 1:
        return Key(str(key), TopLevel, TopLevel.config_keys()[str(key)]).shapes
    found = shapes(SECTIONS[str(key)]) if key in SECTIONS else ()
    here = value_at(data, path[:1])
    for step in path[1:]:
        found = tuple(s for shape in _fitting(found, here, but=step) for s in _inside(shape, step, here))
        here = value_at(here, (step,))
    return tuple(dict.fromkeys(found))


def keys_at(path: Path, data: Any) -> dict[str, Key]:  # noqa: ANN401 - as above
    """The keys of the table at a path, those of the whole file without the sections."""
    if not path:
        return {name: Key(name, TopLevel, field) for name, field in TopLevel.config_keys().items()}
    here = value_at(data, path)
    found: dict[str, Key] = {}
    for shape in _fitting(shapes_at(path, data), here, but=None):
        if shape.block is not None:
            found = _keys_of(shape.block, here) | found
    return found


def key_at(path: Path, data: Any) -> Key | None:  # noqa: ANN401 - as above
    """What is known of the key at a path; None where it is a name of the reader's own, or unknown."""
    if not path:
        return None
    here = value_at(data, path[:-1])
    for shape in _fitting(shapes_at(path[:-1], data), here, but=path[-1]):
        if shape.block is not None and (key := _keys_of(shape.block, here).get(str(path[-1]))) is not None:
            return key
    return keys_at((), data).get(str(path[0])) if len(path) == 1 else None


def entries_at(path: Path, data: Any) -> tuple[Any, tuple[Shape, ...]] | None:  # noqa: ANN401 - as above
    """Where a table takes names of the reader's own: the type of the names, and what may stand behind them."""
    for shape in shapes_at(path, data):
        if shape.entries is not None:
            names, values = shape.entries
            return names, shapes(values)
        if shape.block is not None and (own := own_names(shape.block)) is not None:
            names, values = get_args(own)
            return names, shapes(values)
    return None


def limits_at(path: Path, data: Any) -> tuple[Any, ...]:  # noqa: ANN401 - as above
    """The only values that a stream's source leaves of the key at a path; nothing where it leaves all."""
    key = key_at(path, data)
    if key is None or not issubclass(key.block, StreamKeys):
        return ()
    source = value_at(data, (*path[:-1], key.block.source_key))
    return limits_of(source).get(key.name, ()) if source in sources() else ()


def blocks(found: Iterable[Shape]) -> list[type[Block]]:
    """The tables with keys of their own among some shapes."""
    return [shape.block for shape in found if shape.block is not None]


def _inside(shape: Shape, step: str | int, here: Any) -> Iterator[Shape]:  # noqa: ANN401 - as above
    """What may stand one step further down."""
    if isinstance(step, int):
        yield from shapes(shape.item) if shape.item is not None else ()
    elif shape.block is not None and (key := _keys_of(shape.block, here).get(step)) is not None:
        yield from key.shapes
    elif shape.block is not None and (own := own_names(shape.block)) is not None:
        yield from shapes(get_args(own)[1])
    elif shape.entries is not None:
        yield from shapes(shape.entries[1])


def _keys_of(block: type[Block], here: Any) -> dict[str, Key]:  # noqa: ANN401 - as above
    """The keys of a table, those of a stream's source with them where the file says which."""
    found = {name: Key(name, block, field) for name, field in block.config_keys().items()}
    if issubclass(block, StreamKeys):
        source = value_at(here, (block.source_key,))
        options = options_of(source) if source in sources() else None
        own = options.config_keys() if options else {}
        found |= {name: Key(name, options, field) for name, field in own.items() if options and name not in found}
    return found


def _fitting(found: tuple[Shape, ...], here: Any, *, but: str | int | None) -> tuple[Shape, ...]:  # noqa: ANN401
    """The shapes that what is written does not speak against, the key ``but`` aside; all where it does against all."""
    if not isinstance(here, Mapping):
        return found
    written = {key: value for key, value in here.items() if key != but}
    fitting = tuple(s for s in found if s.block is None or _fits(s.block, written))
    return fitting or found


def _fits(block: type[Block], written: Mapping[str, Any]) -> bool:
    keys = _keys_of(block, written)
    if own_names(block) is None and not written.keys() <= keys.keys() and not issubclass(block, StreamKeys):
        return False
    return all(written[name] == choice for name, choice in _fixed(keys.values()) if name in written)


def _fixed(keys: Iterable[Key]) -> Iterator[tuple[str, object]]:
    """Keys that can have one value only: they tell which of several kinds a table is."""
    for key in keys:
        choices = get_args(key.field.annotation) if get_origin(key.field.annotation) is Literal else ()
        if len(choices) == 1:
            yield key.name, choices[0]
