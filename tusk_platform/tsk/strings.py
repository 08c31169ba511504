"""Text in quotes: where it ends, what its escapes mean, and what was meant where the closing quote is missing."""

from __future__ import annotations

import re
from typing import Final

from tusk_platform.tsk.source import MOST_PROBLEMS, Source, Trouble, shown

TRIPLE: Final = '"""'
_CLOSE: Final = {
    '"': re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL),
    "'": re.compile(r"[^'\\]*+(?:\\.[^'\\]*+)*+'", re.DOTALL),
    TRIPLE: re.compile(r'(?:[^"\\]++|\\.|"(?!""))*+"""', re.DOTALL),
}
_ESCAPE: Final = re.compile(
    r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))", re.DOTALL
)
_MEANING: Final = {
    "n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\\": "\\", '"': '"', "'": "'", "/": "/",
}  # fmt: skip
ESCAPES_FORM: Final = r"\n \t \r \" \' \\ \uXXXX"

# A line that belongs to the file's structure, not to a text: where reading goes on after a missing closing quote.
STRUCTURE: Final = re.compile(r"""^[^\S\n]*(?:[}\])]|(?:"[^"\n]*"|[\w-]+)[^\S\n]*[={])""", re.MULTILINE)
# The beginning of a line before a quote that opens a text there, as in `x = @env(` or `metrics = [`.
_OPENING: Final = re.compile(
    r"""\s*(?:(?:"[^"]*"|[\w-]+)\s*[=:]\s*|@[\w.]+\s*\(\s*)(?:[\[{(,]\s*|@[\w.]+\s*\(\s*|[\w-]+\s*[=:]\s*)*"""
)
# What may stand after a closing quote.
_CONTINUES: Final = re.compile(
    r"""[^\S\n]*(?:\n|\Z|[,;)\]}]|//|\#|/\*)|[^\S\n]+(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[^\S\n]*[=:{]"""
)
_ENDS_CALL: Final = re.compile(r"""\s*\)[^\S\n]*(?:\n|\Z|[,;}\]]|//|\#)""")
_LOST_QUOTE: Final = re.compile(r"""[^\S\n]*\n[^"'\n]{0,400}(?:\n[^"\n]{0,400}){0,99}\n[^\S\n]*(["'])[^\S\n]*\)""")
_FOLLOWS_ARGUMENT: Final = re.compile(r"\s*[,)]")
_COMMENT: Final = re.compile(r"\s+(?://|#|/\*).*$")
# How much of a line is looked at; longer ones are not worth guessing about.
_LOOK_BACK: Final = 200
_LONG: Final = 4096
# How many quotes may stand unescaped in a text that is still made out as one.
_MOST_INNER: Final = 16


class Quotes:
    """Finds the end of quoted text in one file, in linear time whatever the quotes in it."""

    __slots__ = ("_found", "_guesses", "_source", "_text")

    def __init__(self, source: Source) -> None:
        self._source = source
        self._text = source.text
        self._guesses = 0
        # The last search per kind of quote. A later search inside it ends at the same place, or nowhere as well.
        self._found: dict[str, tuple[int, int | None]] = {}

    def close(self, start: int, mark: str) -> int | None:
        """Offset of the quote that closes the one at ``start``, or None where the file ends before."""
        begin = start + len(mark)
        low, close = self._found.get(mark, (len(self._text) + 1, 0))
        if low <= begin and (close is None or begin <= close):
            return close
        found = _CLOSE[mark].match(self._text, begin)
        close = found.end() - len(mark) if found else None
        self._found[mark] = (begin, close)
        return close

    def opens_another(self, start: int, close: int, mark: str, *, argument: bool) -> bool:
        """Whether the quote at ``close`` looks like an opening one: then the text at ``start`` was never closed."""
        text = self._text
        if text.find("\n", start, close) < 0:
            return False
        line = text.rfind("\n", max(start, close - _LOOK_BACK), close) + 1
        opening = line > 0 and _OPENING.fullmatch(text, line, close) is not None
        if mark == TRIPLE:
            return opening
        continues = _CONTINUES.match(text, close + 1) is not None
        if opening:
            return not continues or text[line:close].rstrip().endswith("(")
        return not (argument or continues or self._begins_below(start, mark))

    def meant(self, start: int, close: int, mark: str, *, argument: bool) -> tuple[int | None, Trouble | None]:
        """The quote that was meant to close the text at ``start``, None where it is missing; ``close`` is the first.

        Where text stands directly after a quote, the quote belongs inside: the end is the next that can be one.
        """
        text = self._text
        if self._guesses > MOST_PROBLEMS:
            return close, None
        if self.opens_another(start, close, mark, argument=argument):
            self._guesses += 1
            return None, None
        emptied = argument and close == start + 1 and not _FOLLOWS_ARGUMENT.match(text, close + 1)
        torn = emptied or (not text[close + 1 : close + 2].isspace() and _CONTINUES.match(text, close + 1) is None)
        if mark == TRIPLE or not torn:
            return close, None
        self._guesses += 1
        many_lines = argument or self._begins_below(start, mark)
        ends = _ENDS_CALL if argument else _CONTINUES
        last = close
        for _ in range(_MOST_INNER):
            following = self.close(last, mark)
            if following is None or (not many_lines and text.find("\n", close, following) >= 0):
                break
            if self.opens_another(start, following, mark, argument=argument):
                break
            if ends.match(text, following + 1):
                hint = f"inside a text it is written `\\{mark}`; or a quote is missing before it"
                message = "this quote ends the text, but text goes on after it"
                return following, Trouble(close, close + 1, message, hint)
            last = following
        return close, None

    def lost_opening(self, opener_end: int) -> tuple[int, Trouble] | None:
        """End of the text below an opening parenthesis whose own opening quote is missing, and the complaint."""
        found = _LOST_QUOTE.match(self._text, opener_end) if self._guesses <= MOST_PROBLEMS else None
        self._guesses += 1
        if not found:
            return None
        message, hint = "the text below has no opening quote", f"write `{found.group(1)}` after the `(`"
        return found.end(1), Trouble(opener_end - 1, opener_end, message, hint)

    def broken(self, start: int, close: int | None, mark: str, *, argument: bool, closers: str) -> tuple[int, Trouble]:
        """Where a text without closing quote most likely ends, and the complaint about it.

        ``closers`` are those that brackets opened on the same line still wait for, innermost first.
        """
        text, begin = self._text, start + len(mark)
        line_end = self._source.line_end(start)
        if mark == TRIPLE or argument or self._begins_below(start, mark):
            found = STRUCTURE.search(text, min(line_end + 1, len(text)))
            limit = len(text) if close is None else text.rfind("\n", 0, close)
            end = min(limit, found.start() - 1) if found else limit
            end = max(end, min(line_end, limit))
        else:
            end = line_end
        if end <= line_end and mark != TRIPLE:
            end = begin + _own_length(text[begin:line_end], closers)
        content = text[begin:end].rstrip()
        whole = f"{mark}{content}{mark}"
        hint = f"close it: `{whole}`" if len(whole) <= 60 and "\n" not in content else f"close it with `{mark}`"
        return end, Trouble(start, end, "this text has no closing quote", hint, breaks=True)

    def _begins_below(self, start: int, mark: str) -> bool:
        begin = start + len(mark)
        return not self._text[begin : min(self._source.line_end(start), begin + _LOOK_BACK)].strip()


