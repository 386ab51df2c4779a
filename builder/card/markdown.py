"""Markdown, HTML and BibTeX that arbitrary text cannot break out of. Pure."""

import html
import re
from collections.abc import Iterable, Mapping

from cotbuild.builder.visible import escape_hidden

MAX_INLINE = 300
"""Longest value shown inside a line, in characters; a longer one is truncated."""
MAX_BLOCK = 20_000
"""Longest text shown in a block, such as a prompt, in characters."""

_MARKUP = re.compile(r"[\\`*_{}\[\]()<>#+!|~&$@^]")
# GitHub's Markdown turns bare addresses into links, whatever surrounds them.
_ADDRESS = re.compile(r":(?=\S)|(?<=www)\.", re.IGNORECASE)
# What would make a line a list item or a heading.
_LINE_START = re.compile(r"^(?=[-=])|(?<=\d)(?=\.(?:\s|$))")


def truncate_text(text: str, limit: int) -> str:
    """Return the first `limit` characters, with a note if there were more."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]} … (cut: {len(text):,} characters)"


def one_line(value: str, limit: int = MAX_INLINE) -> str:
    """Return plain text on one line: white space collapsed, hidden characters escaped."""
    return escape_hidden(" ".join(truncate_text(value, limit).split()))


def inline_text(value: str) -> str:
    """Escape text so that it is no markup anywhere on a line, table cells included."""
    text = _MARKUP.sub(_with_backslash, one_line(value))
    text = _ADDRESS.sub(_with_backslash, text)
    return _LINE_START.sub(r"\\", text)


def _with_backslash(match: re.Match[str]) -> str:
    return "\\" + match[0]


def code_span(value: str) -> str:
    """Return a code span that its text cannot close, and that fits a table cell."""
    # An empty span would be two backticks, which could open another one.
    text = one_line(value).replace("|", "¦") or " "
    ticks = "`" * (1 + _longest_run_of_backticks(text))
    padding = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{padding}{text}{padding}{ticks}"


def code_block(text: str, language: str = "", limit: int = MAX_BLOCK) -> list[str]:
    """Return the lines of a fenced block that its text cannot close.

    It has to start at the left margin.
    """
    unix_text = truncate_text(text, limit).replace("\r\n", "\n")
    shown = escape_hidden(unix_text, keep="\n\t")
    ticks = "`" * max(3, 1 + _longest_run_of_backticks(shown))
    return [ticks + language, *shown.split("\n"), ticks]


def _longest_run_of_backticks(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)


def details_block(summary: str, lines: Iterable[str]) -> list[str]:
    """Return a block that opens on a click: plain `summary`, Markdown `lines`."""
    return [
        "<details>",
        f"<summary>{html.escape(one_line(summary))}</summary>",
        "",
        *lines,
        "",
        "</details>",
        "",
    ]


# Braces are spelled out: BibTeX counts them even after a backslash, and a lone one would
# swallow the rest of the entry.
_BIBTEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "{": r"\textbraceleft ",
    "}": r"\textbraceright ",
    **{char: "\\" + char for char in "%&#$_"},
    "@": "{@}",
}


def bibtex_text(value: str) -> str:
    """Escape text for a BibTeX field: balanced braces, no command, entry or comment."""
    return "".join(_BIBTEX.get(char, char) for char in one_line(value))


def table_lines(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Return the lines of a table whose cells are Markdown."""
    separator = ("---",) * len(header)
    return ["| " + " | ".join(cells) + " |" for cells in (header, separator, *rows)]


def format_counts(counts: Mapping[str, int]) -> str:
    """Return names with their counts on one line, or "none"."""
    parts = [f"{inline_text(name)} {count:,}" for name, count in counts.items()]
    return ", ".join(parts) or "none"


def format_percent(part: float, whole: float = 1) -> str:
    """Return a share as a percentage with one decimal; 0 if `whole` is 0."""
    share = part / whole if whole else 0
    return f"{100 * share:.1f} %"
