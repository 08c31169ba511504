"""A file's text into tables of values, and everything that is wrong with it.

The grammar; line breaks, `,` and `;` separate entries, and nothing has to where the next entry is plain::

    file     = { entry | header }                      key = letters, digits, _ and - | text in quotes
    header   = "[" key { "." key } "]"               value = text | number | true | false | null
    entry    = key ( "=" | ":" ) value                     | "{" entry* "}" | "[" value* "]"
             | key "{" entry* "}"                          | "@" name "(" argument* ")"
    argument = value | bare word | key ( "=" | ":" ) value

One mistake is one message: after a complaint, reading goes on at the next entry, and what the mistake drags along is
not complained about again.
"""

from __future__ import annotations

from typing import Final, Literal

from tusk_platform.errors import Problem, Span
from tusk_platform.tsk.brackets import starts_entry
from tusk_platform.tsk.cursor import Cursor
from tusk_platform.tsk.drafts import Draft, Slot, frozen
from tusk_platform.tsk.headers import Headers, Section
from tusk_platform.tsk.nodes import Array, Document, Operator, Scalar, Table, Value
from tusk_platform.tsk.source import MOST_CHARACTERS, MOST_NESTING, Source, shown
from tusk_platform.tsk.tokens import CLOSER_OF, CLOSERS, SEPARATORS, SIGNS, Kind, Token
from tusk_platform.tsk.words import KEY, complaint, key_complaint, keys_complaint, literal, quoted

__all__ = ["Document", "parse"]

Place = Literal["entry", "list", "argument"]

_VALUE_FORM: Final = "text in quotes, a number, true, false, null, a list [ ], a table { } or an @operator( )"


def parse(text: str, file: str) -> Document:
    """What a file says, with all its mistakes; never raises, whatever the text.

    >>> parse("port = 80", "a.tsk").root.entries[0].key
    'port'
    """
    if len(text) > MOST_CHARACTERS:
        span = Span(file, 1, 1, 1, Source(text[:200], file).lines[0])
        message = f"the file is too large: {len(text):,} characters, at most {MOST_CHARACTERS:,} are read"
        return Document(Table((), span), (Problem(span, "", message, "split it; events and history are no config"),))
    source = Source(text, file)
    # Guesses about missing quotes and brackets are made only where something is known to be wrong.
    document = _Parser(source, guess=False).document()
    return _Parser(source, guess=True).document() if document.problems else document


