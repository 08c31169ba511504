"""Commands about rows that were read before: replay, backfill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tusk_platform.cli.data import StreamName, find_stream
from tusk_platform.cli.difference_words import counted
from tusk_platform.cli.output import ConfigOption, JsonOption, progress, say, say_json
from tusk_platform.errors import Refused, UsageError
from tusk_platform.runtime.environment import config_path

if TYPE_CHECKING:
    from tusk_platform.jobs.replay import ReplayReport
    from tusk_platform.plan.nodes import Plan

_FORM = 'a date or a time such as "2026-01-31" or "2026-01-31T12:00", in the timezone of the config'


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command("replay")(replay)
    app.command("backfill")(backfill)


def replay(
    stream: StreamName,
    *,
    quarantined: Annotated[bool, typer.Option("--quarantined", help="Rows that broke a rule (the default).")] = False,
    late: Annotated[bool, typer.Option("--late", help="Rows that came too late for every aggregate.")] = False,
    since: Annotated[str | None, typer.Option("--since", help="Only what came in from then on.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Only what came in before then.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rows that did not count, by the config of today: quarantined ones judged again, or late ones let in."""
    from tusk_platform.runtime.mending import replay_stream
    from tusk_platform.runtime.platform import open_platform
    from tusk_platform.storage.raw_rows import Came

    if quarantined and late:
        raise UsageError("--quarantined and --late are two replays: say one of them")
    platform = open_platform(config_path(config))
    node = find_stream(platform, stream)
    came = Came(*(None if t is None else point(t, o, platform.plan) for t, o in ((since, "since"), (until, "until"))))
    with progress(f"replaying {stream}"):
        report = replay_stream(
            platform,
            node,
            what="late" if late else "quarantined",
            came=came,
            dry_run=dry_run,
            command=f"tusk replay {stream}",
        )
    if as_json:
        say_json({
            "stream": report.stream,
            "what": report.what,
            "replayed": report.replayed,
            "still_bad": report.still_bad,
            "too_old": report.too_old,
            "reasons": dict(report.reasons),
            "batches": report.batches,
            "dry_run": report.dry_run,
        })  # fmt: skip
    else:
        _tell(report)
    if report.too_old and not report.replayed:
        raise Refused(
            f"{counted(report.too_old, 'row')} of {stream} touch windows of which raw does not hold every event any "
            "more: a window would be replaced by a part of it; nothing was changed"
        )


def backfill(
    stream: StreamName,
    *,
    since: Annotated[str, typer.Option("--from", metavar="TIME", help="Beginning of the span, by event time.")],
    until: Annotated[str, typer.Option("--to", metavar="TIME", help="Its end, which does not belong to it.")],
    from_source: Annotated[
        bool, typer.Option("--from-source", help="First read the source again for events that raw does not hold.")
    ] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """The windows of a span computed again, those whose events raw holds whole."""
    from tusk_platform.jobs.backfill import Span
    from tusk_platform.runtime.apply import moment
    from tusk_platform.runtime.mending import backfill_stream
    from tusk_platform.runtime.platform import open_platform

    platform = open_platform(config_path(config))
    node = find_stream(platform, stream)
    span = Span(point(since, "from", platform.plan), point(until, "to", platform.plan))
    with progress(f"filling {stream}"):
        report = backfill_stream(platform, node, span, from_source=from_source, command=f"tusk backfill {stream}")
    got = report.fetched
    if as_json:
        say_json({
            "stream": stream,
            "read": got.read if got else None,
            "added": got.added if got else None,
            "quarantined": got.quarantined if got else None,
            "windows": [
                {
                    "table": w.table,
                    "rows": w.rows,
                    "left_until": None if w.left_until is None else f"{moment(w.left_until).replace(' ', 'T')}Z",
                }
                for w in report.windows
            ],
        })  # fmt: skip
        return
    if got:
        say(f"{stream}: {got.read} records read again, {got.added} added, {got.quarantined} of them quarantined")
    for done in report.windows:
        say(f"{done.table}: {counted(done.rows, 'row')} computed")
        if done.left_until is not None:
            say(f"  windows before {moment(done.left_until)} UTC are left: raw does not hold all their events")


def _tell(report: ReplayReport) -> None:
    done = "would count" if report.dry_run else "count now"
    say(f"{report.stream}: {counted(report.replayed, f'{report.what} row')} {done}, {report.still_bad} still bad")
    for reason, rows in sorted(report.reasons.items(), key=lambda item: (-item[1], item[0])):
        say(f"  {reason}: {rows}")
    if report.too_old and report.replayed:
        say(f"  {counted(report.too_old, 'row')} left: raw does not hold every event of their windows any more")


def point(text: str, option: str, plan: Plan) -> int:
    """A point in time as a person writes it, microseconds UTC."""
    from tusk_platform.core.timestamps import micros

    try:
        return micros(text, plan.runtime.timezone)
    except ValueError:
        raise UsageError(f"--{option} `{text}` is no time: expected {_FORM}") from None
