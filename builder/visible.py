"""Text with its invisible characters made visible. Pure.

Whatever shows text of a teacher, a server or a file uses this: the terminal
(`builder.console`), cards and study pages.
"""

import os
import re
import shlex
import unicodedata
from collections.abc import Iterable

_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
"""Controls, format characters, lone surrogates, private use, line separators."""
_JOINERS = frozenset("\u200c\u200d")
"""Format characters that Persian, Indic scripts and emoji need."""
_EMOJI_SELECTORS = frozenset("\ufe0e\ufe0f")
_KEYCAPS = frozenset("#*0123456789")
"""The ASCII characters that an emoji may begin with."""
_SELECTOR = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
"""Letters and marks by category that are drawn as nothing."""
_PRINTABLE_BUT_HIDDEN = re.compile(f"{_SELECTOR.pattern}|[{''.join(_BLANK_LETTERS)}]")
_NOT_PLAIN = re.compile("[^ -~]")
_SHORT_ESCAPES = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def escape_hidden(text: str, keep: str = "") -> str:
    r"""Show invisible characters as escapes such as `\u202e`.

    These are controls, bidirectional marks, separators, zero-width characters, tags
    and lone surrogates. Characters in `keep` stay as they are, as do joiners and
    variation selectors behind a character that they can belong to.
    """
    if text.isprintable() and not _PRINTABLE_BUT_HIDDEN.search(text):
        return text

    def show(match: re.Match[str]) -> str:
        char = match[0]
        previous = text[match.start() - 1 : match.start()]
        visible = char in keep or _is_visible(char, previous)
        return char if visible else _escape_char(char)

    return _NOT_PLAIN.sub(show, text)


def _is_visible(char: str, previous: str) -> bool:
    """Return whether a character outside printable ASCII is seen where it stands."""
    if char in _JOINERS:
        return _is_outside_ascii(previous)
    if _SELECTOR.match(char):
        return _can_be_varied(previous, char)
    category = unicodedata.category(char)
    if category == "Cn":
        return _is_newer_symbol(char)
    return category not in _HIDDEN_CATEGORIES and char not in _BLANK_LETTERS


def _is_outside_ascii(previous: str) -> bool:
    """Return whether a joiner may follow: scripts in ASCII have no use for one.

    A run of joiners, which could carry a hidden message, is shown.
    """
    return previous.isprintable() and not previous.isascii()


def _can_be_varied(previous: str, selector: str) -> bool:
    if _SELECTOR.match(previous):
        return False
    if previous in _KEYCAPS:
        return selector in _EMOJI_SELECTORS
    return _is_outside_ascii(previous)


def _is_newer_symbol(char: str) -> bool:
    """Return whether a character that this Python does not know is an emoji or a Han.

    Both blocks grow with every version of Unicode.
    """
    return "\U0001f000" <= char <= "\U0001fbff" or "\U00020000" <= char <= "\U0003fffd"


def _escape_char(char: str) -> str:
    if char in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[char]
    point = ord(char)
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"


def shell_join(words: Iterable[object]) -> str:
    """Return a command line of `words` that a user can paste into a shell."""
    return " ".join(shell_quote(word) for word in words)


def shell_quote(word: object) -> str:
    r"""Return a word quoted for a shell, on one line and without hidden characters.

    A word that has any is written as `$'a\x0ab'`, which bash, zsh and ksh read back.
    """
    text = str(word)
    if escape_hidden(text) == text:
        return shlex.quote(text)
    return f"$'{''.join(_escape_byte(byte) for byte in os.fsencode(text))}'"


def _escape_byte(byte: int) -> str:
    char = chr(byte)
    if char in r"\'":
        return "\\" + char
    return char if " " <= char <= "~" else f"\\x{byte:02x}"