def _own_length(rest: str, closers: str) -> int:
    """How much of a line's rest is the text itself, without comment, closing brackets and comma after it."""
    own = _COMMENT.sub("", rest).rstrip() if len(rest) <= _LONG else rest
    if not own.strip(")]},; \t") or (own[-1] in "{[(" and STRUCTURE.match(own)):
        return 0
    tail = own[len(own.rstrip(")]},; \t")) :]
    brackets = [(i, c) for i, c in enumerate(tail, len(own) - len(tail)) if c in ")]}"]
    for count in range(min(len(brackets), len(closers)), 0, -1):
        if "".join(c for _, c in brackets[-count:]) in closers:
            return len(own[: brackets[-count][0]].rstrip(",; \t"))
    return len(own.rstrip(",; \t"))


def unescape(raw: str, start: int) -> tuple[str, Trouble | None]:
    """What stands between the quotes with its escapes replaced; the first wrong one is complained about and kept."""
    if "\\" not in raw:
        return raw, None
    troubles: list[Trouble] = []

    def meaning(found: re.Match[str]) -> str:
        high, low, code, letter = found.groups()
        if high:
            return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
        if code and not 0xD800 <= int(code, 16) <= 0xDFFF:
            return chr(int(code, 16))
        if letter and letter in _MEANING:
            return _MEANING[letter]
        if not troubles:
            troubles.append(_wrong_escape(found, start))
        return found.group()

    return _ESCAPE.sub(meaning, raw), (troubles[0] if troubles else None)


def place_in(written: str, index: int) -> int:
    """Where in a text as written, from its opening quote on, character number ``index`` (from 0) of its value stands.

    >>> place_in('"a\\\\nb"', 1), place_in('"a\\\\nb"', 2)
    (2, 4)
    """
    at = len(TRIPLE) if written.startswith(TRIPLE) else int(written.startswith(('"', "'")))
    for found in _ESCAPE.finditer(written, at):
        if index < found.start() - at:
            break
        index -= found.start() - at
        size = len(unescape(found.group(), 0)[0])
        if index < size:
            return found.start()
        index, at = index - size, found.end()
    return min(at + index, len(written))


def _wrong_escape(found: re.Match[str], start: int) -> Trouble:
    where = start + found.start()
    if found.group(3):
        hint = "it is half of a pair: write both halves, or the character itself"
        return Trouble(where, start + found.end(), f"`{found.group()}` is no character", hint)
    if found.group(4) == "u":
        hint = r"`\u` takes four hexadecimal digits, as in `\u00e9`"
        return Trouble(where, start + found.end(), r"`\u` without its four digits", hint)
    written = shown(found.group()) if found.group(4) != "\n" else "\\"
    hint = rf"a backslash itself is doubled: `\{written}`; escapes are {ESCAPES_FORM}"
    return Trouble(where, start + found.end(), f"`{written}` is not an escape", hint)
