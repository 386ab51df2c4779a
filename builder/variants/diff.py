"""Show two variants of the same rationales side by side."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from cotbuild.builder.build.build import StoredBuild
from cotbuild.builder.variants.align import align_words
from cotbuild.builder.visible import shell_quote
from cotbuild.builder.wrap import wrap_paragraph
from cotbuild.schemas.errors import DataError

WIDTH = 100
COLUMN_WIDTH = WIDTH // 2 - 2
_RowKey = tuple[str, int, str | None]


def diff_lines(
    build: StoredBuild, first: str, second: str, *, question_id: str | None, limit: int
) -> Iterator[str]:
    """Yield the lines that compare two variants, for up to `limit` rows both have.

    Each prompt is shown once, above the completions in two columns, in which words that
    differ are in [brackets]. `question_id` selects all rows of one question. Raises
    ConfigError if there is no such variant, DataError if they share no such row.
    """
    for name in (first, second):
        build.spec(name)
    num_shown = 0
    second_rows = _RowsByKey(build, second)
    for row in build.read(first, build.split):
        if question_id not in (None, row["question_id"]):
            continue
        match = second_rows.pop(row)
        if match is None:
            continue
        if num_shown == limit and question_id is None:
            return
        num_shown += 1
        yield from _format_rows(row, match, first, second)
    if not num_shown:
        what = "row" if question_id is None else f"row of question {question_id!r}"
        raise DataError(
            f"{build.folder}: no {what} is in both {first} and {second}. "
            f"See `cotbuild inspect {shell_quote(build.folder)}`."
        )


class _RowsByKey:
    """Looks up rows of a variant, in the order of a variant that may have others."""

    def __init__(self, build: StoredBuild, name: str) -> None:
        self._rows = build.read(name, build.split)
        self._passed: dict[_RowKey, dict[str, Any]] = {}

    def pop(self, row: dict[str, Any]) -> dict[str, Any] | None:
        """Return the row of the same rationale and task, or None if there is none."""
        key = _row_key(row)
        while key not in self._passed:
            following = next(self._rows, None)
            if following is None:
                return None
            self._passed[_row_key(following)] = following
        return self._passed.pop(key)


def _row_key(row: dict[str, Any]) -> _RowKey:
    return row["question_id"], row["sample_index"], row["task"]


def _format_rows(
    row: dict[str, Any], match: dict[str, Any], first: str, second: str
) -> Iterator[str]:
    heading = f"── {row['question_id']}"
    if row["sample_index"]:
        heading += f" sample {row['sample_index']}"
    yield f"{heading} ".ljust(WIDTH, "─")
    for line in _show_prompt(row["prompt"]).splitlines():
        yield from wrap_paragraph(line, WIDTH) or [""]
    left, right = mark_differences(
        read_text(row["completion"]), read_text(match["completion"])
    )
    yield f"{first:<{COLUMN_WIDTH}} │ {second}"
    for left_line, right_line in zip_longest(_wrap(left), _wrap(right), fillvalue=""):
        yield f"{left_line:<{COLUMN_WIDTH}} │ {right_line}".rstrip()


def read_text(completion: str | Sequence[Mapping[str, Any]]) -> str:
    """Return the text of a completion as a row holds it: a text, or one turn."""
    if isinstance(completion, str):
        return completion
    return str(completion[-1]["content"])


def _show_prompt(prompt: str | Sequence[Mapping[str, Any]]) -> str:
    """Return a prompt for reading, each turn of a conversation with its role."""
    if isinstance(prompt, str):
        return prompt
    return "\n".join(f"{turn['role']}: {turn['content']}" for turn in prompt)


def _wrap(text: str) -> list[str]:
    lines = []
    for part in text.splitlines():
        lines += wrap_paragraph(part.strip(), COLUMN_WIDTH) or [""]
    return lines


def mark_differences(first: str, second: str) -> tuple[str, str]:
    """Put the runs of words that the other text does not have there in [brackets].

    Line breaks are kept.
    """
    first_tokens, second_tokens = _tokenize(first), _tokenize(second)
    left, right = [], []
    for block in align_words(first_tokens, second_tokens):
        left.append(_format_run(block.first, block.differs))
        right.append(_format_run(block.second, block.differs))
    return " ".join(filter(None, left)), " ".join(filter(None, right))


def _tokenize(text: str) -> list[str]:
    if not text.strip():
        return []
    return text.replace("\n", " \n ").replace("  ", " ").strip(" ").split(" ")


def _format_run(tokens: Sequence[str], differs: bool) -> str:
    words = " ".join(tokens)
    return f"[{words}]" if differs and words.strip() else words
