"""The reference of the config for people: every key with its values, what it does, and whether that is carried out.

All of it comes from the schemas, the rules and the adapters themselves, so it says what the code does.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from tusk_platform import ports
from tusk_platform.generate.reference_values import default_of, sentence, values_of
from tusk_platform.generate.shapes import options_of, shipped_sources
from tusk_platform.plan import rules
from tusk_platform.plan.metrics import FORMS
from tusk_platform.plan.models import WHICH_INPUT
from tusk_platform.plan.query_tables import WHICH_TABLE
from tusk_platform.sections.block import Block
from tusk_platform.sections.streams import StreamKeys, not_yet
from tusk_platform.sections.top_level import TopLevel
from tusk_platform.sections.validate import SECTIONS

Path = tuple[str, ...]
# Stands in a path for a name that the reader chooses.
NAME: Final = "NAME"
_HEAD: Final = """\
# Every key

Written by `tusk generate` from the schemas; do not edit. [guide.md](guide.md) explains the whole in order,
[every_key.tsk](every_key.tsk) shows each key in use.

`NAME` is a name of your own. A key without *needed* may be left out. The last column says what happens with the key
today: **yes**, it is carried out; else the key is checked, and the words are those of `tusk plan`.
"""
_SHORT: Final = "not yet"
QUESTIONS: Final[tuple[tuple[str, tuple[rules.Rule[Any], ...]], ...]] = (
    ("Which stream does a pipeline or an aggregate read?", rules.WHICH_STREAM),
    ("Which column of a stream plays a role?", rules.WHICH_ROLE),
    ("Which column does a metric read?", rules.WHICH_COLUMN),
    ("Which type does a column have?", rules.WHICH_TYPE),
    ("Which table does a name in a query mean?", WHICH_TABLE),
    ("What does a name on a short dashboard show?", rules.WHICH_SHOWN),
    ("What does a model learn from?", WHICH_INPUT),
)


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the config: where it may stand, its schema, and which of several kinds it is."""

    path: Path
    block: type[Block]
    kind: str = ""


def reference(inactive: Mapping[str, str]) -> str:
    """The page. ``inactive`` says of keys of a config that uses every key why they are not carried out."""
    parts = [_HEAD, *_top_level(), *_sections(Marks(inactive)), *_streams(), *_sources(), *_names()]
    return "\n".join(parts).rstrip() + "\n"


class Marks:
    """What is said of keys that are not carried out, by the keys of a schema instead of those of one config."""

    def __init__(self, inactive: Mapping[str, str]) -> None:
        self._reasons: dict[Path, str] = {}
        for key, reason in inactive.items():
            path = _schema_path(key.split("."))
            # A reason against one node of the reader's own says nothing of the keys that all such nodes have.
            if path[-1] != NAME:
                self._reasons.setdefault(path, reason)

    def of_key(self, path: Path) -> str:
        """Why a key is not carried out; nothing where it is."""
        return self._reasons.get(path, "")

    def above(self, path: Path) -> str:
        """Why nothing in a table is carried out; nothing where something may be."""
        return next((r for n in range(1, len(path) + 1) if (r := self._reasons.get(path[:n]))), "")


def tables(section: str) -> list[Table]:
    """All tables of a section, each before those inside it."""
    return list(_below((section,), SECTIONS[section]))


def _below(path: Path, annotation: Any) -> Iterator[Table]:  # noqa: ANN401 - any type of a field
    arms = [a for a in _arms(annotation) if isinstance(a, type) and issubclass(a, Block)]
    for block in arms:
        yield Table(path, block, _kind(block) if len(arms) > 1 else "")
        for key, field in block.config_keys().items():
            yield from _below((*path, key), field.annotation)
    for arm in _arms(annotation):
        root, origin = getattr(arm, "model_fields", {}).get("root"), get_origin(arm)
        if root is not None:
            yield from _below(path, root.annotation)
        elif origin is tuple:
            yield from _below(path, get_args(arm)[0])
        elif isinstance(origin, type) and issubclass(origin, Mapping):
            yield from _below((*path, NAME), get_args(arm)[1])


def _arms(annotation: Any) -> tuple[Any, ...]:  # noqa: ANN401 - as above
    if get_origin(annotation) is Annotated:
        return _arms(get_args(annotation)[0])
    if get_origin(annotation) in {Union, types.UnionType}:
        return tuple(arm for inner in get_args(annotation) for arm in _arms(inner))
    return (annotation,)


def _kind(block: type[Block]) -> str:
    """The key and value that make a table this kind and no other."""
    for key, field in block.config_keys().items():
        if get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1:
            return f'{key} = "{get_args(field.annotation)[0]}"'
    return ""


def _schema_path(steps: list[str]) -> Path:
    """The path of a key of one config, with names of its own replaced by ``NAME``."""
    known: dict[Path, set[str]] = {}
    own: set[Path] = set()
    for table in tables(steps[0]) if steps[0] in SECTIONS else []:
        known.setdefault(table.path, set()).update(table.block.config_keys())
        own |= {table.path[:n] for n, step in enumerate(table.path) if step == NAME}
    path: Path = ()
    for step in steps:
        path = (*path, NAME if path in own and step not in known.get(path, ()) else step)
    return path


