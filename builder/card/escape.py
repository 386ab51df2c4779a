"""Values from data and configuration as Markdown, HTML and BibTeX that they cannot
leave. Pure.
"""

import html
import re
import unicodedata
from collections.abc import Iterable

MAX_INLINE = 300
"""Characters of a value shown inside a line; the rest is cut, and the card says so."""
MAX_BLOCK = 20_000
"""The same of a block, such as a prompt."""

_JOINERS = "\u200c\u200d"
"""Format characters that Persian, Indic scripts and emoji need; all others are shown as
escapes.
"""
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_MARKUP = re.compile(r"[\\`*_{}\[\]()<>#+!|~&$@^]")
# Bare addresses become links in GitHub's Markdown, whatever stands around them.
_ADDRESS = re.compile(r":(?=\S)|(?<=www)\.", re.IGNORECASE)
_FIRST = re.compile(r"^(?=[-=])|(?<=\d)(?=\.(?:\s|$))")
"""Before what makes a list item or a heading of a line that begins with it."""


def visible(text: str, kept: str = "") -> str:
    r"""The text with what a reader cannot see as escapes, `\u202e`: controls, bidi
    marks, separators, lone surrogates.

    `kept`: controls that stay.
    """
    return "".join(c if c in kept or not _is_hidden(c) else _escaped(c) for c in text)


def _is_hidden(c: str) -> bool:
    return (
        (not c.isascii() and c not in _JOINERS and unicodedata.category(c) in _HIDDEN)
        or c < " "
        or c == "\x7f"
    )


def _escaped(c: str) -> str:
    return f"\\u{ord(c):04x}" if ord(c) <= 0xFFFF else f"\\U{ord(c):08x}"


def cut(text: str, limit: int) -> str:
    """The text, or its first `limit` characters and how many there were."""
    return (
        text
        if len(text) <= limit
        else f"{text[:limit]} … (cut: {len(text):,} characters)"
    )


def flat(value: str, limit: int = MAX_INLINE) -> str:
    """One line: runs of white space as one space, the unseen as escapes, cut."""
    return visible(" ".join(cut(value, limit).split()))


def inline(value: str) -> str:
    """Text that can stand anywhere on one line of Markdown, also in a table cell,
    without becoming markup.
    """
    text = _MARKUP.sub(lambda found: "\\" + found[0], flat(value))
    text = _ADDRESS.sub(lambda found: "\\" + found[0], text)
    return _FIRST.sub(r"\\", text)


def code(value: str) -> str:
    """Text as a code span that stays inside its backticks and its table cell."""
    text = (
        flat(value).replace("|", "¦") or " "
    )  # two backticks alone would be no span, and could open one
    ticks = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def fence(text: str, language: str = "", limit: int = MAX_BLOCK) -> list[str]:
    """A fenced block that its text cannot close, line by line; it must begin at the
    left margin.
    """
    shown = visible(cut(text, limit).replace("\r\n", "\n"), kept="\n\t")
    ticks = "`" * max(
        3, 1 + max((len(run) for run in re.findall("`+", shown)), default=0)
    )
    return [ticks + language, *shown.split("\n"), ticks]


def folded(summary: str, lines: Iterable[str]) -> list[str]:
    """A block that opens at a click.

    `lines` are Markdown; the summary is plain text.
    """
    return [
        "<details>",
        f"<summary>{html.escape(flat(summary))}</summary>",
        "",
        *lines,
        "",
        "</details>",
        "",
    ]


_BIBTEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "{": r"\textbraceleft ",
    "}": r"\textbraceright ",
    **{c: "\\" + c for c in "%&#$_"},
    "@": "{@}",
}


def bibtex(value: str) -> str:
    """Text inside the braces of a BibTeX field: it keeps them balanced and starts no
    command, entry or comment.
    """
    # Braces are spelt out: one counts for BibTeX even behind a backslash, and a lone
    # one would swallow the entry.
    return "".join(_BIBTEX.get(c, c) for c in flat(value))


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """A table of cells that are Markdown already."""
    return [_line(header), _line(("---",) * len(header)), *map(_line, rows)]


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def counts(found: dict[str, int]) -> str:
    """Names with their counts on a line."""
    return (
        ", ".join(f"{inline(name)} {count:,}" for name, count in found.items())
        or "none"
    )


def percent(part: float, whole: float = 1) -> str:
    """A share with one decimal; of nothing: 0."""
    return f"{100 * part / whole if whole else 0:.1f} %"
