"""What is typed wrongly is told in a few lines, with exit code 1 and never with a traceback; help is there for all."""

from __future__ import annotations

import pytest
import typer.main
from typer.core import TyperGroup

from tests.unit.cli.conftest import Tusk
from tusk_platform.cli.main import app

group = typer.main.get_command(app)
assert isinstance(group, TyperGroup)
COMMANDS = group.commands
SHOWN = [name for name, command in COMMANDS.items() if not command.hidden]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(tusk: Tusk, command: str) -> None:
    answer = tusk(command, "--help")

    assert (answer.code, answer.err) == (0, "")
    assert f"Usage: tusk {command} " in answer.out
    for parameter in COMMANDS[command].params:
        for option in parameter.opts if parameter.param_type_name == "option" else []:
            assert option in answer.out
            assert getattr(parameter, "help", None)


def test_help_lists_the_commands_for_people(tusk: Tusk) -> None:
    answer = tusk("--help")

    assert answer.code == 0
    for command in COMMANDS:
        assert (f" {command} " in answer.out) == (command in SHOWN)
        assert COMMANDS[command].help


@pytest.mark.parametrize("command", SHOWN)
def test_every_command_takes_a_config_or_files(command: str) -> None:
    options = {o for p in COMMANDS[command].params for o in p.opts}

    assert "--config" in options or "files" in options


def test_without_a_command_help_is_shown(tusk: Tusk) -> None:
    answer = tusk()

    assert "Usage: tusk" in answer.out + answer.err
    assert answer.code in {0, 1}


@pytest.mark.parametrize(
    "arguments",
    [
        ["chekc"],
        ["check", "--conect"],
        ["check", "--config"],
        ["plan", "a.tsk", "b.tsk"],
        ["parse"],
        ["ingest"],
        ["sql"],
        ["sql", "select 1", "--format", "xml"],
        ["up", "--port-base", "many"],
        ["publish"],
        ["--verson"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_the_users_mistake(tusk: Tusk, arguments: list[str]) -> None:
    answer = tusk(*arguments)

    assert answer.code == 1
    assert answer.out == ""
    assert "Error" in answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize(
    ("typed", "meant"),
    [(["chekc"], "check"), (["check", "--conect"], "--connect"), (["sql", "x", "--formt"], "--format")],
)
def test_the_nearest_is_offered(tusk: Tusk, typed: list[str], meant: str) -> None:
    assert meant in tusk(*typed).err
