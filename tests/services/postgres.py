"""A real PostgreSQL server on a free loopback port, with logical replication on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, LiteralString

import psycopg
from psycopg.sql import Composed

from tests.services.installed import postgres_programs
from tests.services.kafka import free_ports
from tests.services.service import Service

# Without fsync a killed server loses nothing, a machine without power would: tests kill servers only.
# Time zone and style of dates are such that whoever relies on the usual ones is found out.
_SETTINGS: Final = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
wal_level = logical
max_wal_senders = 20
max_replication_slots = 40
max_connections = 60
fsync = off
shared_buffers = 64MB
timezone = 'America/New_York'
datestyle = 'German'
"""


class Server(Service):
    """One server. Its user must be let into ``folder``: not one of pytest's own."""

    def __init__(self, folder: Path, settings: str = "") -> None:
        super().__init__(folder, "postgres")
        [self.port] = free_ports(1)
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        self._data = folder / "data"
        self._settings = _SETTINGS.format(port=self.port) + settings

    @property
    def connection(self) -> dict[str, str]:
        """What a config's ``connections.database`` would say."""
        return {"url": self.url}

    def command(self) -> Sequence[str]:
        return [*_as_postgres(), str(postgres_programs() / "postgres"), "-D", str(self._data)]

    def is_ready(self) -> bool:
        try:
            self.execute("select 1")
        except psycopg.OperationalError:
            return False
        return True

    def start(self) -> None:
        """Make the data folder the first time, start the server, and wait until it answers."""
        if not self._data.exists():
            self._make()
        super().start()

    def stop(self) -> None:
        """Stop it in order, whoever is connected; nothing where it does not run."""
        self._end(signal.SIGINT)

    def execute(self, sql: LiteralString | Composed, *values: object) -> list[tuple[Any, ...]]:
        """The rows of a statement, in a transaction of its own."""
        with psycopg.connect(self.url, autocommit=True, options="-c datestyle=ISO -c timezone=UTC") as connection:
            cursor = connection.execute(sql, values or None)
            return cursor.fetchall() if cursor.description else []

    def _make(self) -> None:
        if os.geteuid() == 0:  # the server refuses to run as root
            shutil.chown(self.folder, "postgres", "postgres")
        initdb = [*_as_postgres(), str(postgres_programs() / "initdb"), "-D", str(self._data)]
        options = ["-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"]
        done = subprocess.run([*initdb, *options], capture_output=True, text=True, check=False, cwd=self.folder)
        if done.returncode:
            raise RuntimeError(f"initdb failed:\n{done.stdout}\n{done.stderr}")
        with (self._data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write(self._settings)


def _as_postgres() -> list[str]:
    """What turns root into the server's user and then is the server, so that its process id is ours."""
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] if os.geteuid() == 0 else []
