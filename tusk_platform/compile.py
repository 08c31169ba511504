"""From config text to plan to a build folder on disk."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tusk_platform.errors import ConfigError, Problem, Unavailable, UsageError
from tusk_platform.generate import dbt_project, expectations
from tusk_platform.generate.query_sql import query_sql
from tusk_platform.plan.drafts import Draft, Fragment
from tusk_platform.plan.names import tokens
from tusk_platform.plan.nodes import Plan
from tusk_platform.plan.page import as_json, fingerprint
from tusk_platform.plan.resolve import resolve
from tusk_platform.sections import (
    analytics_data_sources,
    anomaly_detection,
    connections,
    data_quality_config,
    event_driven_analytics,
    live_dashboards,
    multi_source_analytics,
    performance_config,
    predictive_analytics,
    real_time_aggregations,
    real_time_analytics,
    real_time_ml,
    scalability_config,
    stream_processing,
)
from tusk_platform.sections.place import Place
from tusk_platform.sections.validate import Validated, validate
from tusk_platform.storage.home import Home
from tusk_platform.tsk.parser import parse

# Sections in the order in which their nodes are declared; a name found twice belongs to the earlier one.
LOWER: Final[Mapping[str, Callable[[Any, Place], Fragment]]] = {
    "connections": connections.lower,
    "real_time_analytics": real_time_analytics.lower,
    "stream_processing": stream_processing.lower,
    "real_time_aggregations": real_time_aggregations.lower,
    "event_driven_analytics": event_driven_analytics.lower,
    "multi_source_analytics": multi_source_analytics.lower,
    "analytics_data_sources": analytics_data_sources.lower,
    "live_dashboards": live_dashboards.lower,
    "anomaly_detection": anomaly_detection.lower,
    "predictive_analytics": predictive_analytics.lower,
    "real_time_ml": real_time_ml.lower,
    "performance_config": performance_config.lower,
    "scalability_config": scalability_config.lower,
    "data_quality_config": data_quality_config.lower,
}


# The config with every key, in a checkout: what it says of each of them goes into the reference.
_EVERY_KEY: Final = Path(__file__).resolve().parents[1] / "docs" / "every_key.tsk"


@dataclass(frozen=True, slots=True)
class Compiled:
    """The plan of a config as far as it could be made, and every problem found on the way."""

    plan: Plan
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Problems that keep the plan from being used."""
        return tuple(p for p in self.problems if p.severity == "error")


def compile_text(text: str, file: str) -> Compiled:
    """The plan of a config's text. Never raises for a mistake in it."""
    document = parse(text, file)
    validated = validate(document)
    place = Place(validated.spans, os.environ)
    fragments = tuple(_lower(validated, place))
    problems = [*validated.problems, *_unusable_variables(validated, place)]
    draft = Draft(
        file=file,
        fragments=fragments,
        spans=validated.spans.value,
        timezone=validated.top.timezone,
        demo=validated.top.demo,
        environment=validated.environment,
        query_sql=query_sql,
    )
    plan, unresolved = resolve(draft)
    if any(p.severity == "error" for p in problems):
        problems += _certain(unresolved, validated)
    else:
        problems += unresolved
        plan, untyped = _with_types(plan, problems)
        problems += untyped
    problems += _missing_variables(plan)
    return Compiled(plan, tuple(sorted(problems, key=lambda p: (p.span, p.path))))


