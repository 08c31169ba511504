"""Window cases that other engines publish, run through the whole engine, dbt and Delta tables included."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from tests.oracle.engine import Event, Key, Row, rows, windows
from tests.oracle.histories import ORIGIN
from tests.oracle.project import add, stored_rows, write_project
from tests.reference import reference_data
from tusk_platform.adapters.engine_dbt import DbtEngine, open_engine
from tusk_platform.plan.nodes import Aggregate, Column, Metric, Plan, Session, Sliding, Stream, Tumbling, Window
from tusk_platform.storage.home import Home
from tusk_platform.storage.lake import Lake
from tusk_platform.units import DAY, MILLISECOND


@dataclass(frozen=True, slots=True)
class Bench:
    """The plan of all cases, each a stream and an aggregate of its name, over one lake."""

    plan: Plan
    lake: Lake
    engine: DbtEngine

    def add(self, name: str, events: list[Event], batch: int) -> None:
        """A batch of a case, and what its window then holds."""
        add(self.lake, self.plan.stream(name), events, batch)
        [result] = self.engine.refresh([name])
        assert result.error is None

    def rows(self, name: str) -> dict[Key, Row]:
        """The windows of a case so far."""
        return stored_rows(self.lake, self.plan, name) if self.lake.exists(f"agg.{name}") else {}


@pytest.mark.slow
def test_published_cases_give_published_results(home: Home) -> None:
    cases = json.loads((reference_data("window_semantics") / "cases.json").read_text())["cases"]
    ours = {f"case_{number}": c for number, c in enumerate(cases) if _is_ours(c)}
    plan = Plan("cases.tsk", tuple(map(_stream, ours)), tuple(_aggregate(n, c) for n, c in ours.items()))
    engine = open_engine(plan, write_project(plan, home), home)
    bench = Bench(plan, Lake(home.lake), engine)

    failures = [f"{c['id']}: {problem}" for name, c in ours.items() if (problem := _run(bench, name, c))]
    engine.close()

    assert len(ours) >= 24
    assert not failures


def _stream(name: str) -> Stream:
    columns = (Column("timestamp", "timestamp"), Column("key", "string"), Column("value", "integer"))
    return Stream(name=name, source="kafka", adapter="log", columns=columns, event_time="timestamp", origin=ORIGIN)


def _aggregate(name: str, case: dict[str, Any]) -> Aggregate:
    lateness = case.get("allowed_lateness_ms", 0)
    return Aggregate(
        name,
        name,
        ("key",),
        (Metric("total", "sum", "integer", column="value"),),
        _window(case["window"]),
        ORIGIN,
        allowed_lateness=10_000 * DAY if lateness == "unbounded" else lateness * MILLISECOND,
    )


def _is_ours(case: dict[str, Any]) -> bool:
    """Accumulating windows that fire by event time; not cumulated ones, nor panes that forget what they gave."""
    return case["window"]["kind"] != "cumulate" and case.get("accumulation") != "discarding" and "trigger" not in case


def _window(spec: dict[str, Any]) -> Window:
    offset = spec.get("offset_ms", 0) * MILLISECOND
    if spec["kind"] == "tumbling":
        return Tumbling(spec["size_ms"] * MILLISECOND, offset)
    if spec["kind"] == "sliding":
        return Sliding(spec["size_ms"] * MILLISECOND, spec["slide_ms"] * MILLISECOND, offset)
    # Events one gap apart are one session here; where they are two, a gap of a millisecond less says the same.
    shorter = spec.get("gap_boundary", "inclusive") == "exclusive"
    return Session((spec["gap_ms"] - shorter) * MILLISECOND, DAY)


def _run(bench: Bench, name: str, case: dict[str, Any]) -> str | None:
    """The first difference; None where every expected result is there, and no window that fired is missing."""
    plan, aggregate = bench.plan, bench.plan.aggregate(name)
    seen: list[Event] = []
    results: dict[Key, list[Any]] = {}
    watermark: int | None = None
    late_at = 0
    # Collected letters are told apart by their sum; any number will do for them.
    number = {
        v: 10**n for n, v in enumerate(sorted({v for s in case["steps"] for _, _, v in s.get("input", [])}, key=str))
    }
    code = number if case["aggregate"] == "collect" else {v: v for v in number}
    for step in case["steps"]:
        if "input" in step:
            batch = len(seen) + 1
            events = [
                Event(ts * MILLISECOND, batch, n, watermark, values={"key": str(key), "value": code[value]})
                for n, (key, ts, value) in enumerate(step["input"])
            ]
            seen += events
            bench.add(name, events, batch)
        elif "watermark" in step:
            # Theirs is the last time that is complete, ours the first that is not.
            watermark = (step["watermark"] + 1) * MILLISECOND
        elif "expect" in step:
            for key, start, end, value in step["expect"]:
                results.setdefault(_key(case, key, start, end), []).append(
                    [code[v] for v in value] if case["aggregate"] == "collect" else value
                )
            found = bench.rows(name)
            if problem := _difference(case, found, results, watermark):
                return problem
            if found.keys() != rows(plan, aggregate, seen).keys():
                return "the oracle says otherwise"
        elif "expect_late" in step:
            late = [
                [e.values["key"], e.time // MILLISECOND, e.values["value"]]
                for e in seen
                if not windows(plan, aggregate, e)
            ]
            if late[late_at:] != step["expect_late"]:
                return f"late: {late[late_at:]}, expected {step['expect_late']}"
            late_at = len(late)
    return None


def _key(case: dict[str, Any], key: str, start: int, end: int) -> Key:
    shorter = _is_shorter(case)
    return start * MILLISECOND, (end - shorter) * MILLISECOND, (str(key),)


def _is_shorter(case: dict[str, Any]) -> int:
    return int(case["window"].get("gap_boundary") == "exclusive")


def _difference(
    case: dict[str, Any], found: dict[Key, Row], results: dict[Key, list[Any]], watermark: int | None
) -> str | None:
    shorter = _is_shorter(case) * MILLISECOND
    fired = {k for k in found if watermark is not None and k[1] + shorter <= watermark}
    if fired != results.keys():
        return f"fired {sorted(fired)}, expected {sorted(results)}"
    for key, values in results.items():
        total, count = found[key]["total"], found[key]["event_count"]
        kind = case["aggregate"]
        seen = [(sum(v), len(v)) if kind == "collect" else v for v in values]
        mine = {"sum": total, "count": count, "collect": (total, count)}[kind]
        if mine not in seen:
            return f"{key}: {mine}, expected {seen}"
    return None
