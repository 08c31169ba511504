"""A real Mosquitto broker on a free loopback port."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from tests.services.kafka import free_ports
from tests.services.service import Service

# Saved with every change: what is promised of a broker that keeps its promises must not fail for one that does not.
_SETTINGS: Final = """\
listener {port} 127.0.0.1
persistence true
persistence_location {data}/
autosave_interval 1
autosave_on_changes true
max_queued_messages 100000
"""
_CONNECT: Final = 5.0


class Mosquitto(Service):
    """One broker. ``settings`` are more lines of its file; ``login`` is the only name and password it takes."""

    def __init__(self, folder: Path, settings: str = "", login: tuple[str, str] | None = None) -> None:
        super().__init__(folder, "mosquitto")
        [self.port] = free_ports(1)
        (folder / "data").mkdir()
        lines = _SETTINGS.format(port=self.port, data=folder / "data")
        if login:
            passwords = folder / "passwords"
            subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), *login], check=True, capture_output=True)
            lines += f"allow_anonymous false\npassword_file {passwords}\n"
        else:
            lines += "allow_anonymous true\n"
        self._config = folder / "mosquitto.conf"
        self._config.write_text(f"{lines}user root\n{settings}", encoding="utf-8")

    @property
    def connection(self) -> dict[str, Any]:
        """What a config's ``connections.mqtt`` would say."""
        return {"host": "127.0.0.1", "port": self.port}

    def command(self) -> Sequence[str]:
        return [shutil.which("mosquitto") or "/usr/sbin/mosquitto", "-c", str(self._config)]

    def is_ready(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), _CONNECT).close()
        except OSError:
            return False
        return True

    def publish(self, topic: str, *payloads: bytes, retain: bool = False, qos: int = 1) -> None:
        """Send messages in order, confirmed on return."""
        client = Client(CallbackAPIVersion.VERSION2)
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        for sent in [client.publish(topic, payload, qos=qos, retain=retain) for payload in payloads]:
            sent.wait_for_publish(_CONNECT)
        client.disconnect()
        client.loop_stop()
