"""Brackets in pairs: every opening one gets its closing one, so that the parser never meets one alone."""

from __future__ import annotations

from typing import Final, NamedTuple

from tusk_platform.tsk.source import MOST_PROBLEMS, Source, Trouble, shown
from tusk_platform.tsk.tokens import CLOSER_OF, CLOSERS, SIGNS, Kind, Token
from tusk_platform.tsk.words import KEY

OPENER_OF: Final[dict[Kind, Kind]] = {closer: opener for opener, closer in CLOSER_OF.items()}
# Nested more deeply, the rest of a file is left out; the parser refuses it long before.
_MOST_DEPTH: Final = 1000


class Open(NamedTuple):
    """A bracket that waits for its closing one, and how far its line is indented."""

    token: Token
    indent: int


def starts_entry(tokens: list[Token], at: int) -> bool:
    """Whether a key with its sign or brace stands at ``at``."""
    if tokens[at].kind not in ("word", "string"):
        return False
    following = tokens[at + 1]
    return not following.fresh and (following.kind in SIGNS or following.kind == "{")


class Pairing:
    """Pairs brackets by kind; ``out`` are the tokens with what was missing put in and what was too much left out.

    Its parts are replaced by bolder ones where a file is known to be wrong; see Mending.
    """

    def __init__(self, tokens: list[Token], source: Source) -> None:
        self.tokens = tokens
        self.source = source
        self.out: list[Token] = []
        self.troubles: list[Trouble] = []
        self.stack: list[Open] = []
        # How many open brackets wait for each closing one.
        self.waiting: dict[Kind, int] = {"}": 0, "]": 0, ")": 0}
        self.unclosed: set[int] = set()
        self.strays = 0
        # Keys without brace and braces without key: no trouble of brackets, but the parser will complain.
        self.bare = 0
        # Brackets that the indentation of what is in them, or of their closing one, speaks against.
        self.doubtful: set[int] = set()
        # How many brackets have contents that are indented, less those whose contents are not.
        self.indented = 0
        self.at = 0
        self._dropped = -1
        # The last bracket closed for want of a better: its line, what closes it, and how many troubles there were then.
        self._missing = (0, "", 0)

    def run(self) -> None:
        """Read all tokens."""
        for at, token in enumerate(self.tokens):
            self.at = at
            if self.stack:
                self.look(token)
            if len(self.stack) > _MOST_DEPTH:
                self.abandon()
                return
            if token.kind in CLOSER_OF:
                self.open(token)
            elif token.kind in CLOSERS:
                self.close(token)
            elif token.kind == "end":
                while self.stack:
                    self.close_missing(token)
                self.out.append(token)
            else:
                self.out.append(token)
                if token.kind in SIGNS and self.has_no_brace():
                    self.open_missing()

    @property
    def score(self) -> int:
        """How much speaks against this reading."""
        return len(self.troubles) + self.bare + len(self.doubtful)

    def look(self, token: Token) -> None:
        """Judge, by the first token of a line, whether the innermost bracket can still be open."""
        top = self.stack[-1]
        if token.fresh and top.token.line < token.line and top.token.start < top.token.end:
            indent = self.source.indent(token.line)
            if self.out[-1] is top.token and token.kind not in CLOSERS:
                self.indented += 1 if indent > top.indent else -1
            if indent != top.indent if token.kind in CLOSERS else indent <= top.indent:
                self.doubtful.add(top.token.start)

    def complain(self, trouble: Trouble) -> None:
        """Note a trouble, within reason."""
        if len(self.troubles) <= MOST_PROBLEMS:
            self.troubles.append(trouble)

    def open(self, token: Token) -> None:
        """Begin a bracket."""
        self.bare += token.kind == "{" and token.start < token.end and self.is_keyless()
        self.out.append(token)
        self.stack.append(Open(token, self.source.indent(token.line)))
        self.waiting[CLOSER_OF[token.kind]] += 1

    def is_keyless(self) -> bool:
        """Whether no brace can open after what was read so far."""
        before = self.out[-1].kind if self.out else "end"
        if before in ("word", "string"):
            return len(self.out) > 1 and self.out[-2].kind in SIGNS
        return before not in SIGNS and before not in (",", "[", "(")

    def pop(self) -> Token:
        """The innermost open bracket, no longer open."""
        token = self.stack.pop().token
        self.waiting[CLOSER_OF[token.kind]] -= 1
        return token

    def close(self, closer: Token) -> None:
        """End the bracket that ``closer`` was meant for, and those within it that nothing closes."""
        if not self.waiting[closer.kind]:
            self.drop(closer)
            return
        while CLOSER_OF[self.stack[-1].token.kind] != closer.kind:
            self.close_missing(closer)
        self.pop()
        self.out.append(closer)

    def drop(self, closer: Token) -> None:
        """Leave out a closing bracket that closes nothing."""
        self.strays += 1
        neighbour, self._dropped = self._dropped, self.at
        # Several on one line are one mistake.
        if neighbour == self.at - 1 and not closer.fresh:
            return
        hint = f"remove it, or put the `{OPENER_OF[closer.kind]}` that it should close"
        self.complain(Trouble(closer.start, closer.end, f"this `{closer.kind}` closes nothing", hint))

    def close_missing(self, before: Token) -> None:
        """Close the innermost bracket, which nothing in the file closes, before ``before``."""
        opener = self.pop()
        self.unclosed.add(opener.start)
        kind = CLOSER_OF[opener.kind]
        last = self.out[-1]
        self.out.append(Token(kind, last.end, last.end, before.line, fresh=False))
        # One mistake, already told: a brace put in here, or a text without closing quote that swallowed the bracket.
        swallowed = last.trouble is not None and last.trouble.breaks and opener.line == last.line
        if opener.start == opener.end or swallowed:
            return
        # Several opened on one line are told as one.
        line, so_far, telling = self._missing
        joined = line == opener.line and telling == len(self.troubles) > 0
        if joined and len(so_far) > 8:
            return
        if joined:
            self.troubles.pop()
        kinds = so_far + kind if joined else kind
        where = f"before line {before.line}"
        if before.kind == "end":
            where = "at the end of the file"
        elif before.line == opener.line:
            where = f"before `{shown(before.value, 24) or before.kind}`"
        hint = f"put `{kinds}` {where}" if len(kinds) <= 8 else f"close them {where}"
        self.complain(Trouble(opener.start, opener.end, f"this `{opener.kind}` is never closed", hint))
        self._missing = (opener.line, kinds, len(self.troubles))

    def has_no_brace(self) -> bool:
        """Whether the sign just read has no value, but the entries of a table after it."""
        at = self.at
        sign, following = self.tokens[at], self.tokens[at + 1]
        if sign.fresh or not starts_entry(self.tokens, at + 1):
            return False
        if following.fresh:
            return self.source.indent(following.line) > self.source.indent(sign.line)
        named = following.kind == "word" and KEY.fullmatch(following.value) and not following.value[0].isdigit()
        return bool(named) and self.tokens[at + 2].kind == "=" and self.tokens[at + 3].kind not in SIGNS

    def open_missing(self) -> None:
        """Called where a table has no brace, after the sign just read."""
        self.bare += 1

    def abandon(self) -> None:
        """Leave the rest of the file out."""
        last = self.out[-1]
        while self.stack:
            self.out.append(Token(CLOSER_OF[self.pop().kind], last.end, last.end, last.line, fresh=False))
        self.out.append(self.tokens[-1])
