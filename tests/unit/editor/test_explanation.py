"""From every key of the seed to what it does, and from every asset back to its line."""

from __future__ import annotations

from functools import cache

import pytest

from tests.unit.sections.mutation import Leaf, leaves, seed
from tusk_platform.editor.buffer import Buffer
from tusk_platform.editor.explanation import explain
from tusk_platform.errors import UsageError
from tusk_platform.generate.trace import assets


@cache
def buffer() -> Buffer:
    """The repository's own config."""
    return Buffer(seed(), "platform.tsk")


@pytest.mark.parametrize("leaf", leaves(), ids=lambda leaf: leaf.path)
def test_every_key_is_followed_from_its_line(leaf: Leaf) -> None:
    found = explain(buffer(), leaf.path)

    assert (found.span.line, found.span.column) == (leaf.key.line, leaf.key.column)
    assert found.means
    assert not (found.does and found.needed)


def test_a_metric_is_followed_to_sql_pages_and_tests() -> None:
    found = explain(buffer(), "real_time_aggregations.user_metrics.metrics.unique_pages")

    assert [a.name for a in found.assets] == ["agg.user_metrics"]
    assert found.expression == 'count(distinct "page_url") as "unique_pages"'
    assert found.expression in found.assets[0].sql
    assert "dashboard.executive_dashboard: user_activity_chart (line_chart, one of its choices)" in found.shown
    assert any("one row per window" in t for t in found.assets[0].tests)
    assert [a.says for a in found.inferred if "unique_pages" in a.decision] == [f"{found.name}.column"]


def test_a_rule_is_followed_to_the_checks_of_every_stream_it_holds_for() -> None:
    found = explain(buffer(), "data_quality_config.validation_rules.value_ranges.amount")

    assert {a.name for a in found.assets} == {
        f"{k}.{s}_events" for k in ("raw", "quality") for s in ("user", "business")
    }
    assert "check range:amount of raw.user_events" in found.assets[0].tests


@pytest.mark.parametrize("name", assets(buffer().compiled.plan))
def test_every_asset_leads_back_to_its_line(name: str) -> None:
    asset = assets(buffer().compiled.plan)[name]
    found = explain(buffer(), name.replace(".", "/"))
    back = explain(buffer(), asset.origin.key)

    assert found.span == asset.origin.span
    assert found.assets == (asset,)
    assert name in {a.name for a in back.assets}


def test_a_metric_of_an_asset_is_known_too() -> None:
    found = explain(buffer(), "agg.purchase.revenue")

    assert found.expression == 'cast(sum("amount") as decimal(38, 4)) as "revenue"'
    assert found.shown == (
        "dashboard.events: purchase_total (counter, one of its choices)",
        "dashboard.events: purchase_trend (line_chart, one of its choices)",
    )


@pytest.mark.parametrize(
    "name",
    [f"{a.table}.{m.name}" for a in buffer().compiled.plan.aggregates for m in a.metrics],
)
def test_every_metric_is_shown_as_it_stands_in_the_sql(name: str) -> None:
    found = explain(buffer(), name)

    assert found.expression
    assert found.expression in found.assets[0].sql


def test_what_is_wrong_without_a_key_is_said_with_the_key_it_is_wrong_at() -> None:
    found = explain(buffer(), "real_time_analytics.data_streams.user_events")

    assert found.needed == "`analytics_data_sources.real_time_metrics` would be wrong: there is no table `user_events`"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("agg.user_metric", "did you mean `agg.user_metrics`"),
        ("cache_ttl", "did you mean `performance_config.caching.cache_ttl`?"),
        ("nothing.of.this.kind", "`tusk plan` lists the assets"),
    ],
)
def test_an_unknown_name_is_told_apart(name: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        explain(buffer(), name)

    assert hint in str(caught.value)
