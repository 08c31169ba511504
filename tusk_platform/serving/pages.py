"""Pages and their fragments as HTML. Everything that came from outside is escaped by the templates."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tusk_platform.core.formats import Unit
from tusk_platform.core.readings import title_of
from tusk_platform.core.widgets import Alerts, Bars, Chart, Counter, Empty, Gauge, Panel, Rows
from tusk_platform.plan.nodes import Dashboard, Plan
from tusk_platform.serving.charts import draw, needle, spark
from tusk_platform.serving.choices import offers
from tusk_platform.serving.kept import CacheFacts
from tusk_platform.serving.layout import spans
from tusk_platform.serving.scales import local
from tusk_platform.serving.wire import describe, written_time
from tusk_platform.units import SECOND, spell

HERE: Final = Path(__file__).parent
_ARROWS: Final = {"up": "▲", "down": "▼", "flat": "●", "unknown": "○"}
_VERDICTS: Final = {
    "ok": ("✓", "Normal"),
    "warning": ("!", "Warning"),
    "critical": ("!!", "Critical"),
    "unknown": ("?", "No value"),
}
_KINDS: Final = {
    Counter: "counter",
    Chart: "chart",
    Bars: "bars",
    Gauge: "gauge",
    Rows: "rows",
    Alerts: "alerts",
    Empty: "empty",
}
# A page that heard nothing for so long says that it is stale; the server speaks every few seconds.
PATIENCE_SECONDS: Final = 15

Chosen = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class StreamRow:
    """A stream on the overview: names as written in the config, numbers as text.

    ``left_alone``: the circuit of its connection is open.
    """

    name: str
    source: str
    embedded: str
    demo: bool
    events: str
    quarantined: str
    troubled: bool
    waiting: str
    newest: Mapping[str, str] | None
    command: str
    left_alone: bool = False


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """A connection whose circuit is open: since when, and why."""

    connection: str
    since: Mapping[str, str]
    reason: str


class Pages:
    """The templates, filled in for one plan."""

    def __init__(self, plan: Plan, links: Sequence[tuple[str, str]] = ()) -> None:
        self.plan = plan
        self.zone = ZoneInfo(plan.runtime.timezone)
        self._templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals |= {"static": _static, "links": tuple(links), "dashboards": self._doors()}

    def fragment(self, panel: Panel, chosen: Chosen) -> str:
        """The inside of one widget's card."""
        w = panel.widget
        others = [(f"show.{n}", m) for n, m in sorted(chosen.items()) if n != w.name]
        shown = {
            "name": w.name,
            "title": panel.title,
            "note": panel.note,
            "demo": panel.demo,
            "metric": w.metric,
            "choices": [(c, title_of(c)) for c in offers(w)],
            "other_choices": others,
        }
        page = self._templates.get_template("panel.html")
        return page.render(panel=shown, kind=_KINDS[type(panel.body)], body=panel.body, **self._details(panel))

    def _details(self, panel: Panel) -> dict[str, Any]:
        match panel.body:
            case Counter() as c:
                mood = {True: "good", False: "bad", None: ""}[c.trend.welcome] if c.trend else ""
                arrow = _ARROWS[c.trend.direction] if c.trend else ""
                raw = "" if c.value is None else str(c.value)
                return {"mood": mood, "arrow": arrow, "raw": raw, "line": spark(c.spark) if c.spark else None}
            case Chart() as c:
                return {"picture": draw(c, panel.unit, self.zone), "sentence": describe(panel)}
            case Gauge() as g:
                length, bands = needle(g)
                mark, verdict = _VERDICTS[g.level]
                ends = {"low": panel.unit.write(g.low, compact=True), "high": panel.unit.write(g.high, compact=True)}
                return {
                    "bands": bands,
                    "length": length,
                    "mark": mark,
                    "verdict": verdict,
                    "sentence": describe(panel),
                    **ends,
                }
            case _:
                return {}

    def dashboard(
        self, dashboard: Dashboard, panels: Sequence[Panel], fragments: Mapping[str, str], *, as_of: int, trouble: str,
        chosen: Chosen, version: str,
    ) -> str:  # fmt: skip
        """The whole page of a dashboard."""
        query = [(f"show.{n}", m) for n, m in sorted(chosen.items())]
        events = f"{_href(dashboard.name)}/events?{urlencode([*query, ('version', version)])}"
        taken = spans([w.type for w in dashboard.widgets], dashboard.columns, dashboard.rows)
        shown = [
            {"name": p.widget.name, "type": p.widget.type, "span": span, "html": Markup(fragments[p.widget.name])}  # noqa: S704 - our own template escaped it
            for p, span in zip(panels, taken, strict=True)
        ]
        head = {
            "name": dashboard.name,
            "title": title_of(dashboard.name),
            "auto_refresh": dashboard.auto_refresh,
            "responsive": dashboard.responsive,
            "columns": min(dashboard.columns, 12),
            "rows": min(dashboard.rows, 3),
            "events": events,
            "patience": PATIENCE_SECONDS * 1000,
            "chosen": query,
        }
        return self._templates.get_template("dashboard.html").render(
            here=_href(dashboard.name), dashboard=head, panels=shown, as_of=self.clock(as_of), trouble=trouble,
            timezone=self.plan.runtime.timezone,
        )  # fmt: skip

    def index(
        self,
        streams: Sequence[StreamRow],
        *,
        as_of: int,
        cache: CacheFacts,
        left_alone: Sequence[LeftAlone] = (),
        trouble: str = "",
    ) -> str:
        """The overview: dashboards and streams, connections that are left alone, and how well the cache does."""
        file = Path(self.plan.file).name or "the config"
        page = self._templates.get_template("index.html")
        return page.render(
            here="/", streams=streams, as_of=self.clock(as_of), trouble=trouble, file=file, left_alone=left_alone,
            cache=self._cache(cache),
        )  # fmt: skip

    def _cache(self, cache: CacheFacts) -> str:
        if not cache.enabled:
            return "The cache of aggregates is off."
        asked = cache.hits + cache.misses
        share = f", {cache.hits / asked:.0%} answered from it" if asked else ""
        size = Unit("bytes")
        bound, held = size.write(cache.bound, compact=True), size.write(cache.bytes, compact=True)
        return (
            f"Cache of aggregates: {asked} question{'' if asked == 1 else 's'}{share}; {cache.answers} kept, {held} of "
            f"{bound}, for {spell(self.plan.runtime.cache.ttl)} at most."
        )

    def error(self, status: int, reason: str, hint: str = "") -> str:
        """A page that says what is wrong with the address."""
        return self._templates.get_template("error.html").render(here="", status=status, reason=reason, hint=hint)

    def clock(self, micros: int) -> dict[str, str]:
        """A moment for a ``time`` element."""
        return {"iso": written_time(micros), "text": f"{local(micros, self.zone):%H:%M:%S}"}

    def day(self, micros: int, now: int) -> dict[str, str]:
        """A moment that may be long ago, for a ``time`` element."""
        here, today = local(micros, self.zone), local(now, self.zone)
        form = "%H:%M:%S" if here.date() == today.date() else "%-d %b %Y, %H:%M"
        return {"iso": written_time(micros), "text": here.strftime(form)}

    def _doors(self) -> list[dict[str, Any]]:
        return [
            {
                "title": title_of(d.name),
                "href": _href(d.name),
                "widgets": [title_of(w.name) for w in d.widgets],
                "summary": _summary(d),
            }
            for d in self.plan.dashboards
        ]


def _summary(dashboard: Dashboard) -> str:
    count = len(dashboard.widgets)
    pace = dashboard.refresh_interval / SECOND
    how = f"updates itself every {pace:g} s or sooner" if dashboard.auto_refresh else "updates when asked"
    return f"{count} widget{'' if count == 1 else 's'}, {how}"


def _href(dashboard: str) -> str:
    return f"/dashboards/{quote(dashboard, safe='')}"


def _static(name: str) -> str:
    # The content decides the address, so browsers may keep a file as long as they like.
    digest = hashlib.sha256((HERE / "static" / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"
