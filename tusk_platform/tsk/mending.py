"""Which bracket is missing or too much, in a file whose brackets do not pair.

That one is missing shows only at the end of a file, far from the mistake. Where it is missing shows in the grammar and
the indentation, so such a file is read again with an eye on them; the reading with the fewest complaints counts.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from tusk_platform.tsk.brackets import OPENER_OF, Open, Pairing, starts_entry
from tusk_platform.tsk.source import MOST_PROBLEMS, Source, Trouble
from tusk_platform.tsk.tokens import CLOSER_OF, CLOSERS, SIGNS, Token

# How many tokens or brackets a guess looks back; deeper nesting is refused by the parser anyway.
_LOOK_BACK: Final = 80


class Paired(NamedTuple):
    """Tokens whose brackets pair, and what had to be assumed for that."""

    tokens: list[Token]
    troubles: list[Trouble]


def pair(tokens: list[Token], source: Source, *, guess: bool) -> Paired:
    """The tokens with missing brackets put in and stray ones left out."""
    plain = Pairing(tokens, source)
    plain.run()
    best = plain
    if guess and plain.score and len(plain.troubles) <= MOST_PROBLEMS:
        for by_indent in (False, True) if plain.indented >= 0 else (False,):
            attempt = Mending(plain, by_indent=by_indent)
            attempt.run()
            if attempt.score <= best.score:
                best = attempt
    return Paired(best.out, best.troubles)


class Mending(Pairing):
    """Pairs brackets by what the grammar allows and, ``by_indent``, by how far lines are indented."""

    def __init__(self, plain: Pairing, *, by_indent: bool) -> None:
        super().__init__(plain.tokens, plain.source)
        self.by_indent = by_indent
        # What the plain reading found without a partner; the mistake is rarely there, but there are as many of them.
        self.suspects = plain.unclosed
        self.expected_strays = plain.strays

    def look(self, token: Token) -> None:
        """Close what cannot go on with this token."""
        self.end_lists()
        if self.by_indent and token.fresh:
            if token.kind in CLOSERS:
                self.end_deeper(token)
            else:
                self.end_blocks(token)
        if self.stack:
            super().look(token)

    def open(self, token: Token) -> None:
        """Begin a bracket, unless it is one too many."""
        if token.start < token.end and self.is_misplaced(token):
            self.unclosed.add(token.start)
            self.complain(Trouble(token.start, token.end, f"this `{token.kind}` opens nothing", "remove it"))
        else:
            super().open(token)

    def is_misplaced(self, opener: Token) -> bool:
        """Whether an opening bracket stands where there can be none."""
        if opener.kind == "{":
            return self.is_keyless()
        before = self.out[-1] if self.out else opener
        if opener.kind == "(":
            return before.kind != "operator" and not self.suspects.isdisjoint((opener.start, before.start))
        inside = before.kind in SIGNS or before.kind in (",", "[", "(")
        return not (inside or opener.fresh) and opener.start in self.suspects

    def close(self, closer: Token) -> None:
        """End the bracket that ``closer`` was meant for."""
        top = self.stack[-1] if self.stack else None
        if top and CLOSER_OF[top.token.kind] == closer.kind:
            if self.is_surplus(closer, top):
                self.drop(closer)
            else:
                self.pop()
                self.out.append(closer)
        elif top and self.is_mixed_up(closer, top):
            right = CLOSER_OF[top.token.kind]
            message = f"`{top.token.kind}` is closed by `{closer.kind}`"
            self.complain(Trouble(closer.start, closer.end, message, f"write `{right}`"))
            self.pop()
            self.out.append(closer._replace(kind=right))
        elif self.waiting[closer.kind] or not self.open_late(closer):
            super().close(closer)

    def is_mixed_up(self, closer: Token, top: Open) -> bool:
        """Whether ``closer`` is a slip of the pen for another kind of bracket."""
        if top.token.line == closer.line:
            return len(self.stack) < 2 or self.stack[-2].token.line != closer.line
        return self.by_indent and closer.fresh and self.source.indent(closer.line) == top.indent

    def is_surplus(self, closer: Token, top: Open) -> bool:
        """Whether ``closer`` is not level with the bracket it would close."""
        if not self.by_indent or top.token.line == closer.line:
            return False
        return closer.kind == "}" and (not closer.fresh or self.source.indent(closer.line) > top.indent)

    def open_late(self, closer: Token) -> bool:
        """Whether the opening bracket of ``closer`` was missing on its line, and is now put in."""
        if closer.kind == "}" or closer.fresh:
            return False
        place = self.place_for(closer)
        if place is None:
            return False
        before = self.out[place]
        opener = OPENER_OF[closer.kind]
        self.out.insert(place + 1, Token(opener, before.end, before.end, before.line, fresh=False))
        self.out.append(closer)
        hint = f"put `{opener}` after `{self.source.text[before.start : before.end]}` on line {before.line}"
        self.complain(Trouble(closer.start, closer.end, f"this `{closer.kind}` closes nothing", hint))
        return True

    def place_for(self, closer: Token) -> int | None:
        """Behind which token so far, a sign or an operator, the opening bracket of ``closer`` is missing."""
        depth = 0
        for at in range(len(self.out) - 1, max(-1, len(self.out) - _LOOK_BACK), -1):
            token = self.out[at]
            depth += (token.kind in CLOSERS) - (token.kind in CLOSER_OF)
            if depth < 0:
                return None
            if depth == 0:
                if closer.kind == "]" and token.kind in SIGNS:
                    return at
                if closer.kind == ")" and token.kind == "operator":
                    has_its_own = at + 1 < len(self.out) and self.out[at + 1].kind == "("
                    return None if has_its_own else at
                if token.fresh:
                    return None
        return None

    def end_lists(self) -> None:
        """Close lists and arguments where an entry begins, which can stand in neither."""
        token = self.tokens[self.at]
        while self.stack:
            opener = self.stack[-1].token
            certain = opener.kind != "{" and (token.fresh or opener.start in self.suspects)
            if not certain or not starts_entry(self.tokens, self.at):
                return
            # Named arguments look like entries, but only after a comma.
            if opener.kind == "(" and self.out[-1].kind in ("(", ","):
                return
            self.close_missing(token)

    def end_blocks(self, token: Token) -> None:
        """Close what should have ended before a line that is indented no deeper than where it began."""
        indent = self.source.indent(token.line)
        while self.stack and self.stack[-1].token.line < token.line and indent <= self.stack[-1].indent:
            self.close_missing(token)

    def end_deeper(self, closer: Token) -> None:
        """Close what stands deeper than the bracket that ``closer`` is level with."""
        indent = self.source.indent(closer.line)
        for depth, (opener, level) in enumerate(reversed(self.stack[-_LOOK_BACK:])):
            if level < indent:
                return
            if level == indent and opener.line < closer.line and CLOSER_OF[opener.kind] == closer.kind:
                for _ in range(depth):
                    self.close_missing(closer)
                return

    def has_no_brace(self) -> bool:
        """Whether the sign just read has no value, but the entries of a table after it."""
        if super().has_no_brace():
            return True
        # Without indentation to go by, a closing brace too many further down tells the same.
        sign, following = self.tokens[self.at], self.tokens[self.at + 1]
        likely = not self.by_indent and self.expected_strays > 0 and following.fresh and not sign.fresh
        return likely and starts_entry(self.tokens, self.at + 1)

    def open_missing(self) -> None:
        """Put in the brace that a key with entries after its sign should have."""
        if not (self.by_indent or self.expected_strays > 0):
            super().open_missing()
            return
        self.expected_strays -= 1
        key, sign = self.tokens[self.at - 1], self.tokens[self.at]
        self.open(Token("{", sign.end, sign.end, sign.line, fresh=False))
        name = self.source.text[key.start : key.end]
        message = f"`{name}` has no value, but entries after it"
        self.complain(Trouble(key.start, sign.end, message, f"put them in braces: `{name} = {{ ... }}`"))
