"""`[a.b]` headers: their paths, and the tables they open in what was read so far."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from tusk_platform.errors import Span
from tusk_platform.tsk.cursor import Cursor
from tusk_platform.tsk.drafts import Draft, Slot
from tusk_platform.tsk.source import MOST_NESTING, shown
from tusk_platform.tsk.words import KEY

_PIECE: Final = re.compile(r"[^.]+|\.")
_HEADER_FORM: Final = "a header is `[name]` or `[a.b]`"


class Part(NamedTuple):
    """One name of a header's path and where it stands."""

    name: str
    start: int
    end: int


class Section(NamedTuple):
    """The table below a header. ``repeated``: it was opened before, so its keys may well be there twice."""

    table: Draft
    path: tuple[str, ...]
    repeated: bool = False


class Headers:
    """Opens the tables of one file's headers."""

    def __init__(self, cursor: Cursor, root: Draft) -> None:
        self._cursor = cursor
        self._root = root
        # Keys that a header contradicts; a second header does not repeat the complaint.
        self._contradicted: set[Span] = set()

    def open(self) -> Section:
        """The table that the header at the cursor opens; one that belongs to nothing where the header is wrong."""
        cursor = self._cursor
        cursor.quiet, cursor.path = False, []
        start, double = cursor.peek.start, cursor.tokens[cursor.at + 1].kind == "["
        parts = self._parts()
        end = cursor.tokens[cursor.at - 1].end
        span = cursor.source.span(start, end)
        if not parts:
            text = shown(cursor.source.text[start:end])
            hint = f"{_HEADER_FORM}; a list needs a key: `name = {text}`"
            if double:
                hint = "tables in a list are written `name = [{ ... }, { ... }]`"
            cursor.give_up(start, end, f"`{text}` is not a header", hint)
            return Section(Draft(span), ())
        if len(parts) > MOST_NESTING:
            cursor.give_up(start, end, f"nested deeper than {MOST_NESTING} levels", "write it flatter")
            return Section(Draft(span), ())
        cursor.path = [part.name for part in parts]
        return self._descend(parts, span)

    def _parts(self) -> list[Part]:
        """The names between the brackets; none where it is no path."""
        cursor = self._cursor
        cursor.take()
        parts: list[Part] = []
        name_next, fine = True, True
        while cursor.peek.kind not in ("]", "end"):
            if cursor.peek.kind in ("[", "{", "("):
                cursor.skip_brackets()
                fine = False
                continue
            token = cursor.take()
            if token.kind == "word":
                pieces = [
                    Part(p.group(), token.start + p.start(), token.start + p.end())
                    for p in _PIECE.finditer(token.value)
                ]
            else:
                pieces = [Part(token.value, token.start, token.end)]
                on_one_line = token.kind == "string" and token.value != "" and "\n" not in token.value
                fine = fine and on_one_line and name_next
            for piece in pieces:
                is_dot = token.kind == "word" and piece.name == "."
                named = token.kind == "string" or KEY.fullmatch(piece.name) is not None
                fine = fine and (named if name_next else is_dot)
                name_next = is_dot
                if not is_dot:
                    parts.append(piece)
        cursor.take()
        return parts if fine and not name_next else []

    def _descend(self, parts: list[Part], span: Span) -> Section:
        cursor, draft = self._cursor, self._root
        path = tuple(part.name for part in parts)
        for part in parts:
            slot = draft.slots.get(part.name)
            if slot is None:
                opened = Draft(span, declared=False)
                draft.slots[part.name] = Slot(cursor.source.span(part.start, part.end), opened)
                draft = opened
            elif isinstance(slot.value, Draft):
                draft = slot.value
            else:
                self._contradict(part, slot)
                return Section(Draft(span), path)
        if draft.declared:
            where = f"line {draft.span.line}"
            hint = "put all its keys under the first"
            name = ".".join(path)
            cursor.complain(parts[0].start, parts[-1].end, f"the table `{name}` is given twice, first at {where}", hint)
            return Section(draft, path, repeated=True)
        draft.declared, draft.span = True, span
        return Section(draft, path)

    def _contradict(self, part: Part, slot: Slot) -> None:
        if slot.key_span in self._contradicted:
            return
        self._contradicted.add(slot.key_span)
        message = f"`{part.name}` is already a value (line {slot.key_span.line}), so it cannot be a table as well"
        hint = f"rename one of them, or write `{part.name} = {{ ... }}` there"
        self._cursor.complain(part.start, part.end, message, hint)
