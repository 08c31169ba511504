"""Two processes that read one stream: the second is told about the first, and where it is not, nothing is doubled."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack

import pytest

from tests.faults.scene import ROOT, Scene, child_environment, kill, wait_until

pytestmark = pytest.mark.slow


def test_second_reader_is_told_who_holds_the_lease(log_scene: Scene) -> None:
    scene = log_scene
    scene.configure("50 ms")
    scene.write(1_000)
    first = scene.tusk.start("ingest", "orders")
    try:
        wait_until(lambda: scene.rows() == 1_000, "the first one has read everything")
        second = scene.tusk.call("ingest", "orders", "--once")
    finally:
        kill(first)

    assert second.code == 1
    assert f"`ingest-orders` is held by `tusk ingest orders` (process {first.pid}) since " in second.err
    assert "Traceback" not in second.err
    assert scene.tusk.call("ingest", "orders", "--once").code == 0
    assert scene.verdict().fine


def test_two_readers_without_the_lease_double_nothing(scene: Scene) -> None:
    scene.configure("1 ms")
    scene.write(40_000)
    with ExitStack() as stack:
        rivals = [rival(scene, stack) for _ in range(2)]
        for each in rivals:
            assert each.stdout is not None
            assert each.stdout.readline() == "about to commit\n"
        # Both have read the same events: only one of them may bring them in.
        for each in rivals:
            assert each.stdin is not None
            each.stdin.write("\n")
            each.stdin.flush()
        said = [json.loads(each.communicate(timeout=300)[0]) for each in rivals]

    assert sum(each["conflicts"] for each in said) >= 1
    assert sum(each["stored"] for each in said) == 40_000
    verdict = scene.verdict()
    assert verdict.fine, verdict


def rival(scene: Scene, stack: ExitStack) -> subprocess.Popen[str]:
    """A process that reads the stream without a lease, until the stack is left."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.ingest_unleased", str(scene.tusk.folder / "platform.tsk")], cwd=ROOT,
        env={**scene.tusk.full_environment(), **child_environment()}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    stack.enter_context(process)
    stack.callback(process.kill)
    return process
