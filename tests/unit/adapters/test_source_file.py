"""The file source: what files can hold, and what can happen to them."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.fakes.streams import a_stream
from tusk_platform.adapters.source_file import FileSource, adapter
from tusk_platform.errors import Refused, Unavailable, UsageError
from tusk_platform.ports import Budget, Chunk, SourceContext

ALL = Budget(100_000, 0)


def opened(folder: Path, **options: object) -> FileSource:
    """A source over files of the folder."""
    stream = a_stream(source="file", options=adapter.check_options(options))
    return adapter.open(stream, SourceContext(config_folder=folder, log_folder=folder / "log"))


def chunks(source: FileSource, position: dict[str, int] | None = None) -> tuple[Chunk, ...]:
    """All that is there."""
    found = source.read(position or {}, ALL).chunks
    source.close()
    return found


def rows(found: tuple[Chunk, ...]) -> list[dict[str, Any]]:
    """The good records of a table format."""
    return [row for c in found if c.rows is not None for row in c.rows.to_pylist()]


def broken(found: tuple[Chunk, ...]) -> list[tuple[object, str | None]]:
    """The broken records and why they are."""
    return [(p, c.broken) for c in found if c.rows is None for p in c.payloads or ()]


def test_line_that_is_no_json_is_delivered(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(b'\xef\xbb\xbf{"n": 1}\r\n\n   \n{"n": \nnot json\n{"n": 2}')

    (chunk,) = chunks(opened(tmp_path, path="a.ndjson"))

    assert chunk.payloads == [b'{"n": 1}', b'{"n": ', b"not json", b'{"n": 2}']
    assert list(chunk.offsets) == [0, 18, 25, 34]


def test_position_after_appending_is_exact(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(b'{"n": 1}\n')
    source = opened(tmp_path, path="a.ndjson", live=True)
    (first,) = chunks(source)
    with path.open("ab") as file:
        file.write(b'{"n": 2}\n{"n": 3')

    (second,) = chunks(source, {"a.ndjson": first.next_offset})

    # The third line is still being written.
    assert (second.payloads, second.next_offset) == ([b'{"n": 2}'], 18)


def test_overlong_line_is_cut(tmp_path: Path) -> None:
    long = b"x" * (5 * 2**20)
    (tmp_path / "a.ndjson").write_bytes(b"{}\n" + long + b"\n{}\n")

    (chunk,) = chunks(opened(tmp_path, path="a.ndjson"))

    assert [len(p or b"") for p in chunk.payloads or ()] == [2, 4 * 2**20, 2]
    assert chunk.next_offset == len(long) + 7


def test_file_that_was_cut_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_bytes(b'{"n": 1}\n{"n": 2}\n')
    source = opened(tmp_path, path="a.ndjson")
    chunks(source)
    path.write_bytes(b"{}\n")

    with pytest.raises(Refused, match="ends at byte 3 but was already read up to 18"):
        source.read({"a.ndjson": 18}, ALL)
    source.close()


def test_packed_file_that_is_not_whole_gives_what_is(tmp_path: Path) -> None:
    packed = gzip.compress(b"".join(b'{"n": %d, "m": %d}\n' % (n, n * 7919 % 10007) for n in range(20_000)))
    (tmp_path / "a.ndjson.gz").write_bytes(packed[: len(packed) // 2])
    source = opened(tmp_path, path="a.ndjson.gz")

    batch = source.read({}, ALL)

    assert 5_000 < batch.rows < 15_000
    assert not batch.at_end
    with pytest.raises(Unavailable, match="not whole"):
        source.read({"a.ndjson.gz": batch.chunks[-1].next_offset}, ALL)
    source.close()


def test_csv_values_stay_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('\ufeffid, name ,empty\n007,"two\nlines, ""quoted""",\n\n8,ä,x', encoding="utf-8")

    found = chunks(opened(tmp_path, path="a.csv"))

    assert rows(found) == [
        {"id": "007", "name": 'two\nlines, "quoted"', "empty": None},
        {"id": "8", "name": "ä", "empty": "x"},
    ]


def test_broken_csv_records_are_delivered(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'a,b\n1,2\n3\n4,5,6\n\xff\xfe,7\n"8"x,9\n10,"no end\n11,12\n13,14\n')

    found = chunks(opened(tmp_path, path="a.csv"))

    assert rows(found) == [{"a": "1", "b": "2"}, {"a": "11", "b": "12"}, {"a": "13", "b": "14"}]
    assert [p for p, _ in broken(found)] == [b"3", b"4,5,6", b"\xff\xfe,7", b'"8"x,9', b'10,"no end']
    assert [why for _, why in broken(found)][:2] == ["1 values for 2 columns", "3 values for 2 columns"]


