"""A file as its author laid it out: entries, headers and lists with the comments and blank lines around them.

Only for files without mistakes. What values mean is the parser's part; here a text is the characters it was written in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from tusk_platform.tsk.source import Source
from tusk_platform.tsk.tokens import CLOSER_OF, CLOSERS, SEPARATORS, SIGNS, Kind, Token, tokenise

_GAP: Final = re.compile(r"(?P<breaks>\s*\n\s*)|\s+|(?P<comment>(?://|\#)[^\n]*|/\*.*?\*/)", re.DOTALL)


class Comment(NamedTuple):
    """A comment as written. ``indent`` is that of its line where it comes first on it."""

    text: str
    indent: int | None

    @property
    def within_a_line(self) -> bool:
        """Whether something may follow it on its line."""
        return self.text.startswith("/*") and "\n" not in self.text


class Breaks(NamedTuple):
    """Line ends between two things of a file."""

    lines: int


class CommentLine(NamedTuple):
    """Comments that have a line of their own. ``blank``: an empty line stands before it."""

    comments: tuple[Comment, ...]
    blank: bool


class Row(NamedTuple):
    """One line of an operator's text, which may hold text in quotes over several lines, and how far it is indented."""

    text: str
    indent: int


@dataclass(slots=True)
class Call:
    """An operator with its arguments, as written."""

    rows: list[Row]


@dataclass(slots=True)
class Brackets:
    """A table in braces or a list. ``beside`` are the comments on the line of the opening bracket."""

    opener: Kind
    over_lines: bool
    beside: list[Comment] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    below: list[CommentLine] = field(default_factory=list)


@dataclass(slots=True)
class Item:
    """One entry, header or list item with its comments.

    ``above`` are those on lines before it, ``before`` and ``after`` those on its line, ``between`` those between its
    key and its value. A text, number or header is its characters.
    """

    value: str | Call | Brackets
    key: str = ""
    above: list[CommentLine] = field(default_factory=list)
    blank: bool = False
    before: list[Comment] = field(default_factory=list)
    between: list[Comment] = field(default_factory=list)
    after: list[Comment] = field(default_factory=list)


Piece = Token | Comment | Breaks


def laid_out(text: str, file: str) -> Brackets:
    """The whole file as one table; only for text that parses without a problem."""
    source = Source(text, file)
    reader = _Reader(source)
    whole = Brackets("{", over_lines=True)
    reader.fill(whole, closer="end")
    return whole


def _pieces(source: Source, tokens: list[Token]) -> Iterator[Piece]:
    """The tokens with the comments and line ends between them."""
    end = 0
    # How far the line is indented, as long as nothing but blanks was read of it.
    indent: int | None = 0
    for token in tokens:
        while end < token.start and (found := _GAP.match(source.text, end, token.start)):
            text = found.group()
            if found["breaks"]:
                indent = _width(text[text.rindex("\n") + 1 :])
                yield Breaks(text.count("\n"))
            elif found["comment"]:
                yield Comment(text.rstrip(), indent)
                indent = None
            elif indent is not None:
                indent += _width(text)
            end = found.end()
        yield token
        end, indent = token.end, None


def _width(blank: str) -> int:
    return len(blank) + 3 * blank.count("\t")


