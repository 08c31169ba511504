"""From a position in a file to its place in the config: under which keys it stands, and what is written there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from tusk_platform.editor.buffer import Buffer
from tusk_platform.tsk.brackets import starts_entry
from tusk_platform.tsk.tokens import CLOSER_OF, CLOSERS, SEPARATORS, SIGNS, Token

Path = tuple[str | int, ...]
Role = Literal["key", "value", "item", "argument", "header", "comment", "nothing"]

# A comment that has not ended, at the end of what stands between two tokens.
_IN_COMMENT: Final = re.compile(r"(?:^|\n)(?:[^\n]*?\*/)?[^\n]*?(?://|\#)[^\n]*\Z|/\*(?:(?!\*/).)*\Z", re.DOTALL)
_PIECE: Final = re.compile(r"[^.]+")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a position stands.

    ``path`` is that of the key or value there; for a key it ends with the key as it is written now. ``start`` and
    ``end`` are the offsets of the word or text at the position, equal where there is none; ``text`` is what it says.
    """

    role: Role
    path: Path
    start: int
    end: int
    text: str = ""
    quoted: bool = False
    signed: bool = False

    @property
    def table(self) -> Path:
        """The path of the table that a key stands in."""
        return self.path[:-1]


@dataclass(slots=True)
class _Frame:
    """An open bracket: what it belongs to, and what may come next in it."""

    opener: Token
    path: Path
    key: str = ""
    stage: Literal["key", "sign", "value"] = "key"
    index: int = 0


@dataclass(slots=True)
class _Walk:
    """Where reading stands, after the tokens so far."""

    frames: list[_Frame] = field(default_factory=lambda: [_Frame(Token("{", -1, -1, 0, fresh=True), ())])
    header: list[str] | None = None

    @property
    def top(self) -> _Frame:
        """The innermost open bracket."""
        return self.frames[-1]

    def read(self, tokens: list[Token], at: int) -> None:
        """Go past one token."""
        token = tokens[at]
        if self.header is not None:
            self._read_header(token)
        elif token.kind in CLOSER_OF:
            self._open(token)
        elif token.kind in CLOSERS:
            self._close()
        elif self.top.opener.kind == "{":
            self._read_entry(tokens, at)
        elif token.kind in SEPARATORS:
            self.top.index += 1

    def _read_header(self, token: Token) -> None:
        if token.kind == "]":
            self.frames = [_Frame(self.frames[0].opener, tuple(self.header or ()))]
            self.header = None
        elif token.kind == "word" and self.header is not None:
            self.header += [p.group() for p in _PIECE.finditer(token.value)]
        elif token.kind == "string" and self.header is not None:
            self.header.append(token.value)

    def _open(self, token: Token) -> None:
        top = self.top
        if token.kind == "[" and len(self.frames) == 1 and top.stage == "key":
            self.header = []
            return
        inside: Path = (*top.path, top.key) if top.opener.kind == "{" else (*top.path, top.index)
        top.stage = "key"
        self.frames.append(_Frame(token, inside))

    def _close(self) -> None:
        if len(self.frames) > 1:
            self.frames.pop()

    def _read_entry(self, tokens: list[Token], at: int) -> None:
        token, top = tokens[at], self.top
        if token.kind in SEPARATORS:
            top.stage = "key"
        elif token.kind in SIGNS:
            top.stage = "value"
        elif top.stage == "key" or (token.fresh and (top.stage == "sign" or starts_entry(tokens, at))):
            top.key, top.stage = token.value, "sign"
        elif token.kind != "operator":
            top.stage = "key"


def place_at(buffer: Buffer, line: int, column: int) -> Place:
    """The place of a line and a column, both from 1; a word that ends there counts as being there."""
    offset = buffer.offset(line, column)
    walk, last = _Walk(), 0
    inserted = _not_yet_closed(buffer, offset)
    for at, token in enumerate(buffer.tokens):
        if _is_at(token, offset):
            return _of_token(buffer, walk, at, offset)
        if token.start >= offset and (token.start < token.end or token.kind == "end"):
            break
        if at not in inserted:
            walk.read(buffer.tokens, at)
        last = max(last, token.end)
    if _IN_COMMENT.search(buffer.source.text[last:offset]):
        return Place("comment", (), offset, offset)
    role, path = _next(walk)
    return Place(role, path, offset, offset)


