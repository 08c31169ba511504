"""What is said of what stands at a position, where its name is declared, and the outline of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.editor.marked import PLATFORM, at, split
from tusk_platform.editor.buffer import Buffer
from tusk_platform.editor.hover import declaration, hover
from tusk_platform.editor.symbols import symbols

ROOT = Path(__file__).resolve().parents[3]


def said(marked: str) -> str:
    """What is said at the mark in a line of the platform."""
    found = hover(*at(marked))
    assert found
    return found.text


def test_a_key_says_what_it_does_its_kind_default_and_example() -> None:
    found = hover(*split('stream_processing = { eng|ine = "duckdb" }'))

    assert found
    assert found.text.startswith("**engine**\n\n`duckdb` is embedded; `apache_flink` drives a cluster")
    assert '`"duckdb"`, `"apache_flink"`; default `"duckdb"`' in found.text
    assert '```tsk\nengine = "apache_flink"\n```' in found.text
    assert (found.start, found.end) == (22, 28)


def test_the_value_of_a_key_says_the_same() -> None:
    assert "Length of a window." in said('size = "5 min|utes"')


def test_a_section_says_what_it_is() -> None:
    assert said("real_time_ana|lytics = {").startswith("**real_time_analytics**: section\n\nStreams, pipelines")


def test_an_aggregate_says_what_the_plan_makes_of_it() -> None:
    text = said("    user_met|rics = {\n")

    assert "`agg.user_metrics`: tumbling windows of 5 minutes over user_events" in text
    assert "*Inferred:* `user_metrics` reads stream `user_events`" in text
    assert "`stream` would say it" in text


def test_a_name_says_what_it_is_a_name_of() -> None:
    assert "**user_metrics**: aggregate" in said('data_source = "user_|metrics"')
    assert "`sum(amount)`, decimal" in said("rev|enue = ")
    assert "`raw.user_events`, from `kafka`, embedded (`log`)" in said("user_ev|ents = {")


def test_nothing_is_said_of_what_nobody_knows() -> None:
    assert hover(*split("demo = true // no|thing")) is None
    assert hover(*split("what_is = { th|is = 1 }")) is None


@pytest.mark.parametrize(
    ("key", "table", "name", "declared"),
    [
        ("stream", "real_time_aggregations.more", "user_events", "user_events = {"),
        ("window", "real_time_aggregations.more", "busy", "busy = {"),
        ("data_source", "live_dashboards.b.widgets.w", "user_metrics", "user_metrics = {"),
        ("data_source", "live_dashboards.b.widgets.w", "stream_tumbling", "tumbling = {"),
        ("data_source", "live_dashboards.b.widgets.w", "machines", "machines = {"),
        ("source", "predictive_analytics.models.m", "user_metrics", "user_metrics = {"),
    ],
)
def test_a_name_leads_to_where_it_is_declared(key: str, table: str, name: str, declared: str) -> None:
    span = declaration(*split(f'{PLATFORM}[{table}]\n{key} = "{name[:3]}|{name[3:]}"'))

    assert span
    assert span.text[span.column - 1 :].startswith(declared)


def test_a_metric_leads_to_its_aggregate_and_other_texts_nowhere() -> None:
    metric = declaration(*at('metric = "rev|enue"'))

    assert metric
    assert metric.text[metric.column - 1 :].startswith('revenue = "sum"')
    assert declaration(*at('type = "count|er"')) is None


def test_a_word_on_a_short_dashboard_leads_to_what_it_shows() -> None:
    text = (ROOT / "platform.tsk").read_text(encoding="utf-8")

    span = declaration(*split(text.replace('"system_health"', '"system|_health"', 1)))

    assert span
    assert span.text[span.column - 1 :].startswith("system_health_gauge")


def test_the_outline_is_that_of_the_file() -> None:
    buffer = Buffer(PLATFORM, "a.tsk")

    found = symbols(buffer)

    assert [s.name for s in found] == [e.key for e in buffer.document.root.entries]
    streams = found[1].children[0]
    assert [(s.name, s.kind) for s in streams.children] == [("user_events", "table"), ("machines", "table")]
    assert PLATFORM[streams.start : streams.end].startswith("data_streams = {")
    assert PLATFORM[streams.start : streams.end].endswith("    }")
    assert PLATFORM[streams.name_start : streams.name_end] == "data_streams"


def test_the_outline_of_headers_reaches_to_their_last_key() -> None:
    text = '[a.b]\nc = "x"\n\n[d]\ne = [1, 2]\n'

    first, second = symbols(Buffer(text, "a.tsk"))

    assert (text[first.start : first.end], text[second.start : second.end]) == ('a.b]\nc = "x"', "d]\ne = [1, 2]")
