"""A parsed file against the schemas of its sections: models, and every problem at the place where it was written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from pydantic import BaseModel, ValidationError

from tusk_platform.errors import Problem, Span, nearest
from tusk_platform.plan.nodes import EnvironmentUse
from tusk_platform.sections.analytics_data_sources import AnalyticsDataSources
from tusk_platform.sections.anomaly_detection import AnomalyDetection
from tusk_platform.sections.connections import Connections
from tusk_platform.sections.data_quality_config import DataQualityConfig
from tusk_platform.sections.event_driven_analytics import EventDrivenAnalytics
from tusk_platform.sections.explain import Explained, Path, complaints
from tusk_platform.sections.live_dashboards import LiveDashboards
from tusk_platform.sections.multi_source_analytics import MultiSourceAnalytics
from tusk_platform.sections.performance_config import PerformanceConfig
from tusk_platform.sections.predictive_analytics import PredictiveAnalytics
from tusk_platform.sections.reading import UNREADABLE, Reading, read
from tusk_platform.sections.real_time_aggregations import RealTimeAggregations
from tusk_platform.sections.real_time_analytics import RealTimeAnalytics
from tusk_platform.sections.real_time_ml import RealTimeMl
from tusk_platform.sections.remains import remains
from tusk_platform.sections.scalability_config import ScalabilityConfig
from tusk_platform.sections.stream_processing import StreamProcessing
from tusk_platform.sections.top_level import TopLevel
from tusk_platform.sections.wording import inside
from tusk_platform.tsk.nodes import Document
from tusk_platform.tsk.values import dotted

SECTIONS: Final[Mapping[str, type[BaseModel]]] = {
    "connections": Connections,
    "real_time_analytics": RealTimeAnalytics,
    "stream_processing": StreamProcessing,
    "real_time_aggregations": RealTimeAggregations,
    "live_dashboards": LiveDashboards,
    "anomaly_detection": AnomalyDetection,
    "predictive_analytics": PredictiveAnalytics,
    "real_time_ml": RealTimeMl,
    "analytics_data_sources": AnalyticsDataSources,
    "event_driven_analytics": EventDrivenAnalytics,
    "multi_source_analytics": MultiSourceAnalytics,
    "performance_config": PerformanceConfig,
    "scalability_config": ScalabilityConfig,
    "data_quality_config": DataQualityConfig,
}


@dataclass(frozen=True, slots=True)
class Spans:
    """Where keys and values were written, by dotted path; called with a path it gives the position of the key.

    Items of a list are ``path.0`` or ``path[0]``. A path that is not in the file is where its nearest parent is.
    """

    keys: Mapping[str, Span]
    values: Mapping[str, Span]
    start: Span

    def __call__(self, path: str) -> Span:
        """Position of a key."""
        return _nearest_place(self.keys, path, self.start)

    def value(self, path: str) -> Span:
        """Position of a value."""
        return _nearest_place(self.values, path, self.start)


@dataclass(frozen=True, slots=True)
class Validated:
    """Sections that are right, the top-level settings, everything that is wrong, and where all of it stands.

    ``remains`` are sections with mistakes, without these; ``left_out`` the dotted keys that were left out of them.
    """

    sections: Mapping[str, BaseModel]
    top: TopLevel
    problems: tuple[Problem, ...]
    environment: tuple[EnvironmentUse, ...]
    spans: Spans
    remains: Mapping[str, BaseModel] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def validate(document: Document) -> Validated:
    """The sections of a file and all its problems, those of the language first. Never raises for what is in a file."""
    reading = read(document.root)
    checked = _Checked(reading, document)
    sections: dict[str, BaseModel] = {}
    rest: dict[str, BaseModel] = {}
    left_out: list[str] = []
    for name, value in reading.data.items():
        if name in SECTIONS:
            model = checked.model(SECTIONS[name], value, (name,))
            if model is not None:
                sections[name] = model
            elif (kept := remains(SECTIONS[name], value)) is not None:
                rest[name] = kept[0]
                left_out += (".".join(map(str, (name, *path))) for path in kept[1])
        elif name not in TopLevel.config_keys():
            checked.unknown(name)
    scalars = {k: v for k, v in reading.data.items() if k in TopLevel.config_keys()}
    top = checked.model(TopLevel, scalars, ())
    found = sorted([*reading.problems, *checked.problems], key=lambda p: (p.span.line, p.span.column, p.message))
    problems = (checked.without_secrets(p) for p in dict.fromkeys((*document.problems, *found)))
    return Validated(
        sections=sections,
        top=top if isinstance(top, TopLevel) else TopLevel(),
        problems=tuple(problems),
        environment=tuple(reading.environment),
        spans=_spans(reading, document),
        remains=rest,
        left_out=tuple(left_out),
    )


class _Checked:
    """The problems of a reading's sections."""

    def __init__(self, reading: Reading, document: Document) -> None:
        self._reading = reading
        self._start = document.root.span
        self._broken = {(p.span.line, p.span.column) for p in document.problems}
        self._secret_lines: set[int] = set()
        self.problems: list[Problem] = []

    def model(self, schema: type[BaseModel], value: object, path: Path) -> BaseModel | None:
        """The value as its schema sees it, or None where it is wrong."""
        if value is UNREADABLE:
            return None
        try:
            return schema.model_validate(value)
        except ValidationError as error:
            for e in complaints(error.errors(include_url=False), value):
                self._add(replace(e, path=(*path, *e.path)))
            return None

    def unknown(self, name: str) -> None:
        """Complain about a key of the top level."""
        kind = "section" if isinstance(self._reading.data[name], dict) else "key"
        place = self._reading.places[(name,)]
        known = [*SECTIONS, *TopLevel.config_keys()]
        self.problems.append(Problem(place.key, dotted((name,)), f"unknown {kind} `{name}`", nearest(name, known)))

    def without_secrets(self, problem: Problem) -> Problem:
        """The problem, without the line of the file where a secret stands in it."""
        hidden = problem.span.line in self._secret_lines
        return replace(problem, span=replace(problem.span, text="")) if hidden else problem

    def _add(self, e: Explained) -> None:
        of_key = bool(e.path) and e.path[-1] == "[key]"
        path = e.path[:-1] if of_key else e.path
        if e.value is UNREADABLE or self._reading.at(path) is UNREADABLE:
            return
        table = path[:-1] if e.on in {"missing", "unknown"} else path
        if e.on == "missing" and self._is_broken(table):
            return
        inside = f" in `{dotted(table)}`" if table != path and table else ""
        span = self._span(table if e.on == "missing" else path, e, on_key=of_key or e.on in {"missing", "unknown"})
        if (span.line, span.column) in self._broken:
            return  # what was meant is a guess there
        if e.on == "secret":
            self._secret_lines.add(span.line)
        self.problems.append(Problem(span, dotted(path), e.message + inside, e.hint))

    def _span(self, path: Path, e: Explained, *, on_key: bool) -> Span:
        known = next((path[:n] for n in range(len(path), 0, -1) if path[:n] in self._reading.places), None)
        if known is None:
            return self._start
        place = self._reading.places[known]
        if e.offset and known == path:
            return inside(place.text, str(getattr(e.value, "sql", e.value)), e.offset) or place.value
        return place.key if on_key or known != path else place.value

    def _is_broken(self, path: Path) -> bool:
        """Whether the language is wrong somewhere in a table: a key that seems to be missing may be there."""
        place = self._reading.places.get(path)
        first, last = (place.key.line, place.last_line) if place else (0, 2**31)
        return any(first <= line <= last for line, _ in self._broken)


def _spans(reading: Reading, document: Document) -> Spans:
    names = {path: ".".join(str(step) for step in path) for path in reading.places}
    return Spans(
        keys={names[path]: place.key for path, place in reading.places.items()},
        values={names[path]: place.value for path, place in reading.places.items()},
        start=document.root.span,
    )


def _nearest_place(places: Mapping[str, Span], path: str, start: Span) -> Span:
    steps = re.sub(r"\[(\d+)\]", r".\1", path).replace('"', "").split(".")
    for n in range(len(steps), 0, -1):
        if (found := places.get(".".join(steps[:n]))) is not None:
            return found
    return start