def compile_file(path: Path) -> Compiled:
    """The plan of a config file; UsageError when it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UsageError(f"no config at {path}: name one with --config or TUSK_CONFIG") from None
    except (OSError, UnicodeDecodeError) as e:
        raise UsageError(f"cannot read {path}: {e}") from None
    return compile_text(text, str(path))


def load_plan(path: Path) -> Plan:
    """The plan of a config file; ConfigError with every mistake when it has any."""
    compiled = compile_file(path)
    if compiled.errors:
        raise ConfigError(compiled.errors)
    return compiled.plan


def _certain(unresolved: tuple[Problem, ...], validated: Validated) -> list[Problem]:
    """The problems that do not come of what was left out as wrong: neither beside it nor about a name in it."""
    broken = {p.path.partition(".")[0] for p in validated.problems if p.severity == "error"}
    if broken - validated.remains.keys():
        return []  # any name may be one of a part of the file of which nothing is left
    lost = frozenset(token for key in validated.left_out for step in key.split(".")[1:] for token in tokens(step))
    return [
        p
        for p in unresolved
        if not any(_within(p.path, key) or _within(key, p.path) for key in validated.left_out)
        # Names that share a word find each other.
        and not any(lost & tokens(word) for word in re.findall(r"`([^`]+)`", p.message))
    ]


def _within(one: str, other: str) -> bool:
    return f"{one}.".startswith(f"{other}.")


def _lower(validated: Validated, place: Place) -> list[Fragment]:
    models = {**validated.remains, **validated.sections}
    return [lower(models[name], place) for name, lower in LOWER.items() if name in models]


def _with_types(plan: Plan, problems: list[Problem]) -> tuple[Plan, tuple[Problem, ...]]:
    """The plan with the columns of its queries, asked of DuckDB where nothing else is wrong with them."""
    if not plan.queries or any(p.severity == "error" for p in problems):
        return plan, ()
    from tusk_platform.storage.query_types import with_types  # noqa: PLC0415 - brings DuckDB, and few files have queries

    return with_types(plan)


def _unusable_variables(validated: Validated, place: Place) -> list[Problem]:
    return [
        Problem(use.span, use.key, place.unusable[use.variable], "set it to what the key takes, or unset it")
        for use in validated.environment
        if use.variable in place.unusable
    ]


def _missing_variables(plan: Plan) -> list[Problem]:
    return [
        Problem(
            use.span,
            use.key,
            f"environment variable `{use.variable}` is not set",
            f"needed by `{use.key}` when it runs; set it, or, unless it is a secret, give a default: "
            f'`@env({use.variable}, "...")`',
            "warning",
        )
        for use in plan.environment
        if not use.has_default and use.variable not in os.environ
    ]


def shipped(folder: str) -> Path:
    """Where ``dbt_project`` or ``expectations`` stand: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).resolve().parent
    beside = package.parent / folder
    return beside if beside.is_dir() and (package.parent / "pyproject.toml").exists() else package / "shipped" / folder


def build(plan: Plan, home: Home, folder: Path) -> Path:
    """Write the generated projects under ``build/<fingerprint>`` and make it the current build.

    ``folder`` is the config's: dbt models and suites of the user's own stand in it. The build appears whole or not at
    all; one that is there already is used as it is. Unavailable where the folder cannot be written.
    """
    projects = _projects(plan, folder, home="../../..")
    target = home.build / f"{fingerprint(plan)}-{_digest(projects)}"
    try:
        if not target.exists():
            _write_build(target, plan, projects)
        _point(home.current, target)
    except OSError as error:
        raise Unavailable(f"writing the generated projects to {home.build}: {error}") from error
    return target


def _write_build(target: Path, plan: Plan, projects: tuple[Project, ...]) -> None:
    scratch = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}")
    try:
        for project in projects:
            _write_project(scratch / project.name, project)
        (scratch / "plan.json").write_text(json.dumps(as_json(plan), indent=2) + "\n")
        scratch.rename(target)
    except OSError:
        shutil.rmtree(scratch, ignore_errors=True)
        # Another process may have built the same plan first; its folder has the same bytes.
        if not target.exists():
            raise


@dataclass(frozen=True, slots=True)
class Project:
    """One generated project: where its hand-written files stand, what is generated, what the user adds."""

    name: str
    hand_written: Path
    texts: Mapping[str, str]
    generated: tuple[str, ...]
    own: Mapping[str, str]


def _projects(plan: Plan, folder: Path, *, home: str) -> tuple[Project, Project]:
    models = _own_models(plan, folder)
    suites = _own_suites(folder)
    return (
        Project(
            "dbt", shipped("dbt_project"), dbt_project.files(plan, home=home), dbt_project.GENERATED_FOLDERS, models
        ),
        Project(
            "expectations",
            shipped("expectations"),
            expectations.files(plan, suites, home=home),
            expectations.GENERATED_FOLDERS,
            {},
        ),
    )


def _own_suites(folder: Path) -> dict[str, str]:
    """Stream -> suite text, from ``expectations/overrides`` beside the config."""
    found = sorted((folder / "expectations" / "overrides").glob("*.json"))
    return {p.stem: p.read_text(encoding="utf-8") for p in found}


