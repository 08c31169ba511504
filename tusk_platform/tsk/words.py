"""Words without quotes: the values they stand for, or what would have been right."""

from __future__ import annotations

import difflib
import re
import unicodedata
from typing import Final, NamedTuple

from tusk_platform.tsk.source import shown

Plain = str | int | float | bool | None

KEY: Final = re.compile(r"\w[\w-]*")
_LITERALS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None}
_NUMBER: Final = re.compile(r"[+-]?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_NUMBER_LIKE: Final = re.compile(r"[+-]*\.?[0-9]")
_SYNONYMS: Final = {
    "yes": "true", "on": "true", "enabled": "true",
    "no": "false", "off": "false", "disabled": "false",
    "none": "null", "nil": "null", "undefined": "null",
}  # fmt: skip
_BOUND: Final = 2**63
_CURLY_QUOTES: Final = "“”„‟«»‘’‚‹›`´"
_NO_VARIABLES: Final = "there are no variables; write the value, or `@env(NAME)` for one of the environment"
_COMPUTING: Final = frozenset({"+", "-", "*", "/", "%", "?", "!", "<", ">", "&", "|", "&&", "||", "??", "?:"})


class Complaint(NamedTuple):
    """What is wrong with a word, what would be right, and the value that was most likely meant."""

    message: str
    hint: str
    meant: Plain


def literal(word: str) -> tuple[Plain] | None:
    """The value that a word stands for, in a tuple because null is one; None where it stands for none.

    >>> literal("3e2"), literal("null"), literal("15s")
    ((300.0,), (None,), None)
    """
    if word in _LITERALS:
        return (_LITERALS[word],)
    found = _NUMBER.fullmatch(word)
    if not found:
        return None
    if found.group(1) or found.group(2):
        number = float(word)
        return (number,) if abs(number) != float("inf") else None
    if len(word) > 20 or not -_BOUND <= int(word) < _BOUND:
        return None
    return (int(word),)


def complaint(text: str) -> Complaint:
    """What to say about text without quotes that stands where a value should."""
    word = text.split(None, 1)[0] if text.strip() else text
    if word[:1] == "$" or not _COMPUTING.isdisjoint(text.split()):
        return _computed(text)
    if word[0] == "@":
        return Complaint("`@` has no name after it", "an operator is written `@env(NAME)`", text)
    if _NUMBER_LIKE.match(word):
        return _number(text)
    if not (word[0].isalpha() or word[0] in "_/"):
        return _strange(text, word[0])
    hint = f"write {quoted(text)}"
    if word == text and (near := _near(word)):
        hint = f"did you mean `{near}`? As text it is written {quoted(text)}"
    return Complaint(f"text needs quotes: `{shown(text)}`", hint, text)


def key_complaint(word: str) -> Complaint:
    """What to say about a word that cannot be a key."""
    parts = word.split(".")
    if len(parts) > 1 and all(KEY.fullmatch(p) for p in parts):
        nested = " = { ".join(parts) + " = ..." + " }" * (len(parts) - 1)
        hint = f"write `{shown(nested, 60)}`, or a header `[{'.'.join(parts[:-1])}]` with `{parts[-1]} = ...` below it"
        return Complaint(f"a key has no dots: `{shown(word)}`", hint, word)
    odd = next((c for c in word if c != "-" and not KEY.fullmatch(c)), "-")
    if word[0] == "$":
        return Complaint(f"`{shown(word)}` cannot be a key", _NO_VARIABLES, word)
    if odd in _CURLY_QUOTES or not odd.isprintable():
        return _strange(word, odd)
    hint = f"a key is letters, digits, `_` and, after the first, `-`; any other stands in quotes: {quoted(word)}"
    return Complaint(f"`{odd}` cannot stand in a key: `{shown(word)}`", hint, word)


def keys_complaint(text: str, *, opens_table: bool) -> Complaint:
    """What to say about several words where one key should be."""
    words = text.replace('"', "").split()
    joined = shown("_".join(words))
    hint = f"write `{joined}` or {quoted(' '.join(words))}"
    if opens_table:
        hint = f"write `{joined} = {{`, or one table in the other"
    return Complaint(f"`{shown(text)}` is not one key", hint, text)


def quoted(text: str) -> str:
    """Text as it is written in a file, shortened for a message."""
    return '"' + shown(text.strip(_CURLY_QUOTES + "\"'")).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _near(word: str) -> str | None:
    lower = word.lower()
    if lower in _LITERALS:
        return lower
    if lower in _SYNONYMS:
        return _SYNONYMS[lower]
    swapped = [known for known in _LITERALS if sorted(known) == sorted(lower)]
    close = swapped or difflib.get_close_matches(lower[:16], list(_LITERALS), n=1, cutoff=0.8)
    return close[0] if close else None


def _number(text: str) -> Complaint:
    message = f"`{shown(text)}` is not a number"
    plain = text.replace("_", "").replace(",", "")
    right: str | None = None
    if re.fullmatch(r"[+-]?0[xX][0-9a-fA-F]{1,15}|[+-]?0[oO][0-7]{1,20}|[+-]?0[bB][01]{1,60}", text):
        right = str(int(text, 0))
    elif re.fullmatch(r"[+-]?\.[0-9]+", plain):
        right = plain.replace(".", "0.", 1)
    elif re.fullmatch(r"[+-]?[0-9]+\.", plain):
        right = f"{plain}0"
    elif found := re.fullmatch(r"([+-]?)0+([0-9]+)", plain):
        right = f"{found[1]}{found[2]}"
    elif _NUMBER.fullmatch(plain) and literal(plain) is None:
        hint = f"whole numbers have up to 64 bits, others reach to 1.7e308; a longer one is text: {quoted(text)}"
        return Complaint(f"`{shown(text, 24)}` is too large for a number", hint, text)
    elif literal(plain):
        right = plain
    found_value = literal(right) if right else None
    if right is None or found_value is None:
        return Complaint(message, f"text goes in quotes: {quoted(text)}", text)
    return Complaint(message, f"write `{right}`, or {quoted(text)} if it is text", found_value[0])


def _computed(text: str) -> Complaint:
    hint = _NO_VARIABLES if text[:1] == "$" else "a file computes nothing; write the finished value, text in quotes"
    return Complaint(f"`{shown(text)}` is not a value", hint, text)


def _strange(text: str, char: str) -> Complaint:
    if char in _CURLY_QUOTES:
        return Complaint(f"`{char}` is not a quote of this language", f"use straight quotes: {quoted(text)}", text)
    if char.isprintable():
        return Complaint(f"`{char}` is unknown here", f"text goes in quotes: {quoted(text)}", text)
    name = unicodedata.name(char, "a control character").lower()
    return Complaint(f"there is an invisible character here, U+{ord(char):04X} ({name})", "remove it", text)
