"""Commands about the config: check, parse, plan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from tusk_platform.cli.against import compare
from tusk_platform.cli.difference_page import difference_json, difference_page
from tusk_platform.cli.files import read_text, shown_path
from tusk_platform.cli.output import ConfigOption, JsonOption, progress, say, say_json, warn
from tusk_platform.cli.plan_page import plan_page
from tusk_platform.compile import Compiled, compile_file, load_plan, stale_files, write_files
from tusk_platform.errors import ConfigError, Problem, UsageError
from tusk_platform.plan.cost import refresh_span
from tusk_platform.plan.nodes import Plan
from tusk_platform.plan.page import as_json
from tusk_platform.runtime.environment import config_path, home_of
from tusk_platform.tsk.parser import parse
from tusk_platform.tsk.values import plain

Connect = Annotated[
    bool, typer.Option("--connect", help="Also try the connections, and take a variable that is not set as a mistake.")
]
Against = Annotated[
    str | None,
    typer.Option(
        "--against",
        metavar="FILE|REV|applied",
        help="What differs from another file, from the config in a git revision, or from what was applied.",
    ),
]
Files = Annotated[list[Path] | None, typer.Argument(help="Files; the config where none is given.")]


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command("check")(check)
    app.command("parse")(parse_files)
    app.command("plan")(plan)
    app.command("generate", hidden=True)(generate)


def check(
    files: Files = None,
    connect: Connect = False,  # noqa: FBT002 - an option
    config: ConfigOption = None,
    as_json: JsonOption = False,  # noqa: FBT002 - an option
) -> None:
    """Parse, validate and resolve: every mistake at once, with its line and what would be right."""
    problems: list[Problem] = []
    for file in files or [config_path(config)]:
        compiled = compile_file(shown_path(file))
        problems += _connected(compiled, file, quiet=as_json) if connect else compiled.problems
    errors = sum(p.severity == "error" for p in problems)
    if as_json:
        say_json([p.as_json() for p in problems])
    else:
        for problem in problems:
            warn(problem.render())
        warnings = len(problems) - errors
        mistakes = f"{errors} mistake{'' if errors == 1 else 's'}"
        say(f"{mistakes}, {warnings} warning{'' if warnings == 1 else 's'}" if problems else "all is well")
    raise typer.Exit(1 if errors else 0)


def _connected(compiled: Compiled, file: Path, *, quiet: bool) -> list[Problem]:
    """A file's problems and those of its connections; without its variables nothing would run."""
    variables = {use.span for use in compiled.plan.environment}
    problems = [replace(p, severity="error") if p.span in variables else p for p in compiled.problems]
    if compiled.errors:
        return problems
    from tusk_platform.runtime.connections import try_connections

    with progress("trying the connections"):
        found = try_connections(compiled.plan, file.absolute())
    if not quiet:
        say(f"connections tried: {', '.join(found.tried) or 'none'}")
        if found.untried:
            say(f"not tried: {', '.join(found.untried)} (no stream can ask through them yet)")
    return sorted([*problems, *found.problems], key=lambda p: (p.span, p.path))


def parse_files(
    files: Annotated[list[Path], typer.Argument(help="Files of the dialect.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON (the default; kept for scripts).")] = True,  # noqa: ARG001, FBT002
) -> None:
    """The plain values of files: the language only, no schema."""
    parsed = []
    problems: list[Problem] = []
    for file in files:
        document = parse(read_text(file), str(file))
        problems += document.problems
        parsed.append(plain(document.root))
    if problems:
        raise ConfigError(problems)
    say_json(parsed[0] if len(parsed) == 1 else parsed)


def plan(
    file: Annotated[Path | None, typer.Argument(help="The .tsk file.")] = None,
    against: Against = None,
    config: ConfigOption = None,
    as_json_: JsonOption = False,  # noqa: FBT002 - an option
) -> None:
    """What will exist, what was inferred, which connections are embedded; or what a change changes."""
    path = config_path(file or config)
    loaded = load_plan(shown_path(path))
    if against is not None:
        comparison = compare(path, loaded, against)
        if as_json_:
            say_json(difference_json(comparison))
        else:
            say(difference_page(comparison))
        return
    costs = _costs(loaded, path)
    if as_json_:
        say_json(as_json(loaded) | {"costs": costs})
    else:
        say(plan_page(loaded, {c["aggregate"]: c["rows"] for c in costs if c["rows"] is not None}))


def _costs(plan: Plan, config: Path) -> list[dict[str, Any]]:
    """What a refresh of each aggregate reads: microseconds of event time, and rows where there is a lake."""
    home = home_of(config)
    rows: dict[str, int] = {}
    if home.lake.is_dir():
        from tusk_platform.runtime.costs import rows_read

        rows = rows_read(plan, home)
    return [{"aggregate": a.name, "span": refresh_span(plan, a), "rows": rows.get(a.name)} for a in plan.aggregates]


def generate(
    check_only: Annotated[bool, typer.Option("--check", help="Only say what is out of date.")] = False,  # noqa: FBT002 - an option
    config: ConfigOption = None,
) -> None:
    """The models and suites of a config into the projects beside it: what this repository commits for its own."""
    path = config_path(config)
    stale = stale_files(load_plan(shown_path(path)), path.parent)
    if not check_only:
        write_files(stale)
    for file in stale:
        done = "out of date" if check_only else "written" if stale[file] is not None else "removed"
        say(f"{done}: {shown_path(file)}")
    if check_only and stale:
        raise UsageError("generated files are out of date: run `make generated`")
