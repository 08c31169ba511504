"""`tusk up` as a person sees it: pages that move, a second start that is refused, nothing left after Ctrl-C."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import expect, sync_playwright

from tests.e2e.tusk import Tusk
from tests.services.kafka import free_ports
from tusk_platform.processes import PROCESSES

CHROMIUM = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
# The page of one number that nothing but our own events can move.
CONFIG = """
real_time_analytics = {
    data_streams = { orders = { source = "kafka", topic = "orders", demo = false } }
}
real_time_aggregations = {
    totals = { metrics = { revenue = "sum" }, window = "1 day", update_frequency = "1 second" }
}
live_dashboards = {
    sales = {
        refresh_interval = "1 second"
        widgets = { revenue = { type = "counter", data_source = "totals", metric = "revenue", format = "currency" } }
    }
}
"""


@pytest.fixture(scope="module")
def tusk(tmp_path_factory: pytest.TempPathFactory) -> Tusk:
    """A folder with a config of one stream."""
    entry = Tusk(tmp_path_factory.mktemp("up"))
    entry.configure(CONFIG)
    return entry


@pytest.fixture(scope="module")
def base(tusk: Tusk) -> Iterator[int]:
    """The port base of a running platform. After the tests Ctrl-C must end all of it, and leave nothing behind."""
    port = free_base()
    process = tusk.start("up", "--port-base", str(port))
    until(lambda: "everything runs" in log(tusk) or process.poll() is not None, 240)
    assert process.poll() is None, log(tusk)
    yield port
    assert process.poll() is None, log(tusk)
    main = psutil.Process(process.pid)
    family = [main, *main.children(recursive=True)]
    assert len(family) > len(PROCESSES)

    process.send_signal(signal.SIGINT)

    assert until(lambda: process.poll() is not None and not any(map(runs, family)), 10), names(family)
    assert not any(listens(port + (p.port or 0)) for p in PROCESSES)
    assert not (tusk.folder / ".tusk" / "stopping").exists()


def free_base() -> int:
    """A port with a dozen free ones behind it."""
    for _ in range(50):
        [port] = free_ports(1)
        if port < 60_000 and not any(listens(port + (p.port or 0)) for p in PROCESSES):
            return port
    raise AssertionError("no free ports")


def listens(port: int) -> bool:
    return any(
        c.laddr.port == port for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.laddr
    )


def log(tusk: Tusk) -> str:
    return (tusk.folder / "output.log").read_text()


def until(done: Callable[[], Any], seconds: float) -> Any:  # noqa: ANN401 - what `done` gives
    end = time.monotonic() + seconds
    while not (found := done()) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def post(base: int, amount: int, **more: str) -> int:
    """Publish one order over HTTP; the status of the answer."""
    event = {"timestamp": datetime.now(UTC).isoformat(), "amount": amount, "event_id": f"{time.time_ns()}", **more}
    request = urllib.request.Request(
        f"http://127.0.0.1:{base + 1}/streams/orders/events",
        data=json.dumps(event).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return int(answer.status)


@pytest.mark.slow
@pytest.mark.service("chromium")
@pytest.mark.timeout(600)
def test_page_follows_published_events_without_reload(tusk: Tusk, base: int) -> None:
    outside: list[str] = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=list(CHROMIUM))
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.on("request", lambda r: outside.append(r.url) if "127.0.0.1" not in r.url else None)
        page.goto(f"http://127.0.0.1:{base + 1}/dashboards/sales")
        page.evaluate("window.loadedOnce = true")

        assert post(base, 100) == 202
        expect(page.locator("main")).to_contain_text("$100.00", timeout=60_000)
        assert post(base, 250) == 202
        expect(page.locator("main")).to_contain_text("$350.00", timeout=10_000)

        assert page.evaluate("window.loadedOnce") is True
        assert outside == []
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        browser.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_materializations_appear_in_dagster(base: int) -> None:
    post(base, 0)  # whichever test comes first, the page's sum is its own

    def materialized() -> bool:
        found = graphql(
            base,
            """{assetOrError(assetKey: {path: ["raw", "orders"]}) {
                ... on Asset {assetMaterializations {timestamp}}}}""",
        )
        return bool(found["assetOrError"].get("assetMaterializations"))

    assert until(materialized, 120)


def graphql(base: int, text: str) -> Any:  # noqa: ANN401 - whatever was asked for
    """Dagster's answer to a query or a mutation."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{base}/graphql",
        data=json.dumps({"query": text}).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["data"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_reload_in_the_middle_of_ticks_and_a_second_daemon_lose_and_double_nothing(tusk: Tusk, base: int) -> None:
    home = tusk.folder / ".tusk"
    [place] = graphql(base, "{workspaceOrError {... on Workspace {locationEntries {name}}}}")["workspaceOrError"][
        "locationEntries"
    ]
    posted = 0
    with (tusk.folder / "daemon.log").open("wb") as output:
        second = subprocess.Popen(
            [Path(tusk.program).parent / "dagster-daemon", "run", "-w", home / "dagster" / "workspace.yaml"],
            cwd=tusk.folder, env=tusk.full_environment() | {"DAGSTER_HOME": str(home / "dagster")}, stdout=output,
            stderr=output,
        )  # fmt: skip
    try:
        for _ in range(3):
            for _ in range(40):
                # Nothing for the page's sum, which is another test's.
                post(base, 0, kind="counted")
                posted += 1
                time.sleep(0.05)
            reloaded = graphql(
                base,
                f"""mutation {{reloadRepositoryLocation(repositoryLocationName: "{place["name"]}") {{
                    __typename ... on WorkspaceLocationEntry {{loadStatus}}}}}}""",
            )
            assert reloaded["reloadRepositoryLocation"]["__typename"] == "WorkspaceLocationEntry", reloaded

        def counted() -> list[dict[str, Any]]:
            return tusk.sql(
                """select count(*) as rows, count(distinct event_id) as events from raw.orders
                where _extra like '%counted%'"""
            )

        assert until(lambda: counted()[0]["events"] == posted, 180), counted()
        assert counted() == [{"rows": posted, "events": posted}]
    finally:
        second.kill()
        second.wait()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_second_start_says_who_runs_already(tusk: Tusk, base: int) -> None:
    answer = tusk.call("up", "--port-base", str(free_base()))

    assert answer.code == 1
    assert re.search(rf"`tusk up --port-base {base}` \(process \d+\)", answer.err)
    assert "Traceback" not in answer.err


def names(processes: list[psutil.Process]) -> list[str]:
    """The command lines of those that still run."""
    return [" ".join(p.cmdline()) for p in processes if runs(p)]


def runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
