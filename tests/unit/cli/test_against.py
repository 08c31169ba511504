"""``tusk plan --against``: a file, a git revision or what was applied, and what is said where there is none."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Tusk
from tusk_platform.runtime.platform import open_platform

BEFORE = """\
demo = false
real_time_analytics = { data_streams = { visits = { source = "http" } } }
real_time_aggregations = {
    pages = { stream = "visits", dimensions = ["page"], metrics = { hits = "count" }, window = "1 minute" }
}
"""
AFTER = BEFORE.replace("1 minute", "1 hour")
CHANGE = "    window: 1 minute → 1 hour"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The changed config in a folder that is in no repository."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    path = tmp_path / "platform.tsk"
    path.write_text(AFTER)
    return path


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def committed(config: Path) -> Path:
    """The config as it was is in the first revision, as it is only in the folder."""
    config.write_text(BEFORE)
    git(config.parent, "init")
    git(config.parent, "add", "platform.tsk")
    git(config.parent, "commit", "-m", "first")
    config.write_text(AFTER)
    return config


def test_config_is_compared_with_another_file(tusk: Tusk, config: Path) -> None:
    (config.parent / "before.tsk").write_text(BEFORE)
    said = tusk("plan", "--against", "before.tsk")
    values = tusk("plan", config, "--against", "before.tsk", "--json").json()

    assert said.code == 0
    assert CHANGE in said.out.splitlines()
    assert values["schema_version"] == 1
    assert values["summary"] == {
        "added": 0, "changed": 1, "renamed": 0, "rebuilt": 1, "moved": 0, "started_over": 0, "dropped": 0,
        "left_behind": 0,
    }  # fmt: skip
    assert tusk("plan", "--against", "platform.tsk").out == "no change\n"


def test_config_is_compared_with_a_revision(tusk: Tusk, committed: Path) -> None:
    assert CHANGE in tusk("plan", "--against", "HEAD").out.splitlines()
    (committed.parent / "HEAD").write_text(AFTER)
    assert tusk("plan", "--against", "HEAD").out == "no change\n"


@pytest.mark.parametrize(
    ("revision", "says"),
    [
        ("elsewhere", "`elsewhere` is neither a file nor a revision of git here; or say `applied`"),
        ("--output=x", "`--output=x` is neither a file nor a revision of git here"),
    ],
)
def test_what_is_no_revision_is_named(tusk: Tusk, committed: Path, revision: str, says: str) -> None:
    answer = tusk("plan", f"--against={revision}")

    assert answer.code == 1
    assert says in answer.err
    assert [p.name for p in committed.parent.iterdir() if p.name == "x"] == []


def test_config_that_no_revision_has_is_named(tusk: Tusk, committed: Path) -> None:
    (committed.parent / "new.tsk").write_text(AFTER)

    assert "new.tsk is not tracked in revision `HEAD`" in tusk("plan", "new.tsk", "--against", "HEAD").err


@pytest.mark.usefixtures("config")
def test_folder_without_repository_is_named(tusk: Tusk) -> None:
    answer = tusk("plan", "--against", "HEAD")

    assert answer.code == 1
    assert "is in no git repository that could know it" in answer.err


def test_machine_without_git_is_told(tusk: Tusk, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(config.parent))

    assert "git is not installed" in tusk("plan", "--against", "HEAD").err


@pytest.mark.parametrize("which", ["before.tsk", "platform.tsk"])
def test_mistake_in_either_file_is_told(tusk: Tusk, config: Path, which: str) -> None:
    (config.parent / "before.tsk").write_text(BEFORE)
    (config.parent / which).write_text(BEFORE.replace('"1 minute"', '"soon"'))
    answer = tusk("plan", "--against", "before.tsk")

    assert answer.code == 1
    assert f"{which}:4:" in answer.err
    assert answer.out == ""


def test_config_is_compared_with_what_was_applied(tusk: Tusk, config: Path) -> None:
    nothing = tusk("plan", "--against", "applied")
    config.write_text(BEFORE)
    open_platform(config).close()
    config.write_text(AFTER)

    assert nothing.code == 1
    assert "no plan was applied in" in nothing.err
    assert CHANGE in tusk("plan", "--against", "applied").out.splitlines()
