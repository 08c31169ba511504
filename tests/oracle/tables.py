"""Random histories of a table of a database, as the records of a change stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from hypothesis import strategies as st

from tests.oracle.engine import Event
from tests.oracle.histories import START, STREAM, Batch
from tusk_platform.plan.nodes import Op
from tusk_platform.units import SECOND

TABLE: Final = replace(STREAM, changes=True, deduplicate=False)


@dataclass(frozen=True, slots=True)
class Image:
    """A row as it was at some time."""

    time: int
    ok: bool
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class History:
    """Batches of records, and the table as it is at their end.

    From batch ``settled`` on (counted from 1) all is told that a look may have shown before.
    """

    batches: list[Batch]
    table: Mapping[str, Image]
    settled: int = 1


Step = tuple[str, Image | None]
Record = tuple[Op, str, Image]


def tables(span: int, *, keys: str = "abcde", most: int = 30) -> st.SearchStrategy[History]:
    """A table that is written to: by its first reader seen at some moment, from then on change by change.

    The reader's look at a row may come later than the point from which on changes are told: a change can be told that
    the look has shown already. What is inserted before the last look is told as seen: told as an insert, it could be
    late, and a row that counted would count no more. Batches end anywhere, also between the two records of an update.
    """
    image = st.builds(
        Image,
        st.integers(0, span).flatmap(lambda s: st.sampled_from([s * SECOND, s * SECOND - 1])),
        st.integers(0, 9).map(bool),
        st.fixed_dictionaries(
            {
                "user": st.sampled_from([None, "u", "v"]),
                "place": st.sampled_from([None, 1]),
                "kind": st.sampled_from([None, "buy", "look"]),
                "amount": st.one_of(st.none(), st.integers(-10, 100_000).map(lambda n: Decimal(n).scaleb(-4))),
            }
        ),
    )
    # None deletes, an image inserts or updates: whichever the table as it is then allows.
    step = st.tuples(st.sampled_from(keys), st.one_of(st.none(), image, image))
    return st.builds(
        _history,
        st.lists(step, min_size=1, max_size=most),
        st.integers(0, most // 2),
        st.lists(st.integers(0, most), min_size=len(keys), max_size=len(keys)),
        st.lists(st.tuples(st.integers(1, 6), st.integers(0, 20), st.booleans()), min_size=1, max_size=8),
    )


def _history(steps: list[Step], told_from: int, looks: list[int], cuts: list[tuple[int, int, bool]]) -> History:
    states: list[dict[str, Image]] = [{}]
    told: list[Record] = []
    overlapping = 0
    told_from = min(told_from, len(steps))
    last_look = told_from + max(looks)
    for number, (key, image) in enumerate(steps):
        before = states[-1].get(key)
        states.append({k: v for k, v in states[-1].items() if k != key} | ({key: image} if image else {}))
        if number >= told_from:
            told += _told(key, before, image, first="snapshot" if number < last_look else "insert")
        if number < last_look:
            overlapping = len(told)
    seen = _seen(states, told_from, looks)
    batches = _batches([*seen, *told], cuts)
    known = [sum(len(b.events) for b in batches[:n]) for n in range(1, len(batches) + 1)]
    settled = next((n for n, count in enumerate(known, start=1) if count >= len(seen) + overlapping), len(batches))
    return History(batches, states[-1], settled)


def _told(key: str, before: Image | None, after: Image | None, *, first: Op) -> list[Record]:
    if before is None:
        return [(first, key, after)] if after else []
    if after is None:
        return [("delete", key, before)]
    return [("update_preimage", key, before), ("update_postimage", key, after)]


def _seen(states: list[dict[str, Image]], earliest: int, looks: list[int]) -> list[Record]:
    """What the first look shows: of each row the image at its own moment, none before changes are told."""
    keys = sorted({k for state in states for k in state})
    moments = {k: states[min(len(states) - 1, earliest + late)] for k, late in zip(keys, looks, strict=False)}
    return [("snapshot", k, moments[k][k]) for k in keys if k in moments and k in moments[k]]


def _batches(records: list[Record], cuts: list[tuple[int, int, bool]]) -> list[Batch]:
    watermark = START
    found: list[Batch] = []
    at = 0
    while at < len(records) or not found:
        size, step, refreshed = cuts[len(found) % len(cuts)]
        watermark += step * SECOND
        events = [
            Event(
                START + image.time,
                len(found) + 1,
                offset,
                watermark if op == "insert" else None,
                values=image.values,
                ok=image.ok,
                op=op,
                key=key,
            )
            for offset, (op, key, image) in enumerate(records[at : at + size], start=at)
        ]
        found.append(Batch(tuple(events), refreshed))
        at += size
    return found
