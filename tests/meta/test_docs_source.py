"""The source of one's own that the guide shows is installed as it stands there, and read like ours."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.conformance import test_sources
from tests.conformance.source_cases import Numbered
from tests.fakes.packages import installed_package
from tests.fakes.streams import a_stream
from tusk_platform.compile import compile_text
from tusk_platform.jobs.ingest import Until
from tusk_platform.ports import Source, SourceContext, source_adapter
from tusk_platform.runtime.duties import ingest_stream
from tusk_platform.runtime.platform import open_platform
from tusk_platform.storage.duck import query

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide.md"
RULES = [rule for name, rule in vars(test_sources).items() if name.startswith("test_")]


def blocks(text: str, language: str) -> list[str]:
    """The code blocks of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A package with the guide's file and entry point, where Python finds packages."""
    [program] = blocks(GUIDE.read_text(encoding="utf-8"), "python")
    [entry] = blocks(GUIDE.read_text(encoding="utf-8"), "toml")
    found = re.fullmatch(r'\[project\.entry-points\."(.*)"\]\n(.*)\n', entry)
    assert found
    with installed_package(tmp_path_factory.mktemp("packages"), "sqlite_source", program, found[1], found[2]):
        yield


def add_sales(path: Path, numbers: list[int]) -> None:
    """Rows at the end of the table."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("create table if not exists sales (n integer, amount real, sold_at text)")
        connection.executemany(
            "insert into sales values (?, ?, ?)", [(n, n / 2, f"2030-01-01T12:{n % 60:02}:00Z") for n in numbers]
        )


class Sales(Numbered):
    """The table of the guide."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._path = folder / "shop.db"
        options = source_adapter("sqlite").check_options({"path": "shop.db", "table": "sales"})
        self._stream, self._context = a_stream(options=options), SourceContext(config_folder=folder)
        add_sales(self._path, [])

    def put(self, numbers: list[int]) -> None:
        add_sales(self._path, numbers)

    def make(self) -> Source:
        return source_adapter("sqlite").open(self._stream, self._context)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_guides_source_keeps_the_rules_of_every_source(rule: Callable[[Numbered], None], tmp_path: Path) -> None:
    case = Sales(tmp_path)

    rule(case)

    case.close()


@pytest.mark.usefixtures("installed")
def test_the_guides_source_brings_events_into_the_lake(tmp_path: Path) -> None:
    [config] = [b for b in blocks(GUIDE.read_text(encoding="utf-8"), "tsk") if "sqlite" in b]
    (tmp_path / "platform.tsk").write_text(config)
    add_sales(tmp_path / "shop.db", [1, 2, 3])
    platform = open_platform(tmp_path / "platform.tsk")

    stream = platform.plan.stream("sales")
    platform.clock = lambda: 1_900_000_000_000_000
    first = ingest_stream(platform, stream, Until(once=True), command="test")
    add_sales(tmp_path / "shop.db", [4])
    second = ingest_stream(platform, stream, Until(once=True), command="test")

    rows: list[dict[str, Any]] = query(platform.lake, platform.plan, "select * from clean.sales").to_pylist()
    platform.close()
    assert (first.rows, second.rows, dict(second.position)) == (3, 1, {"0": 5})
    assert sorted(json.loads(row["_extra"])["amount"] for row in rows) == [0.5, 1.0, 1.5, 2.0]


@pytest.mark.usefixtures("installed")
def test_a_wrong_key_of_the_guides_source_is_explained() -> None:
    text = 'real_time_analytics = { data_streams = { s = { source = "sqlite", path = "a.db", tabel = "t" } } }'

    [problem] = compile_text(text, "a.tsk").problems

    assert problem.message == "unknown key `tabel` in `real_time_analytics.data_streams.s`"
    assert problem.hint == "did you mean `table`?"
