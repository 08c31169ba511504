"""The JSON schema and ``tusk check`` agree: on every config that is right, and on the usual mistakes."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.unit.sections.mutation import leaves, seed
from tusk_platform.generate.json_schema import config_schema, schema_text
from tusk_platform.sections.block import written
from tusk_platform.sections.streams import sources
from tusk_platform.sections.top_level import TopLevel
from tusk_platform.sections.validate import SECTIONS, validate
from tusk_platform.tsk.parser import parse
from tusk_platform.tsk.values import plain

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = sorted((ROOT / "tests/golden/plan").glob("*.tsk"))
FILES = [f for f in GOLDEN if f.with_suffix(".plan.json").exists()] + [
    ROOT / "platform.tsk",
    ROOT / "docs/every_key.tsk",
]
STREAM = "real_time_analytics = {{ data_streams = {{ s = {{ {} }} }} }}"
WIDGET = "live_dashboards = {{ d = {{ widgets = {{ w = {{ {} }} }} }} }}"

SOURCE = "multi_source_analytics = {{ data_sources = {{ s = {{ {} }} }} }}"
MODEL = "predictive_analytics = {{ models = {{ m = {{ {} }} }} }}"


@cache
def validator() -> Draft202012Validator:
    """What judges plain values by the schema."""
    return Draft202012Validator(config_schema(sources()))


def complaints(text: str) -> list[str]:
    """What the schema has against a config."""
    return [f"{e.json_path}: {e.message}" for e in validator().iter_errors(plain(parse(text, "a.tsk").root))]


def is_right(text: str) -> bool:
    """Whether the sections take a config, names of other nodes aside."""
    return not validate(parse(text, "a.tsk")).problems


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(config_schema())

    assert json.loads(schema_text())["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(config_schema()["properties"]) == {*SECTIONS, *TopLevel.config_keys()}


def test_the_committed_schema_is_what_the_code_says() -> None:
    committed = (ROOT / "docs/editor/tusk.schema.json").read_text(encoding="utf-8")

    assert committed == schema_text(), "run `make generated`"


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.stem)
def test_what_check_takes_the_schema_takes(file: Path) -> None:
    text = file.read_text(encoding="utf-8")

    assert is_right(text)
    assert complaints(text) == []


@pytest.mark.parametrize(
    "text",
    [
        'stream_processing = { windows = { a = { size = "1.5 Hours" } }, parallelism = @env(N, 4) }',
        'stream_processing = { windows = { a = { size = " 15s " }, b = { size = "2 WEEKS", slide = "7 days" } } }',
        'performance_config = { caching = { cache_size = "1 GiB" } }',
        'performance_config = { memory_management = { max_memory_usage = "80 %" } }',
        'real_time_ml = { online_learning = { update_frequency = "*/15 3-5 * jan,feb mon" } }',
        'real_time_ml = { online_learning = { update_frequency = " daily " } }',
        SOURCE.format(
            'type = "twitter_api", endpoints = ["user_timeline"], rate_limit = "300 requests per 15 minutes"'
        ),
        STREAM.format('source = "prometheus", metrics = { mine = "up" }'),
        STREAM.format('source = "file", path = "a.ndjson", format = "ndjson", live = true, dedup_key = ["a", "b"]'),
        STREAM.format('source = "kafka", schema = { "page url" = "text" }, dedup_key = "a", live = false'),
        'connections = { redis = { url = @env("REDIS", default = "redis://a:1") }, slack = { url = "HTTPS://a/b" } }',
        WIDGET.format('type = "gauge", data_source = "x", thresholds = { warning = 0.5, critical = @env(C) }'),
        WIDGET.format('type = "table", data_source = "x"') + '\n[live_dashboards.d.layout]\ngrid = "3×2"',
    ],
)
def test_other_ways_to_write_a_value_are_taken_by_both(text: str) -> None:
    assert is_right(text)
    assert complaints(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "live_dashbords = { }",
        "timezone = 1",
        'demo = "yes"',
        STREAM.format('source = "kafak"'),
        STREAM.format('source = "kafka", tpoic = "a"'),
        STREAM.format('source = "kafka", topic = 5'),
        STREAM.format('source = "kafka", path = "a.csv"'),
        STREAM.format('source = "kafka", format = "parquet"'),
        STREAM.format('source = "kafka", live = true'),
        STREAM.format('source = "kafka", partition_count = 0'),
        STREAM.format('source = "kafka", partition_count = "8"'),
        STREAM.format('source = "kafka", key = "_hidden"'),
        STREAM.format('topic = "a"'),
        STREAM.format('source = "database"'),
        STREAM.format('source = "kafka", schema = { a = "strnig" }'),
        STREAM.format('source = "kafka", max_future = "5 minuts"'),
        STREAM.format('source = "kafka", max_future = 5'),
        STREAM.format('source = "kafka", dedup_key = ["a", "a"]'),
        "real_time_analytics = { data_streams = [] }",
        'real_time_analytics = { data_streams = { "my stream" = { source = "kafka" } } }',
        WIDGET.format('type = "counter"'),
        WIDGET.format('type = "counetr", data_source = "x"'),
        WIDGET.format('type = "counter", data_source = "x", severity_levels = []'),
        "live_dashboards = { d = { widgets = { } } }",
        'real_time_aggregations = { a = { window = "5 minutes", metrics = { m = "cuont" } } }',
        'real_time_aggregations = { a = { window = 5, metrics = { m = "count" } } }',
        'real_time_aggregations = { a = { metrics = { m = "count" } } }',
        'anomaly_detection = { algorithms = { a = { method = "z_scor" } } }',
        'anomaly_detection = { algorithms = { a = { method = "z_score", contamination = 0.1 } } }',
        'anomaly_detection = { algorithms = { a = { threshold = 3 } } }',
        MODEL.format('algorithm = "arima", forecast_horizon = "7 days", confidence_interval = 1.5'),
        'connections = { kafka = { bootstrap_servers = "a", password = "secret" } }',
        'connections = { kafka = { bootstrap_servers = "a", password = @env(P, "default") } }',
        "connections = { kafka = { } }",
        'connections = { slack = { url = "ftp://a/b" } }',
        'connections = { mqtt = { host = "a", port = 70000 } }',
        "analytics_data_sources = { a = \"SELECT 1\" }",
        "analytics_data_sources = { a = @query(1) }",
        'performance_config = { caching = { cache_size = "1 GG" } }',
        'performance_config = { memory_management = { max_memory_usage = 80 } }',
        "stream_processing = { windows = { a = { gap = 1 } } }",
        "stream_processing = { parallelism = 1.5 }",
        "stream_processing = { parallelism = true }",
        "scalability_config = { fault_tolerance = { retry_policy = { max_retries = @env() } } }",
    ],
)  # fmt: skip
def test_a_usual_mistake_is_refused_by_both(text: str) -> None:
    assert not is_right(text)
    assert complaints(text) != []


OTHERWISE: list[Any] = [
    "", "x", "5 minutes", "80%", "1GB", "daily", "kafka", 0, 1, 5, -1, 0.5, 10**9, True, False,
    [], ["x"], [1], {}, {"x": 1}, "@env(X)", "@env(X, 5)", '@query("SELECT 1")',
]  # fmt: skip


def test_what_check_takes_of_a_changed_config_the_schema_takes() -> None:
    """Any leaf of the platform's own config with any other value."""
    lines = seed().split("\n")

    @given(st.sampled_from([leaf for leaf in leaves() if leaf.value.span.text]), st.sampled_from(OTHERWISE))
    def check(leaf: Any, value: Any) -> None:  # noqa: ANN401 - any value
        span = leaf.value.span
        line = lines[span.line - 1]
        if not line.rstrip().endswith(("[", "(", '"""')) and not line.endswith('@query("'):
            changed = f"{line[: span.column - 1]}{written(value)}{line[span.column - 1 + span.length :]}"
            text = "\n".join([*lines[: span.line - 1], changed, *lines[span.line :]])
            assert not is_right(text) or complaints(text) == [], changed

    check()