def test_csv_may_use_another_delimiter(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a;b\n1,5;2\n", encoding="utf-8")
    (tmp_path / "b.tsv").write_text("a\tb\n1,5\t2\n", encoding="utf-8")

    semicolons = rows(chunks(opened(tmp_path, path="a.csv", delimiter=";")))
    tabs = rows(chunks(opened(tmp_path, path="b.tsv")))

    assert semicolons == tabs == [{"a": "1,5", "b": "2"}]


@pytest.mark.parametrize(
    ("header", "what"), [("a,b,a", "names column `a` twice"), ("a,,b", "has a column without a name")]
)
def test_bad_header_is_named(tmp_path: Path, header: str, what: str) -> None:
    (tmp_path / "a.csv").write_text(header + "\n1,2,3\n", encoding="utf-8")
    source = opened(tmp_path, path="a.csv")

    with pytest.raises(UsageError, match=what):
        source.read({}, ALL)
    source.close()


CELL = st.text(st.sampled_from('ab,"\n\r ä'), max_size=6)


@given(st.lists(st.tuples(CELL, CELL), max_size=12), st.integers(1, 5), st.sampled_from(["a.csv", "a.csv.gz"]))
@settings(max_examples=60, deadline=None)
def test_csv_reads_what_csv_wrote(records: list[tuple[str, str]], budget: int, name: str) -> None:
    written = io.StringIO()
    # Only if told to, Python's writer puts quotes around a carriage return.
    returns = any("\r" in cell for record in records for cell in record)
    writer = csv.writer(written, lineterminator="\n", quoting=csv.QUOTE_ALL if returns else csv.QUOTE_MINIMAL)
    writer.writerows([("a", "b"), *records])
    data = written.getvalue().encode()
    found: list[dict[str, Any]] = []
    position: dict[str, int] = {}

    with TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        source = opened(Path(folder), path=name)
        while (batch := source.read(position, Budget(budget, 0))).rows:
            assert batch.rows <= budget
            assert not broken(batch.chunks)
            found += rows(batch.chunks)
            position |= {c.partition: c.next_offset for c in batch.chunks}
            source.close()
        source.close()

    assert found == [{"a": a or None, "b": b or None} for a, b in records]


def test_parquet_goes_on_inside_a_row_group(tmp_path: Path) -> None:
    table = pa.table({"n": range(50), "kind": pa.array(["x", "y"] * 25).dictionary_encode()})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=20)
    source = opened(tmp_path, path="a.parquet")

    (chunk,) = chunks(source, {"a.parquet": 27})

    assert source.lag({"a.parquet": 27}) == 23
    assert [r["n"] for r in rows((chunk,))] == list(chunk.offsets) == list(range(27, 50))
    assert chunk.rows is not None
    assert chunk.rows.schema.field("kind").type == pa.string()
    source.close()


def test_file_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"not parquet at all")
    source = opened(tmp_path, path="a.parquet")

    with pytest.raises(UsageError, match=r"a\.parquet is no Parquet file"):
        source.read({}, ALL)


def test_files_of_a_glob_are_partitions(tmp_path: Path) -> None:
    for name in ("data/b.ndjson", "data/a.ndjson", "data/deep/c.ndjson", "data/other.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text('{"n": 1}\n', encoding="utf-8")

    shallow = opened(tmp_path, path="data/*.ndjson").partitions()
    deep = opened(tmp_path, path="data/**/*.ndjson").partitions()
    absolute = opened(Path("/"), path=f"{tmp_path}/data/b*.ndjson").partitions()

    assert shallow == ("data/a.ndjson", "data/b.ndjson")
    assert deep == ("data/a.ndjson", "data/b.ndjson", "data/deep/c.ndjson")
    assert absolute == (f"{tmp_path}/data/b.ndjson",)


def test_file_named_like_something_else_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "watermark").write_text("{}\n", encoding="utf-8")

    assert opened(tmp_path, path="watermark", format="ndjson").partitions() == ("./watermark",)


def test_new_file_shows_while_live(tmp_path: Path) -> None:
    source = opened(tmp_path, path="*.ndjson", live=True)
    before = source.partitions()
    (tmp_path / "a.ndjson").write_text("{}\n", encoding="utf-8")

    assert (before, source.partitions()) == ((), ("a.ndjson",))


def test_missing_file_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"no file found for `data/x.csv`: looked for {tmp_path}/data/x.csv"):
        opened(tmp_path, path="data/x.csv").partitions()


def test_file_that_vanishes_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson"
    path.write_text("{}\n", encoding="utf-8")
    source = opened(tmp_path, path="a.ndjson")
    source.partitions()
    path.unlink()

    with pytest.raises(Unavailable, match=r"a\.ndjson cannot be read: No such file"):
        source.read({}, ALL)


@pytest.mark.parametrize(
    ("path", "expected"),
    [("a.jsonl", "ndjson"), ("a.CSV", "csv"), ("x/*.csv.gz", "csv"), ("a.pq", "parquet"), ("b.json.gz", "ndjson")],
)
def test_ending_says_the_format(path: str, expected: str) -> None:
    assert adapter.check_options({"path": path})["format"] == expected


def test_json_in_a_file_is_lines_of_it() -> None:
    assert adapter.check_options({"path": "a.txt", "format": "json"})["format"] == "ndjson"


@pytest.mark.parametrize(
    "wrong", [{"path": "data/*"}, {}, {"path": "a.csv", "delimiter": ";;"}, {"path": "a.csv", "format": "xml"}]
)
def test_wrong_file_option_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        adapter.check_options(wrong)
