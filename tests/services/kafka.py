"""A real Kafka broker on free loopback ports, started from its jars."""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
import time
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.services.installed import kafka_jars

READY_WITHIN: Final = 60.0
STOP_WITHIN: Final = 20.0
# The short session and quorum times are for recovery after kill -9: the dead broker's registration must expire first.
_PROPERTIES: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
num.partitions=8
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
controller.quorum.election.timeout.ms=200
controller.quorum.fetch.timeout.ms=500
"""
# Two more doors, which want to know who comes; behind the second nobody else can listen.
_GUARDED: Final = """\
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller},\\
  SASL_PLAINTEXT://127.0.0.1:{sasl},SASL_SSL://127.0.0.1:{sasl_ssl}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},\\
  SASL_PLAINTEXT://127.0.0.1:{sasl},SASL_SSL://127.0.0.1:{sasl_ssl}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,\\
  SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
"""
_WHO: Final = """\
listener.name.{door}.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \\
  user_{name}="{password}";
listener.name.{door}.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.{door}.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
"""
_LOGGING: Final = """\
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d %p %c: %m%n
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
"""


def free_ports(count: int) -> list[int]:
    """So many loopback ports that nobody listens on, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]


class Broker:
    """One broker with its data in ``folder``. It keeps its ports and data over ``kill`` and ``restart``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        port, controller = self._ports = free_ports(2)
        self.guarded: dict[str, str] = {}
        self.address = f"127.0.0.1:{port}"
        self.log = folder / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._config = folder / "server.properties"
        self._config.write_text(
            _PROPERTIES.format(port=port, controller=controller, data=folder / "data"), encoding="utf-8"
        )
        (folder / "log4j2.properties").write_text(_LOGGING, encoding="utf-8")

    @property
    def connection(self) -> dict[str, str]:
        """What a config's ``connections.kafka`` would say."""
        return {"bootstrap_servers": self.address}

    def guard(self, keystore: Path, name: str, password: str) -> None:
        """Before it starts: open two doors for that name, ``guarded["sasl_plaintext"]`` and ``guarded["sasl_ssl"]``.

        ``keystore`` holds a key and its certificate.
        """
        sasl, sasl_ssl = free_ports(2)
        self.guarded = {"sasl_plaintext": f"127.0.0.1:{sasl}", "sasl_ssl": f"127.0.0.1:{sasl_ssl}"}
        port, controller = self._ports
        doors = _GUARDED.format(
            port=port, controller=controller, sasl=sasl, sasl_ssl=sasl_ssl, keystore=keystore
        ) + "".join(_WHO.format(door=door, name=name, password=password) for door in self.guarded)
        # Of a property that is said twice the last counts.
        self._config.write_text(self._config.read_text(encoding="utf-8") + doors, encoding="utf-8")

    def start(self) -> None:
        """Format the data folder the first time, start the broker, and wait until it answers."""
        if not (self.folder / "data").exists():
            cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
            # An id that starts with a dash would be read as an option.
            format_ = self._java(
                "kafka.tools.StorageTool", "format", "-c", str(self._config), f"--cluster-id={cluster}"
            )
            if format_.wait():
                raise RuntimeError(f"the data folder was not formatted:\n{self._tail()}")
        self._process = self._java("kafka.Kafka", str(self._config))
        self._wait_until_ready()

    def stop(self) -> None:
        """Stop it in order; nothing where it does not run."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """What a power cut does to the process."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start again with the same ports and data."""
        self.stop()
        self.start()

    def _java(self, main: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [
            "java",
            # Ready in half the time; a broker in a test never lives long enough to profit from full compilation.
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "-Xmx512m",
            f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}",
            "-cp",
            f"{kafka_jars()}/*",
            main,
            *arguments,
        ]
        with self.log.open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, cwd=self.folder)

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        deadline = time.monotonic() + READY_WITHIN
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                if admin.list_topics(timeout=1).brokers:
                    return
            except KafkaException:
                continue
        self.kill()
        raise RuntimeError(f"the broker did not get ready; its log ends with:\n{self._tail()}")

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
