"""``tusk explain``: what a key of the config does, and where an asset comes from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tusk_platform.cli.files import read_text, shown_path
from tusk_platform.cli.output import ConfigOption, JsonOption, say, say_json
from tusk_platform.errors import ConfigError, Span
from tusk_platform.runtime.environment import config_path

if TYPE_CHECKING:
    from tusk_platform.editor.explanation import Explanation

Name = Annotated[
    str, typer.Argument(help="A dotted key (`a.b.c`) or an asset (`agg.user_metrics`, `agg/user_metrics`).")
]


def register(app: typer.Typer) -> None:
    """Add this command to the program."""
    app.command("explain")(explain)


def explain(name: Name, config: ConfigOption = None, as_json: JsonOption = False) -> None:  # noqa: FBT002 - an option
    """Follow a key from its line to nodes, assets, SQL, pages and tests; or an asset back to its line."""
    from tusk_platform.editor.buffer import Buffer
    from tusk_platform.editor.explanation import explain as explained

    path = shown_path(config_path(config))
    buffer = Buffer(read_text(path), str(path))
    if buffer.compiled.errors:
        raise ConfigError(buffer.compiled.errors)
    found = explained(buffer, name)
    if as_json:
        say_json(_plain(found))
    else:
        say("\n".join(_page(found)))


def _page(e: Explanation) -> Iterable[str]:
    yield from _place(e.span)
    yield ""
    yield from e.means.split("\n")
    if e.waits:
        yield f"Planned, not active: {e.waits}."
    if e.needed:
        yield f"Needed: without it {e.needed}."
    if not (e.does or e.needed or e.assets):
        yield "Without it the plan is the same: it says what holds anyway."
    yield from _listed("In the plan because of it", _differences(e))
    yield from _listed("Assets", (f"{a.name}: {a.words}" for a in e.assets))
    yield from _listed("Reads", _read(e))
    if e.metric and not e.expression:
        yield from _listed("Column", (f"{e.metric} {a.columns[e.metric]}" for a in e.assets if e.metric in a.columns))
    elif e.metric:
        yield from _listed("Metric", [e.expression])
    for a in e.assets:
        if a.sql:
            yield from _listed(f"SQL of {a.name}", a.sql.split("\n"))
        elif a.columns and len(e.assets) < 4:
            yield from _listed(f"Columns of {a.name}", (f"{n} {kind}" for n, kind in a.columns.items()))
    yield from _listed("Read by", e.read_by)
    yield from _listed("Shown in", e.shown)
    yield from _listed("Tested by", dict.fromkeys(t for a in e.assets for t in a.tests))
    yield from _listed("Inferred", (
        f"{a.decision} ({a.rule}{f'; say it with {a.says}' if a.says else ''})" for a in e.inferred
    ))  # fmt: skip


def _read(e: Explanation) -> Iterable[str]:
    """What the assets read that is not explained itself, each once."""
    own = {a.name for a in e.assets}
    return (name for name in dict.fromkeys(n for a in e.assets for n in a.reads) if name not in own)


def _place(span: Span) -> Iterable[str]:
    yield str(span)
    if span.text:
        yield f"    {span.text}"
        yield f"    {' ' * (span.column - 1)}{'^' * max(1, span.length)}"


def _listed(title: str, lines: Iterable[str]) -> Iterable[str]:
    body = [f"  {line}" for line in lines]
    if body:
        yield from ("", title, *body)


def _differences(e: Explanation) -> Iterable[str]:
    from tusk_platform.cli.difference_page import node_lines

    for node in e.does:
        first, *rest = node_lines(node)
        yield f"{first}: {node.what}"
        yield from rest


def _plain(e: Explanation) -> dict[str, Any]:
    return {
        "name": e.name,
        "at": str(e.span),
        "means": e.means,
        "waits": e.waits or None,
        "needed": e.needed or None,
        "nodes": [{"kind": n.kind, "name": n.name, "what": n.what, "at": n.at} for n in e.does],
        "assets": [
            {"name": a.name, "at": str(a.origin.span), "key": a.origin.key, "words": a.words, "reads": list(a.reads),
             "sql": a.sql or None, "tests": list(a.tests), "columns": dict(a.columns)}
            for a in e.assets
        ],
        "metric": e.metric or None,
        "expression": e.expression or None,
        "read_by": list(e.read_by),
        "shown": list(e.shown),
        "inferred": [{"key": a.key, "rule": a.rule, "decision": a.decision, "says": a.says} for a in e.inferred],
    }  # fmt: skip
