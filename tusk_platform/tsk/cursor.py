"""A place in the tokens of a file: look, take, skip, complain."""

from __future__ import annotations

from tusk_platform.errors import Problem
from tusk_platform.tsk.brackets import starts_entry
from tusk_platform.tsk.mending import pair
from tusk_platform.tsk.source import MOST_PROBLEMS, Source
from tusk_platform.tsk.tokens import CLOSER_OF, CLOSERS, SEPARATORS, SIGNS, Token, tokenise
from tusk_platform.tsk.values import dotted
from tusk_platform.tsk.words import literal


class Cursor:
    """Walks over tokens whose brackets pair and keeps the problems found on the way.

    ``quiet`` is set by a complaint after which the rest of an entry cannot be trusted; until the next entry begins
    nothing more is complained about.
    """

    def __init__(self, source: Source, *, guess: bool) -> None:
        read = tokenise(source, guess=guess)
        paired = pair(read.tokens, source, guess=guess)
        self.source = source
        self.tokens = paired.tokens
        self.at = 0
        self.path: list[str | int] = []
        self.quiet = False
        self.problems: list[Problem] = []
        # Without guessing the first problem settles it: the file is read again, with guesses.
        self._limit = MOST_PROBLEMS if guess else 0
        self._of_brackets: list[Problem] = []
        self._brackets = {trouble.start: trouble for trouble in paired.troubles}
        for trouble in read.troubles:
            self.complain(*trouble[:4])
        if self._brackets and not guess:
            self.complain(*paired.troubles[0][:4])

    @property
    def peek(self) -> Token:
        """The next token."""
        return self.tokens[self.at]

    def step(self, count: int = 1) -> None:
        """Go on by some tokens, not beyond the last."""
        self.at = min(self.at + count, len(self.tokens) - 1)

    def take(self) -> Token:
        """The next token, which the cursor then has passed; what is wrong with it is complained about."""
        token = self.tokens[self.at]
        self.step()
        if token.trouble:
            self.complain(*token.trouble[:4])
            self.quiet = self.quiet or token.trouble.breaks
        if self._brackets and (trouble := self._brackets.pop(token.start, None)):
            self._of_brackets.append(self._problem(*trouble[:4]))
        return token

    def complain(self, start: int, end: int, message: str, hint: str) -> None:
        """Note a problem between two offsets, unless it follows from one that was noted."""
        if not self.quiet:
            self.complain_always(start, end, message, hint)

    def complain_always(self, start: int, end: int, message: str, hint: str) -> None:
        """Note a problem between two offsets."""
        if len(self.problems) <= self._limit:
            self.problems.append(self._problem(start, end, message, hint))
        if len(self.problems) > self._limit:
            self.at = len(self.tokens) - 1

    def _problem(self, start: int, end: int, message: str, hint: str) -> Problem:
        return Problem(self.source.span(start, end), dotted(self.path), message, hint)

    def give_up(self, start: int, end: int, message: str, hint: str) -> None:
        """Note a problem and keep quiet about the rest of the entry."""
        self.complain(start, end, message, hint)
        self.quiet = True

    def at_entry(self) -> bool:
        """Whether a key with its sign or brace comes next."""
        return starts_entry(self.tokens, self.at)

    def at_plain_entry(self) -> bool:
        """Whether an entry comes next even in the middle of what is wrong, as in `a ? b : c`."""
        sign = self.tokens[min(self.at + 1, len(self.tokens) - 1)]
        return self.at_entry() and (sign.kind != ":" or sign.start == self.peek.end)

    def at_end(self) -> bool:
        """Whether a value may end here."""
        token = self.peek
        return token.fresh or token.kind in SEPARATORS or token.kind in CLOSERS or self.at_entry()

    def at_value(self) -> bool:
        """Whether something comes next that is a value beyond doubt."""
        token = self.peek
        return token.kind in ("string", "operator", "[", "{") or literal(token.value) is not None

    def at_group_of_thousand(self, token: Token) -> bool:
        """Whether a number goes on as in 1,000."""
        comma = self.peek
        group = self.tokens[min(self.at + 1, len(self.tokens) - 1)]
        close = comma.kind == "," and comma.start == token.end and group.start == comma.end
        return close and token.value.isdigit() and group.value.isdigit() and len(group.value) == 3

    def at_named(self) -> bool:
        """Whether a name with a sign comes next."""
        return self.peek.kind in ("word", "string") and self.tokens[self.at + 1].kind in SIGNS

    def at_fragment(self) -> bool:
        """Whether a comma comes next and after it, on the same line, something that is no entry."""
        if self.peek.kind not in SEPARATORS or self.peek.fresh:
            return False
        following = self.tokens[self.at + 1]
        ends = following.fresh or following.kind in CLOSERS or following.kind in SEPARATORS
        return not ends and not starts_entry(self.tokens, self.at + 1)

    def skip_brackets(self) -> None:
        """Go past the bracket that is closed by the one that opens next."""
        depth = 0
        while self.peek.kind != "end":
            kind = self.peek.kind
            depth += (kind in CLOSER_OF) - (kind in CLOSERS)
            self.step()
            if depth == 0:
                return

    def skip(self, *, line: bool = False) -> int:
        """Go to the end of the entry, or of the ``line``; the offset after what was skipped."""
        end = self.tokens[self.at - 1].end
        while not (self.peek.fresh or self.peek.kind in CLOSERS):
            if not line and (self.peek.kind in SEPARATORS or self.at_plain_entry()):
                break
            if self.peek.kind in CLOSER_OF:
                self.skip_brackets()
            else:
                self.step()
            end = self.tokens[self.at - 1].end
        return end

    def found(self) -> tuple[Problem, ...]:
        """All problems in the order of the file."""
        self.path = []
        self._of_brackets += [self._problem(*trouble[:4]) for trouble in self._brackets.values()]
        nearest = {p.span.line: p for p in sorted(self.problems, key=_position, reverse=True)}
        ordered = self.problems + [b for b in self._of_brackets if not _repeats(b, nearest.get(b.span.line))]
        ordered.sort(key=_position)
        if len(ordered) <= MOST_PROBLEMS:
            return tuple(ordered)
        rest = Problem(ordered[MOST_PROBLEMS].span, "", "there are more problems from here on", "fix those above first")
        return (*ordered[:MOST_PROBLEMS], rest)


def _position(problem: Problem) -> tuple[int, int]:
    return problem.span.line, problem.span.column


def _repeats(bracket: Problem, other: Problem | None) -> bool:
    """Whether a complaint about a bracket only says again what was said about the words before it."""
    if other is None or other.span.column > bracket.span.column:
        return False
    between = other.span.text[other.span.column - 1 : bracket.span.column - 1]
    return not set(between) & set(",;{}[]")
