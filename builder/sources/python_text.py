r"""Read lists and objects written as Python or numpy text, as a CSV cell of them has.

The forms are those of `str` and `repr`: "['a', 'b']", "('a',)", "{'text': ['a'], …}",
"array(['a', 'b'], dtype=object)", and numpy's own "['a' 'b']" without commas. Not
`ast.literal_eval`, which takes "['a' 'b']" for one text, and gives neither arrays nor
bounds on nesting and memory. Pure.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from cotbuild.schemas.json_text import MAX_JSON_DEPTH, JsonFault, parse_json
from cotbuild.schemas.record import short_repr

_TOKEN = re.compile(
    r"""
    (?P<space>\s++)
    | (?P<string>'(?:[^'\\]|\\.)*+'|"(?:[^"\\]|\\.)*+")
    | (?P<number>[-+]?+(?:\d++\.?+\d*+|\.\d++)(?:[eE][-+]?+\d{1,4})?+)
    | (?P<dots>\.\.\.)
    | (?P<name>[-+]?+[A-Za-z_][A-Za-z_0-9.]*+)
    | (?P<mark>[\[\](){},:=])
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_TEXT_LIST = re.compile(r"""\s*+(?:(?:np\.|numpy\.)?array\(\s*+)?\[\s*+['"\]]""")
"""The beginning of an empty list or one of texts."""
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL
)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "\n": ""}
_NAMED = {
    "None": None,
    "True": True,
    "False": False,
    "nan": float("nan"),
    "inf": float("inf"),
    "-inf": float("-inf"),
}
_ARRAYS = {"array", "np.array", "numpy.array"}
_SCALARS = re.compile(r"(?:np|numpy)\.(?:str|bool|u?int|float)[0-9]{0,3}_?", re.ASCII)
_MAX_DIGITS = 300
_CLOSING = {"[": "]", "(": ")", "{": "}"}


class PythonTextFault(ValueError):
    """A text that is none of the forms; the message is a clause in one line."""


def parse_list_text(text: str) -> Any:
    """Return the list or object in a cell, written as JSON or as Python text.

    Raises PythonTextFault; its message speaks of JSON where the text looks like it.
    """
    try:
        return parse_json(text)
    except JsonFault as fault:
        json_fault = fault
    try:
        return parse_python_text(text)
    except PythonTextFault as fault:
        is_python = "'" in text or "array(" in text
        raise PythonTextFault(str(fault if is_python else json_fault)) from fault


def read_text_list(value: object) -> list[str] | None:
    """Return the texts of a list that is written in a text, None for any other value.

    "[0, 1]" is none: it may be an interval.
    """
    if not isinstance(value, str) or not _TEXT_LIST.match(value):
        return None
    try:
        items = parse_list_text(value)
    except PythonTextFault:
        return None
    is_list = isinstance(items, list) and all(isinstance(item, str) for item in items)
    return items if is_list else None


def parse_python_text(text: str) -> Any:
    """Return the value of Python text; tuples and arrays become lists.

    Raises PythonTextFault.
    """
    return _Parser(text).parse()


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    has_space_before: bool


def _read_tokens(text: str) -> Iterator[_Token]:
    start, has_space = 0, False
    while start < len(text):
        match = _TOKEN.match(text, start)
        if match is None:
            raise PythonTextFault(f"{short_repr(text[start : start + 20])} is no value")
        kind = str(match.lastgroup)
        if kind != "space":
            yield _Token(kind, match[0], start, has_space)
        has_space = kind == "space"
        start = match.end()
    yield _Token("end", "", start, has_space)


