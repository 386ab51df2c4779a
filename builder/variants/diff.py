"""Two variants of the same rationales side by side."""

import textwrap
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any

from cotbuild.builder.build.build import Build
from cotbuild.schemas.errors import ConfigError, DataError

WIDTH = 100
COLUMN = WIDTH // 2 - 2
Key = tuple[str, int, str | None]


def diff_lines(
    build: Build, one: str, other: str, *, question_id: str | None, limit: int
) -> Iterator[str]:
    """Up to `limit` rows that both have, prompt once, completions in two columns, words
    that differ in [brackets].

    Raises ConfigError where there is no such variant, DataError where they share no
    such row.
    """
    for name in (one, other):
        _check(build, name)
    shown = 0
    theirs = _ByKey(build, other)
    for row in build.read(one, build.split):
        if question_id not in (None, row["question_id"]):
            continue
        if (match := theirs(row)) is None:
            continue
        if shown == limit and question_id is None:
            return
        shown += 1
        yield from _row_lines(row, match, one, other)
    if not shown:
        wanted = f"question {question_id!r}" if question_id is not None else "row"
        raise DataError(
            f"{build.folder}: no {wanted} in both {one} and {other}. Expected one. See `cotbuild inspect`."
        )


def _check(build: Build, name: str) -> None:
    known = [spec.name for spec in build.specs]
    if name not in known:
        raise ConfigError(
            f"variant {name!r}: not in this build. Expected one of {', '.join(known) or 'none; make them first'}."
        )


class _ByKey:
    """Looks rows up in a variant whose rows come in the same order, some left out."""

    def __init__(self, build: Build, name: str) -> None:
        self._rows = build.read(name, build.split)
        self._passed: dict[Key, dict[str, Any]] = {}

    def __call__(self, row: dict[str, Any]) -> dict[str, Any] | None:
        key = _key(row)
        while (
            key not in self._passed
            and (following := next(self._rows, None)) is not None
        ):
            self._passed[_key(following)] = following
        return self._passed.pop(key, None)


def _key(row: dict[str, Any]) -> Key:
    return row["question_id"], row["sample_index"], row["task"]


def _row_lines(
    row: dict[str, Any], match: dict[str, Any], one: str, other: str
) -> Iterator[str]:
    mark = "" if row["sample_index"] == 0 else f" sample {row['sample_index']}"
    yield f"── {row['question_id']}{mark} ".ljust(WIDTH, "─")
    for line in row["prompt"].splitlines():
        yield from textwrap.wrap(line, WIDTH) or [""]
    left, right = marked(row["completion"], match["completion"])
    yield f"{one:<{COLUMN}} │ {other}"
    for first, second in zip_longest(_column(left), _column(right), fillvalue=""):
        yield f"{first:<{COLUMN}} │ {second}".rstrip()


def _column(text: str) -> list[str]:
    return [
        line
        for part in text.splitlines()
        for line in textwrap.wrap(part.strip(), COLUMN) or [""]
    ]


def marked(one: str, other: str) -> tuple[str, str]:
    """Both texts with the runs of words in [brackets] that the other has not at that
    place; line ends are kept.
    """
    first, second = _tokens(one), _tokens(other)
    left, right = [], []
    for what, a, b, c, d in SequenceMatcher(
        None, first, second, autojunk=False
    ).get_opcodes():
        left.append(_run(first[a:b], what != "equal"))
        right.append(_run(second[c:d], what != "equal"))
    return _joined(left), _joined(right)


def _tokens(text: str) -> list[str]:
    return (
        text.replace("\n", " \n ").replace("  ", " ").strip(" ").split(" ")
        if text.strip()
        else []
    )


def _run(tokens: Sequence[str], differs: bool) -> str:
    words = " ".join(tokens)
    return f"[{words}]" if differs and words.strip() else words


def _joined(runs: Sequence[str]) -> str:
    return " ".join(run for run in runs if run)
