"""Find the JSON objects in a text, also such as models write them. Pure.

Beyond JSON a string may hold raw line breaks and unescaped quotes, or stand in single
quotes; a comma may come before a closing bracket, and a comment to the end of a line; a
bare word is a text. Anything else is no object. Values keep their places in the text.

It takes linear time: objects are tried at a bounded number of places, each once, and
nested to a bounded depth.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from cotbuild.schemas.answers.folding import fold

MAX_DEPTH = 12
"""Deepest nesting of lists and objects that is read."""
MAX_PLACES = 32
"""Places where an object may begin that are tried at either end of a text."""

_OPENING = re.compile(r"\{(?=\s*+[\"'])")
_MAY_OPEN = re.compile(r"\{\s*+[\"'\u2018-\u201f\u00ab\u00bb\uff02\uff07]")
"""The start of an object, also with quotes of other scripts."""
_SPACE = re.compile(r"(?>(?:\s++|//[^\n]*+)*)")
"""White space and comments."""
# A quote ends a string if what must follow a string follows it. White space is scanned
# once, since the next quote comes after it.
_STRINGS = {
    quote: re.compile(
        rf"{quote}(?P<content>(?>(?:[^{quote}\\]++|\\."
        rf"|{quote}(?!\s*+(?:[,:}}\]]|//)))*)){quote}",
        re.DOTALL,
    )
    for quote in ('"', "'")
}
_GROUPED = re.compile(r"[-+]?[0-9]{1,3}(?:,[0-9]{3}){1,9}(?=\s*+[,}])")
"""A number with separators, which could be two items in a list."""
_BARE = re.compile(r"[-+]?+[\w.][-+\w./%]*+")
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|u[0-9a-fA-F]{4}|(?P<letter>.))",
    re.DOTALL,
)
_SHORT_ESCAPES = {
    '"': '"', "'": "'", "\\": "\\", "/": "/", "b": "\b",
    "f": "\f", "n": "\n", "r": "\r", "t": "\t",
}  # fmt: skip
_LATEX = re.compile(
    r"\\(?:[bf][a-zA-Z]|t(?:ext[a-z]{0,4}\{|imes|heta|frac|herefore|riangle|au\b)"
    r"|r(?:ight|ho\b|m\b)|ne[qg]\b)"
)
"""A command whose backslash was not escaped, as in `"\\frac{1}{2}"`. Nobody means a
backspace or form feed, and no word begins with what follows `\\t` here.
"""


class JsonText(NamedTuple):
    """A string, a number, or another bare word."""

    text: str
    start: int
    """Offset of its content, behind the quote of a string."""
    end: int
    is_string: bool
    is_verbatim: bool
    """Whether the text is what is between `start` and `end`, without escapes."""


class JsonList(NamedTuple):
    """A list."""

    items: "tuple[JsonValue, ...]"
    start: int
    end: int


class JsonObject(NamedTuple):
    """An object; a name may occur more than once."""

    fields: "tuple[tuple[str, JsonValue], ...]"
    start: int
    """Offset of its opening brace."""
    end: int
    """Offset behind its closing brace."""


JsonValue = JsonText | JsonList | JsonObject


def may_hold_object(text: str) -> bool:
    """Return whether an object may begin anywhere in a text."""
    return "{" in text and _MAY_OPEN.search(text) is not None


def find_objects(text: str) -> list[JsonObject]:
    """Return the whole objects with fields in order, without those inside of others.

    Where none is found, quotes and marks of other scripts are read as plain ones.
    """
    if not may_hold_object(text):
        return []
    objects = list(_objects_in(text, text))
    if objects or text.isascii():
        return objects
    return list(_objects_in(fold(text), text))


def _objects_in(view: str, text: str) -> Iterator[JsonObject]:
    places = [found.start() for found in _OPENING.finditer(view)]
    if len(places) > 2 * MAX_PLACES:
        places = [*places[:MAX_PLACES], *places[-MAX_PLACES:]]
    end = 0
    for place in places:
        if place < end:
            continue
        try:
            found = _Parser(view, text, place).read_object(depth=1)
        except _NoJson:
            continue
        yield found
        end = found.end


class _NoJson(Exception):
    """What is read is no value."""


class _Parser:
    """Reads one value; `view` is the text that is parsed, `text` the original."""

    def __init__(self, view: str, text: str, start: int) -> None:
        self._view = view
        self._text = text
        self._place = start

    def read_object(self, depth: int) -> JsonObject:
        """Read the object at the present place, whose brace is there."""
        start = self._place
        fields = []
        self._place += 1
        while not self._skip_to("}"):
            name = self._read_string()
            if not self._skip_to(":"):
                raise _NoJson
            value = self._read_grouped() or self._read_value(depth + 1)
            fields.append((name.text, value))
            if not self._skip_to(",") and self._next_char() != "}":
                raise _NoJson
        return JsonObject(tuple(fields), start, self._place)

    def _read_list(self, depth: int) -> JsonList:
        start = self._place
        items = []
        self._place += 1
        while not self._skip_to("]"):
            items.append(self._read_value(depth + 1))
            if not self._skip_to(",") and self._next_char() != "]":
                raise _NoJson
        return JsonList(tuple(items), start, self._place)

    def _read_value(self, depth: int) -> JsonValue:
        char = self._next_char()
        if depth > MAX_DEPTH:
            raise _NoJson
        if char == "{":
            return self.read_object(depth)
        if char == "[":
            return self._read_list(depth)
        if char in _STRINGS:
            return self._read_string()
        return self._read_bare()

    def _read_string(self) -> JsonText:
        pattern = _STRINGS.get(self._next_char())
        found = pattern.match(self._view, self._place) if pattern else None
        if found is None:
            raise _NoJson
        self._place = found.end()
        start, end = found.span("content")
        return make_text(self._text[start:end], start, is_string=True)

    def _read_grouped(self) -> JsonText | None:
        self._next_char()
        return self._read_word(_GROUPED)

    def _read_bare(self) -> JsonText:
        word = self._read_word(_BARE)
        if word is None:
            raise _NoJson
        return word

    def _read_word(self, pattern: re.Pattern[str]) -> JsonText | None:
        found = pattern.match(self._view, self._place)
        if found is None:
            return None
        self._place = found.end()
        return make_text(found[0], found.start(), is_string=False)

    def _next_char(self) -> str:
        """Skip white space and return the character there, empty at the end."""
        space = _SPACE.match(self._view, self._place)
        self._place = space.end() if space else self._place
        return self._view[self._place : self._place + 1]

    def _skip_to(self, mark: str) -> bool:
        """Whether `mark` is next; it is skipped if it is."""
        is_next = self._next_char() == mark
        self._place += is_next
        return is_next


def make_text(content: str, start: int, *, is_string: bool) -> JsonText:
    """Return what is written at `start` as a string or bare word."""
    text = unescape(content)
    end = start + len(content)
    return JsonText(text, start, end, is_string, is_verbatim=text == content)


def unescape(content: str) -> str:
    """Return the text that the content of a string stands for.

    A LaTeX command keeps its backslash, and so does an escape that JSON does not have. A
    lone surrogate, which no file can hold, is replaced.
    """
    if "\\" not in content:
        return content
    return _ESCAPE.sub(_unescape_one, content)


def _unescape_one(escape: re.Match[str]) -> str:
    letter = escape["letter"]
    if letter is None:
        code = bytes.fromhex(escape[0].replace("\\u", ""))
        return code.decode("utf-16-be", "replace")
    if _LATEX.match(escape.string, escape.start()):
        return escape[0]
    return _SHORT_ESCAPES.get(letter, escape[0])
