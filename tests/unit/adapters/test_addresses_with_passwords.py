"""Who writes a password into an address does not find it again in what the platform says."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.fakes.streams import a_stream
from tusk_platform.adapters import source_database, source_kafka, source_mqtt, source_prometheus
from tusk_platform.errors import Unavailable, UsageError
from tusk_platform.ports import SourceAdapter, SourceContext


@pytest.mark.parametrize(
    ("adapter", "options", "connection", "shown"),
    [
        (source_prometheus.adapter, {}, {"url": "http://bob:marker@127.0.0.1:1/marker?t=marker"}, "http://127.0.0.1:1"),
        (source_prometheus.adapter, {}, {"url": "http://bob:marker/x@127.0.0.1:1"}, "`connections.prometheus`"),
        (source_prometheus.adapter, {}, {"url": "bob:marker@127.0.0.1:1"}, "`connections.prometheus`"),
        (source_database.adapter, {"table": "t"}, {"url": "postgresql://bob:m@marker@127.0.0.1:1/x"}, " 127.0.0.1:1/x"),
        (source_database.adapter, {"table": "t"}, {"url": "postgresql://bob:marker@127.0.0.1:1/x"}, " 127.0.0.1:1/x"),
        (
            source_mqtt.adapter,
            {"topics": ["t"]},
            {"host": "bob:marker@nowhere.invalid", "port": 1},
            "nowhere.invalid:1",
        ),
        (source_kafka.adapter, {"topic": "t"}, {"bootstrap_servers": "bob:marker@127.0.0.1:1"}, "Kafka at 127.0.0.1:1"),
    ],
)
def test_password_in_an_address_is_not_shown(
    adapter: SourceAdapter,
    options: dict[str, object],
    connection: dict[str, object],
    shown: str,
    *,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    stream = a_stream(source=adapter.name, options=adapter.check_options(options))

    with pytest.raises((Unavailable, UsageError)) as caught:
        adapter.inspect(stream, SourceContext(connection=connection, log_folder=tmp_path))  # type: ignore[attr-defined]  # all four do

    assert shown in str(caught.value)
    assert "marker" not in str(caught.value) + caplog.text
