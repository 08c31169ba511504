"""A real PostgreSQL server on a free loopback port, with logical replication on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.abc import Query

from tests.services.installed import postgres_programs
from tests.services.kafka import free_ports

READY_WITHIN: Final = 60.0
STOP_WITHIN: Final = 20.0
# Without fsync a killed server loses nothing, a machine without power would: tests kill servers only.
_SETTINGS: Final = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
wal_level = logical
max_wal_senders = 16
max_replication_slots = 16
max_connections = 60
fsync = off
shared_buffers = 64MB
max_slot_wal_keep_size = 4GB
timezone = 'America/New_York'
datestyle = 'German'
"""


class Server:
    """One server with its data in ``folder``. It keeps its port and data over ``kill`` and ``restart``.

    Its user must be let into the folder: not one of pytest's own.
    Its time zone and the style of its dates are such that whoever relies on the usual ones is found out.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        [self.port] = free_ports(1)
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self.log = folder / "server.log"
        self._data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def connection(self) -> dict[str, str]:
        """What a config's ``connections.database`` would say."""
        return {"url": self.url}

    def start(self) -> None:
        """Make the data folder the first time, start the server, and wait until it answers."""
        if not self._data.exists():
            if os.geteuid() == 0:  # the server refuses to run as root
                shutil.chown(self.folder, "postgres", "postgres")
            self._run("initdb", "-D", str(self._data), "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8")
            with (self._data / "postgresql.conf").open("a", encoding="utf-8") as file:
                file.write(_SETTINGS.format(port=self.port))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*_as_postgres(), str(postgres_programs() / "postgres"), "-D", str(self._data)],
                stdout=log, stderr=log, start_new_session=True, cwd=self.folder,
            )  # fmt: skip
        self._wait_until_ready()

    def stop(self) -> None:
        """Stop it in order, whoever is connected; nothing where it does not run."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """What a power cut does to the server; its children notice that it is gone."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start again with the same port and data."""
        self.stop()
        self.start()

    def execute(self, sql: Query, *values: object) -> list[tuple[Any, ...]]:
        """The rows of a statement, in a transaction of its own."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(sql, values or None)
            return cursor.fetchall() if cursor.description else []

    def _run(self, program: str, *arguments: str) -> None:
        command = [*_as_postgres(), str(postgres_programs() / program), *arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=self.folder, env={**os.environ, "LC_ALL": "C.UTF-8"}
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stdout}\n{done.stderr}")

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + READY_WITHIN
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                self.execute("select 1")
            except psycopg.OperationalError:
                continue
            return
        self.kill()
        raise RuntimeError(f"the server did not get ready; its log ends with:\n{self._tail()}")

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        os.kill(process.pid, how)
        try:
            process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _tail(self) -> str:
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])


def _as_postgres() -> list[str]:
    """What turns root into the server's user and then is the server, so that its process id is ours."""
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] if os.geteuid() == 0 else []
