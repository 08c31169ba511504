"""``tusk replay``, ``backfill`` and ``restore``: what they print, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Tusk
from tests.unit.cli.test_data import CONFIG, SALES

WITHOUT_RULES = CONFIG[: CONFIG.index("data_quality_config")]
SAVED = 'stream_processing = { state_backend = { checkpoint_dir = "safe" } }\n'


@pytest.fixture
def config(tmp_path: Path, tusk: Tusk) -> Path:
    """A config whose sales were read: one breaks a rule, one has no time."""
    (tmp_path / "sales.csv").write_text(SALES)
    path = tmp_path / "platform.tsk"
    path.write_text(CONFIG)
    assert tusk("ingest", "sales", "--once").code == 0
    return path


def test_replay_says_what_counts_now_and_what_is_still_bad(tusk: Tusk, config: Path) -> None:
    config.write_text(WITHOUT_RULES)
    dry = tusk("replay", "sales", "--dry-run")
    done = tusk("replay", "sales", "--json")
    again = tusk("replay", "sales")

    assert dry.out == "sales: 1 quarantined row would count, 1 still bad\n  event time missing: 1\n"
    assert done.json() == {
        "stream": "sales",
        "what": "quarantined",
        "replayed": 1,
        "still_bad": 1,
        "too_old": 0,
        "reasons": {"event time missing": 1},
        "batches": 1,
        "dry_run": False,
    }
    assert again.out == "sales: 0 quarantined rows count now, 1 still bad\n  event time missing: 1\n"
    sold = tusk("sql", "select id, amount, note from clean.sales where id = 3", "--format", "json").json()
    assert sold == [{"id": 3, "amount": "-5.0000", "note": None}]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("replay", "sale"), "no stream `sale`; did you mean `sales`?"),
        (("replay", "sales", "--late", "--quarantined"), "say one of them"),
        (("replay", "sales", "--since", "yesterday"), "--since `yesterday` is no time: expected a date or a time"),
        (("backfill", "sales", "--from", "2024-01-02", "--to", "2024-01-01"), "the end of the span is not after"),
        (("restore",), "say where the backups are: `tusk restore --from DIR`"),
        (("restore", "--from", "nowhere"), "nowhere holds no backup"),
        (("restore", "--from", "safe", "--manifest", "x/1"), "holds no manifest `x/1`"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_mistakes_are_told_in_a_line(tusk: Tusk, config: Path, arguments: tuple[str, ...], said: str) -> None:
    if arguments[0] == "restore":
        (config.parent / ".tusk" / "lake").rename(config.parent / "lake.before")
    answer = tusk(*arguments)

    assert answer.code == 1
    assert said in answer.err
    assert "Traceback" not in answer.err


def test_backups_are_listed_and_an_empty_place_is_said(tusk: Tusk, config: Path) -> None:
    config.write_text(CONFIG + SAVED)

    assert tusk("restore", "--list", "--json").json() == []
    assert tusk("restore", "--list").out.endswith("(no rows)\n")
