"""Killed while the lake is backed up or restored: the former backup is whole, and what is half done is no lake."""

from __future__ import annotations

import shutil

import pytest

from tests.e2e.tusk import Tusk
from tests.faults.scene import KILLED, Scene
from tusk_platform.jobs.restore import listed, require_whole
from tusk_platform.storage.backups import Backups

pytestmark = pytest.mark.slow

SAVED = 'stream_processing = { checkpoint_interval = "1 ms", state_backend = { checkpoint_dir = "safe" } }\n'


@pytest.fixture
def scene(log_scene: Scene) -> Scene:
    """A stream on its embedded log that is backed up, with one backup."""
    log_scene.tusk.configure(log_scene.feed.config() + "\n" + SAVED)
    log_scene.write(12_000)
    log_scene.tusk("ingest", "orders", "--once")
    assert log_scene.child("back_up_once", "0").code == 0
    return log_scene


def backups(scene: Scene) -> Backups:
    return Backups(str(scene.tusk.folder / "safe"))


def whole(scene: Scene) -> list[str]:
    """The manifests that are there, all of whose files are."""
    found = [b.manifest for b in listed(backups(scene))]
    for manifest in found:
        require_whole(backups(scene).read(manifest), backups(scene))
    return found


# The new file of data, the log's two, before the manifest, after it.
@pytest.mark.parametrize("point", [1, 3, 4, 5, 6])
def test_backup_killed_and_started_again_leaves_whole_ones(scene: Scene, point: int) -> None:
    [before] = whole(scene)
    scene.write(9_000)
    scene.tusk("ingest", "orders", "--once")
    killed = scene.child("back_up_once", "20", fault=f"in_backup:{point}")
    assert killed.code == KILLED, killed.err
    there = whole(scene)
    again = scene.child("back_up_once", "20")

    assert again.code == 0, again.err
    assert there[0] == before
    assert len(there) == (2 if point == 6 else 1)
    restored = Tusk(scene.tusk.folder, {"TUSK_HOME": str(scene.tusk.folder / "elsewhere")})
    newest = restored("restore", "--json").json()["manifest"]
    assert newest == whole(scene)[-1] != before
    assert restored.sql("select count(*) as rows from raw.orders") == [{"rows": scene.rows()}]


@pytest.mark.parametrize("point", ["first", "between", "before", "after"])
def test_restore_killed_and_started_again_is_a_whole_lake(scene: Scene, point: str) -> None:
    files = len(backups(scene).read(whole(scene)[0]).files)
    scene.write(9_000)
    for path in scene.home.root.iterdir():
        if path != scene.home.log:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    at = {"first": 1, "between": files // 2, "before": files + 1, "after": files + 2}[point]
    killed = scene.dying(f"in_restore:{at}").call("restore")
    assert killed.code == KILLED, killed.err
    early = scene.tusk.call("ingest", "orders", "--once")
    assert (early.code, "run `tusk restore` again" in early.err) == (1, True)
    assert scene.home.lake.exists() == (point == "after")
    again = scene.tusk("restore", "--json").json()
    scene.tusk("ingest", "orders", "--once")

    assert again["logs"] == {"orders": 12_000}
    assert scene.verdict().fine, scene.verdict()
    assert scene.verdict().produced == 21_000
    refused = scene.tusk.call("restore")
    assert (refused.code, "Move them away first" in refused.err) == (1, True)
