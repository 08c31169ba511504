"""Commands about data: ingest, run, publish, sql."""

from __future__ import annotations

import csv
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from tusk_platform.cli.output import (
    ConfigOption,
    DropOption,
    JsonOption,
    cell,
    interval_text,
    progress,
    say,
    say_json,
    table,
    warn,
)
from tusk_platform.errors import Unavailable, UsageError, nearest
from tusk_platform.plan.nodes import Stream
from tusk_platform.runtime.environment import config_path

if TYPE_CHECKING:
    import pyarrow as pa

    from tusk_platform.runtime.platform import Platform

StreamName = Annotated[str, typer.Argument(help="The stream, by its name in the config.")]
Once = Annotated[bool, typer.Option("--once", help="All that is there now, then stop.")]
_AT_ONCE = 1_000


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command("ingest")(ingest)
    app.command("run")(run)
    app.command("publish")(publish)
    app.command("sql")(sql)


def ingest(
    stream: StreamName,
    once: Once = False,  # noqa: FBT002 - an option
    config: ConfigOption = None,
    allow_drop: DropOption = False,  # noqa: FBT002 - an option
    as_json: JsonOption = False,  # noqa: FBT002 - an option
) -> None:
    """The micro-batch loop of one stream, without Dagster. It never refreshes aggregates."""
    from tusk_platform.jobs.ingest import Until
    from tusk_platform.runtime.apply import Applying
    from tusk_platform.runtime.duties import ingest_stream
    from tusk_platform.runtime.platform import open_platform

    platform = open_platform(config_path(config), Applying(f"tusk ingest {stream}", allow_drop))
    node = find_stream(platform, stream)
    with progress(f"reading {stream}"):
        report = ingest_stream(platform, node, Until(once=once), command=f"tusk ingest {stream}")
    if as_json:
        say_json({
            "stream": report.stream,
            "rows": report.rows,
            "quarantined": report.quarantined,
            "late": report.late,
            "duplicates": report.duplicates,
            "batches": report.batches,
            "position": dict(report.position),
        })  # fmt: skip
    else:
        say(
            f"{stream}: {report.rows} rows, {report.quarantined} quarantined, {report.late} late, "
            f"{report.duplicates} repeated, in {report.batches} batches"
        )


def run(
    assets: Annotated[
        list[str] | None, typer.Argument(help="Assets, such as agg.user_metrics or agg/user_metrics.")
    ] = None,
    upstream: Annotated[bool, typer.Option("--upstream", help="Also everything they are made of.")] = False,  # noqa: FBT002 - an option
    everything: Annotated[bool, typer.Option("--all", help="Every asset once, in order.")] = False,  # noqa: FBT002 - an option
    config: ConfigOption = None,
    allow_drop: DropOption = False,  # noqa: FBT002 - an option
    as_json: JsonOption = False,  # noqa: FBT002 - an option
) -> None:
    """Materialize assets in the order of their dependencies, without the UI."""
    from tusk_platform.runtime.apply import Applying
    from tusk_platform.runtime.platform import open_platform
    from tusk_platform.runtime.steps import perform, steps

    if not assets and not everything:
        raise UsageError("name assets to run, or say --all")
    platform = open_platform(config_path(config), Applying("tusk run", allow_drop))
    todo = steps(platform.plan, assets or [], upstream=upstream, everything=everything)
    reports = []
    for number, step in enumerate(todo, 1):
        with progress(f"{number}/{len(todo)} {step.asset}"):
            done = perform(platform, step)
        reports.append({"asset": step.asset, **done})
        if not as_json:
            say(f"{number}/{len(todo)} {step.asset}: " + ", ".join(f"{k} {v}" for k, v in done.items()))
    if as_json:
        say_json(reports)


def publish(
    stream: StreamName,
    file: Annotated[Path | None, typer.Argument(help="NDJSON; standard input where none is given.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002 - an option
) -> None:
    """Events, one JSON object a line, into a stream's embedded log, or into its topic where it is connected."""
    from tusk_platform.runtime.platform import open_platform
    from tusk_platform.runtime.publishing import publish_events

    platform = open_platform(config_path(config), reading=True)
    node = find_stream(platform, stream)
    total = 0
    with progress(f"publishing to {stream}"):
        for lines in _grouped(_lines(file)):
            try:
                publish_events(platform, node, lines)
            except Unavailable as error:
                raise Unavailable(f"{error}; the {total} events before these were published") from error
            total += len(lines)
    if as_json:
        say_json({"stream": stream, "published": total})
    else:
        say(f"{total} events published to {stream}")


def sql(
    statement: Annotated[str, typer.Argument(help="One SELECT over the lake's tables.")],
    output: Annotated[
        Literal["table", "json", "csv"], typer.Option("--format", help="How rows are printed.")
    ] = "table",
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002 - an option
) -> None:
    """Read-only SQL over the lake, also while everything runs."""
    from tusk_platform.runtime.platform import open_platform
    from tusk_platform.storage.duck import query

    platform = open_platform(config_path(config), reading=True)
    found = _distinct(query(platform.lake, platform.plan, statement))
    rows = _rows(found)
    if as_json or output == "json":
        say_json(rows)
    elif output == "csv":
        writer = csv.writer(sys.stdout)
        writer.writerow(found.column_names)
        writer.writerows([cell(row[c]) for c in found.column_names] for row in rows)
    else:
        say(table(rows, found.column_names))
        warn(f"{len(rows)} row{'' if len(rows) == 1 else 's'}")


def find_stream(platform: Platform, name: str) -> Stream:
    """The stream of that name; UsageError with the nearest match."""
    if name not in platform.plan.stream_names:
        raise UsageError(f"no stream `{name}`; {nearest(name, platform.plan.stream_names)}")
    return platform.plan.stream(name)


def _distinct(found: pa.Table) -> pa.Table:
    """The result with every column under a name of its own: of two called ``a`` the second is ``a_1``."""
    names: list[str] = []
    for name in found.column_names:
        again = (f"{name}_{n}" for n in itertools.count(1))
        names.append(name if name not in names else next(n for n in again if n not in found.column_names + names))
    return found.rename_columns(names)


def _rows(found: pa.Table) -> list[dict[str, Any]]:
    """The rows of a result, spans as text."""
    spans = [f.name for f in found.schema if str(f.type) == "month_day_nano_interval"]
    rows: list[dict[str, Any]] = found.to_pylist()
    for row in rows:
        row |= {name: interval_text(*row[name]) for name in spans if row[name] is not None}
    return rows


def _lines(file: Path | None) -> Iterator[bytes]:
    if file is None:
        yield from sys.stdin.buffer
        return
    try:
        with file.open("rb") as opened:
            yield from opened
    except OSError as e:
        raise UsageError(f"cannot read {file}: {e.strerror}") from None


def _grouped(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    group: list[bytes] = []
    for line in lines:
        if event := line.strip():
            group.append(event)
        if len(group) >= _AT_ONCE:
            yield group
            group = []
    if group:
        yield group
