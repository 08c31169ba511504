"""Great Expectations itself, over rows as the border judged them."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.quality import BARE, GOOD, PLAN, decoded
from tests.fakes.streams import a_stream
from tests.services.installed import REPOSITORY
from tusk_platform import ports
from tusk_platform.errors import Unavailable, UsageError
from tusk_platform.generate.expectations import files
from tusk_platform.plan.nodes import Column, Plan
from tusk_platform.ports import ExpectationResult, Quality
from tusk_platform.storage.home import Home

pytestmark = pytest.mark.slow


def write_project(folder: Path, own: dict[str, str] | None = None, plan: Plan = PLAN) -> Path:
    shutil.copytree(REPOSITORY / "expectations" / "plugins", folder / "plugins")
    for path, text in files(plan, own).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def open_quality(folder: Path, home: Home, plan: Plan = PLAN) -> Quality:
    quality: Quality = ports.find("quality", "great_expectations")(plan, folder, home)
    return quality


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_project(tmp_path_factory.mktemp("project"))


@pytest.fixture
def quality(project: Path, home: Home) -> Quality:
    return open_quality(project, home)


def by_rule(results: tuple[ExpectationResult, ...]) -> dict[str, ExpectationResult]:
    return {r.rule: r for r in results}


def pages(home: Home) -> list[Path]:
    return sorted(home.docs.rglob("*.html"))


def test_pages_ask_for_nothing_from_another_machine(quality: Quality, home: Home) -> None:
    quality.validate("orders", decoded(GOOD, {**GOOD, "amount": -1}), through_batch=1)

    quality.publish()

    assert len(pages(home)) == 4  # the index, two suites, one validation
    remote = re.compile(
        r"""(?:src|href|action|data)\s*=\s*["']?\s*(?:https?:)?//|url\(|@import|<script""", re.IGNORECASE
    )
    assert [(p.name, remote.findall(p.read_text())) for p in pages(home) if remote.search(p.read_text())] == []


def test_pages_show_no_values(quality: Quality, home: Home) -> None:
    quality.validate("orders", decoded(GOOD, {**GOOD, "amount": -98765}), through_batch=1)

    quality.publish()

    kept = [*pages(home), *home.scratch.rglob("*.json")]
    assert [p for p in kept if "98765" in p.read_text() or "jane.doe" in p.read_text()] == []


@pytest.mark.service("chromium")
def test_pages_are_readable_in_a_browser_without_network(quality: Quality, home: Home) -> None:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only this test needs a browser

    quality.validate("orders", decoded(GOOD, {**GOOD, "amount": -1}), through_batch=8)
    quality.publish()
    asked: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto((home.docs / "quality" / "index.html").as_uri())
        page.click("text=Failed")
        text = page.inner_text("main")
        page.click("text=Data quality")
        listed = page.inner_text("table >> nth=0")
        browser.close()

    assert "amount is between 0 and 1000000 (range:amount, orders.tsk:1)" in text
    assert "batch-8" in listed
    assert {url.split(":")[0] for url in asked} == {"file"}


