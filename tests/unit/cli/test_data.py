"""``tusk ingest``, ``publish``, ``run`` and ``sql``: what they print, and what they refuse."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Tusk
from tusk_platform.jobs.ingest import Until
from tusk_platform.runtime.duties import ingest_stream
from tusk_platform.runtime.platform import open_platform

CONFIG = """\
demo = false
real_time_analytics = {
    data_streams = {
        sales = {
            source = "file"
            path = "sales.csv"
            event_time = "sold_at"
            dedup_key = "id"
            schema = { id = "integer", sold_at = "timestamp", amount = "decimal", paid = "boolean", note = "string" }
        }
        visits = {
            source = "kafka"
            schema = { at = "timestamp", page = "string" }
            event_time = "at"
            dedup_key = "page"
        }
    }
}
real_time_aggregations = {
    pages = { stream = "visits", dimensions = ["page"], metrics = { hits = "count" }, window = "1 minute" }
}
data_quality_config = {
    validation_rules = { streams = ["sales"], value_ranges = { amount = { min = 0 } } }
}
"""
SALES = """\
id,sold_at,amount,paid,note
1,2024-01-01T00:00:00.25Z,10.50,true,"said ""hi"", left"
2,2024-01-01T00:01:00+01:00,0.1,false,
2,2024-01-01T00:01:00+01:00,0.1,false,
3,2024-01-01T00:02:00Z,-5,true,
4,,1,true,
"""
INGEST_FIELDS = ["stream", "rows", "quarantined", "late", "duplicates", "batches", "position"]


@pytest.fixture(scope="module")
def sales(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The config of a folder whose sales are in the lake."""
    folder = tmp_path_factory.mktemp("sales")
    (folder / "sales.csv").write_text(SALES)
    config = folder / "platform.tsk"
    config.write_text(CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TUSK_HOME", raising=False)
        platform = open_platform(config)
        ingest_stream(platform, platform.plan.stream("sales"), Until(once=True), command="test")
        platform.close()
    return config


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """The config of a folder where nothing was read yet."""
    (tmp_path / "sales.csv").write_text(SALES)
    config = tmp_path / "platform.tsk"
    config.write_text(CONFIG)
    return config


def test_ingest_as_json_has_the_documented_fields(tusk: Tusk, empty: Path) -> None:
    first = tusk("ingest", "sales", "--once", "--json")
    again = tusk("ingest", "sales", "--once", "--json")

    assert list(first.json()) == INGEST_FIELDS
    assert first.json() == {
        "stream": "sales",
        "rows": 3,
        "quarantined": 2,
        "late": 0,
        "duplicates": 1,
        "batches": 1,
        "position": first.json()["position"],
    }
    assert list(first.json()["position"]) == ["sales.csv"]
    assert (again.json()["rows"], again.json()["batches"]) == (0, 0)
    assert again.json()["position"] == first.json()["position"]
    assert (first.code, first.err) == (0, "")


def test_published_events_are_ingested_and_late_ones_counted(tusk: Tusk, empty: Path) -> None:
    now = b'{"at": "2026-01-01T12:00:00Z", "page": "/a"}\n\n{"at": "2026-01-01T12:00:01Z", "page": "/a"}\n'
    (empty.parent / "late.ndjson").write_bytes(b'{"at": "2026-01-01T11:00:00Z", "page": "/b"}\nno json\n')

    published = tusk("publish", "visits", "--json", stdin=now)
    first = tusk("ingest", "visits", "--once", "--json").json()
    told = tusk("publish", "visits", "late.ndjson")
    second = tusk("ingest", "visits", "--once")

    assert (published.code, published.json()) == (0, {"stream": "visits", "published": 2})
    assert (first["rows"], first["duplicates"], first["position"]) == (2, 1, {"0": 2})
    assert told.out == "2 events published to visits\n"
    assert second.out == "visits: 1 rows, 1 quarantined, 1 late, 0 repeated, in 1 batches\n"


def test_json_rows_have_exact_decimals_and_utc_times(tusk: Tusk, sales: Path) -> None:
    answer = tusk(
        "sql", "select sold_at, amount, paid, note, sum(amount) over () as total, date '2024-02-29' as day, _payload "
        "from clean.sales where id = 1", "--format", "json", "--config", sales,
    )  # fmt: skip

    assert answer.json() == [
        {
            "sold_at": "2024-01-01T00:00:00.250000Z",
            "amount": "10.5000",
            "paid": True,
            "note": 'said "hi", left',
            "total": "10.5000",
            "day": "2024-02-29",
            "_payload": None,
        }
    ]
    assert (answer.code, answer.err) == (0, "")
    again = tusk("sql", "select sold_at from clean.sales where id = 2", "--json", "--config", sales)
    assert again.json() == [{"sold_at": "2023-12-31T23:01:00Z"}]


def test_csv_can_be_read_back(tusk: Tusk, sales: Path) -> None:
    statement = "select id, sold_at, amount, paid, note from raw.sales where _status = 'ok' order by id, _offset"

    answer = tusk("sql", statement, "--format", "csv", "--config", sales)

    rows = list(csv.reader(io.StringIO(answer.out)))
    assert rows[0] == ["id", "sold_at", "amount", "paid", "note"]
    assert rows[1] == ["1", "2024-01-01T00:00:00.250000Z", "10.5000", "true", 'said "hi", left']
    assert rows[2] == ["2", "2023-12-31T23:01:00Z", "0.1000", "false", ""]
    assert len(rows) == 4


def test_a_table_is_aligned_and_counted(tusk: Tusk, sales: Path) -> None:
    answer = tusk("sql", "select _reason, id from quarantine.sales order by id", "--config", sales)

    assert answer.out.splitlines() == [
        "_reason                           id",
        "--------------------------------  --",
        "range:amount: -5                   3",
        "event time missing: no `sold_at`   4",
    ]
    assert answer.err == "2 rows\n"


def test_no_rows_are_no_mistake(tusk: Tusk, sales: Path) -> None:
    statement = "select id from clean.sales where id > 100"

    assert tusk("sql", statement, "--config", sales).out == "id\n(no rows)\n"
    assert tusk("sql", statement, "--json", "--config", sales).json() == []
    assert tusk("sql", statement, "--format", "csv", "--config", sales).out.split() == ["id"]


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("selec 1", "syntax error"),
        ("select nothing from clean.sales", "nothing"),
        ("select 1 from clean.salse", "clean.sales"),
        ("select 1; select 2", "2 statements"),
        ("", "no statement"),
        ("delete from raw.sales", "read-only"),
        ("insert into raw.sales values (1)", "read-only"),
        ("drop view clean.sales", "read-only"),
        ("create table t as select 1", "read-only"),
        ("copy (select 1) to 'out.csv'", "read-only"),
        ("attach 'other.db'", "read-only"),
        ("install httpfs", "read-only"),
        ("set memory_limit = '1TB'", "read-only"),
        ("select * from read_csv('/etc/passwd')", "disabled"),
        ("select * from '/etc/passwd'", ""),
        ("select * from read_text('platform.tsk')", "disabled"),
        ("select * from delta_scan('/tmp')", "not allowed"),
    ],
)
def test_sql_that_is_wrong_or_does_more_than_read_is_refused(
    tusk: Tusk, sales: Path, statement: str, told: str
) -> None:
    answer = tusk("sql", statement, "--config", sales)

    assert answer.code == 1
    assert answer.out == ""
    assert answer.err.startswith("tusk: ")
    assert told in answer.err
    assert "Traceback" not in answer.err
    assert "root:" not in answer.err
    assert len(answer.err.splitlines()) == 1


