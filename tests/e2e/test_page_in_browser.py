"""Dashboards as a person sees them: in a real browser, over a real lake."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.browsing import Served, chromium, visited
from tests.unit.serving.lakes import FilledLake
from tests.unit.serving.plans import OVERVIEW, PLAN, widget
from tusk_platform.plan.nodes import Plan
from tusk_platform.serving.app import create_app
from tusk_platform.storage.home import Home
from tusk_platform.units import MINUTE, SECOND

pytestmark = [pytest.mark.service("chromium"), pytest.mark.slow]

_SIZES = {"desktop": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}


def _now() -> int:
    return time.time_ns() // 1000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


class Site:
    """A served lake."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.filled = FilledLake(folder / "lake", plan)
        self.home = Home(folder)
        self.served = self.serve()

    def serve(self, port: int | None = None) -> Served:
        return Served(create_app(self.filled.plan, self.filled.lake, home=self.home, clock=_now), port).start()

    def add(self, *amounts: str, at: int | None = None) -> None:
        row = {"t": at or _now() - SECOND, "user_id": 1, "country": "DE", "seconds": 1.0}
        self.filled.add("user_events", [row | {"amount": Decimal(a)} for a in amounts])

    def open(self, page: str = "/dashboards/overview") -> str:
        return self.served.address + page


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path, PLAN)
    for minutes in range(0, 60, 5):
        if minutes != 30:
            site.add("10", at=_now() - minutes * MINUTE)
    site.filled.refresh("user_metrics")
    yield site
    site.served.stop()


def test_new_event_shows_without_a_reload(site: Site, browser: Browser) -> None:
    with visited(browser, site.open()) as page:
        figure = page.locator("[data-widget=revenue_counter] .figure")
        expect(page.locator("#live")).to_have_attribute("data-state", "live")
        before = figure.inner_text()
        page.evaluate("window.same = true")
        site.add("123456.78")

        expect(figure).to_contain_text("123,4", timeout=10_000)
        assert figure.inner_text() != before
        assert page.evaluate("window.same")


def test_tooltip_and_focus_survive_an_update(site: Site, browser: Browser) -> None:
    with visited(browser, site.open()) as page:
        plot = page.locator("[data-widget=sessions_chart] .plot")
        page.locator("[data-widget=sessions_chart] summary").click()
        plot.focus()
        page.keyboard.press("End")
        tip = plot.locator(".tip")
        expect(tip).to_contain_text("still open")
        site.add("1", "1", "1", "1", "1", "1", "1")

        expect(page.locator("[data-widget=sessions_chart] tbody tr").last).to_contain_text("8", timeout=10_000)
        expect(tip).to_be_visible()
        assert page.evaluate("document.activeElement.className") == "plot"
        assert page.locator("[data-widget=sessions_chart] details").get_attribute("open") == ""


def test_pointer_finds_the_nearest_point(site: Site, browser: Browser) -> None:
    with visited(browser, site.open()) as page:
        plot = page.locator("[data-widget=sessions_chart] .plot")
        box = plot.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 2, box["y"] + 20)

        first = page.locator("[data-widget=sessions_chart] tbody tr th").first.inner_text()
        expect(plot.locator(".tip")).to_contain_text(first or "–")
        page.mouse.move(box["x"], box["y"] - 80)
        expect(plot.locator(".tip")).to_be_hidden()


def test_page_says_when_it_is_stale_and_recovers(site: Site, browser: Browser) -> None:
    with visited(browser, site.open()) as page:
        live = page.locator("#live")
        expect(live).to_have_attribute("data-state", "live")
        site.served.stop()
        expect(live).to_have_attribute("data-state", "stale", timeout=10_000)
        expect(live).to_contain_text("stale since")

        site.served = site.serve(site.served.port)

        expect(live).to_have_attribute("data-state", "live", timeout=30_000)


@pytest.mark.parametrize("size", ["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_overflows_and_text_is_legible(site: Site, browser: Browser, size: str, scheme: str) -> None:
    with visited(browser, site.open(), viewport=_SIZES[size], color_scheme=scheme) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= _SIZES[size]["width"]
        assert page.evaluate(_LEAST_CONTRAST) >= 4.5


def test_phone_shows_one_column_unless_told_otherwise(site: Site, browser: Browser, tmp_path: Path) -> None:
    fixed = Site(tmp_path / "fixed", replace(PLAN, dashboards=(replace(OVERVIEW, responsive=False),)))
    columns = "getComputedStyle(document.querySelector('.grid')).gridTemplateColumns.split(' ').length"
    try:
        with visited(browser, site.open(), viewport=_SIZES["phone"]) as page:
            assert page.evaluate(columns) == 1
        with visited(browser, fixed.open(), viewport=_SIZES["phone"]) as page:
            assert page.evaluate(columns) == 3
    finally:
        fixed.served.stop()


def test_picked_metric_is_shown(browser: Browser, tmp_path: Path) -> None:
    chart = widget("metrics", "line_chart", metric="session_count", choices=("session_count", "revenue"))
    site = Site(tmp_path, replace(PLAN, dashboards=(replace(OVERVIEW, widgets=(chart,)),)))
    site.add("12")
    try:
        with visited(browser, site.open()) as page:
            page.select_option("#choose-metrics", "revenue")

            expect(page.locator("[data-widget=metrics] thead")).to_contain_text("Revenue")
            assert page.url.endswith("?show.metrics=revenue")
    finally:
        site.served.stop()


def test_refresh_button_stands_in_for_live_updates(browser: Browser, tmp_path: Path) -> None:
    site = Site(tmp_path, replace(PLAN, dashboards=(replace(OVERVIEW, auto_refresh=False),)))
    site.add("5")
    try:
        with visited(browser, site.open()) as page:
            site.add("7")
            time.sleep(2.5)
            page.get_by_role("button", name="Refresh").click()

            expect(page.locator(".figure")).to_contain_text("$12.00")
    finally:
        site.served.stop()


# The least contrast of any visible text with what is painted behind it, by the formula of WCAG.
_LEAST_CONTRAST = """() => {
  const parse = (c) => (c.match(/[\\d.]+/g) || []).map(Number);
  const over = (top, below) => top.slice(0, 3).map((v, i) => v * (top[3] ?? 1) + below[i] * (1 - (top[3] ?? 1)));
  const light = (c) => {
    const [r, g, b] = c.map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (node) => {
    const stack = [];
    for (let e = node; e; e = e.parentElement) stack.push(parse(getComputedStyle(e).backgroundColor));
    return stack.reverse().reduce((below, top) => top.length ? over(top, below) : below, [255, 255, 255]);
  };
  let least = 21;
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    if (!texts.currentNode.textContent.trim() || !node.checkVisibility()) continue;
    if (node.closest(".unseen, .skip, title, desc")) continue;
    const style = getComputedStyle(node);
    const paint = parse(node.closest("svg") ? style.fill : style.color);
    const ground = behind(node);
    const [a, b] = [light(over(paint, ground)), light(ground)].sort((x, y) => y - x);
    least = Math.min(least, (a + 0.05) / (b + 0.05));
  }
  return least;
}"""
