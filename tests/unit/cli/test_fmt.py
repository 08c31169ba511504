"""``tusk fmt`` puts files into the one style, and says what it did."""

from __future__ import annotations

from pathlib import Path

from tests.unit.cli.conftest import Tusk

WRITTEN = "a:1;b={c:'x',}\r\n"
FORMATTED = 'a = 1\nb = { c = "x" }\n'


def test_the_config_is_formatted_in_place(tusk: Tusk, tmp_path: Path) -> None:
    config = tmp_path / "platform.tsk"
    config.write_bytes(WRITTEN.encode())
    config.chmod(0o640)

    first, second = tusk("fmt"), tusk("fmt")

    assert (first.code, first.out, first.err) == (0, "formatted: platform.tsk\n", "")
    assert (second.code, second.out, second.err) == (0, "", "")
    assert config.read_bytes() == FORMATTED.encode()
    assert config.stat().st_mode & 0o777 == 0o640
    assert [p.name for p in tmp_path.iterdir()] == ["platform.tsk"]


def test_check_names_what_would_change_and_writes_nothing(tusk: Tusk, tmp_path: Path) -> None:
    (tmp_path / "a.tsk").write_text(FORMATTED)
    (tmp_path / "b.tsk").write_text(WRITTEN, newline="")

    answer = tusk("fmt", "--check", "a.tsk", "b.tsk")

    assert (answer.code, answer.out) == (1, "would change: b.tsk\n")
    assert (tmp_path / "b.tsk").read_bytes() == WRITTEN.encode()
    assert tusk("fmt", "--check", "a.tsk").code == 0


def test_standard_input_goes_to_standard_output(tusk: Tusk) -> None:
    answer = tusk("fmt", "-", stdin='x:"é"'.encode())

    assert (answer.code, answer.out) == (0, 'x = "é"\n')
    assert tusk("fmt", "--check", "-", stdin=b"x:1").out == "would change: standard input\n"


def test_a_file_with_mistakes_stays_and_tells_all_of_them(tusk: Tusk, tmp_path: Path) -> None:
    (tmp_path / "a.tsk").write_text("a = 5 minutes\nb = {\n")
    (tmp_path / "b.tsk").write_text("b:1")

    answer = tusk("fmt", "a.tsk", "b.tsk")

    assert answer.code == 1
    assert "a.tsk:1:5: " in answer.err
    assert answer.err.endswith("2 mistakes\n")
    assert (tmp_path / "a.tsk").read_text() == "a = 5 minutes\nb = {\n"
    assert (tmp_path / "b.tsk").read_text() == "b = 1\n"


def test_a_link_to_a_file_stays_one(tusk: Tusk, tmp_path: Path) -> None:
    (tmp_path / "a.tsk").write_text("a:1")
    (tmp_path / "link.tsk").symlink_to("a.tsk")

    tusk("fmt", "link.tsk")

    assert (tmp_path / "link.tsk").is_symlink()
    assert (tmp_path / "a.tsk").read_text() == "a = 1\n"


def test_what_cannot_be_read_is_said(tusk: Tusk, tmp_path: Path) -> None:
    (tmp_path / "a.tsk").write_bytes(b"a = '\xff'")

    for name in ("nowhere.tsk", "a.tsk"):
        answer = tusk("fmt", name)

        assert answer.code == 1
        assert answer.err.startswith(f"tusk: cannot read {name}: ")