@pytest.mark.parametrize("command", [["ingest", "--once"], ["publish"]])
def test_an_unknown_stream_is_refused_with_the_nearest(tusk: Tusk, sales: Path, command: list[str]) -> None:
    answer = tusk(command[0], "sale", *command[1:], "--config", sales)

    assert (answer.code, answer.err) == (1, "tusk: no stream `sale`; did you mean `sales`?\n")


def test_an_unknown_asset_is_refused_with_the_nearest(tusk: Tusk, sales: Path) -> None:
    answer = tusk("run", "agg/page", "--config", sales)

    assert (answer.code, answer.err) == (1, "tusk: no asset `agg/page`; did you mean `agg.pages`?\n")
    assert tusk("run", "--config", sales).err == "tusk: name assets to run, or say --all\n"


def test_run_tells_each_step(tusk: Tusk, sales: Path) -> None:
    spoken = tusk("run", "raw/sales", "--config", sales)
    answer = tusk("run", "clean.sales", "--upstream", "--json", "--config", sales)

    assert spoken.out == "1/1 raw.sales: rows 0, quarantined 0, late 0, duplicates 0\n"
    assert [step["asset"] for step in answer.json()] == ["raw.sales", "clean.sales"]
    assert answer.json()[1] == {"asset": "clean.sales", "rows": 2}


