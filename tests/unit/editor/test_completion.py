"""What is suggested: keys and values of the schemas, names of the file; also where the file is half written."""

from __future__ import annotations

import pytest

from tests.unit.editor.marked import PLATFORM, suggested
from tusk_platform.compile import compile_text
from tusk_platform.sections.streams import StreamKeys
from tusk_platform.sections.validate import SECTIONS

STREAM = "real_time_analytics = { data_streams = { s = { "
WIDGET = PLATFORM + "[live_dashboards.second.widgets.w]\n"


def test_the_top_level_takes_sections_and_settings() -> None:
    found = suggested("demo = true\nrea|")

    assert set(found) == {*SECTIONS, "timezone"}
    assert found["live_dashboards"].snippet == "live_dashboards = {\n\t$0\n}"


def test_a_stream_takes_the_keys_of_its_source() -> None:
    kafka, file, unknown = (suggested(f"{STREAM}{said}|") for said in ('source = "kafka", ', 'source = "file", ', ""))

    assert {"topic", "partition_count", "retention_hours"} <= set(kafka)
    assert {"path", "delimiter", "live"} <= set(file)
    assert "live" not in kafka, "it does nothing there"
    assert set(unknown) == {"source", *StreamKeys.config_keys()}


def test_a_key_that_is_written_is_not_offered_again() -> None:
    found = suggested(STREAM + 'source = "kafka", to|, key = "user_id" } } }')

    assert not {"source", "key"} & set(found)
    assert found["topic"].snippet == 'topic = ${1:"user-events"}'
    assert found["topic"].documentation.startswith("The topic; not said: named like the stream.")


def test_a_key_that_has_its_value_is_only_renamed() -> None:
    found = suggested(STREAM + 'sou|rce = "kafka" } } }')

    assert (found["source"].text, found["event_time"].text) == ("source", "event_time")


def test_needed_keys_come_first() -> None:
    assert list(suggested("live_dashboards = { main = { widgets = { w = { |"))[:2] == ["type", "data_source"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("demo = |", {"true", "false"}),
        (STREAM + "source = |", {"kafka", "file", "http", "demo"}),
        (STREAM + 'source = "kafka", format = |', {"json", "csv"}),
        (STREAM + 'source = "file", format = "|', {"json", "csv", "ndjson", "parquet"}),
        (STREAM + "schema = { a = |", {"string", "decimal", "timestamp"}),
        ("anomaly_detection = { algorithms = { a = { method = |", {"z_score", "isolation_forest", "prophet"}),
        ('anomaly_detection = { algorithms = { a = { method = "z_|" } } }', {"z_score", "isolation_forest", "prophet"}),
        ('anomaly_detection = { alerting = { channels = ["email", |', {"slack", "webhook"}),
        ("real_time_aggregations = { a = { metrics = { m = |", {"count", "sum", "ratio"}),
        ("timezone = |", {"UTC", "Europe/Berlin"}),
        ("predictive_analytics = { models = { m = { retrain_frequency = |", {"daily", "weekly"}),
        ("connections = { kafka = { password = |", {"@env"}),
        ("analytics_data_sources = { a = |", {"@query"}),
    ],
)
def test_a_value_is_one_of_its_choices(text: str, expected: set[str]) -> None:
    assert expected <= set(suggested(text))


def test_choices_that_stand_in_a_list_are_not_offered_again() -> None:
    assert set(suggested('anomaly_detection = { alerting = { channels = ["email", |')) == {"slack", "webhook"}


def test_a_text_takes_the_place_of_what_stands_in_its_quotes() -> None:
    [source] = [s for s in suggested(STREAM + 'source = "ka|" } } }').values() if s.label == "kafka"]
    start = len(STREAM + "source = ")

    assert (source.start, source.end, source.text, source.matched) == (start, start + 4, '"kafka"', '"kafka"')


def test_a_kind_is_known_by_what_is_written() -> None:
    score = suggested('anomaly_detection = { algorithms = { a = { method = "z_score", | } } }')
    session = suggested('stream_processing = { windows = { own = { gap = "1 minute", | } } }')

    assert set(score) == {"threshold", "window_size"}
    assert set(session) == {"max_size", "allowed_lateness"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PLATFORM + "[real_time_aggregations.more]\nstream = |", {"user_events", "machines"}),
        (PLATFORM + "[real_time_aggregations.more]\nwindow = |", {"tumbling", "busy", "5 minutes"}),
        (WIDGET + "data_source = |", {"user_metrics", "user_events", "machines", "anomaly_detection"}),
        (WIDGET + 'data_source = "user_metrics"\nmetric = |', {"visits", "revenue", "event_count"}),
        (WIDGET + 'data_source = "machines"\nmetric = |', {"cpu_usage"}),
        (PLATFORM + "[real_time_analytics.dashboards.d]\nwidgets = [|", {"takings", "user_metrics", "user_events"}),
        (PLATFORM + '[anomaly_detection]\nseries = [{ metric = "|', {"revenue", "user_metrics.revenue"}),
        (PLATFORM + "[predictive_analytics.models.m]\nsource = |", {"user_metrics"}),
        (PLATFORM + "[data_quality_config.validation_rules.per_stream]\n|", {"user_events", "machines"}),
        (PLATFORM + "[data_quality_config.validation_rules]\nstreams = [|", {"user_events", "machines"}),
    ],
)
def test_a_name_is_one_that_the_file_declares(text: str, expected: set[str]) -> None:
    assert expected <= set(suggested(text))


def test_names_are_known_while_other_things_are_wrong() -> None:
    broken = PLATFORM.replace('window = "5 minutes"', "window =").replace("user_events = {", "user_events = { topc = ")

    assert {"user_metrics", "user_events"} <= set(suggested(broken + "[live_dashboards.b.widgets.w]\ndata_source = |"))


def test_headers_take_tables_only() -> None:
    assert set(suggested("[|")) == set(SECTIONS)
    assert set(suggested("[stream_processing.|")) == {"windows", "state_backend"}


def test_nothing_is_offered_in_comments_and_behind_keys() -> None:
    assert [suggested(text) for text in ("// de|mo", "demo | = true", "demo = true # |")] == [{}, {}, {}]


@pytest.mark.parametrize(
    "text",
    [
        "|",
        "real_time_analytics = {\n    |\n}",
        "real_time_analytics = { data_streams = {\n    |\n} }",
        'real_time_analytics = { data_streams = { s = { source = "kafka"\n | } } }',
        "data_quality_config = { data_cleansing = {\n    |\n} }",
        "performance_config = { caching = {\n    |\n} }",
    ],
)
def test_what_is_taken_without_a_change_is_right(text: str) -> None:
    for label, suggestion in suggested(text).items():
        written = text.replace("|", suggestion.text)
        errors = [p.message for p in compile_text(written, "a.tsk").errors]

        assert [e for e in errors if "is missing" not in e and "at least one" not in e] == [], label
