"""The one folder that holds all state, and the names inside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Home:
    """Paths under ``TUSK_HOME``. Deleting the folder is a clean start, copying it is a backup."""

    root: Path

    @property
    def lake(self) -> Path:
        """Delta tables, a folder a table."""
        return self.root / "lake"

    @property
    def log(self) -> Path:
        """The embedded durable log, a file a stream."""
        return self.root / "log"

    @property
    def leases(self) -> Path:
        """Lock files, one a stream and duty."""
        return self.root / "leases"

    @property
    def dagster(self) -> Path:
        """``DAGSTER_HOME``."""
        return self.root / "dagster"

    @property
    def mlflow(self) -> Path:
        """MLflow's database and artifacts."""
        return self.root / "mlflow"

    @property
    def docs(self) -> Path:
        """Data Docs and reports."""
        return self.root / "docs"

    @property
    def scratch(self) -> Path:
        """What may be deleted at any time: dbt targets and logs, GX stores, files on their way into a table."""
        return self.root / "scratch"

    @property
    def circuits(self) -> Path:
        """Connections that are left alone just now, a file each."""
        return self.scratch / "circuits"

    @property
    def stopping(self) -> Path:
        """While this file is there, ticks end after the batch in hand."""
        return self.root / "stopping"

    @property
    def logs(self) -> Path:
        """Output of the processes of ``tusk up``."""
        return self.root / "logs"

    @property
    def build(self) -> Path:
        """Generated projects, a folder a plan fingerprint."""
        return self.root / "build"

    @property
    def maintained(self) -> Path:
        """When each table was last looked after."""
        return self.root / "maintained.json"

    @property
    def checkpoints(self) -> Path:
        """Backups, where the place that the config names cannot be reached."""
        return self.root / "checkpoints"

    @property
    def backed_up(self) -> Path:
        """The name below which this platform backs up, and when it last did."""
        return self.root / "backups.json"

    @property
    def restoring(self) -> Path:
        """A lake that is being restored."""
        return self.root / "restoring"

    @property
    def restore_begun(self) -> Path:
        """While this file is there, a restore was begun and not finished; it names the manifest."""
        return self.restoring / "manifest"

    @property
    def applied(self) -> Path:
        """The plan that the tables follow."""
        return self.root / "applied.json"

    @property
    def current(self) -> Path:
        """Link to the build that was applied last."""
        return self.build / "current"
