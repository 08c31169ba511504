"""``tusk parse`` prints values, ``tusk plan`` what they come to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Tusk
from tests.unit.sections.mutation import FILE, leaves, seed
from tusk_platform.plan.page import SCHEMA_VERSION
from tusk_platform.tsk.nodes import Operator


def test_one_file_is_an_object(tusk: Tusk, tmp_path: Path) -> None:
    (tmp_path / "a.tsk").write_text('a = @env(HOME, "x")\nb { c = [1, 2.5, true, "t"] }\nq = @query("SELECT 1")\n')

    answer = tusk("parse", "a.tsk")

    expected = {"a": {"@env": ["HOME", "x"]}, "b": {"c": [1, 2.5, True, "t"]}, "q": {"@query": ["SELECT 1"]}}
    assert (answer.code, answer.json()) == (0, expected)
    assert tusk("parse", "a.tsk", "--json").json() == expected


def test_several_files_are_a_list(tusk: Tusk, tmp_path: Path) -> None:
    (tmp_path / "a.tsk").write_text("a = 1")
    (tmp_path / "b.tsk").write_text("b = 2")

    answer = tusk("parse", "a.tsk", "b.tsk", "--json")

    assert answer.json() == [{"a": 1}, {"b": 2}]


def test_every_leaf_of_the_seed_is_printed(tusk: Tusk) -> None:
    printed = tusk("parse", FILE).json()

    for leaf in leaves():
        value = printed
        for step in leaf.path.split("."):
            value = value[step]
        if isinstance(leaf.value, Operator):
            assert list(value) == [f"@{leaf.value.name}"]
        else:
            assert value is not None


def test_mistakes_of_the_language_are_all_told(tusk: Tusk, tmp_path: Path) -> None:
    (tmp_path / "a.tsk").write_text("a = 5 minutes\nb = {\n")
    (tmp_path / "b.tsk").write_text("c c\n")

    answer = tusk("parse", "a.tsk", "b.tsk")

    assert answer.code == 1
    assert answer.out == ""
    assert {line.split(":")[0] for line in answer.err.splitlines() if ".tsk:" in line} == {"a.tsk", "b.tsk"}
    assert "Traceback" not in answer.err


def test_parse_wants_a_file_that_is_there(tusk: Tusk, tmp_path: Path) -> None:
    for name in ("nowhere.tsk", tmp_path):
        answer = tusk("parse", name)

        assert answer.code == 1
        assert answer.err.startswith(f"tusk: cannot read {name}: ")


def test_plan_prints_all_there_will_be(tusk: Tusk, tmp_path: Path) -> None:
    (tmp_path / "platform.tsk").write_text(seed())

    answer = tusk("plan")

    titles = [line for line in answer.out.splitlines()[1:] if line and not line.startswith(" ")]
    assert titles == [
        "Streams", "Aggregates", "Queries", "Dashboards", "Detectors", "Alerts", "Models", "Features and serving",
        "Across sources", "Rows and people", "Runtime", "Scale and failures", "Connections", "Inferred",
        "Planned, not active", "Environment",
    ]  # fmt: skip
    assert "  kafka: embedded\n" in answer.out
    assert (answer.code, answer.err) == (0, "")
    assert tusk("plan", "platform.tsk").out == answer.out


def test_plan_as_json_is_versioned(tusk: Tusk, tmp_path: Path) -> None:
    (tmp_path / "platform.tsk").write_text(seed())

    plan = tusk("plan", "--json").json()

    assert plan["schema_version"] == SCHEMA_VERSION
    assert [s["name"] for s in plan["streams"]] == [
        "user_events", "system_metrics", "business_events", "web_analytics", "crm_data", "social_media", "iot_sensors",
    ]  # fmt: skip
    assert plan["aggregates"][0]["window"] == {"kind": "tumbling", "size": 300_000_000, "offset": 0}
    assert plan["streams"][0]["origin"] == {
        "key": "real_time_analytics.data_streams.user_events",
        "at": "platform.tsk:4:9",
    }
    assert {"key", "rule", "decision", "says"} == set(plan["assumptions"][0])
    assert {"key", "reason"} == set(plan["inactive"][0])


def test_plan_names_what_is_not_carried_out(tusk: Tusk, tmp_path: Path) -> None:
    (tmp_path / "platform.tsk").write_text(
        'connections = { redis = { url = "redis://redis:6379/0" } }\n'
        "real_time_analytics = {\n"
        '    data_streams = { rows = { source = "database", table = "t" }, '
        'tweets = { source = "twitter_api", endpoints = ["search_tweets"] } }\n'
        '    processing_pipelines = { p = { window_size = "1 minute", sla = "2 minutes" } }\n'
        '    dashboards = { d = { widgets = ["p"], alerting = true } }\n'
        "}\n"
        "data_quality_config = { data_cleansing = { outlier_threshold = 5 } }\n"
    )

    inactive = {i["key"] for i in tusk("plan", "--json").json()["inactive"]}

    assert inactive == {
        "connections.redis",
        "real_time_analytics.data_streams.tweets.endpoints",
        "real_time_analytics.processing_pipelines.p.sla",
        "real_time_analytics.dashboards.d.alerting",
        "data_quality_config.data_cleansing.outlier_threshold",
    }


def test_a_plan_of_a_wrong_file_is_its_mistakes(tusk: Tusk, tmp_path: Path) -> None:
    (tmp_path / "platform.tsk").write_text("demo = 5\nx = 1\n")

    answer = tusk("plan")

    assert (answer.code, answer.out) == (1, "")
    assert answer.err.endswith("2 mistakes\n")


@pytest.mark.parametrize("source", ["kafka", "http", "mqtt", "database"])
def test_a_stream_without_connection_is_read_from_the_embedded_log(tusk: Tusk, tmp_path: Path, source: str) -> None:
    own = {"mqtt": 'topics = ["a"]', "database": 'table = "t"'}.get(source, "")
    (tmp_path / "platform.tsk").write_text(
        f'real_time_analytics = {{ data_streams = {{ s = {{ source = "{source}", {own} }} }} }}'
    )

    [stream] = tusk("plan", "--json").json()["streams"]

    assert (stream["adapter"], stream["connection"], stream["demo"]) == ("log", None, True)