class _Parser(Cursor):
    """Reads one file; every method leaves the cursor after what it has read."""

    def __init__(self, source: Source, *, guess: bool) -> None:
        super().__init__(source, guess=guess)
        self.depth = 0
        # Whether the section was opened before: that is told once, not once more for each of its keys.
        self.repeated = False
        # Whether a list of lines that begin with `-` is being passed over: that is one mistake.
        self.dashes = False

    def document(self) -> Document:
        """The whole file."""
        root = Draft(self.source.span(0, 0))
        headers, section = Headers(self, root), Section(root, ())
        while self.peek.kind != "end":
            if self.peek.kind in SEPARATORS:
                self.step()
            elif self.peek.kind == "[":
                section = headers.open()
                self.depth, self.repeated = len(section.path), section.repeated
            else:
                self.entry(section.table)
        return Document(root.freeze(), self.found())

    # Entries

    def entry(self, table: Draft) -> None:
        """One entry, into ``table``."""
        self.quiet = False
        token = self.peek
        if token.value == "-" and token.kind == "word":
            self.dash_item()
            return
        self.dashes = False
        if token.kind not in ("word", "string"):
            self.without_key()
            return
        self.take()
        self.quiet = token.trouble is not None
        self.path.append(token.value)
        known = self.key(token)
        value = self.assigned(token)
        if value is not None and known:
            self.add(table, token, value)
        self.finish(token)
        self.path.pop()

    def add(self, table: Draft, key: Token, value: Value | Draft) -> None:
        """Put a value into a table, unless its key is there already."""
        first = table.slots.get(key.value)
        if first is None:
            table.slots[key.value] = Slot(self.source.span(key.start, key.end), value)
        elif not self.repeated:
            there = f"line {first.key_span.line}, column {first.key_span.column}"
            message = f"`{shown(key.value)}` is given twice, first at {there}"
            self.complain_always(key.start, key.end, message, "remove one of the two, or rename it")

    def key(self, token: Token) -> bool:
        """Whether a token, just taken, can be a key; complains where it cannot."""
        last = self.at
        while self.tokens[last].kind in ("word", "string") and not self.tokens[last].fresh:
            last += 1
        if last > self.at and starts_entry(self.tokens, last - 1):
            self.at = last
            end = self.tokens[last - 1].end
            wrong = keys_complaint(self.source.text[token.start : end], opens_table=self.peek.kind == "{")
            self.complain(token.start, end, wrong.message, wrong.hint)
            return False
        if token.kind == "string":
            if token.value and "\n" not in token.value:
                return True
            message = "a key stands on one line" if token.value else "a key has at least one character"
            self.complain(token.start, token.end, message, 'write it as `name` or `"some name"`')
            return False
        if KEY.fullmatch(token.value):
            return True
        wrong = key_complaint(token.value)
        self.complain(token.start, token.end, wrong.message, wrong.hint)
        self.quiet = self.quiet or self.peek.kind not in SIGNS
        return False

    def assigned(self, key: Token) -> Value | Draft | None:
        """What stands after a key: its sign and value, or its braces."""
        following = self.peek
        end = self.sign() if following.kind in SIGNS else key.end
        if following.kind == "{" or (end > key.end and not self.value_is_missing()):
            return self.value()
        name = shown(self.source.text[key.start : key.end])
        if end > key.end:
            self.give_up(key.start, end, f"`{name}` has no value", self.value_hint(name, end))
            return None
        if self.at_end():
            self.no_sign(key, name)
            return None
        rest = self.source.text[following.start : self.source.line_end(following.start)]
        if following.kind == "word" and literal(following.value) is None:
            rest = quoted(rest)
        self.give_up(key.start, key.end, f"there is no `=` after `{name}`", f"write `{name} = {shown(rest)}`")
        return self.value()

    def no_sign(self, key: Token, name: str) -> None:
        """Complain about a word or text that stands alone."""
        message, hint = f"`{name}` has neither sign nor value", f"write `{name} = ...`"
        if self.tokens[self.at - 2].kind == "," and not key.fresh:
            message, hint = f"`{name}` is a second value", "several values of one key are a list: `[ ... , ... ]`"
        self.give_up(key.start, key.end, message, hint)

    def sign(self) -> int:
        """Take the `=` or `:`, or what stands in its place; the offset after it."""
        first = self.take()
        end = first.end
        while self.peek.start == end and (self.peek.kind in SIGNS or self.peek.value == ">"):
            end = self.peek.end
            self.step()
        if end > first.end:
            written = self.source.text[first.start : end]
            self.complain(first.start, end, f"`{shown(written)}` does not assign a value", "write `=`")
        return end

    def value_is_missing(self) -> bool:
        """Whether the next entry, a header or an end follows where a value should."""
        token = self.peek
        if token.kind in CLOSERS or token.kind in SEPARATORS or token.kind == "end":
            return True
        if not token.fresh:
            return False
        # A bare word or `[name]` on a line of its own is no value either way; the next key or a header is likelier.
        inner = self.tokens[self.at + 1] if token.kind == "[" else token
        return (inner.kind == "word" and literal(inner.value) is None) or self.at_entry()

    def value_hint(self, name: str, end: int) -> str:
        """What would be right where a key has no value; ``end`` is after its sign."""
        if self.peek.value == "-":
            self.dashes = True
            return f'a list is written `{name} = ["a", "b"]`'
        rest = self.source.text[end : self.source.line_end(end)].strip()
        if rest[:1] == "#" and rest[1:2].isalnum():
            return f'`#` begins a comment; as text it is written "{shown(rest.split()[0])}"'
        return f"write {_VALUE_FORM}"

    def dash_item(self) -> None:
        """Complain about a list written with dashes, once."""
        token = self.take()
        if not self.dashes:
            self.complain(token.start, token.end, "`-` begins no list here", 'a list is written `name = ["a", "b"]`')
        self.dashes = self.quiet = True
        self.skip(line=True)

    def without_key(self) -> None:
        """Complain about a value, or a sign, where an entry should begin."""
        token = self.peek
        if token.kind in SIGNS:
            end = self.sign()
            message, hint = "there is no key before `=`", "write `name = ...`"
            self.give_up(token.start, end, message, hint)
            if not self.value_is_missing():
                self.value()
        else:
            written = f"@{token.value}( )" if token.kind == "operator" else f"{token.kind} {CLOSER_OF[token.kind]}"
            hint = f"write `name = {written}`"
            if token.kind == "[":
                hint += "; a header stands outside of all braces"
            self.give_up(token.start, token.end, f"`{written}` has no key", hint)
            self.value()
        self.skip()

    def finish(self, key: Token) -> None:
        """Go to the end of an entry; complain about what stands after its value."""
        if self.at_end():
            while self.quiet and self.at_fragment():
                self.step()
                self.skip()
            return
        token, last = self.peek, self.tokens[self.at - 1]
        if last.kind == "string" and last.end == token.start:
            self.torn_text(token)
        else:
            end = self.skip()
            text, name = self.source.text[token.start : end], self.source.text[key.start : key.end]
            hint = "one key has one value; several are a list: `[ ... , ... ]`"
            if token.value[:1] in ("+", "-", "*", "/", "?", "&", "|", "<", ">", "!", "%"):
                hint = "a file computes nothing; write the finished value"
            elif token.value[:1] == ".":
                hint = "operators make no chain; give each one a key of its own"
            message = f"`{shown(text)}` does not belong after the value of `{shown(name)}`"
            self.give_up(token.start, end, message, hint)
        self.skip(line=True)

    def torn_text(self, token: Token) -> None:
        """Complain that something stands directly after a closing quote."""
        self.skip(line=True)
        text = self.source.text[token.start : self.tokens[self.at - 1].end]
        hint = 'is a quote missing before or after it? A quote inside a text is written `\\"`'
        self.give_up(token.start, token.end, f"`{shown(text)}` stands directly after a closing quote", hint)

    # Values

    def value(self, place: Place = "entry") -> Value | Draft | None:
        """One value; None where it is missing or refused, which was then complained about."""
        token = self.peek
        match token.kind:
            case "string":
                self.take()
                return Scalar(token.value, self.source.span_of_text(token.start, token.end))
            case "word":
                return self.word(place)
            case "{":
                return self.table()
            case "[":
                return self.array()
            case "operator":
                return self.operator()
            case "(":
                hint = "only an operator has them: `@env(NAME)`"
                self.give_up(token.start, token.end, "parentheses are not a value", hint)
                self.skip_brackets()
            case _:
                self.step(int(token.kind not in CLOSERS))
                self.give_up(token.start, token.end, f"`{token.kind}` is not a value", f"write {_VALUE_FORM}")
        return None

    def word(self, place: Place) -> Scalar:
        """A number, true, false or null. Other words are text: fine in arguments, else complained about."""
        token = self.take()
        found, end, following = literal(token.value), token.end, self.peek
        torn = following.kind == "string" and following.start == end and following.trouble is not None
        if torn and following.trouble and following.trouble.breaks:
            self.take()
            return Scalar(token.value, self.source.span(token.start, end))
        if place == "argument":
            return Scalar(found[0] if found else token.value, self.source.span(token.start, end))
        if place == "entry" and self.at_group_of_thousand(token):
            while self.at_group_of_thousand(self.tokens[self.at - 1]):
                self.step(2)
            end = self.skip()
        elif not (self.at_end() or following.kind == "=" or (found and place == "list" and self.at_value())):
            end = self.skip()
        span = self.source.span(token.start, end)
        if found and end == token.end:
            return Scalar(found[0], span)
        wrong = complaint(self.source.text[token.start : end])
        self.complain(token.start, end, wrong.message, wrong.hint)
        self.quiet = self.quiet or place == "entry"
        return Scalar(wrong.meant, span)

    def enter(self) -> bool:
        """Go one level deeper, unless that is too deep: then the brackets are skipped."""
        if self.depth < MOST_NESTING:
            self.depth += 1
            return True
        token = self.peek
        self.give_up(token.start, token.end, f"nested deeper than {MOST_NESTING} levels", "write it flatter")
        self.skip_brackets()
        return False

    def table(self) -> Draft | None:
        """Entries in braces."""
        opener = self.peek
        if not self.enter():
            return None
        self.take()
        table = Draft(self.source.span(opener.start, opener.end))
        while self.peek.kind not in ("}", "end"):
            if self.peek.kind in SEPARATORS:
                self.step()
            else:
                self.entry(table)
        table.span = self.source.span(opener.start, self.take().end)
        self.depth -= 1
        return table

    def array(self) -> Array | None:
        """Values in square brackets."""
        opener = self.peek
        if not self.enter():
            return None
        self.take()
        items: list[Value] = []
        told: set[str] = set()
        while self.peek.kind not in ("]", "end"):
            self.quiet = self.quiet and not self.peek.fresh
            self.path.append(len(items))
            if self.peek.kind in SEPARATORS:
                self.empty_place(told)
            else:
                if self.at_named():
                    self.named_item(told)
                item = self.value("list")
                items += [frozen(item)] if item is not None else []
                self.separate("]", told)
            self.path.pop()
        span = self.source.span(opener.start, self.take().end)
        self.depth -= 1
        return Array(tuple(items), span)

    def operator(self) -> Operator | None:
        """`@name` with its arguments in parentheses."""
        token = self.take()
        if self.peek.kind != "(" or self.peek.fresh:
            message = f"`@{token.value}` has no parentheses"
            self.complain(token.start, token.end, message, f"write `@{token.value}(...)` with its arguments in them")
            return None
        if not self.enter():
            return None
        self.take()
        args: list[Value] = []
        named = Draft(self.source.span(token.start, token.end))
        told: set[str] = set()
        while self.peek.kind not in (")", "end"):
            if self.peek.kind in SEPARATORS:
                self.empty_place(told)
                continue
            self.argument(args, named, told)
            self.separate(")", told)
        span = self.source.span(token.start, self.take().end)
        self.depth -= 1
        return Operator(token.value, (*args, *([named.freeze()] if named.slots else ())), span)

    def argument(self, args: list[Value], named: Draft, told: set[str]) -> None:
        """One argument, into ``args`` or, with a name, into ``named``."""
        token = self.peek
        if not self.at_named():
            if named.slots and "order" not in told:
                told.add("order")
                hint = "write arguments without a name first"
                self.complain(token.start, token.end, "an argument without a name comes after a named one", hint)
            value = self.value("argument")
            args += [frozen(value)] if value is not None else []
            return
        self.take()
        self.path.append(token.value)
        known = self.key(token)
        self.sign()
        if self.peek.kind in (",", ")"):
            self.complain(token.start, token.end, f"`{shown(token.value)}` has no value", f"write {_VALUE_FORM}")
        else:
            value = self.value("argument")
            if value is not None and known:
                self.add(named, token, frozen(value))
        self.path.pop()

    def named_item(self, told: set[str]) -> None:
        """Complain about a key in a list, and go after its sign."""
        key = self.take()
        end = self.sign()
        if "key" not in told:
            told.add("key")
            text = shown(self.source.text[key.start : end])
            hint = f"with keys it is a table, in braces: `{{ {text} ... }}`"
            self.complain(key.start, end, f"a list has no keys: `{text}`", hint)

    def empty_place(self, told: set[str]) -> None:
        """Complain about a comma with no value before it, and go past it."""
        comma = self.take()
        if "empty" not in told:
            told.add("empty")
            message = f"there is no value before this `{comma.kind}`"
            self.complain(comma.start, comma.end, message, "remove it, or write the value")

    def separate(self, closer: Kind, told: set[str]) -> None:
        """Go past the comma between two values of a list or call; a line break does in a list."""
        token, last = self.peek, self.tokens[self.at - 1]
        line_ends = closer == "]" and token.fresh and token.kind != ","
        if line_ends or token.kind in (closer, "end"):
            return
        if token.kind in SEPARATORS:
            self.step()
            if token.kind == ";" and "separator" not in told:
                told.add("separator")
                self.complain(token.start, token.end, "values are separated by `,`, not `;`", "write `,`")
            return
        if last.kind == "string" and last.end == token.start:
            self.torn_text(token)
            while closer == ")" and self.peek.kind not in (closer, "end"):
                self.step()
                self.skip(line=True)
            return
        if "comma" not in told:
            told.add("comma")
            text = shown(self.source.text[token.start : max(token.end, token.start + 1)])
            hint = "values are separated by commas; text with spaces in it goes in quotes"
            self.complain(token.start, token.end, f"there is no comma before `{text}`", hint)
