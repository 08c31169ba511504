"""The program as a person calls it: a process of its own, with a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:  # noqa: ANN401 - whatever the command prints
        """Standard output as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Tusk:
    """A config in a folder, and the commands over it."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def configure(self, text: str) -> Path:
        """Write the config that all commands use."""
        path = self.folder / "platform.tsk"
        path.write_text(text)
        return path

    def call(self, *arguments: str, stdin: bytes | None = None, timeout: float = 600) -> Answer:
        """Run a command to its end, whatever its exit code."""
        done = subprocess.run(
            [self.program, *arguments], cwd=self.folder, env=self.full_environment(), input=stdin, capture_output=True,
            timeout=timeout, check=False,
        )  # fmt: skip
        return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())

    def __call__(self, *arguments: str, stdin: bytes | None = None) -> Answer:
        """Run a command that must succeed."""
        answer = self.call(*arguments, stdin=stdin)
        assert answer.code == 0, f"tusk {' '.join(arguments)} ended with {answer.code}\n{answer.out}\n{answer.err}"
        return answer

    def sql(self, statement: str) -> list[dict[str, Any]]:
        """Rows of a query."""
        rows: list[dict[str, Any]] = self("sql", statement, "--format", "json").json()
        return rows

    def start(self, *arguments: str, log: Path | None = None) -> subprocess.Popen[bytes]:
        """Start a command that stays; the caller ends it."""
        output = (log or self.folder / "output.log").open("ab")
        with output:
            return subprocess.Popen(
                [self.program, *arguments], cwd=self.folder, env=self.full_environment(), stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    @property
    def program(self) -> str:
        """The program of this very environment."""
        return str(Path(sys.executable).parent / "tusk")

    def full_environment(self) -> dict[str, str]:
        """The environment of the commands: the caller's, without settings of their own platform."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("TUSK_", "DAGSTER_"))}
        return {**clean, **self.environment}
