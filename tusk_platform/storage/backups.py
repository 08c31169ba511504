"""Where backups are: a folder or a bucket with the lake's immutable files, and manifests that name those of a moment.

Each platform writes below a name of its own, so that none can touch another's. Files lie as they do in the lake,
those of a table's log below its id; a manifest is written when all that it names is there, so what is half done is seen
by nobody.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow.fs as pa_fs
from deltalake.fs import DeltaStorageHandler

from tusk_platform.errors import Unavailable, UsageError
from tusk_platform.storage.failures import explained
from tusk_platform.storage.handle import Handle

# A table's own log, the only files of it that another table in its place could have too.
LOG: Final = "_delta_log"
_SCHEMA_VERSION: Final = 1
_LAKE: Final = "lake"
_MANIFESTS: Final = "manifests"
_PART: Final = ".part"
_CHUNK: Final = 8 * 2**20

# Path of a file in the lake -> its bytes.
Files = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class TableState:
    """A table as of one commit: its files by their path in the backup, the log's own with it, and its schema as JSON.

    ``id`` is the table's own: one that was dropped and made again has another.
    """

    version: int
    files: Files
    schema: str = ""
    id: str = ""

    def in_lake(self, path: str) -> str:
        """Where a file of the backup was in the lake."""
        return path.replace(f"/{LOG}/{self.id}/", f"/{LOG}/", 1) if self.id else path


@dataclass(frozen=True, slots=True)
class Manifest:
    """All tables as of one moment, microseconds UTC. ``id`` is the platform's name and the moment.

    ``applied`` is the plan that they follow, ``logs`` the embedded logs that are read, ``continues`` the platform
    from whose backup this one was restored, ``number`` grows with each manifest of the platform,
    ``marks`` is what logs remember without which their positions mean nothing.
    """

    id: str
    made_at: int
    tables: Mapping[str, TableState]
    applied: Mapping[str, Any] | None = None
    logs: tuple[str, ...] = ()
    continues: str | None = None
    number: int = 0
    marks: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def platform(self) -> str:
        """The name below which the platform writes."""
        return self.id.split("/", 1)[0]

    @property
    def files(self) -> dict[str, int]:
        """All files of all tables."""
        return {path: size for table in self.tables.values() for path, size in table.files.items()}


@dataclass(frozen=True, slots=True)
class S3Access:
    """How a bucket is reached; the secret in clear, never to be shown."""

    endpoint: str | None = None
    region: str = "us-east-1"
    access_key: str | None = None
    secret_key: str | None = None

    @property
    def options(self) -> dict[str, str]:
        """The same in the words of delta-rs."""
        said = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_ALLOW_HTTP": "true" if (self.endpoint or "").startswith("http://") else None,
        }
        return {name: value for name, value in said.items() if value is not None}


class Backups:
    """The backups at one address: a folder, or ``s3://bucket/prefix``."""

    def __init__(self, address: str, access: S3Access | None = None) -> None:
        self.address = address
        self._local = None if address.startswith("s3://") else Path(address.removeprefix("file://"))
        if self._local is None:
            with explained(f"opening {address}"):
                handler = DeltaStorageHandler(address.rstrip("/"), (access or S3Access()).options)
            self._files: pa_fs.FileSystem = pa_fs.PyFileSystem(handler)
        else:
            self._files = pa_fs.SubTreeFileSystem(str(self._local), pa_fs.LocalFileSystem())

    def manifests(self) -> tuple[str, ...]:
        """Ids of all manifests, those of one platform from the oldest to the newest."""
        with explained(f"looking for backups in {self.address}"):
            platforms = [i.base_name for i in self._below("") if i.type == pa_fs.FileType.Directory]
            return tuple(
                f"{platform}/{i.base_name.removesuffix('.json')}"
                for platform in sorted(platforms)
                for i in sorted(self._below(f"{platform}/{_MANIFESTS}"), key=lambda i: str(i.base_name))
                if i.base_name.endswith(".json")
            )

    def read(self, manifest: str) -> Manifest:
        """A manifest; UsageError where there is none of that id."""
        path = _manifest_path(manifest)
        with explained(f"reading the manifest {manifest} in {self.address}"):
            if self._files.get_file_info(path).type != pa_fs.FileType.File:
                raise UsageError(f"{self.address} holds no manifest `{manifest}`; `tusk restore --list` shows them")
            with self._files.open_input_stream(path) as stream:
                text = stream.read()
        try:
            found = json.loads(text)
            tables = {name: TableState(**t) for name, t in found.pop("tables").items()}
            found.pop("schema_version")
            return Manifest(**{**found, "tables": tables, "logs": tuple(found["logs"])})
        except (ValueError, KeyError, TypeError) as error:
            raise Unavailable(f"the manifest {manifest} in {self.address} cannot be read: {error}") from None

    def write(self, manifest: Manifest) -> None:
        """Put a manifest there, whole or not at all."""
        content = json.dumps({"schema_version": _SCHEMA_VERSION, **asdict(manifest)}, indent=1) + "\n"
        path = _manifest_path(manifest.id)
        with explained(f"writing a manifest to {self.address}"):
            self._put(path, [content.encode()])

    def held(self, platform: str) -> dict[str, int]:
        """The files of the lake that a platform has here; those that a kill left half written are not among them."""
        with explained(f"looking for files in {self.address}"):
            found = self._below(f"{platform}/{_LAKE}", recursive=True)
            prefix = f"{platform}/{_LAKE}/"
            return {
                i.path[i.path.index(prefix) + len(prefix) :]: i.size
                for i in found
                if i.type == pa_fs.FileType.File and not i.path.endswith(_PART)
            }

    def take(self, platform: str, table: Handle, name: str, path: str) -> None:
        """Copy one file of a table, ``name`` under its folder, to its ``path`` here.

        A folder of the same file system shares the file instead: it never changes, so that is as good and is free.
        """
        target = f"{platform}/{_LAKE}/{path}"
        with explained(f"copying {path} to {self.address}"):
            if self._local is not None and table.folder.local is not None:
                share(table.folder.local / name, self._local / target)
                return
            with table.folder.files.open_input_stream(name) as source:
                self._put(target, iter(lambda: source.read(_CHUNK), b""))

    def give(self, platform: str, path: str, target: Path) -> None:
        """Copy one file of the lake from here to a file on this machine."""
        source = f"{platform}/{_LAKE}/{path}"
        with explained(f"copying {path} from {self.address}"):
            if self._local is not None:
                share(self._local / source, target)
                return
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(target.name + _PART)
            with self._files.open_input_stream(source) as stream, part.open("wb") as sink:
                shutil.copyfileobj(stream, sink, _CHUNK)
                sink.flush()
                os.fsync(sink.fileno())
            part.replace(target)

    def forget(self, platform: str, *, manifests: Collection[str] = (), files: Collection[str] = ()) -> None:
        """Delete manifests, then files of the lake; what cannot be deleted now is found by the next backup."""
        for path in (*map(_manifest_path, manifests), *(f"{platform}/{_LAKE}/{path}" for path in files)):
            with suppress(OSError):
                self._files.delete_file(path)

    def _put(self, path: str, pieces: Iterable[bytes]) -> None:
        """Write a file, whole or not at all."""
        if self._local is None:
            # Without a buffer between, delta-rs gets pyarrow's own buffers, which it does not take.
            with self._files.open_output_stream(path, buffer_size=_CHUNK) as upload:
                for piece in pieces:
                    upload.write(piece)
            return
        target = self._local / path
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(target.name + _PART)
        with draft.open("wb") as sink:
            sink.writelines(pieces)
            sink.flush()
            os.fsync(sink.fileno())
        draft.replace(target)

    def _below(self, folder: str, *, recursive: bool = False) -> list[pa_fs.FileInfo]:
        selector = pa_fs.FileSelector(folder, recursive=recursive, allow_not_found=True)
        found: list[pa_fs.FileInfo] = self._files.get_file_info(selector)
        return found


def share(source: Path, target: Path) -> None:
    """The same file under another name, by a link where the file system has them, else as a copy that is on disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + _PART)
    part.unlink(missing_ok=True)
    try:
        os.link(source, part)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, part)
        descriptor = os.open(part, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    part.replace(target)
    part.unlink(missing_ok=True)  # where both were one file already, replacing did nothing


def _manifest_path(manifest: str) -> str:
    platform, _, moment = manifest.partition("/")
    if not moment or "/" in moment or ".." in manifest:
        raise UsageError(f"`{manifest}` is no id of a manifest; `tusk restore --list` shows them")
    return f"{platform}/{_MANIFESTS}/{moment}.json"
