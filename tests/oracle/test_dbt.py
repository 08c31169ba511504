"""The whole engine, dbt and Delta tables included, against the oracle."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.oracle.compare import assert_same
from tests.oracle.engine import Event, rows
from tests.oracle.histories import CONDITIONS, DAYS, SESSIONS, SLIDING, START, STREAM, TUMBLING, Batch, histories, plan
from tests.oracle.project import add, stored_rows, write_project
from tusk_platform.adapters.engine_dbt import DbtEngine, open_engine
from tusk_platform.generate.dbt_project import sql
from tusk_platform.ports import RefreshResult
from tusk_platform.storage.home import Home
from tusk_platform.storage.lake import Lake

PLAN = plan(*TUMBLING, *DAYS, SLIDING[0], SESSIONS[0], timezone="Europe/Berlin")
NAMES = [a.name for a in PLAN.aggregates]


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DbtEngine, Home]]:
    """One engine for all histories: to parse a project takes longer than to refresh it."""
    home = Home(tmp_path_factory.mktemp("home"))
    engine = open_engine(PLAN, write_project(PLAN, home), home)
    yield engine, home
    engine.close()


@pytest.mark.slow
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories(120))
def test_every_refresh_by_dbt_equals_the_oracle(warm: tuple[DbtEngine, Home], history: list[Batch]) -> None:
    engine, home = warm
    shutil.rmtree(home.lake, ignore_errors=True)
    lake = Lake(home.lake)
    seen: list[Event] = []
    for number, batch in enumerate(history, start=1):
        add(lake, STREAM, list(batch.events), number)
        seen += batch.events
        if batch.refreshed or number == len(history):
            results = engine.refresh(NAMES)
            assert not [r.error for r in results if r.error]
            for aggregate in PLAN.aggregates:
                assert_same(stored_rows(lake, PLAN, aggregate.name), rows(PLAN, aggregate, seen, CONDITIONS))
    for aggregate in (*TUMBLING, *DAYS):
        readable = stored_rows(lake, PLAN, aggregate.name, sql(PLAN, aggregate))
        assert_same(readable, rows(PLAN, aggregate, seen, CONDITIONS))
    before = {name: stored_rows(lake, PLAN, name) for name in NAMES}
    engine.refresh(NAMES, full=True)

    # Computed anew from raw everything is equal, and so keeps its time.
    assert {name: stored_rows(lake, PLAN, name) for name in NAMES} == before


@pytest.mark.slow
def test_threads_of_one_process_take_turns(tmp_path: Path) -> None:
    """Sensors tick in threads, and an old engine may still be open when a new plan's is opened."""
    homes = [Home(tmp_path / name) for name in "ab"]
    plans = [plan(TUMBLING[0]), plan(TUMBLING[1])]
    engines = [open_engine(p, write_project(p, h), h) for p, h in zip(plans, homes, strict=True)]
    for home in homes:
        add(Lake(home.lake), STREAM, [Event(START, 1, 1, values={"user": "u"})], 1)

    def refreshed(turn: int) -> RefreshResult:
        [result] = engines[turn % 2].refresh([plans[turn % 2].aggregates[0].name], full=True)
        return result

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(refreshed, range(8)))
    for engine in engines:
        engine.close()

    assert {(r.aggregate, r.through_batch, r.error) for r in results} == {("everything", 1, None), ("patient", 1, None)}
