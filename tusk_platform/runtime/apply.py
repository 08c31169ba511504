"""A changed config made true of the tables, once, before anything works by it; or refused with what would be lost."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from tusk_platform.core.schema import aggregate_schema, raw_schema
from tusk_platform.errors import Held, Refused, Unavailable
from tusk_platform.jobs.validate import QUALITY_TABLE, quality_schema
from tusk_platform.plan.impact import Effect, Loss
from tusk_platform.plan.nodes import Plan
from tusk_platform.plan.page import as_json
from tusk_platform.ports import Engine
from tusk_platform.runtime.applied import Applied, Pending, pending, read_applied, write_applied
from tusk_platform.storage.faultpoints import reach
from tusk_platform.storage.home import Home
from tusk_platform.storage.lake import Lake
from tusk_platform.storage.lease import hold
from tusk_platform.storage.older_windows import keep_older, move

# Another process that applies the same change computes aggregates anew: minutes, with much history.
_PATIENCE_SECONDS: Final = 600.0
_SHORT_PATIENCE_SECONDS: Final = 2.0
_ATTEMPTS: Final = 5
_DUTIES: Final = ("ingest", "refresh", "validate")
_UP: Final = "up"


@dataclass(frozen=True, slots=True)
class Applying:
    """Who applies, and what it may do: ``allow_drop`` data that would be lost; ``holding``: leases it has already."""

    command: str = "tusk"
    allow_drop: bool = False
    holding: frozenset[str] = frozenset()


def apply(
    plan: Plan, home: Home, lake: Lake, who: Applying, *, prepare: Callable[[], Path], engine: Callable[[Path], Engine]
) -> Engine | None:
    """Make the tables follow the plan; the engine, where one had to be opened for it.

    ``prepare`` writes what the engine works with; it is called once it is clear that nothing is refused. Refused: the
    change loses data. Held: somebody works by the plan before. Killed at any point, the next call goes on from there.
    """
    if _nothing_to_do(plan, home, who):
        prepare()
        create_tables(plan, lake)
        return None
    with hold(home.leases, "apply", command=who.command, patience=_PATIENCE_SECONDS):
        if _nothing_to_do(plan, home, who):
            prepare()
            create_tables(plan, lake)
            return None
        change = pending(plan, home, lake)
        if change.losing and not who.allow_drop:
            raise Refused(refusal(plan, change))
        touched = _touched(plan, change, who)
        with ExitStack() as leases:
            for name in touched:
                leases.enter_context(_lease_of_old(home, name, who.command))
            project = prepare()
            if change.applied and touched:
                # Whoever goes back to the plan before must find out that not all tables follow it any more.
                write_applied(home, replace(change.applied, unfinished=True))
            opened = _carry_out(plan, lake, change, who, lambda: engine(project))
        reach("in_migration")
        write_applied(home, Applied(as_json(plan), () if who.allow_drop else change.left_behind))
        return opened


def create_tables(plan: Plan, lake: Lake) -> None:
    """Make every table of the plan that is not there yet, and give streams the columns that are new."""
    for stream in plan.streams:
        lake.create(
            stream.table,
            raw_schema(stream),
            partition_by=("_status", "_ingested_date"),
            statistics=("_event_time", "_batch"),
        )
    for aggregate in plan.aggregates:
        # One that is there gets its columns when its rows are computed by them.
        if not lake.exists(aggregate.table):
            schema = aggregate_schema(aggregate, plan.stream(aggregate.stream))
            lake.create(aggregate.table, schema, partition_by=("_window_date",), statistics=("window_start",))
    lake.create(QUALITY_TABLE, quality_schema())


def refusal(plan: Plan, change: Pending) -> str:
    """What a change would lose, and how to go on."""
    lines = [f"this change of {Path(plan.file).name} would lose data that nothing can bring back; nothing was changed"]
    for effect in change.losing:
        lines += [f"  {effect.table} ({'; '.join(effect.why)}): {lost_in_words(loss)}" for loss in effect.lost]
        lines += [f"    {note}" for note in effect.notes if effect.action == "restarted"]
    lines.append(
        "keep the old one under its name and give the new one another; or lose this with `--allow-drop` "
        "(`tusk up`, `tusk run`, `tusk ingest`)"
    )
    return "\n".join(lines)


def lost_in_words(loss: Loss) -> str:
    """One line: what, how many windows or rows, from when to when."""
    span = loss.span
    windows = f"{span.windows} windows" if span.windows != 1 else "1 window"
    rows = f"{span.rows} rows" if span.rows != 1 else "1 row"
    count = f"{windows}, {rows}" if span.windows else rows
    times = f", {moment(span.first)} to {moment(span.last)}" if span.first is not None and span.last is not None else ""
    of = "" if loss.what.startswith("every") else "metric "
    return f"{of}{loss.what}: {count}{times}"


def moment(micros: int) -> str:
    """A point in time as people read it, UTC."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)).strftime("%Y-%m-%d %H:%M:%S")