class _Parser:
    """One token ahead; nesting is bounded, so that recursion is."""

    def __init__(self, text: str) -> None:
        self._tokens = _read_tokens(text)
        self._next = next(self._tokens)
        self._depth = 0

    def parse(self) -> Any:
        value = self._parse_value()
        if self._next.kind != "end":
            raise self._fault("more after the end of the value")
        return value

    def _fault(self, what: str) -> PythonTextFault:
        return PythonTextFault(f"{what} at character {self._next.start}")

    def _take(self) -> _Token:
        token = self._next
        if token.kind == "end":
            raise self._fault("it ends early")
        self._next = next(self._tokens)
        return token

    def _take_mark(self, mark: str) -> None:
        if self._next.text != mark or self._next.kind != "mark":
            raise self._fault(f"no {mark!r}")
        self._take()

    def _is_mark(self, mark: str) -> bool:
        return self._next.kind == "mark" and self._next.text == mark

    def _parse_value(self) -> Any:
        if self._next.kind == "mark":
            return self._parse_container()
        token = self._take()
        match token.kind:
            case "string":
                return _unescape(token.text[1:-1])
            case "number":
                return self._read_number(token.text)
            case "dots":
                raise self._fault("'...' stands for items that are left out, before")
        return self._parse_named(token.text)

    def _read_number(self, digits: str) -> int | float:
        if len(digits) > _MAX_DIGITS:
            raise self._fault(f"a number of more than {_MAX_DIGITS} digits before")
        is_whole = digits.lstrip("+-").isdigit()
        return int(digits) if is_whole else float(digits)

    def _parse_named(self, name: str) -> Any:
        if name in _NAMED and not self._is_mark("("):
            return _NAMED[name]
        if name in _ARRAYS or _SCALARS.fullmatch(name):
            self._take_mark("(")
            value = self._nested(self._parse_value)
            while self._is_mark(","):  # dtype=object, shape=(0,)
                self._take()
                if not self._is_mark(")"):
                    self._skip_argument()
            self._take_mark(")")
            return value
        raise self._fault(f"{short_repr(name)} is no value, before the text")

    def _skip_argument(self) -> None:
        if self._next.kind != "name":
            raise self._fault("no dtype or shape")
        self._take()
        self._take_mark("=")
        if self._next.kind == "name":
            self._take()
        else:
            self._nested(self._parse_value)

    def _nested(self, parse: Callable[[], Any]) -> Any:
        if self._depth == MAX_JSON_DEPTH:
            raise self._fault(f"nested deeper than {MAX_JSON_DEPTH} levels")
        self._depth += 1
        value = parse()
        self._depth -= 1
        return value

    def _parse_container(self) -> Any:
        opening = self._take().text
        if opening == "{":
            return self._nested(self._parse_object)
        if opening in _CLOSING:
            closing = _CLOSING[opening]
            return self._nested(lambda: self._parse_items(closing))
        raise self._fault(f"{opening!r} is no value, before the text")

    def _parse_items(self, closing: str) -> list[Any]:
        """Return the items up to the bracket, with commas throughout or without any."""
        items: list[Any] = []
        has_commas = False
        while not self._is_mark(closing):
            if len(items) == 1:
                has_commas = self._is_mark(",")
            if has_commas:
                self._take_mark(",")
                if self._is_mark(closing):
                    break
            elif items and not self._next.has_space_before:
                raise self._fault("items with and without commas between them")
            items.append(self._parse_value())
        if closing == ")" and items and not has_commas:
            # ('a') is a text, and ('a' 'b') another one.
            raise self._fault("a bracket without ',',")
        self._take()
        return items

    def _parse_object(self) -> dict[str, Any]:
        value: dict[str, Any] = {}
        while not self._is_mark("}"):
            if value:
                self._take_mark(",")
                if self._is_mark("}"):
                    break
            key = self._parse_value()
            if not isinstance(key, str | int):
                raise self._fault(
                    f"the key {short_repr(key)} is no text, before the text"
                )
            self._take_mark(":")
            if str(key) in value:
                raise self._fault(f"the key {short_repr(key)} occurs twice, again")
            value[str(key)] = self._parse_value()
        self._take()
        return value


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPE.sub(_replace_escape, text)


def _replace_escape(match: re.Match[str]) -> str:
    hex_digits = match[1] or match[2] or match[3]
    if hex_digits is None:
        return _ESCAPED.get(match[4], match[0])
    code = int(hex_digits, 16)
    return chr(code) if code <= 0x10FFFF else match[0]
