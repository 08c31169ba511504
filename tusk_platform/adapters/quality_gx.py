"""Great Expectations as the judge of rows: a warm context, a checkpoint a stream, Data Docs that need no network."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa
from jinja2 import ChoiceLoader

from tusk_platform.core.quality import suite_name
from tusk_platform.errors import Held, Unavailable, UsageError, nearest
from tusk_platform.plan.nodes import Plan
from tusk_platform.ports import ExpectationResult, Quality
from tusk_platform.storage.home import Home
from tusk_platform.storage.lease import hold

# GX imports modules of the standard library that are deprecated.
with warnings.catch_warnings(action="ignore"):
    import great_expectations as gx
    from great_expectations import Checkpoint
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.resource_identifiers import ExpectationSuiteIdentifier
    from great_expectations.exceptions.exceptions import GreatExpectationsError
    from great_expectations.render.view.view import DefaultJinjaPageView

# Validations whose results and pages are kept, a stream.
HISTORY: Final = 50


class Page(DefaultJinjaPageView):
    """Renders a page from the project's own templates first, so that it asks for nothing from another machine."""

    def __init__(self, custom_styles_directory: str | None = None, custom_views_directory: str | None = None) -> None:
        super().__init__(custom_styles_directory, custom_views_directory)
        if isinstance(self.env.loader, ChoiceLoader):
            # GX looks into its own templates first, which would hide those of the same name here.
            self.env.loader.loaders = list(reversed(self.env.loader.loaders))


class GreatExpectations:
    """A Quality of a file context that is opened once and kept."""

    def __init__(self, plan: Plan, folder: Path, home: Home) -> None:
        if not (folder / "great_expectations.yml").is_file():
            raise UsageError(f"no Great Expectations project in {folder}: it is written by `tusk up` and `tusk run`")
        self._home = home
        with warnings.catch_warnings(action="ignore"):
            self._context = gx.get_context(
                mode="file",
                context_root_dir=folder.resolve(),
                runtime_environment={"TUSK_HOME": str(home.root.resolve())},
            )
        self._suites = {s.name: suite_name(s.name) for s in plan.streams}
        self._checkpoints = {name: self._checkpoint(folder, suite) for name, suite in self._suites.items()}
        self._unpublished: list[Any] = self._suite_pages()

    def _checkpoint(self, folder: Path, suite: str) -> Checkpoint:
        file = f"expectations/{suite}.json"
        try:
            with warnings.catch_warnings(action="ignore"):
                kept = self._context.suites.get(suite).expectations
                checkpoint = self._context.checkpoints.get(suite)
        except (GreatExpectationsError, ValueError, TypeError) as error:
            raise UsageError(f"{file} cannot be used: {error}") from error
        # GX leaves out what it cannot use and only logs it; an expectation of a user must not vanish.
        written = json.loads((folder / file).read_text(encoding="utf-8"))["expectations"]
        lost = {e["id"]: e for e in written}.keys() - {e.id for e in kept}
        if lost:
            told = [f"{e['type']} {e['kwargs']} ({e['meta'].get('source', file)})" for e in written if e["id"] in lost]
            raise UsageError(
                f"{file} cannot be used: Great Expectations {gx.__version__} knows no {'; no '.join(told)}"
            )
        return checkpoint

    def validate(self, stream: str, rows: pa.Table, *, through_batch: int) -> tuple[ExpectationResult, ...]:
        """Results of the stream's whole suite over ``rows``, kept for the pages too."""
        if stream not in self._checkpoints:
            raise UsageError(f"no expectation suite for stream `{stream}`; {nearest(stream, self._checkpoints)}")
        run_id = RunIdentifier(run_name=f"batch-{through_batch}", run_time=datetime.now(UTC))
        try:
            with warnings.catch_warnings(action="ignore"):
                outcome = self._checkpoints[stream].run(batch_parameters={"dataframe": frame(rows)}, run_id=run_id)
        except (GreatExpectationsError, OSError) as error:
            raise Unavailable(f"the suite of `{stream}` could not be run: {error}") from error
        ((identifier, results),) = outcome.run_results.items()
        self._unpublished.append(identifier)
        return tuple(_result(stream, r, rows.num_rows, through_batch) for r in results.results)

    def publish(self) -> None:
        """Bring Data Docs up to date; what another process is writing just now is left to the next call."""
        if not (self._home.docs / "quality" / "index.html").exists():
            self._unpublished += self._suite_pages()
        if not self._unpublished:
            return
        try:
            with hold(self._home.leases, "data-docs", command="quality pages"):
                # Results first: the index leaves out pages whose result is gone.
                self._prune(self._home.scratch / "gx")
                with warnings.catch_warnings(action="ignore"):
                    self._context.build_data_docs(resource_identifiers=self._unpublished)
                self._prune(self._home.docs / "quality")
        except Held:
            return
        except (GreatExpectationsError, OSError) as error:
            raise Unavailable(f"Data Docs in {self._home.docs / 'quality'} could not be written: {error}") from error
        self._unpublished = []

    def _suite_pages(self) -> list[Any]:
        return [ExpectationSuiteIdentifier(suite) for suite in self._suites.values()]

    def _prune(self, kept: Path) -> None:
        for folder in (kept / "validations").glob("*"):
            prune(folder, HISTORY if folder.name in self._suites.values() else 0)


