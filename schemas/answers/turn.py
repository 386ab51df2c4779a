"""Find the end of the teacher's own turn, and split it into thoughts and text. Pure."""

from itertools import islice
from typing import NamedTuple

from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.question import Question


class _Piece(NamedTuple):
    """A part of a text that is kept as it is."""

    start: int
    """Its offset in the text that is left."""
    verbatim_start: int
    """Its offset in the verbatim text."""


class SplitText(NamedTuple):
    """A text, split into its thoughts and the text meant for the reader."""

    reasoning: str | None
    """Content of its <think> blocks; None if there is none."""
    own_text: str
    """The rest, stripped."""
    pieces: tuple[_Piece, ...]
    """Where the pieces of `own_text` come from, in order."""

    def to_verbatim_span(self, start: int, end: int) -> tuple[int, int]:
        """Return the span of the verbatim text for a non-empty span of `own_text`."""
        return self._to_verbatim(start), self._to_verbatim(end - 1) + 1

    def _to_verbatim(self, offset: int) -> int:
        piece = self.pieces[0]
        for candidate in self.pieces:
            if candidate.start > offset:
                break
            piece = candidate
        return offset - piece.start + piece.verbatim_start


def split_reasoning(text: str) -> SplitText:
    """Split a text into the content of its <think> blocks and the rest.

    A closing tag without an opening one ends a block that the chat template opened; a
    block that is never closed reaches to the end of the text.
    """
    first = p.THINK.search(text) if "<" in text else None
    if first is None:
        return SplitText(None, text, (_Piece(0, 0),))
    thoughts: list[str] = []
    kept: list[tuple[int, int]] = []
    inside = first[0].startswith("</")
    start = 0
    for tag in p.THINK.finditer(text, first.start()):
        if inside:
            thoughts.append(text[start : tag.start()])
        else:
            kept.append((start, tag.start()))
        inside = not tag[0].startswith("</")
        start = tag.end()
    if inside:
        thoughts.append(text[start:])
    else:
        kept.append((start, len(text)))
    own_text, pieces = _join_pieces(text, kept)
    return SplitText("\n".join(thoughts).strip() or None, own_text, pieces)


def _join_pieces(
    text: str, kept: list[tuple[int, int]]
) -> tuple[str, tuple[_Piece, ...]]:
    """Join spans of `text` by line breaks, strip the result and say what came whence."""
    joined = "\n".join(text[start:end] for start, end in kept)
    stripped = joined.lstrip()
    offset = len(stripped) - len(joined)
    pieces = []
    for start, end in kept:
        pieces.append(_Piece(offset, start))
        offset += end - start + len("\n")
    return stripped.rstrip(), tuple(pieces) or (_Piece(0, 0),)


def find_turn_end(low: str, question: Question) -> int:
    """Return where run-on text begins: an invented next question, or a chat marker.

    `low` is the folded text in lower case. Restating the question itself is not run-on
    text.
    """
    marks = [mark for mark in islice(p.LOW_RUN_ON.finditer(low), 3) if mark.start()]
    if not marks:
        return len(low)
    question_start = " ".join(question.text.lower().split())[:40]
    after_mark = low[marks[0].end() : marks[0].end() + 120]
    restated = " ".join(after_mark.strip(p.EDGE).split()).startswith(question_start)
    if restated and not p.LOW_CUES[0].pattern.search(low, 0, marks[0].start()):
        marks = marks[1:]
    return marks[0].start() if marks else len(low)
