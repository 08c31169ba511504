"""Text into tokens: brackets, signs, words, quoted text. Linear time; what is wrong is noted on the token."""

from __future__ import annotations

import re
from typing import Final, Literal, NamedTuple

from tusk_platform.tsk.source import Source, Trouble
from tusk_platform.tsk.strings import STRUCTURE, TRIPLE, Quotes, unescape

Kind = Literal["word", "string", "operator", "{", "}", "[", "]", "(", ")", ",", ";", "=", ":", "end"]
CLOSER_OF: Final[dict[Kind, Kind]] = {"{": "}", "[": "]", "(": ")"}
CLOSERS: Final = frozenset(CLOSER_OF.values())
SIGNS: Final = frozenset({"=", ":"})
SEPARATORS: Final = frozenset({",", ";"})

_NEXT: Final = re.compile(
    r"""
    [^\S\n]*+
    (?: (?P<line>\n)
      | (?P<comment>(?://|\#)[^\n]*)
      | (?P<block>/\*)
      | (?P<mark>[{}\[\](),;=:])
      | (?P<simple>"[^"\\\n]++"|""(?!")|'[^'\\\n]*+')
      | (?P<quote>\"{3}|["'])
      | (?P<operator>@[^\W\d][\w.]*)
      | (?P<word>(?:[\w.+-]++|(?!//|/\*)[^\s,;=:{}\[\]()"'\#@\w.+-]|(?<=\w)['@](?=\w))+)
      | (?P<other>.)
    )?
    """,
    re.VERBOSE | re.DOTALL,
)
_ADDRESS: Final = re.compile(r"""://[^\s,;()\[\]{}"']+""")
_INNER_COMMENT: Final = re.compile(r"\n[^\S\n]*/\*")


class Token(NamedTuple):
    """One token. ``fresh``: a line break stands before it. ``value``: the text it stands for."""

    kind: Kind
    start: int
    end: int
    line: int
    fresh: bool
    value: str = ""
    trouble: Trouble | None = None


class Tokens(NamedTuple):
    """All tokens of a file, an ``end`` last, and the troubles of its comments."""

    tokens: list[Token]
    troubles: list[Trouble]


def tokenise(source: Source, *, guess: bool) -> Tokens:
    """The tokens of a file.

    Text in quotes may span lines, so a missing quote turns the rest of the file inside out. With ``guess`` a quote
    that looks like an opening one is not taken for a closing one; that is for files already known to be wrong.
    """
    reader = _Reader(source, guess=guess)
    reader.read()
    return Tokens(reader.tokens, reader.troubles)


class _Reader:
    """Where reading stands: an offset, its line, the tokens so far."""

    __slots__ = ("at", "comment", "fresh", "guess", "line", "quotes", "source", "text", "tokens", "troubles")

    def __init__(self, source: Source, *, guess: bool) -> None:
        self.source = source
        self.text = source.text
        self.guess = guess
        self.quotes = Quotes(source)
        self.tokens: list[Token] = []
        self.troubles: list[Trouble] = []
        self.at, self.line, self.fresh = 0, 1, True
        # The last comment searched: from, end (-1: none), and a comment's opening inside it (-1: none).
        self.comment = (len(self.text) + 1, 0, -1)

    def read(self) -> None:
        """Fill ``tokens`` and ``troubles``."""
        following = _NEXT.match
        while True:
            found = following(self.text, self.at)
            kind = found.lastgroup if found else None
            if found is None or kind is None:
                break
            if kind == "line":
                self.at, self.line, self.fresh = found.end(), self.line + 1, True
            elif kind == "comment":
                self.at = found.end()
            elif kind == "block":
                self.skip_comment(found.start(kind))
            else:
                self.add(kind, found.start(kind), found.end(), found[kind])
        self.tokens.append(Token("end", len(self.text), len(self.text), self.line, fresh=True))

    def add(self, kind: str, start: int, end: int, written: str) -> None:
        """Append the token that begins at ``start``."""
        trouble: Trouble | None = None
        match kind:
            case "mark":
                what: Kind = written  # type: ignore[assignment] # the pattern lists exactly these kinds
            case "simple" if not self.guess:
                what, written = "string", written[1:-1]
            case "simple" | "quote":
                what = "string"
                end, written, trouble = self.quoted(start, written if kind == "quote" else written[0])
            case "operator":
                what, written = "operator", written[1:]
            case _:
                what = "word"
                if self.text.startswith("://", end) and (address := _ADDRESS.match(self.text, end)):
                    end = address.end()
                    written = self.text[start:end]
        self.tokens.append(Token(what, start, end, self.line, self.fresh, written, trouble))
        if what == "string":
            self.line += self.text.count("\n", start, end)
        self.at, self.fresh = end, False
        if self.guess and what == "(" and (lost := self.quotes.lost_opening(end)):
            self.at, missing = lost
            value = unescape(self.text[end : self.at - 1], end)[0]
            self.tokens.append(Token("string", end, self.at, self.line, fresh=False, value=value, trouble=missing))
            self.line += self.text.count("\n", end, self.at)

    def quoted(self, start: int, mark: str) -> tuple[int, str, Trouble | None]:
        """End, value and trouble of the text whose opening quote stands at ``start``."""
        before = self.tokens[-1] if self.tokens else None
        if self.guess and before and before.kind == "word" and before.end == start and mark != TRIPLE:
            hint = f"write {mark}{before.value}{mark}"
            return start + 1, "", Trouble(before.start, start + 1, "the opening quote is missing", hint, breaks=True)
        argument = before is not None and before.kind == "("
        begin = start + len(mark)
        found = close = self.quotes.close(start, mark)
        inner: Trouble | None = None
        if self.guess and found is not None:
            close, inner = self.quotes.meant(start, found, mark, argument=argument)
        if close is None:
            end, missing = self.quotes.broken(start, found, mark, argument=argument, closers=self.closers())
            return end, unescape(self.text[begin:end].rstrip(), begin)[0], missing
        value, wrong = unescape(self.text[begin:close], begin)
        return close + len(mark), value, inner or wrong

    def closers(self) -> str:
        """What brackets opened on this line wait for, innermost first."""
        waiting: list[str] = []
        line: list[Token] = []
        for token in reversed(self.tokens):
            if token.line != self.line:
                break
            line.append(token)
        for token in reversed(line):
            if token.kind in CLOSER_OF:
                waiting.append(CLOSER_OF[token.kind])
            elif token.kind in CLOSERS and waiting and waiting[-1] == token.kind:
                waiting.pop()
        return "".join(reversed(waiting))

    def skip_comment(self, start: int) -> None:
        """Go past a ``/* */``; where it has no end, to the next line that is not a comment's."""
        low, close, inner = self.comment
        if not (low <= start and (close < 0 or start + 2 <= close)):
            close = self.text.find("*/", start + 2)
            found = _INNER_COMMENT.search(self.text, start, close) if close >= 0 else None
            inner = found.start() if found else -1
            self.comment = (start, close, inner)
        if close >= 0 and inner <= start:
            end = close + 2
        else:
            hint = "end it with `*/`, or begin each line with `//`"
            self.troubles.append(Trouble(start, start + 2, "this comment is never closed", hint))
            following = STRUCTURE.search(self.text, self.source.line_end(start))
            end = following.start() if following else len(self.text)
        self.fresh = self.fresh or self.text.find("\n", start, end) >= 0
        self.line += self.text.count("\n", start, end)
        self.at = end