class _Reader:
    """Where reading stands in the pieces of one file; every method leaves it after what it has read."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.pieces = list(_pieces(source, tokenise(source, guess=False).tokens))
        self.at = 0

    def take(self) -> Piece:
        """The next piece, which then is passed."""
        self.at += 1
        return self.pieces[self.at - 1]

    def fill(self, into: Brackets, *, closer: Kind) -> None:
        """Everything up to ``closer``, which is passed."""
        gathered = _Gathered(into, beside=closer != "end")
        while True:
            piece = self.pieces[self.at]
            if isinstance(piece, Token) and piece.kind not in SEPARATORS and piece.kind != closer:
                gathered.add(self.item(in_list=into.opener == "[", in_file=closer == "end"))
                continue
            self.at += 1
            if isinstance(piece, Comment):
                gathered.comment(piece)
            elif isinstance(piece, Breaks):
                gathered.breaks(piece.lines)
            elif piece.kind == closer:
                break
            else:
                gathered.separated = True
        gathered.end()

    def item(self, *, in_list: bool, in_file: bool) -> Item:
        """One entry, header or list item, so far without the comments around it."""
        token = self.token([])
        if in_list:
            return Item(self.value(token))
        if in_file and token.kind == "[":
            return self.header()
        inside: list[Comment] = []
        following = self.token(inside)
        if following.kind in SIGNS:
            following = self.token(inside)
        item = Item(self.value(following), one_quote(self.written(token)))
        item.between = [c for c in inside if c.within_a_line]
        item.above = [CommentLine((c,), blank=False) for c in inside if not c.within_a_line]
        return item

    def header(self) -> Item:
        """A header, after its opening bracket."""
        inside: list[Comment] = []
        names: list[str] = []
        while (token := self.token(inside)).kind != "]":
            names.append(one_quote(self.written(token)))
        item = Item(f"[{''.join(names)}]")
        item.after = [c for c in inside if c.within_a_line]
        item.above = [CommentLine((c,), blank=False) for c in inside if not c.within_a_line]
        return item

    def token(self, comments: list[Comment]) -> Token:
        """The next token; the comments before it go into ``comments``."""
        while not isinstance(piece := self.take(), Token):
            if isinstance(piece, Comment):
                comments.append(piece)
        return piece

    def value(self, first: Token) -> str | Call | Brackets:
        """The value that begins with a token, just taken."""
        if first.kind == "operator":
            return self.call(first)
        if first.kind in CLOSER_OF:
            inner = Brackets(first.kind, over_lines=False)
            self.fill(inner, closer=CLOSER_OF[first.kind])
            closer = self.pieces[self.at - 1]
            inner.over_lines = isinstance(closer, Token) and closer.line > first.line
            return inner
        return one_quote(self.written(first))

    def written(self, token: Token) -> str:
        """The characters of a token."""
        return self.source.text[token.start : token.end]

    def call(self, first: Token) -> Call:
        """An operator's text up to its closing parenthesis; only blanks at the ends of its lines are left out."""
        rows = [Row(self.written(first), self.source.indent(first.line))]
        depth, end = 0, first.end
        while True:
            token = self.token([])
            head, *lines = self.source.text[end : token.start].split("\n")
            rows[-1] = rows[-1]._replace(text=rows[-1].text + (head.rstrip() if lines else head))
            for number, line in enumerate(lines, 1):
                text = line.lstrip()
                rows.append(Row(text if number == len(lines) else text.rstrip(), _width(line[: len(line) - len(text)])))
            rows[-1] = rows[-1]._replace(text=rows[-1].text + self.written(token))
            end = token.end
            depth += (token.kind in CLOSER_OF) - (token.kind in CLOSERS)
            if depth == 0:
                return Call(rows)


class _Gathered:
    """What stands between the items of a table or list, until it is known which of them it belongs to."""

    def __init__(self, into: Brackets, *, beside: bool) -> None:
        self.into = into
        self.lines: list[CommentLine] = []
        # Comments of the line that is being read, and whether an empty line stands before them.
        self.open: list[Comment] = []
        self.blank = False
        # Whether the line began with an item or the opening bracket, and whether a comma came after it.
        self.beside = beside
        self.separated = True

    def comment(self, comment: Comment) -> None:
        """A comment: of the item before it where nothing stands between the two."""
        if self.separated or not self.beside:
            self.open.append(comment)
        else:
            self.into.items[-1].after.append(comment)

    def breaks(self, count: int) -> None:
        """The end of a line."""
        if self.open and self.beside:
            (self.into.items[-1].after if self.into.items else self.into.beside).extend(self.open)
            self.open = []
        self.close_line()
        self.beside = False
        self.blank = self.blank or count > 1

    def close_line(self) -> None:
        """Give the comments gathered so far a line of their own."""
        if self.open:
            self.lines.append(CommentLine(tuple(self.open), self.blank))
            self.open, self.blank = [], False

    def add(self, item: Item) -> None:
        """An item, with what was gathered before it."""
        if not all(c.within_a_line for c in self.open):
            self.close_line()
        item.above = [*self.lines, *item.above]
        item.before, item.blank = self.open, self.blank
        if item.above and item.blank and not self.lines:
            # The comments come from inside the item: the empty line stays before both.
            item.above[0], item.blank = item.above[0]._replace(blank=True), False
        self.lines, self.open, self.blank = [], [], False
        self.beside, self.separated = True, False
        self.into.items.append(item)

    def end(self) -> None:
        """The end of the table or list."""
        if self.open and self.beside and self.into.items:
            self.into.items[-1].after.extend(self.open)
            self.open = []
        self.close_line()
        self.into.below = self.lines


def one_quote(written: str) -> str:
    """Text in double quotes where that needs no other change, else as it was written."""
    if written[0] == "'" and '"' not in written and "\\" not in written:
        return f'"{written[1:-1]}"'
    return written