# -- The parts of the page ---------------------------------------------------------------------------------------------


def _top_level() -> list[str]:
    return ["## Outside the sections\n", *_rows(TopLevel, lambda _: "")]


def _sections(marks: Marks) -> Iterable[str]:
    for name, section in SECTIONS.items():
        found = tables(name)
        yield f"## {name}\n"
        yield f"{sentence(section.__doc__)}\n"
        reason = marks.above((name,))
        if reason:
            yield f"**Not active:** {reason}.\n"
        if not found:
            example = 'name = @query("SELECT ... FROM ...")'
            yield f"{section.model_fields['root'].description}\n\n```\n{name} = {{\n    {example}\n}}\n```\n"
        first: dict[tuple[type[Block], str], Table] = {}
        for table in found:
            same = first.setdefault((table.block, marks.above(table.path)), table)
            if same is table:
                yield from _table(table, marks, whole=bool(reason))
            else:
                yield f"### {_title(table)}\n\nThe keys of `{_title(same)}`.\n"


def _table(table: Table, marks: Marks, *, whole: bool) -> Iterable[str]:
    above = marks.above(table.path)
    # The keys of the section itself need no title of their own.
    if len(table.path) > 1:
        yield f"### {_title(table)}\n"
        yield f"{sentence(table.block.__doc__)}\n"
        if above and not whole:
            yield f"**Not active:** {above}.\n"
    if issubclass(table.block, StreamKeys):
        yield "The keys of [every stream](#keys-of-every-stream), those of its [source](#sources), and\n"
    common = set(StreamKeys.config_keys()) if issubclass(table.block, StreamKeys) else set()
    yield from _rows(table.block, lambda key: _SHORT if above else marks.of_key((*table.path, key)), leave_out=common)


def _title(table: Table) -> str:
    return f"{'.'.join(table.path)}{f' with {table.kind}' if table.kind else ''}"


def _streams() -> Iterable[str]:
    yield "## Keys of every stream\n"
    yield f"{sentence(StreamKeys.__doc__)}\n"
    yield from _rows(StreamKeys, lambda _: "")


def _sources() -> Iterable[str]:
    yield "## Sources\n"
    yield (
        "What stands in `source` of a stream of `real_time_analytics`, and in `type` of one of "
        "`multi_source_analytics`, with its own keys.\n"
    )
    for name in shipped_sources():
        yield from _source(name)


def _source(name: str) -> Iterable[str]:
    schema, adapter = options_of(name), ports.source_adapter(name)
    reason = not_yet(name)
    yield f"### Source {name}\n"
    if schema is not None:
        yield f"{sentence(schema.__doc__)}\n"
    if reason:
        yield f"**Not active:** {reason}.\n"
    if adapter.stand_in and not reason:
        yield (
            f"Without `connections.{name}` the embedded log is read.\n"
            if adapter.connection
            else ("What is pushed goes to the embedded log and is read from there.\n")
        )
    if schema is not None and schema.config_keys():
        in_use = adapter.in_use if isinstance(adapter, ports.Waiting) else frozenset(schema.config_keys())
        yield from _rows(schema, lambda key: "" if key in in_use else _SHORT)


def _names() -> Iterable[str]:
    yield "## How names are resolved\n"
    yield (
        "What the config leaves open is decided by these tables: the first rule that answers wins, two equal answers "
        "are a mistake that names both. `tusk plan` prints each decision with its rule and the key that would say it.\n"
    )
    for question, table in QUESTIONS:
        yield f"### {question}\n"
        yield "\n".join(f"{n}. {rule.name}" for n, rule in enumerate(table, 1)) + "\n"
    yield "### Usual names\n"
    yield "| role | names, the first that a stream has |\n|---|---|"
    for role, names in rules.ROLE_NAMES.items():
        yield f"| {role.replace('_', ' ')} | {', '.join(f'`{n}`' for n in names)} |"
    money = ", ".join(f"`{w}`" for w in sorted(rules.MONEY_WORDS))
    yield f"\nMoney is called {money}, or ends with `_` and one of these.\n"
    forms = FORMS.removeprefix("forms that say their function: ")
    yield f"### Names of metrics\n\nWhere no function is said, the name says it: {forms}.\n"


# -- Rows --------------------------------------------------------------------------------------------------------------


def _rows(block: type[Block], today: Callable[[str], str], leave_out: Iterable[str] = ()) -> Iterator[str]:
    yield "| key | value | what it does | today |\n|---|---|---|---|"
    for key, field in block.config_keys().items():
        if key in leave_out:
            continue
        needed = " *needed*" if field.is_required() else ""
        default = default_of(field)
        does = f"{field.description or ''}{f' Default: {default}.' if default else ''}"
        cells = (f"`{key}`{needed}", values_of(field), does, today(key) or "yes")
        yield f"| {' | '.join(c.replace('|', chr(92) + '|') for c in cells)} |"
    yield ""
