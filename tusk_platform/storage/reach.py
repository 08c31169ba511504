"""What the log says of the event times in a raw table's files, without opening one."""

from __future__ import annotations

from collections.abc import Collection

import pyarrow as pa
import pyarrow.compute as pc

from tusk_platform.core.schema import TIMESTAMP
from tusk_platform.storage.handle import Handle

# The log keeps times to the millisecond, cut off.
_CUT_OFF = 999


def newest_event(raw: Handle, files: Collection[str], *, otherwise: int) -> int | None:
    """A time that no good event in these files is after, None without any; ``otherwise`` where the log does not say."""
    found = _times(raw, "max._event_time", files)
    if found is None:
        return otherwise
    return int(pc.max(found).as_py()) + _CUT_OFF if len(found) else None


def oldest_event(raw: Handle) -> int | None:
    """A time that no good event of the table is before; None where there is none, or the log does not say."""
    found = _times(raw, "min._event_time", None)
    return None if found is None or not len(found) else int(pc.min(found).as_py())


def _times(raw: Handle, column: str, files: Collection[str] | None) -> pa.ChunkedArray | None:
    """The statistics of the files with good events; None where one of them has none."""
    actions = pa.table(raw.delta.get_add_actions(flatten=True))
    if column not in actions.column_names:
        return None if actions.num_rows else pa.chunked_array([[]], pa.int64())
    good = pc.equal(actions["partition._status"], "ok")
    if files is not None:
        good = pc.and_(good, pc.is_in(actions["path"], pa.array(sorted(files), pa.string())))
    times = actions.filter(good)[column].cast(TIMESTAMP).cast(pa.int64())
    return None if times.null_count else times
