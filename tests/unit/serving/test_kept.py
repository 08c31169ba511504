"""Answers kept for those who ask again: bounded in bytes and age, counted, off when off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.unit.serving.browser import Browser
from tests.unit.serving.lakes import FilledLake
from tests.unit.serving.plans import PLAN
from tusk_platform.plan.nodes import Plan
from tusk_platform.plan.profile import Cache, FaultTolerance, Runtime
from tusk_platform.runtime.circuits import Breaker
from tusk_platform.serving.app import create_app
from tusk_platform.serving.kept import KeptAnswers
from tusk_platform.serving.warehouse import LakeWarehouse
from tusk_platform.storage.home import Home
from tusk_platform.units import MINUTE, SECOND

NOW = 1_795_523_550 * SECOND
SQL = "select count(*) from agg.user_metrics"


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def with_cache(cache: Cache) -> Plan:
    return replace(PLAN, runtime=Runtime(cache=cache))


@pytest.fixture
def filled(home: Home) -> FilledLake:
    lake = FilledLake(home.lake, PLAN)
    row = {"t": NOW - MINUTE, "user_id": 1, "country": "DE", "seconds": 1.0, "amount": Decimal(5)}
    lake.add("user_events", [row])
    lake.refresh("user_metrics")
    return lake


def test_answer_is_kept_for_its_time() -> None:
    clock = Clock()
    kept = KeptAnswers(Cache(ttl=5 * MINUTE), clock)
    kept.keep("how many", [(1,)])
    clock.now = 299
    young = kept.get("how many")
    clock.now = 300

    assert young == [(1,)]
    assert kept.get("how many") is None
    facts = kept.facts()
    assert (facts.hits, facts.misses, facts.answers, facts.bytes) == (1, 1, 0, 0)


def test_bytes_are_bounded_and_the_least_asked_goes_first() -> None:
    kept = KeptAnswers(Cache(size=10_000))
    for n in range(100):
        kept.keep(n, [("x" * 900,)])
        kept.get(0)
    kept.keep("too large", [("x" * 20_000,)])

    facts = kept.facts()
    assert 8_000 < facts.bytes <= facts.bound == 10_000
    assert facts.answers == 9
    assert kept.get(0) is not None
    assert kept.get(1) is None
    assert kept.get("too large") is None


def test_same_question_of_the_same_commit_is_asked_once(filled: FilledLake) -> None:
    warehouse = LakeWarehouse(PLAN, filled.lake)
    answers = [warehouse.rows(SQL, table="agg.user_metrics") for _ in range(3)]
    filled.refresh("user_metrics", now=1)
    warehouse.stamp(frozenset(), frozenset({"user_metrics"}))
    answers.append(warehouse.rows(SQL, table="agg.user_metrics"))

    assert answers == [[(1,)]] * 4
    assert (warehouse.cache().hits, warehouse.cache().misses) == (2, 2)
    warehouse.close()


def test_without_a_cache_every_question_is_asked(filled: FilledLake) -> None:
    warehouse = LakeWarehouse(with_cache(Cache(enabled=False)), filled.lake)
    first, second = (warehouse.rows(SQL, table="agg.user_metrics") for _ in range(2))

    assert first == second
    assert first is not second
    assert not warehouse.cache().enabled
    warehouse.close()


def overview(plan: Plan, filled: FilledLake, home: Home) -> tuple[str, dict[str, int]]:
    """The overview after a dashboard was looked at, and what `/health/ready` says of the cache."""
    browser = Browser(create_app(plan, filled.lake, home=home, clock=lambda: NOW))
    browser.get("/dashboards/overview")
    return browser.get("/").text, browser.get("/health/ready").json()["cache"]


def test_cache_shows_on_the_overview_and_in_health(filled: FilledLake, home: Home) -> None:
    page, numbers = overview(with_cache(Cache(ttl=2 * MINUTE, size=10**9)), filled, home)

    asked = numbers["hits"] + numbers["misses"]
    assert asked > 0
    assert numbers["bound"] == 10**9
    assert f"Cache of aggregates: {asked} question" in page
    assert "of 1 GB, for 2 minutes at most" in page


def test_cache_that_is_off_says_so(filled: FilledLake, home: Home) -> None:
    page, numbers = overview(with_cache(Cache(enabled=False)), filled, home)

    assert "The cache of aggregates is off." in page
    assert not numbers["enabled"]


def test_connection_left_alone_shows_with_its_streams(filled: FilledLake, home: Home) -> None:
    breaker = Breaker("kafka", home.circuits)
    breaker._reason = "Kafka at there does not answer"
    breaker._breaker.open()
    page, _ = overview(PLAN, filled, home)

    assert "left alone</span>" in page[page.index(">orders") :]
    assert page.count("left alone</span>") == 1
    assert "The connection <code>kafka</code> keeps failing." in page
    assert page.count("Kafka at there does not answer") == 1


def broken_log(home: Home) -> None:
    for file in home.lake.rglob("*.json"):
        file.write_bytes(b"no log")


def folder_away(home: Home) -> None:
    home.lake.rename(home.lake.with_name("away"))


@pytest.mark.parametrize("trouble", [broken_log, folder_away])
@pytest.mark.parametrize("fallback", [True, False])
def test_last_good_value_is_served_as_stale_where_wanted(
    filled: FilledLake,
    home: Home,
    fallback: bool,  # noqa: FBT001 - a case
    trouble: Callable[[Home], None],
) -> None:
    plan = replace(PLAN, fault_tolerance=FaultTolerance(fallback=fallback))
    now = [NOW]
    browser = Browser(create_app(plan, filled.lake, home=home, clock=lambda: now[0]))
    good = browser.get("/api/dashboards/overview").json()
    filled.add("user_events", [])
    trouble(home)
    now[0] += 60 * SECOND
    after = browser.get("/api/dashboards/overview").json()

    assert (good["stale"], after["stale"]) == (False, fallback)
    assert "The lake cannot be read" in after["trouble"]
    assert (after["widgets"] == good["widgets"]) is fallback
    assert (after["as_of"] == good["as_of"]) is fallback
