"""The command ``restore``: a lake from a backup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tusk_platform.cli.difference_words import counted
from tusk_platform.cli.files import shown_path
from tusk_platform.cli.output import ConfigOption, JsonOption, progress, say, say_json, table
from tusk_platform.runtime.environment import config_path, home_of

if TYPE_CHECKING:
    from tusk_platform.jobs.restore import Backup


def register(app: typer.Typer) -> None:
    """Add this command to the program."""
    app.command("restore")(restore)


def restore(
    *,
    place: Annotated[
        str | None, typer.Option("--from", metavar="DIR", help="Where the backups are; else where the config says.")
    ] = None,
    manifest: Annotated[
        str | None, typer.Option("--manifest", metavar="ID", help="The backup, by its id; else the newest.")
    ] = None,
    only_list: Annotated[bool, typer.Option("--list", help="Only show the backups that are there.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """The lake of a new or emptied state folder from a backup; reading goes on from where the backup stood."""
    from tusk_platform.compile import load_plan
    from tusk_platform.runtime.apply import moment
    from tusk_platform.runtime.backups import list_backups, place_to_restore_from
    from tusk_platform.runtime.backups import restore as restore_home

    path = config_path(config)
    home = home_of(path)
    backups = place_to_restore_from(load_plan(shown_path(path)), home, path, place)
    if only_list:
        found = [_row(b) for b in list_backups(backups)]
        if as_json:
            say_json(found)
        else:
            say(table(found, ("manifest", "made_at", "tables", "bytes", "continued")))
        return
    with progress("restoring"):
        done = restore_home(backups, home, chosen=manifest, command="tusk restore")
    if as_json:
        say_json({
            "manifest": done.manifest,
            "made_at": f"{moment(done.made_at).replace(' ', 'T')}Z",
            "tables": done.tables,
            "bytes": done.bytes,
            "logs": dict(done.logs),
        })  # fmt: skip
        return
    say(f"{counted(done.tables, 'table')} of {moment(done.made_at)} UTC ({done.bytes} bytes) are in {home.lake}")
    for stream, offset in sorted(done.logs.items()):
        say(f"  the log of {stream} goes on at {offset}")
    say("reading goes on from there with the next start")


def _row(backup: Backup) -> dict[str, object]:
    from tusk_platform.runtime.apply import moment

    return {
        "manifest": backup.manifest,
        "made_at": f"{moment(backup.made_at).replace(' ', 'T')}Z",
        "tables": backup.tables,
        "bytes": backup.bytes,
        "continued": backup.continued,
    }
