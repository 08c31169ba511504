from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tusk_platform.errors import Held
from tusk_platform.storage.lease import hold

HOLDER = """
import sys, time
from pathlib import Path
from tusk_platform.storage.lease import hold
with hold(Path(sys.argv[1]), "ingest-orders", command="tusk ingest orders"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_second_holder_hears_who_the_first_one_is(tmp_path: Path) -> None:
    says = (
        rf"`ingest-orders` is held by `tusk ingest orders` \(process {os.getpid()}\) since 20\d\d-\d\d-\d\dT.*\+00:00"
    )
    with (
        hold(tmp_path, "ingest-orders", command="tusk ingest orders"),
        pytest.raises(Held, match=says),
        hold(tmp_path, "ingest-orders", command="tick"),
    ):
        pass


def test_lease_is_free_again_after_the_block(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="within"), hold(tmp_path, "duty", command="a"):
            raise ValueError("within")

    with hold(tmp_path, "duty", command="b"):
        pass


def test_duties_do_not_wait_for_each_other(tmp_path: Path) -> None:
    with (
        hold(tmp_path, "a/b", command="one"),
        hold(tmp_path, "a_b", command="two"),
        hold(tmp_path, "..", command="three"),
    ):
        assert len(list(tmp_path.glob("*.lock"))) == 3


def test_holder_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with (
            pytest.raises(Held, match=rf"`tusk ingest orders` \(process {process.pid}\)"),
            hold(tmp_path, "ingest-orders", command="tick"),
        ):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()

    with hold(tmp_path, "ingest-orders", command="tick"):
        pass


def test_unreadable_note_does_not_hide_that_the_lease_is_held(tmp_path: Path) -> None:
    with hold(tmp_path, "duty", command="a"):
        (tmp_path / "duty.json").write_text("{")
        with pytest.raises(Held, match="another process"), hold(tmp_path, "duty", command="b"):
            pass


def test_patience_outlasts_a_holder_that_lets_go(tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        with hold(tmp_path, "duty", command="first"):
            waiting = pool.submit(_held, tmp_path)
            assert not waiting.done()

        assert waiting.result(timeout=30) == "held"


def _held(folder: Path) -> str:
    with hold(folder, "duty", command="second", patience=30):
        return "held"
