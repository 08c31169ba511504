"""Pushed events: on disk before they are acknowledged, refused with the reason otherwise."""

from __future__ import annotations

import gzip
import json

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from tests.unit.serving.browser import Browser
from tests.unit.serving.lakes import FilledLake
from tests.unit.serving.plans import PLAN
from tusk_platform.serving.app import create_app
from tusk_platform.serving.receiver import Receiver
from tusk_platform.storage.home import Home
from tusk_platform.storage.log import EventLog

_PATH = "/streams/user_events/events"


@pytest.fixture
def browser(home: Home) -> Browser:
    return Browser(create_app(PLAN, FilledLake(home.lake, PLAN).lake, home=home, clock=lambda: 0))


@pytest.fixture
def log(home: Home) -> EventLog:
    return EventLog(home.log, "user_events")


def _stored(log: EventLog) -> list[bytes]:
    return [payload for _, _, payload in log.read(0, 100)]


def test_accepted_events_are_in_the_log(browser: Browser, log: EventLog) -> None:
    first = browser.post(_PATH, b'{"user_id": 1}')
    second = browser.post(_PATH, b'[{"user_id": 2}, {"user_id": 3}]')
    third = browser.post(_PATH, gzip.compress(b'{"a":1}\n{"b":2}\n'), "application/x-ndjson", content_encoding="gzip")

    assert [r.status_code for r in (first, second, third)] == [202, 202, 202]
    assert second.json() == {
        "stream": "user_events",
        "accepted": 2,
        "repeated": 0,
        "first_offset": 1,
        "next_offset": 3,
    }
    assert _stored(log) == [b'{"user_id": 1}', b'{"user_id": 2}', b'{"user_id": 3}', b'{"a":1}', b'{"b":2}']


def test_repeated_request_is_taken_once(browser: Browser, log: EventLog) -> None:
    answers = [browser.post(_PATH, b'[{"a": 1}, {"a": 1}]', idempotency_key="k-1").json() for _ in range(2)]
    other = browser.post(_PATH, b'[{"a": 2}, {"a": 1}]', idempotency_key="k-1").json()

    assert [(a["accepted"], a["repeated"]) for a in answers] == [(2, 0), (0, 2)]
    assert other["accepted"] == 2
    assert len(_stored(log)) == 4


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/streams/user_event/events", 404, "did you mean `user_events`?"),
        ("/streams/orders/events", 409, "kafka"),
        ("/streams/system_metrics/events", 409, "takes no pushed events"),
    ],
)
def test_stream_that_takes_no_events_says_why(browser: Browser, path: str, status: int, said: str) -> None:
    answer = browser.post(path, b"{}")

    assert answer.status_code == status
    assert said in answer.text


def test_nothing_is_stored_of_a_request_with_one_bad_event(browser: Browser, log: EventLog) -> None:
    answer = browser.post(_PATH, b'{"a":1}\n{"a":', "application/x-ndjson")

    assert (answer.status_code, "line 2" in answer.json()["error"]) == (400, True)
    assert log.end() == 0


def test_announced_length_is_refused_before_it_is_read(browser: Browser) -> None:
    answer = browser.post(_PATH, b"{}", content_length=str(10**10))

    assert answer.status_code == 413


def test_full_backlog_asks_to_wait(home: Home, log: EventLog) -> None:
    receiver = Receiver(PLAN, home.log, lambda _: 2, most_waiting=3)
    browser = Browser(Starlette(routes=[Route("/streams/{stream}/events", receiver.receive, methods=["POST"])]))
    log.append([b"{}"] * 4)

    answers = [browser.post(_PATH, b"{}") for _ in range(2)]

    assert [a.status_code for a in answers] == [202, 429]
    assert answers[1].headers["retry-after"] == "5"


def test_key_has_a_sensible_length(browser: Browser) -> None:
    assert browser.post(_PATH, b"{}", idempotency_key="x" * 256).status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
def test_page_of_another_site_cannot_push(browser: Browser, log: EventLog, headers: dict[str, str]) -> None:
    assert browser.post(_PATH, b"{}", **headers).status_code == 403
    assert log.end() == 0


def test_form_of_another_site_cannot_push(browser: Browser) -> None:
    assert browser.post(_PATH, b"{}", "text/plain").status_code == 415


def test_own_page_may_push(browser: Browser) -> None:
    answer = browser.post(_PATH, b"{}", origin="http://127.0.0.1:3001", sec_fetch_site="same-origin")

    assert answer.status_code == 202


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:3001", "[::1"])
def test_rebound_host_name_is_not_served(browser: Browser, host: str) -> None:
    assert browser.send("GET", "/health/live", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:3001", "localhost", "LOCALHOST:80", "[::1]:3001"])
def test_loopback_is_served(browser: Browser, host: str) -> None:
    assert browser.send("GET", "/health/live", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/health/live", "/static/page.js", "/nowhere", "/dashboards/overview"])
def test_every_answer_carries_the_policy(browser: Browser, path: str) -> None:
    headers = browser.get(path).headers

    assert headers["content-security-policy"].startswith("default-src 'self';")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in headers


def test_pages_carry_no_inline_script_or_style(browser: Browser) -> None:
    page = browser.get("/dashboards/overview").text + browser.get("/").text

    assert "<style" not in page
    assert " style=" not in page
    assert " onclick=" not in page
    assert "<script>" not in page


def test_ready_once_the_lake_can_be_read(browser: Browser) -> None:
    assert browser.get("/health/ready").json()["status"] == "ready"


def test_wrong_method_is_no_traceback(browser: Browser) -> None:
    answer = browser.get(_PATH)

    assert answer.status_code == 405
    assert json.loads(answer.text)["error"]
