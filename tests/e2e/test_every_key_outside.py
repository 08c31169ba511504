"""What the keys of the seed do outside the plan: the table of consumers is whole, and each entry holds."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.e2e.consumers import CONSUMERS, Bench, Consumer, consumer_of, names_a_test, on
from tests.unit.plan.other_values import another
from tests.unit.sections.mutation import Leaf, leaves, seed
from tusk_platform.compile import compile_text
from tusk_platform.jobs.ingest import Until
from tusk_platform.plan.nodes import Plan
from tusk_platform.runtime.duties import ingest_stream, refresh_aggregates
from tusk_platform.runtime.platform import now, open_platform

ROOT = Path(__file__).resolve().parents[2]


@cache
def plan() -> Plan:
    """The plan of ``platform.tsk``."""
    return compile_text(seed(), "platform.tsk").plan


def active() -> list[Leaf]:
    """Keys that something carries out."""
    return [leaf for leaf in leaves() if not plan().waits_for(leaf.path)]


def shown() -> list[Leaf]:
    """Those of them whose effect is seen here."""
    return [leaf for leaf in active() if callable(consumer_of(leaf.path))]


def test_every_key_waits_or_names_who_carries_it_out() -> None:
    assert [leaf.path for leaf in active() if consumer_of(leaf.path) is None] == []


def test_no_entry_is_about_nothing() -> None:
    used = {id(consumer_of(leaf.path)) for leaf in active()}

    assert [pattern for pattern, consumer in CONSUMERS if id(consumer) not in used] == []
    assert [c for _, c in CONSUMERS if isinstance(c, str) and not names_a_test(c, ROOT)] == []


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The seed's platform with two hours of made-up events, at one moment."""
    folder = tmp_path_factory.mktemp("seed")
    (folder / "platform.tsk").write_text(seed())
    moment = now()
    platform = open_platform(folder / "platform.tsk")
    platform.clock = lambda: moment
    for stream in platform.plan.streams:
        ingest_stream(platform, stream, Until(once=True), command="test")
    refresh_aggregates(platform, [a.name for a in platform.plan.aggregates], command="test")
    return Bench(platform, platform.plan)


@pytest.fixture(scope="module")
def before(bench: Bench) -> Callable[[Consumer], object]:
    """What a consumer makes of the seed itself, made once."""

    @cache
    def made(consumer: Consumer) -> object:
        return consumer(bench)

    return made


@pytest.mark.slow
@pytest.mark.parametrize("leaf", shown(), ids=lambda leaf: leaf.path)
def test_another_value_is_seen_outside(leaf: Leaf, bench: Bench, before: Callable[[Consumer], object]) -> None:
    consumer, other = consumer_of(leaf.path), another(leaf)
    assert callable(consumer)
    assert other is not None

    assert consumer(on(bench, other.plan)) != before(consumer)