def open_quality(plan: Plan, folder: Path, home: Home) -> Quality:
    """The judge of a plan's streams from the GX project in ``folder``; results and pages go below ``home``."""
    return GreatExpectations(plan, folder, home)


def frame(rows: pa.Table) -> pd.DataFrame:
    """Rows as a frame whose nulls stay nulls: no integer becomes a float, decimals are exact, times keep their zone."""
    return rows.to_pandas(types_mapper=_pandas_type)


def prune(folder: Path, keep: int) -> None:
    """Leave the newest validations in a folder of ``<run name>/<run time>/``."""
    runs = sorted(folder.glob("*/*"), key=lambda run: run.name)
    for run in runs[: max(0, len(runs) - keep)]:
        shutil.rmtree(run, ignore_errors=True)
        with suppress(OSError):  # not empty: it holds a newer run
            run.parent.rmdir()


def _pandas_type(kind: pa.DataType) -> Any:  # noqa: ANN401 - pandas ships no types here
    if pa.types.is_integer(kind):
        return pd.Int64Dtype()
    if pa.types.is_boolean(kind):
        return pd.BooleanDtype()
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pd.StringDtype("pyarrow")
    return None


def _result(stream: str, judged: ExpectationValidationResult, rows: int, through_batch: int) -> ExpectationResult:
    config: Any = judged.expectation_config
    found = judged.result
    meta = config.meta or {}
    success = bool(judged.success)
    # An expectation of the table or of a whole column counts no rows: it holds for all of them or for none.
    unexpected = found.get("unexpected_count", 0 if success else rows)
    return ExpectationResult(
        stream=stream,
        expectation=config.type,
        column=_column(config.kwargs),
        success=success,
        evaluated=found.get("element_count", rows),
        unexpected=int(unexpected),
        through_batch=through_batch,
        detail="" if success else _detail(judged),
        rule=meta.get("rule", config.type),
        severity=meta.get("severity", "critical"),
        mostly=float(config.kwargs.get("mostly", 1.0)),
        source=meta.get("source", ""),
    )


def _column(kwargs: Mapping[str, Any]) -> str | None:
    names = [kwargs.get("column"), kwargs.get("column_A"), kwargs.get("column_B"), *kwargs.get("column_list", ())]
    return ", ".join(n for n in names if n) or None


def _detail(judged: ExpectationValidationResult) -> str:
    """Why it failed, without a value of a row: those may be personal."""
    raised = list(_raised(judged.exception_info or {}))
    if raised:
        return f"could not be judged: {raised[0][:300]}"
    missing = judged.result.get("details", {}).get("mismatched", {}).get("missing")
    if missing:
        return f"missing columns: {', '.join(missing)}"
    observed = judged.result.get("observed_value")
    config: Any = judged.expectation_config
    tells_no_value = isinstance(observed, (int, float)) or config.type == "expect_column_values_to_be_of_type"
    return f"found {observed}" if observed is not None and tells_no_value else ""


def _raised(info: Mapping[str, Any]) -> Iterable[str]:
    # One exception, or one a metric.
    if "raised_exception" in info:
        return [str(info["exception_message"])] if info["raised_exception"] else []
    return [message for nested in info.values() if isinstance(nested, Mapping) for message in _raised(nested)]