def _nothing_to_do(plan: Plan, home: Home, who: Applying) -> bool:
    applied = read_applied(home)
    return applied is not None and applied.same(plan) and not (who.allow_drop and applied.kept)


def _touched(plan: Plan, change: Pending, who: Applying) -> list[str]:
    """Leases of everybody who may be at work by the plan before on tables that change."""
    streams: set[str] = set()
    refreshed: set[str] = set()
    for effect in change.effects:
        schema, _, name = effect.table.partition(".")
        if effect.action == "dropped" and not who.allow_drop:
            continue
        if schema == "raw":
            streams.add(name)
        elif schema == "agg":
            streams |= {a.stream for a in plan.aggregates if a.name == name}
        elif schema == "query" and effect.action == "rebuilt":
            refreshed |= {s for q in plan.queries if q.name == name for s in q.streams[:1]}
    names = [f"{duty}-{stream}" for stream in sorted(streams) for duty in _DUTIES]
    names += [f"refresh-{stream}" for stream in sorted(refreshed - streams)]
    return [name for name in ([_UP, *names] if names else []) if name not in who.holding]


@contextmanager
def _lease_of_old(home: Home, name: str, command: str) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(hold(home.leases, name, command=command, patience=_SHORT_PATIENCE_SECONDS))
        except Held as held:
            raise Held(
                f"the config has changed, and somebody still works by the one before: {held}; "
                f"stop that first (nothing was changed)"
            ) from None
        yield


def _carry_out(plan: Plan, lake: Lake, change: Pending, who: Applying, engine: Callable[[], Engine]) -> Engine | None:
    for effect in change.effects:
        if effect.action == "restarted":
            _start_over(plan, lake, effect)
    _retype(plan, lake, change)
    create_tables(plan, lake)
    for effect in change.effects:
        if effect.action == "moved" and effect.was:
            move(lake, plan, effect.was.removeprefix("agg."), plan.aggregate(effect.table.removeprefix("agg.")))
    opened = _rebuild(plan, lake, [e for e in change.effects if e.action == "rebuilt"], engine)
    if who.allow_drop:
        for table in change.left_behind:
            reach("in_migration")
            lake.drop(table)
    return opened


def _start_over(plan: Plan, lake: Lake, effect: Effect) -> None:
    """Raw goes first: aggregates without it are computed anew, raw without them would only be read again."""
    for table in (effect.table, *(a.table for a in plan.aggregates_of(effect.table.removeprefix("raw.")))):
        reach("in_migration")
        if lake.exists(table):
            lake.drop(table)


def _retype(plan: Plan, lake: Lake, change: Pending) -> None:
    known = {s["name"]: s for s in change.applied.plan["streams"]} if change.applied else {}
    for stream in plan.streams:
        if not lake.exists(stream.table):
            continue
        was = {c["name"] for c in known[stream.name]["columns"]} if stream.name in known else set()
        returned = [c.name for c in stream.columns if was and c.name not in was]
        if not any(lake.retype(stream.table, raw_schema(stream), returned) for _ in range(_ATTEMPTS)):
            raise Unavailable(
                f"changing columns of {stream.table}: other writers changed it {_ATTEMPTS} times in a row"
            )


def _rebuild(plan: Plan, lake: Lake, effects: Collection[Effect], engine: Callable[[], Engine]) -> Engine | None:
    """Each table in one commit, so that readers see it as it was or as it will be.

    A query that fails keeps its rows and hinders nothing else: it is due at once, and the page names it until then.
    """
    names = []
    for effect in effects:
        schema, _, name = effect.table.partition(".")
        if effect.stored is None:
            continue
        if schema == "agg" and effect.since is not None:
            aggregate = plan.aggregate(name)
            keep_older(lake, plan, aggregate, effect.since, empty=effect.emptied, remove=effect.drops_older)
        names.append(name)
    if not names:
        return None
    opened = engine()
    failed = [f"{r.table}: {r.error}" for r in opened.refresh(names) if r.error and r.schema == "agg"]
    if failed:
        opened.close()
        raise Unavailable("the changed config is not applied yet: " + "; ".join(failed))
    return opened