def test_nothing_can_be_published_to_files(tusk: Tusk, sales: Path) -> None:
    answer = tusk("publish", "sales", "--config", sales, stdin=b"{}")

    assert answer.code == 1
    assert answer.err == "tusk: stream `sales` is read from file; nothing can be published to it\n"


def test_a_file_to_publish_must_be_there(tusk: Tusk, sales: Path) -> None:
    answer = tusk("publish", "visits", "nowhere.ndjson", "--config", sales)

    assert (answer.code, answer.err) == (1, "tusk: cannot read nowhere.ndjson: No such file or directory\n")


@pytest.mark.parametrize(
    "command", [["ingest", "a", "--once"], ["run", "--all"], ["publish", "a"], ["sql", "select 1"], ["plan"], ["up"]]
)
def test_commands_need_a_config_without_mistakes(tusk: Tusk, tmp_path: Path, command: list[str]) -> None:
    missing = tusk(*command)
    (tmp_path / "platform.tsk").write_text("demo = 5\n")
    wrong = tusk(*command)

    assert (missing.code, wrong.code) == (1, 1)
    assert missing.err.startswith("tusk: no config at ")
    assert "platform.tsk:1:8: expected `true` or `false`, got the number 5" in wrong.err
    assert "Traceback" not in missing.err + wrong.err


def test_json_is_json_whatever_is_in_the_rows(tusk: Tusk, sales: Path) -> None:
    statement = """select 'é\n"' as text, [1.5::decimal(4, 2)] as list,
        {'a': timestamptz '2024-01-01 00:00:00Z'} as struct, interval 90 seconds as span, 'ab'::blob as bytes,
        null as nothing, ['nan'::double, 1] as doubles, 1 as one, 2 as one, 1e400 as endless"""

    answer = tusk("sql", statement, "--json", "--config", sales)

    assert answer.json() == [
        {
            "text": 'é\n"',
            "list": ["1.50"],
            "struct": {"a": "2024-01-01T00:00:00Z"},
            "span": "00:01:30",
            "bytes": "ab",
            "nothing": None,
            "doubles": [None, 1.0],
            "one": 1,
            "one_1": 2,
            "endless": None,
        }
    ]
    assert "NaN" not in answer.out
    assert "Infinity" not in answer.out


def test_cells_of_csv_and_tables_are_plain(tusk: Tusk, sales: Path) -> None:
    statement = "select true as yes, null as nothing, [1, 2] as list, {'a': false} as struct, interval 2 days as span"

    as_csv = tusk("sql", statement, "--format", "csv", "--config", sales)
    as_table = tusk("sql", statement, "--config", sales)

    expected = ["true", "", "[1, 2]", '{"a": false}', "2 days"]
    assert list(csv.reader(io.StringIO(as_csv.out)))[1] == expected
    assert as_table.out.splitlines()[2].split() == ["true", "[1,", "2]", '{"a":', "false}", "2", "days"]
