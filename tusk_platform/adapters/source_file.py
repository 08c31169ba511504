"""Files as a source: one or many by a glob, lines of JSON or CSV, packed with gzip or not, or Parquet.

Files that grow may be rotated: see `file_generations`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from tusk_platform.adapters.file_formats import CsvLines, JsonLines, ParquetRows, Place, Reader, Taken
from tusk_platform.adapters.file_generations import Generations, Moving, Seen, look
from tusk_platform.errors import Refused, Unavailable, UsageError
from tusk_platform.plan.nodes import Stream
from tusk_platform.ports import Batch, Budget, Chunk, Position, SourceContext
from tusk_platform.sections.block import Block
from tusk_platform.sections.fields import PlainText, came, wrong
from tusk_platform.storage.log import OF_FILES, EventLog

Format = Literal["ndjson", "csv", "parquet"]

_FORMATS: Final[Mapping[str, Format]] = {
    ".ndjson": "ndjson", ".jsonl": "ndjson", ".json": "ndjson",
    ".csv": "csv", ".tsv": "csv",
    ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
# How often a waiting reader looks whether a file grew.
_LOOK_EVERY: Final = 0.2
# Looks at files that are being rotated, and seconds between them, before what they say is believed.
_LOOKS: Final = 20
_BETWEEN: Final = 0.02


def _one_character(text: str) -> str:
    if len(text) != 1 or text in '"\r\n':
        raise wrong(f"expected one character, got {came(text)}", 'such as `";"`')
    return text


def _lines_of_json(value: object) -> object:
    """JSON in a file is an object a line; a config may call it by either name."""
    return "ndjson" if value == "json" else value


class FileOptions(Block):
    """Keys of a ``file`` stream. ``live``: the files grow and new ones appear; else they are read once, as history."""

    path: PlainText = Field(
        description="One file or many by a glob, relative to the config.", examples=["data/*.ndjson"]
    )
    format: Annotated[Format | None, BeforeValidator(_lines_of_json)] = Field(
        default=None, description="What the files hold; not said: by the ending of the path.", examples=["ndjson"]
    )
    live: bool = Field(
        default=False, description="Files that still grow, instead of files that are complete.", examples=[True]
    )
    delimiter: Annotated[PlainText, AfterValidator(_one_character)] | None = Field(
        default=None, description="What stands between values of CSV; not said: a comma, in .tsv a tab.", examples=[";"]
    )

    @model_validator(mode="after")
    def _says_its_format(self) -> FileOptions:
        if self.chosen_format is None:
            hint = f"endings that say it: {', '.join(f'`{e}`' for e in _FORMATS)}, and `.gz` after a text format"
            raise wrong("the path does not say what the files hold, and `format` is missing", hint, at=("path",))
        return self

    @property
    def chosen_format(self) -> Format | None:
        """The format, by the ending of the path where it is not stated."""
        return self.format or _FORMATS.get(Path(self.path.removesuffix(".gz")).suffix.lower())


class FileSource:
    """Each file is a partition; a file is read to its end before the next is begun."""

    def __init__(self, options: FileOptions, folder: Path, log: EventLog) -> None:
        self._options = options
        self._folder = folder
        # A Parquet file does not grow: whoever adds to it writes it anew.
        lines = options.live and options.chosen_format != "parquet"
        self._generations = Generations(log) if lines else None
        self._places: tuple[Place, ...] = ()
        self._open: tuple[Place, Reader] | None = None
        # Ends that were reached: the position that a reader has then, and what the file looked like.
        self._ended: dict[str, tuple[int, tuple[int, int]]] = {}

    def partitions(self) -> tuple[str, ...]:
        """The files, as the path in the config names them."""
        return tuple(p.partition for p in self._found())

    def read(self, position: Position, budget: Budget) -> Batch:
        """Records of the files in the order of their names; at the end of all, waits for more to come."""
        deadline = time.monotonic() + budget.seconds
        ended_before = len(self._ended)
        while True:
            try:
                batch = self._read(position, budget.rows)
            except Moving:
                self._let_go()
                continue
            left = deadline - time.monotonic()
            # A reader who wants all there is must not wait for more once the last end is reached.
            if batch.chunks or left <= 0 or len(self._ended) > ended_before:
                return batch
            time.sleep(min(left, _LOOK_EVERY))

    def acknowledge(self, position: Position) -> None:
        """Nobody to tell."""

    def lag(self, position: Position) -> int | None:
        """Nothing where all files are read; else known only of Parquet, which says how many rows it has."""
        total = 0
        for place in self._found():
            offset = position.get(place.partition, 0)
            if self._at_end(place, offset):
                continue
            reader = self._reader(place)
            if not isinstance(reader, ParquetRows):
                return None
            total += reader.count - offset
        return total

    def whole(self) -> bool:
        """What is there of a file begins where the file began; one that is gone is no partition."""
        return True

    def close(self) -> None:
        """Let go of the file that is open."""
        self._let_go()
        if self._generations is not None:
            self._generations.close()

    def _let_go(self) -> None:
        if self._open is not None:
            self._open[1].close()
        self._open = None

    def _read(self, position: Position, rows: int) -> Batch:
        chunks: list[Chunk] = []
        at_end: set[str] = set()
        for place in self._found():
            offset = position.get(place.partition, 0)
            if not self._at_end(place, offset):
                if not rows:
                    continue
                taken = self._take(place, offset, rows)
                chunks += taken.chunks
                rows -= taken.rows
                if not taken.ended:
                    continue
            at_end.add(place.partition)
        return Batch(tuple(chunks), frozenset(at_end))

    def _take(self, place: Place, offset: int, rows: int) -> Taken:
        try:
            # Before reading: what is appended meanwhile must show as a change.
            looks = _looks(place.path)
            taken = self._reader(place).take(offset, rows)
        except Refused:
            self._check(place, offset)
            raise
        except OSError as error:
            self._let_go()
            raise Unavailable(f"file {place.path} cannot be read: {error.strerror or error}") from error
        self._check(place, taken.chunks[-1].next_offset if taken.chunks else offset)
        if taken.ended:
            self._ended[place.partition] = (taken.chunks[-1].next_offset if taken.chunks else offset, looks)
            self._let_go()
        return taken

    def _check(self, place: Place, upto: int) -> None:
        """What was read is of the file that was meant, or Moving."""
        if self._generations is not None:
            self._generations.read(place.partition, place.path, upto)

    def _at_end(self, place: Place, offset: int) -> bool:
        end, looks = self._ended.get(place.partition, (-1, (0, 0)))
        if end != offset:
            return False
        try:
            return looks == _looks(place.path)
        except OSError:
            return True  # it is gone, and all of it was read

    def _reader(self, place: Place) -> Reader:
        if self._open is None or self._open[0] != place:
            self._let_go()
            self._open = (place, _open(place, self._options.chosen_format))
        return self._open[1]

    def _found(self) -> tuple[Place, ...]:
        if self._generations is not None:
            return self._generations_found(self._generations)
        if not self._places or self._options.live:
            self._places = tuple(Place(self._name(p), p, self._options.live, self._delimiter()) for p in self._look())
        return self._places

    def _generations_found(self, generations: Generations) -> tuple[Place, ...]:
        """The files by what they are. A rotation takes a moment, in which they may seem to be lost."""
        for _ in range(_LOOKS):
            try:
                found = generations.find(self._seen())
            except (Moving, Refused) as error:
                trouble = error
                time.sleep(_BETWEEN)
                continue
            return tuple(Place(f.partition, f.file.path, not f.finished, self._delimiter()) for f in found)
        if isinstance(trouble, Refused):
            raise trouble
        raise Unavailable(f"the files of `{self._options.path}` are rotated faster than they can be looked at")

    def _seen(self) -> list[Seen]:
        """The files that are meant, and where there is only one, those beside it whose names begin like its own."""
        wanted = self._look()
        exact = self._folder / self._options.path
        alone = exact.is_file() or not set(self._options.path) & set("*?[")
        beside = (
            sorted(p for p in exact.parent.iterdir() if p.name.startswith(exact.name) and p != exact) if alone else []
        )
        found = [look(self._name(p), p) for p in wanted]
        found += [look(self._name(p), p, wanted=False) for p in beside if p.is_file()]
        return [f for f in found if f is not None]

    def _look(self) -> list[Path]:
        options = self._options
        exact = self._folder / options.path
        if exact.is_file():
            paths = [exact]
        else:
            pattern = Path(options.path)
            base = Path(pattern.anchor) if pattern.is_absolute() else self._folder
            paths = sorted(p for p in base.glob(str(pattern.relative_to(pattern.anchor))) if p.is_file())
        if not paths and not (options.live and exact.parent.is_dir()):
            raise UsageError(f"no file found for `{options.path}`: looked for {exact.absolute()}")
        return paths

    def _delimiter(self) -> str:
        path = self._folder / self._options.path
        return self._options.delimiter or ("\t" if ".tsv" in path.suffixes else ",")

    def _name(self, path: Path) -> str:
        name = path.as_posix() if Path(self._options.path).is_absolute() else path.relative_to(self._folder).as_posix()
        # The lake keeps other things under bare words (`batch`, `watermark`); a file may have such a name.
        return name if {".", "/"} & set(name) else f"./{name}"


def _looks(path: Path) -> tuple[int, int]:
    """What changes when a file is written to: size and time."""
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


def _open(place: Place, file_format: Format | None) -> Reader:
    match file_format:
        case "csv":
            return CsvLines(place)
        case "parquet":
            return ParquetRows(place)
    return JsonLines(place)


class FileAdapter:
    """``source = "file"``."""

    name: str = "file"
    connection: str | None = None
    stand_in: str | None = None
    free_form: bool = True
    replay: bool = True
    event_time: str | None = None
    columns: tuple[tuple[str, str], ...] = ()
    options = FileOptions

    def check_options(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Validated options of one stream, the format filled in."""
        options = FileOptions.model_validate(values)
        return {**options.model_dump(mode="json"), "format": options.chosen_format}

    def open(self, stream: Stream, context: SourceContext) -> FileSource:
        """A reader of the stream's files; they are looked for on first use."""
        log = EventLog(context.log_folder, f"{stream.name}{OF_FILES}")
        return FileSource(FileOptions.model_construct(**stream.options), context.config_folder, log)


adapter = FileAdapter()
