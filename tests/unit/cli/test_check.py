"""``tusk check``: every mistake at once, and what its exit code and its JSON say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Tusk
from tests.unit.sections.mutation import seed
from tusk_platform.cli import config
from tusk_platform.compile import Compiled

RIGHT = 'real_time_analytics = { data_streams = { orders = { source = "kafka" } } }\n'
SEVEN = """\
timezone = "Europe/Berln"
real_time_analytics = {
    data_streams = {
        user_events = { source = "kafak", topic = "user-events" }
    }
}
real_time_aggregations = {
    user_metrics = {
        metrics = { session_count = "cuont" }
        window = "5 minuts"
    }
}
live_dashbords = { main = { } }
stream_processing = { parallelism = "8", windows = { tumbling = { } } }
"""
FIELDS = ["severity", "file", "line", "column", "path", "message", "hint"]


def test_a_right_file_is_said_to_be_right(tusk: Tusk, tmp_path: Path) -> None:
    (tmp_path / "platform.tsk").write_text(RIGHT)

    answer = tusk("check")

    assert (answer.code, answer.out, answer.err) == (0, "all is well\n", "")


def test_seven_mistakes_are_seven_messages(tusk: Tusk, tmp_path: Path) -> None:
    (tmp_path / "platform.tsk").write_text(SEVEN)

    answer = tusk("check")

    lines = [int(line.split(":")[1]) for line in answer.err.splitlines() if line.startswith("platform.tsk:")]
    assert lines == [1, 4, 9, 10, 13, 14, 14]
    assert answer.err.count("^") >= 7
    assert answer.code == 1
    assert answer.out == "7 mistakes, 0 warnings\n"


def test_json_has_the_documented_fields(tusk: Tusk, tmp_path: Path) -> None:
    (tmp_path / "platform.tsk").write_text(SEVEN)

    answer = tusk("check", "--json")

    problems = answer.json()
    assert [list(p) for p in problems] == [FIELDS] * 7
    assert problems[2] == {
        "severity": "error",
        "file": "platform.tsk",
        "line": 9,
        "column": 37,
        "path": "real_time_aggregations.user_metrics.metrics.session_count",
        "message": problems[2]["message"],
        "hint": "did you mean `count`?",
    }
    assert answer.code == 1
    assert answer.err == ""


def test_json_of_a_right_file_is_an_empty_list(tusk: Tusk, tmp_path: Path) -> None:
    (tmp_path / "platform.tsk").write_text(RIGHT)

    answer = tusk("check", "--json")

    assert (answer.code, answer.json()) == (0, [])


def test_several_files_are_all_checked(tusk: Tusk, tmp_path: Path) -> None:
    (tmp_path / "a.tsk").write_text(RIGHT)
    (tmp_path / "b.tsk").write_text("demo = 5\n")
    (tmp_path / "c.tsk").write_text("x = \n")

    answer = tusk("check", "a.tsk", "b.tsk", "c.tsk", "--json")

    assert [p["file"] for p in answer.json()] == ["b.tsk", "c.tsk"]
    assert answer.code == 1


def test_a_variable_that_is_not_set_is_a_warning(tusk: Tusk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GA_PROPERTY_ID", raising=False)
    (tmp_path / "platform.tsk").write_text(seed())

    answer = tusk("check", "--json")

    [warning] = answer.json()
    assert (warning["severity"], answer.code) == ("warning", 0)
    assert warning["message"] == "environment variable `GA_PROPERTY_ID` is not set"
    assert warning["path"] == "multi_source_analytics.data_sources.web_analytics.property_id"
    assert seed().split("\n")[warning["line"] - 1][warning["column"] - 1 :] == "@env(GA_PROPERTY_ID)"


@pytest.mark.parametrize(
    "text",
    [
        'stream_processing = { parallelism = @env(AMOUNT, 4), windows = { tumbling = { size = "5 minutes" } } }',
        "data_quality_config = { validation_rules = { value_ranges = { a = { min = @env(AMOUNT) } } } }",
    ],
)
def test_a_variable_that_holds_no_number_is_a_mistake(
    tusk: Tusk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("AMOUNT", "a-great-many")
    (tmp_path / "platform.tsk").write_text(text)

    answer = tusk("check", "--json")

    [problem] = answer.json()
    assert answer.code == 1
    assert problem["message"].startswith("environment variable `AMOUNT` does not hold a")
    assert "great-many" not in answer.out


@pytest.mark.parametrize("option", [["--config"], []])
def test_a_file_that_is_not_there_is_named(tusk: Tusk, option: list[str]) -> None:
    answer = tusk("check", *option, "nowhere.tsk")

    assert answer.code == 1
    assert answer.err == "tusk: no config at nowhere.tsk: name one with --config or TUSK_CONFIG\n"


def test_a_file_that_cannot_be_read_is_named(tusk: Tusk, tmp_path: Path) -> None:
    (tmp_path / "bytes.tsk").write_bytes(b"a = \xff\xfe")

    for name in ("bytes.tsk", "."):
        answer = tusk("check", name)

        assert answer.code == 1
        assert answer.err.startswith(f"tusk: cannot read {name}: ")
        assert "Traceback" not in answer.err


def test_the_config_is_found_as_help_says(tusk: Tusk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "right.tsk").write_text(RIGHT)
    (tmp_path / "wrong.tsk").write_text("demo = 5\n")

    monkeypatch.setenv("TUSK_CONFIG", "wrong.tsk")

    assert tusk("check").code == 1
    assert tusk("check", "--config", "right.tsk").code == 0


def test_a_mistake_of_ours_is_told_from_one_of_the_users(
    tusk: Tusk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(file: Path) -> Compiled:
        raise KeyError(file.name)

    monkeypatch.setattr(config, "compile_file", broken)

    answer = tusk("check", "a.tsk")

    assert answer.code == 2
    assert "this is a mistake of ours" in answer.err
    assert "KeyError: 'a.tsk'" in answer.err


def test_stopping_by_hand_is_no_mistake(tusk: Tusk, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(file: Path) -> Compiled:
        raise KeyboardInterrupt

    monkeypatch.setattr(config, "compile_file", interrupted)

    assert tusk("check", "a.tsk").code == 130