def _own_models(plan: Plan, folder: Path) -> dict[str, str]:
    """Path -> text of the user's own dbt models, from ``dbt_project/models`` beside the config."""
    root = folder / "dbt_project"
    if root.resolve() == shipped("dbt_project").resolve():
        return {}
    generated = {a.name for a in plan.aggregates} | {q.name for q in plan.queries}
    found: dict[str, str] = {}
    for p in sorted((root / "models").rglob("*")):
        if p.suffix not in {".sql", ".yml", ".yaml", ".md"}:
            continue
        if p.suffix == ".sql" and p.stem in generated:
            taken = f"the config's aggregate or query `{p.stem}` has this name already"
            raise UsageError(f"{p}: {taken}; give the model another")
        found[f"models/own/{p.relative_to(root / 'models').as_posix()}"] = p.read_text(encoding="utf-8")
    return found


def _digest(projects: tuple[Project, ...]) -> str:
    """A hash of everything a build is made of: another version of the hand-written files is another build."""
    digest = hashlib.sha256()
    for project in projects:
        for path in _hand_written(project):
            digest.update(path.encode() + b"\0" + (project.hand_written / path).read_bytes() + b"\0")
        for path, text in sorted({**project.texts, **project.own}.items()):
            digest.update(path.encode() + b"\0" + text.encode() + b"\0")
    return digest.hexdigest()[:8]


def _hand_written(project: Project) -> list[str]:
    """Relative paths of the project's hand-written files: not the generated ones, nor what dbt leaves behind."""
    aside = {*project.generated, *project.texts, "target", "logs", "overrides", ".user.yml"}
    paths = [p.relative_to(project.hand_written) for p in sorted(project.hand_written.rglob("*")) if p.is_file()]
    return [
        p.as_posix()
        for p in paths
        if not aside & {p.as_posix(), *(parent.as_posix() for parent in p.parents)} and "__pycache__" not in p.parts
    ]


def stale_files(plan: Plan, folder: Path) -> dict[Path, str | None]:
    """What must change for the projects in a folder to be those of the plan: path -> text, None where it must go."""
    stale: dict[Path, str | None] = {}
    projects = (
        ("dbt_project", dbt_project.files(plan), dbt_project.GENERATED_FOLDERS),
        ("expectations", expectations.files(plan, _own_suites(folder)), expectations.GENERATED_FOLDERS),
    )
    for name, texts, generated in projects:
        root = folder / name
        wanted = {root / path: text for path, text in texts.items()}
        there = [f for g in generated for f in ([root / g] if (root / g).is_file() else sorted((root / g).rglob("*")))]
        stale |= {f: None for f in there if f.is_file() and f not in wanted}
        stale |= {f: t for f, t in wanted.items() if not f.exists() or f.read_text(encoding="utf-8") != t}
    page = folder / "docs" / "reference.md"
    if _EVERY_KEY.is_file() and page.parent.resolve() == _EVERY_KEY.parent:
        from tusk_platform.generate.json_schema import schema_text  # noqa: PLC0415 - nothing else here needs it

        pages = {page: reference_page(_EVERY_KEY), page.parent / "editor" / "tusk.schema.json": schema_text()}
        stale |= {f: t for f, t in pages.items() if not f.exists() or f.read_text(encoding="utf-8") != t}
    return stale


def reference_page(every_key: Path) -> str:
    """The reference of the config; what is carried out of it is what the plan of a config with every key says."""
    from tusk_platform.generate.reference import reference  # noqa: PLC0415 - nothing else here needs it

    return reference({i.key: i.reason for i in compile_file(every_key).plan.inactive})


def write_files(texts: Mapping[Path, str | None]) -> None:
    """Write files, or remove them where the text is None."""
    for path, text in texts.items():
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def _write_project(target: Path, project: Project) -> None:
    for path in _hand_written(project):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(project.hand_written / path, target / path)
    for path, text in {**project.texts, **project.own}.items():
        file = target / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)


def _point(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() == Path(target.name):
        return
    fresh = link.with_name(f".current.{uuid.uuid4().hex[:8]}")
    fresh.symlink_to(target.name)
    fresh.replace(link)
