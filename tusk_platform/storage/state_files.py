"""Small files of the state folder: JSON that is read whole and replaced in one step."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tusk_platform.errors import Unavailable


def read_state(path: Path) -> Any:  # noqa: ANN401 - any JSON
    """What a file holds, None where it is not there; Unavailable where it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise Unavailable(f"{path} cannot be read: {error}") from None


def write_state(path: Path, value: object) -> None:
    """Put a value into a file, whole or not at all."""
    draft = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise Unavailable(f"writing {path}: {error}") from error
