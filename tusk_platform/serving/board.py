"""Dashboards as they are now: computed when the lake has changed or time has passed, once for everybody who looks."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol

from tusk_platform.core.readings import title_of
from tusk_platform.core.widgets import Empty, Panel
from tusk_platform.errors import TuskError, Unavailable
from tusk_platform.plan.nodes import Dashboard, Plan, Widget
from tusk_platform.serving.answers import answer
from tusk_platform.serving.choices import offers, showing
from tusk_platform.serving.pages import Chosen, Pages
from tusk_platform.serving.timeline import Desk, Kept, Warehouse
from tusk_platform.units import MILLISECOND, SECOND

# While events pour in, a page is computed anew no more often than this.
_LEAST_PAUSE: Final = 2 * SECOND
# However many look, the lake is asked for news this often.
_LOOK_PAUSE: Final = 400 * MILLISECOND
_MOST_SNAPSHOTS: Final = 64

_logger = logging.getLogger(__name__)


class Stamped(Warehouse, Protocol):
    """A warehouse that can say cheaply whether anything has changed."""

    def stamp(
        self, streams: frozenset[str], aggregates: frozenset[str], queries: frozenset[str] = frozenset()
    ) -> Hashable:
        """Equal to an earlier stamp as long as the tables of these streams, aggregates and queries are the same."""
        ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One dashboard at one time: panels, their HTML, and what went wrong where it could not be computed anew.

    ``stale``: what went wrong left the values of ``as_of``.
    """

    panels: tuple[Panel, ...]
    fragments: Mapping[str, str]
    as_of: int
    version: str
    stamp: Hashable
    trouble: str = ""
    stale: bool = False


class Board:
    """The dashboards of a plan. Safe to use from many threads; one computes, the others take what it made."""

    def __init__(self, plan: Plan, warehouse: Stamped, pages: Pages, clock: Callable[[], int]) -> None:
        self.plan = plan
        self.pages = pages
        self._warehouse = warehouse
        self._clock = clock
        self._lock = threading.Lock()
        self._snapshots: OrderedDict[Hashable, Snapshot] = OrderedDict()
        self._computed_at: dict[Hashable, int] = {}
        self._looked_at: dict[Hashable, int] = {}
        self._kept: dict[tuple[object, ...], Kept] = {}

    def warm(self) -> None:
        """Compute every dashboard once, so that the first page is quick."""
        for dashboard in self.plan.dashboards:
            self.snapshot(dashboard, {})

    def chosen(self, dashboard: Dashboard, query: Mapping[str, str]) -> Chosen:
        """The metrics picked on the page, as far as the widgets offer them."""
        offered = {w.name: offers(w) for w in dashboard.widgets}
        picked = {k.removeprefix("show."): v for k, v in query.items() if k.startswith("show.")}
        return {name: metric for name, metric in picked.items() if metric in offered.get(name, ())}

    def snapshot(self, dashboard: Dashboard, chosen: Chosen) -> Snapshot:
        """The dashboard as of now, or the last one that could be computed, with the reason."""
        key = (dashboard.name, tuple(sorted(chosen.items())))
        with self._lock:
            now = self._clock()
            had = self._snapshots.get(key)
            age = now - self._computed_at.get(key, 0)
            looked = now - self._looked_at.get(key, 0)
            if had and (0 <= age < min(_LEAST_PAUSE, dashboard.refresh_interval) or 0 <= looked < _LOOK_PAUSE):
                return had
            self._looked_at[key] = now
            try:
                stamp = self._warehouse.stamp(*self._tables(dashboard))
                if had and not had.trouble and had.stamp == stamp and 0 <= age < dashboard.refresh_interval:
                    self._snapshots[key] = replace(had, as_of=now)
                    return self._snapshots[key]
                made = self._compute(dashboard, chosen, now, stamp)
            except Unavailable as error:
                _logger.warning("dashboard %s: %s", dashboard.name, error)
                made = self._without(dashboard, chosen, had, now, f"The lake cannot be read: {error}")
            self._snapshots[key] = made
            self._snapshots.move_to_end(key)
            self._computed_at[key] = now
            while len(self._snapshots) > _MOST_SNAPSHOTS:
                old, _ = self._snapshots.popitem(last=False)
                self._computed_at.pop(old, None)
                self._looked_at.pop(old, None)
            return made

    def _tables(self, dashboard: Dashboard) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
        queries = {w.source for w in dashboard.widgets if w.kind == "query"}
        aggregates = {w.source for w in dashboard.widgets if w.kind == "aggregate"}
        streams = {w.source for w in dashboard.widgets if w.kind == "stream"}
        streams |= {self.plan.aggregate(a).stream for a in aggregates}
        return frozenset(streams), frozenset(aggregates), frozenset(queries)

    def _compute(self, dashboard: Dashboard, chosen: Chosen, now: int, stamp: Hashable) -> Snapshot:
        desk = Desk(self.plan, self._warehouse, now, self._kept)
        panels = tuple(_answered(_picked(w, chosen, self.plan), desk) for w in dashboard.widgets)
        return self._snapshot(panels, chosen, now, stamp)

    def _snapshot(self, panels: tuple[Panel, ...], chosen: Chosen, now: int, stamp: Hashable) -> Snapshot:
        fragments = {p.widget.name: self.pages.fragment(p, chosen) for p in panels}
        version = hashlib.sha256("\0".join(fragments.values()).encode()).hexdigest()[:16]
        return Snapshot(panels, fragments, now, version, stamp)

    def _without(self, dashboard: Dashboard, chosen: Chosen, had: Snapshot | None, now: int, trouble: str) -> Snapshot:
        if had and self.plan.fault_tolerance.fallback:
            return replace(had, trouble=trouble, stale=had.stamp is not None)
        panels = tuple(Panel(w, title_of(w.name), Empty("No data to show")) for w in dashboard.widgets)
        return replace(self._snapshot(panels, chosen, now, None), trouble=trouble)


def _picked(widget: Widget, chosen: Chosen, plan: Plan) -> Widget:
    metric = chosen.get(widget.name, widget.metric)
    return widget if metric == widget.metric else showing(widget, str(metric), plan)


def _answered(widget: Widget, desk: Desk) -> Panel:
    """One widget that cannot be shown does not take the others with it."""
    try:
        return answer(widget, desk)
    except Unavailable:
        raise
    except TuskError as error:
        return Panel(widget, title_of(widget.name), Empty("This cannot be shown", str(error)))