def _is_at(token: Token, offset: int) -> bool:
    """Whether a word or text stands at an offset; behind a closing quote it does no longer."""
    if token.kind == "string":
        closed = token.trouble is None
        return token.start < offset < token.end or (token.start < offset == token.end and not closed)
    return token.kind in {"word", "operator"} and token.start <= offset <= token.end


def _of_token(buffer: Buffer, walk: _Walk, at: int, offset: int) -> Place:
    token = buffer.tokens[at]
    following = buffer.tokens[at + 1]
    signed = not following.fresh and (following.kind in SIGNS or following.kind == "{")
    end = min(token.end, buffer.source.line_end(offset))
    quoted = token.kind == "string"
    if walk.header is not None:
        return _of_header(walk.header, token, offset)
    role, path = _next(walk, token, starts=starts_entry(buffer.tokens, at))
    if role == "key":
        path = (*path[:-1], token.value)
    return Place(role, path, token.start, end, token.value, quoted, signed)


def _of_header(before: list[str], token: Token, offset: int) -> Place:
    if token.kind == "string":
        return Place("header", (*before, token.value), token.start, token.end, token.value, quoted=True)
    names = list(before)
    for piece in _PIECE.finditer(token.value):
        start, end = token.start + piece.start(), token.start + piece.end()
        names.append(piece.group())
        if start <= offset <= end:
            return Place("header", tuple(names), start, end, piece.group())
    return Place("header", (*names, ""), offset, offset)


def _next(walk: _Walk, token: Token | None = None, *, starts: bool = False) -> tuple[Role, Path]:
    """What comes next after the tokens read so far: a key has an empty name."""
    if walk.header is not None:
        return "header", (*walk.header, "")
    top = walk.top
    if top.opener.kind == "[":
        return "item", (*top.path, top.index)
    if top.opener.kind == "(":
        return "argument", (*top.path, top.index)
    fresh = token is not None and token.fresh
    if top.stage == "value" and not (fresh and starts):
        return "value", (*top.path, top.key)
    if top.stage == "sign" and not fresh:
        return "nothing", (*top.path, top.key)
    return "key", (*top.path, "")


def _not_yet_closed(buffer: Buffer, offset: int) -> set[int]:
    """Which closing brackets before an offset were only put in and, by the indentation there, come after it."""
    tokens = buffer.tokens
    before = [at for at, token in enumerate(tokens) if token.end <= offset and token.kind != "end"]
    while before and not _is_put_in(tokens[before[-1]]):
        if _is_at(tokens[before[-1]], offset):
            before.pop()  # what is written just now says nothing of what is closed
        else:
            return set()
    line, column = buffer.line_and_column(offset)
    typed = buffer.source.text[offset - column + 1 : offset]
    width = buffer.source.indent(line) if typed.strip() else len(typed) + 3 * typed.count("\t")
    openers = dict(_pairs(tokens))
    late: set[int] = set()
    while before and _is_put_in(tokens[before[-1]]):
        at = before.pop()
        opener = tokens[openers[at]] if at in openers else None
        if opener is None or not (opener.line == line or buffer.source.indent(opener.line) < width):
            break
        late.add(at)
    return late


def _is_put_in(token: Token) -> bool:
    return token.kind in CLOSERS and token.start == token.end


def _pairs(tokens: list[Token]) -> Iterator[tuple[int, int]]:
    """Each closing bracket with its opening one, by their numbers."""
    stack: list[int] = []
    for at, token in enumerate(tokens):
        if token.kind in CLOSER_OF:
            stack.append(at)
        elif token.kind in CLOSERS and stack:
            yield at, stack.pop()


def bracket_ends(buffer: Buffer) -> dict[int, int]:
    """Offset of each opening bracket -> offset after its closing one."""
    tokens = buffer.tokens
    return {tokens[opener].start: tokens[closer].end for closer, opener in _pairs(tokens)}