def test_history_is_bounded(project: Path, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    quality = open_quality(project, home)
    monkeypatch.setattr("tusk_platform.adapters.quality_gx.HISTORY", 3)
    for batch in range(5):
        quality.validate("orders", decoded(GOOD), through_batch=batch)
        quality.publish()

    newest = ["batch-2", "batch-3", "batch-4"]
    assert sorted(p.name for p in home.scratch.rglob("batch-*")) == newest
    assert sorted(p.name for p in home.docs.rglob("batch-*")) == newest
    assert set(re.findall(r"batch-\d", (home.docs / "quality" / "index.html").read_text())) == set(newest)


def test_stream_that_is_gone_leaves_no_pages(project: Path, tmp_path: Path, home: Home) -> None:
    before = open_quality(project, home)
    before.validate("orders", decoded(GOOD), through_batch=1)
    before.publish()
    plan = Plan(PLAN.file, streams=(a_stream(name="refunds"),))

    open_quality(write_project(tmp_path / "after", plan=plan), home, plan).publish()

    assert [p.name for p in pages(home)] == ["refunds.html", "index.html"]
    assert list(home.scratch.rglob("*.json")) == []


def test_pages_come_back_after_the_folder_was_deleted(quality: Quality, home: Home) -> None:
    quality.publish()
    before = pages(home)
    shutil.rmtree(home.docs)

    quality.publish()

    assert pages(home) == before


def test_project_folder_is_never_written(tmp_path: Path, home: Home) -> None:
    folder = write_project(tmp_path / "project")
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    quality = open_quality(folder, home)
    quality.validate("orders", decoded(GOOD), through_batch=1)
    quality.publish()

    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    asked: list[object] = []

    def refuse(_self: socket.socket, address: object) -> None:
        asked.append(address)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    return asked


def test_nothing_is_sent_anywhere(project: Path, home: Home, connections: list[object]) -> None:
    quality = open_quality(project, home)
    quality.validate("orders", decoded(GOOD), through_batch=1)
    quality.publish()

    assert connections == []


@pytest.mark.parametrize(
    "expectation",
    [
        {"type": "expect_pigs_to_fly", "kwargs": {"column": "amount"}},
        {"type": "expect_column_values_to_be_between", "kwargs": {"column": "amount", "maximum": 3}},
    ],
)
def test_unusable_hand_written_expectation_is_named(tmp_path: Path, home: Home, expectation: dict[str, object]) -> None:
    folder = write_project(tmp_path / "project", {"orders": json.dumps({"expectations": [expectation]})})

    with pytest.raises(UsageError, match=r"expectations/orders.json cannot be used"):
        open_quality(folder, home)


def test_hand_written_expectation_is_judged(tmp_path: Path, home: Home) -> None:
    strict = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "amount", "max_value": 100}}
    folder = write_project(tmp_path / "project", {"orders": json.dumps({"expectations": [strict]})})

    found = by_rule(open_quality(folder, home).validate("orders", decoded(GOOD, BARE), through_batch=1))

    assert (found["range:amount"].success, found["range:amount"].unexpected) == (False, 1)
    assert found["range:amount"].source == "overrides/orders.json"


def test_pages_that_cannot_be_written_are_named(quality: Quality, home: Home) -> None:
    home.docs.write_text("a file where the folder should be")

    with pytest.raises(Unavailable, match=r"Data Docs in .*quality could not be written"):
        quality.publish()


def test_folder_without_project_is_named(tmp_path: Path, home: Home) -> None:
    with pytest.raises(UsageError, match="no Great Expectations project in"):
        open_quality(tmp_path, home)


BY_HAND = """
import sys, warnings
warnings.simplefilter("ignore")
import great_expectations, pandas
context = great_expectations.get_context(mode="file", context_root_dir=sys.argv[1])
frame = pandas.DataFrame({"v": [1.0]})
result = context.checkpoints.get("plain").run(batch_parameters={"dataframe": frame})
context.build_data_docs()
print(result.success)
"""


def test_plain_user_opens_the_project(tmp_path: Path, home: Home, run: Callable[..., str]) -> None:
    plan = Plan("p.tsk", streams=(a_stream(name="plain", columns=(Column("v", "double"),), rules=()),))
    folder = write_project(tmp_path / "state" / "project", plan=plan)

    said = run(BY_HAND, folder)

    assert said.strip() == "False"  # the frame has no `_event_time`
    assert (tmp_path / "state" / ".tusk" / "docs" / "quality" / "index.html").exists()


IN_A_PROCESS = """
import sys
from pathlib import Path
from tests.fakes.quality import GOOD, decoded
from tests.services.test_quality_gx import open_quality
from tusk_platform.storage.home import Home
quality = open_quality(Path(sys.argv[1]), Home(Path(sys.argv[2])))
for batch in range(5):
    assert all(r.success for r in quality.validate("orders", decoded(GOOD), through_batch=batch))
    quality.publish()
"""


def test_two_processes_share_a_home(project: Path, home: Home) -> None:
    command = [sys.executable, "-c", IN_A_PROCESS, str(project), str(home.root)]
    both = [subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True) for _ in range(2)]

    errors = [process.communicate(timeout=400)[1] for process in both]

    assert [(p.returncode, e) for p, e in zip(both, errors, strict=True) if p.returncode] == []
    assert len(list(home.scratch.rglob("*.json"))) == 10
    assert "batch-4" in (home.docs / "quality" / "index.html").read_text()


@pytest.fixture
def run() -> Callable[..., str]:
    def python(code: str, *arguments: object) -> str:
        command = [sys.executable, "-c", code, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY, timeout=400).stdout

    return python
