"""What a config is compared with: a file, the config as it is in a git revision, or the plan applied last."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

from tusk_platform.cli.difference_page import Comparison
from tusk_platform.compile import compile_text, load_plan
from tusk_platform.errors import ConfigError, UsageError
from tusk_platform.plan.difference import difference
from tusk_platform.plan.impact import impact
from tusk_platform.plan.nodes import Plan
from tusk_platform.plan.page import as_json
from tusk_platform.runtime.environment import home_of

APPLIED: Final = "applied"


def compare(config: Path, plan: Plan, against: str) -> Comparison:
    """A config's plan with another one; ConfigError where that is wrong, UsageError where there is none."""
    if against == APPLIED:
        return _with_applied(config, plan)
    file = Path(against)
    before = load_plan(file) if file.is_file() else _in_revision(config, against)
    now, then = as_json(plan), as_json(before)
    home = home_of(config)
    if home.applied.exists():
        from tusk_platform.runtime.applied import read_applied

        applied = read_applied(home)
        if applied is not None and applied.same(before):
            # The tables follow what it is compared with, so that they can be asked.
            found = _with_applied(config, plan)
            return Comparison(against, then, now, difference(then, now), found.effects)
    nodes = difference(then, now)
    return Comparison(against, then, now, nodes, impact(then, now, nodes, None))


def _with_applied(config: Path, plan: Plan) -> Comparison:
    from tusk_platform.runtime.applied import pending
    from tusk_platform.storage.lake import Lake

    home = home_of(config)
    change = pending(plan, home, Lake(home.lake))
    if change.applied is None:
        raise UsageError(f"no plan was applied in {home.root} yet: `tusk up`, `tusk run` and `tusk ingest` apply one")
    return Comparison(APPLIED, change.applied.plan, as_json(plan), change.nodes, change.effects)


def _in_revision(config: Path, revision: str) -> Plan:
    """The plan of the config as it is in a revision."""
    folder, name = config.absolute().parent, config.name
    if _git(folder, "rev-parse", "--is-inside-work-tree").returncode:
        raise UsageError(f"`{revision}` is no file here, and {folder} is in no git repository that could know it")
    if _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}").returncode:
        raise UsageError(f"`{revision}` is neither a file nor a revision of git here; or say `{APPLIED}`")
    shown = _git(folder, "show", "--end-of-options", f"{revision}:./{name}")
    if shown.returncode:
        raise UsageError(f"{name} is not tracked in revision `{revision}`")
    try:
        text = shown.stdout.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{name} in revision `{revision}` is no text: {error}") from None
    compiled = compile_text(text, f"{revision}:{name}")
    if compiled.errors:
        raise ConfigError(compiled.errors)
    return compiled.plan


def _git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", *arguments], cwd=folder, capture_output=True, check=False, env={**os.environ, "LC_ALL": "C"}
        )
    except OSError:
        raise UsageError("that is no file here, and git is not installed to look for a revision of that name") from None
