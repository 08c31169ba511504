"""What a secret variable holds is in no output of any command, and in no file that a command leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.tusk import Answer
from tests.unit.cli.conftest import Tusk

DOCS = Path(__file__).resolve().parents[3] / "docs"
MARKER = "marker-9b1f7c"
# Nobody listens on port 1.
CONFIG = """\
connections = {
    kafka = {
        bootstrap_servers = "127.0.0.1:1"
        security_protocol = "sasl_plaintext"
        sasl_mechanism = "PLAIN"
        username = "tusk"
        password = @env(KAFKA_PASSWORD)
    }
    database = { url = @env(DATABASE_URL), password = @env(DATABASE_PASSWORD) }
    mqtt = { host = "broker", password = @env(MQTT_PASSWORD) }
    s3 = { access_key = @env(S3_ACCESS_KEY), secret_key = @env(S3_SECRET_KEY) }
    slack = { url = @env(SLACK_URL) }
}
real_time_analytics = {
    data_streams = {
        topic = { source = "kafka" }
        rows = { source = "database", table = "t" }
        queue = { source = "mqtt", topics = ["a"] }
        pushed = { source = "http" }
    }
}
real_time_aggregations = { pushed_count = { metrics = { visits = "count" }, window = "1 minute" } }
live_dashboards = { d = { widgets = { w = { type = "counter", data_source = "pushed_count" } } } }
"""
VARIABLES = ("KAFKA_PASSWORD", "DATABASE_PASSWORD", "MQTT_PASSWORD", "S3_ACCESS_KEY", "S3_SECRET_KEY")
QUICK = [
    ["check"],
    ["check", "--json"],
    ["parse", "platform.tsk"],
    ["plan"],
    ["plan", "--json"],
    ["ingest", "pushed", "--once", "--json"],
    ["ingest", "rows", "--once"],
    ["ingest", "queue", "--once"],
    ["publish", "pushed"],
    ["publish", "rows"],
    ["run", "raw.pushed", "--json"],
    ["run", "raw.rows"],
    ["sql", "select * from raw.pushed"],
    ["sql", "select getenv('KAFKA_PASSWORD')"],
    ["sql", "select * from duckdb_secrets()"],
    ["sql", "select * from duckdb_settings()"],
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the config, and the variables set."""
    (tmp_path / "platform.tsk").write_text(CONFIG)
    for name in VARIABLES:
        monkeypatch.setenv(name, MARKER)
    monkeypatch.setenv("DATABASE_URL", f"postgresql://tusk:{MARKER}@127.0.0.1:1/shop")
    monkeypatch.setenv("SLACK_URL", f"https://hooks.slack.example/{MARKER}")
    return tmp_path


def assert_silent(answer: Answer, folder: Path) -> None:
    """Neither what was printed nor what was written holds the secret."""
    assert MARKER not in answer.out + answer.err
    assert "mistake of ours" not in answer.err
    files = [p for p in folder.rglob("*") if p.is_file()]
    assert [p for p in files if MARKER.encode() in p.read_bytes()] == []


@pytest.mark.parametrize("command", QUICK, ids=" ".join)
def test_no_command_tells_a_secret(tusk: Tusk, folder: Path, command: list[str]) -> None:
    answer = tusk(*command, stdin=b'{"timestamp": "2026-01-01T00:00:00Z"}')

    assert_silent(answer, folder)


@pytest.mark.slow
@pytest.mark.parametrize("command", [["check", "--connect"], ["publish", "topic"]], ids=" ".join)
def test_no_refused_connection_tells_a_secret(tusk: Tusk, folder: Path, command: list[str]) -> None:
    answer = tusk(*command, stdin=b"{}")

    assert answer.code == 1
    assert "Kafka at 127.0.0.1:1 does not answer" in answer.err
    assert_silent(answer, folder)


@pytest.mark.parametrize(
    "line",
    [
        f'kafka = {{ bootstrap_servers = "a:1", password = "{MARKER}" }}',
        f'kafka = {{ bootstrap_servers = "a:1", password = @env(KAFKA_PASSWORD, "{MARKER}") }}',
        f'database = {{ url = "postgresql://tusk:{MARKER}@host/shop" }}',
        f'kafka = {{ bootstrap_servers = 5, password = "{MARKER}" }}',
    ],
)
@pytest.mark.parametrize("command", [["check"], ["check", "--json"], ["plan"], ["sql", "select 1"]], ids=" ".join)
def test_a_secret_in_the_config_is_refused_and_not_repeated(
    tusk: Tusk, tmp_path: Path, line: str, command: list[str]
) -> None:
    (tmp_path / "platform.tsk").write_text(f"connections = {{\n    {line}\n}}\n")

    answer = tusk(*command)

    assert answer.code == 1
    assert "@env(NAME)" in answer.out + answer.err
    assert MARKER not in answer.out + answer.err


def test_a_config_with_every_secret_keeps_them_all(tusk: Tusk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (DOCS / "every_key.tsk").read_text(encoding="utf-8")
    (tmp_path / "platform.tsk").write_text(text)
    warnings = tusk("check", "--json").json()
    names = {w["message"].split("`")[1] for w in warnings}
    for name in names:
        monkeypatch.setenv(name, MARKER)

    answers = [tusk("check", "--json"), tusk("plan"), tusk("plan", "--json"), tusk("parse", "platform.tsk")]

    assert len(names) > 20
    assert answers[0].json() == []
    assert not any(MARKER in a.out + a.err for a in answers)
