"""Find the end of the teacher's own turn, and split it into thoughts and text. Pure."""

import re
from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.language_detection import find_languages_of_nouns
from cotbuild.schemas.answers.language_patterns import QUESTION_HEADS
from cotbuild.schemas.answers.line_heads import find_question_heads
from cotbuild.schemas.answers.rule import Strength
from cotbuild.schemas.answers.rules import select_rules_for_text
from cotbuild.schemas.question import Question, QuestionKind

_TAGS = (
    r"(?:[a-z]{1,12}[:_])?think(?:ing)?|thoughts?|reasoning|scratchpad|reflection"
    r"|inner_monologue"
)
_EMPTY_MARKS = r"\|(?:end_of_solution|end_response|return)\|>"
_EMPTY_MARK = re.compile(f"<{_EMPTY_MARKS}", re.IGNORECASE)
"""A mark that ends a text and opens none."""
_MARK = re.compile(
    # Three first characters make the scan fast.
    r"[<\[◁](?:"
    rf"(?P<open>(?<=<)(?:{_TAGS})>|(?<=\[)think\]|(?<=◁)think▷"
    r"|(?<=<)\|(?:begin_of_thought|start_thinking)\|>"
    r"|(?<=<)\|im_start\|>(?:think(?:ing)?|reasoning|analysis)(?![a-z])"
    r"|(?<=<)(?:\|start\|>assistant<)?\|channel\|>(?:analysis|commentary)[^<\n]{0,80}"
    r"<\|message\|>)"
    rf"|(?P<close>(?<=<)/(?:{_TAGS})>|(?<=\[)/think\]|(?<=◁)/think▷"
    r"|(?<=<)\|(?:end_of_thought|end_thinking)\|>"
    r"|(?<=<)(?:\|start\|>assistant<)?\|channel\|>final[^<\n]{0,80}<\|message\|>)"
    r"|(?P<end>(?<=<)\|end\|>(?:<\|start\|>assistant(?!<\|channel))?)"
    r"|(?P<start>(?<=<)\|(?:begin_of_solution|start_response)\|>"
    r"|(?<=<)\|im_start\|>(?:answer|solution|final|response)(?![a-z]))"
    rf"|(?P<nothing>(?<=<){_EMPTY_MARKS}))",
    re.IGNORECASE,
)
"""The marks of thoughts that models emit: tags, channels (Harmony) and their like."""
_THINK_TAG = re.compile(r"</?think(?:ing)?>", re.IGNORECASE)
_MARK_STARTS = ("<", "[THINK]", "[/THINK]", "[think]", "[/think]", "◁")
_ANSWER_TAG = re.compile(r"<(?:final_?)?answer>", re.IGNORECASE)

_CLOSED_ANSWER = re.compile(
    r"<(?:final_?)?answer>(?:[^<]|<(?!/?(?:final_?)?answer>)){0,400}"
    r"</(?:final_?)?answer>\s*\Z"
    r"|(?<=\n)\\boxed\{[^{}\n]{1,200}\}[ .$\n]{0,20}(?:\\\][ .\n]{0,20})?\Z",
    re.IGNORECASE,
)
"""A whole answer tag, or a line that is nothing but a box, at the end of a text."""

_CLOSING_HEAD = re.compile(r"\n[ *_#]{0,6}final answer[*_]{0,3}:", re.IGNORECASE)
_CLOSING_BOX = re.compile(
    r"\\boxed\{[^{}\n]{1,200}\}[^\n\\]{0,80}(?:\\[)\]][^\n\\]{0,80})?\s*\Z"
)
"""A box in the last line of a text."""
_LAST_LINE_CHARS = 600

_QUESTION_HEADS = (
    rf"q|question|problem|exercise|human|user|instruction|{QUESTION_HEADS}"
)
_ANNOUNCES = re.compile(rf"\b(?:question|problem|exercise|task)\b|{QUESTION_HEADS}")
_ANNOUNCING_CHARS = 150
_HEADING_LINES = re.compile(r"(?m)^ {0,3}#{1,6} [^\n]{0,80}$")
_DIGIT = re.compile(r"[0-9]")
_INLINE_HEADS = ("q", "question", "problem", "passage", "premise")
CHAT_MARK = re.compile(
    r"<(?:\|(?:im_end|end|endoftext|eot_id|user|return|call)\|>|/s>|end_of_turn>|eos>"
    r"|\|im_start\|>(?![a-z])|\|im_start\|>(?:user|system|assistant|human|tool))"
)
_MAX_MARKS = 16
_WORD = re.compile(r"[^\W\d_]{2,}|[^\W\d_\x00-\x7f]")
_RESTATED_CHARS = 120
_LINE_START_CHARS = 80
_HASHED_ANSWER = re.compile(
    r"####(?<!#####)(?!#)[ *_$(\[]{0,5}[-+]?[$£€]?(?:[0-9.,]{1,40}|[a-z])"
    r"[)\]*_$.% ]{0,5}(?:\n|\Z)"
)
"""An answer behind hash marks; "#### Step 1: add" is a heading."""
_ANY_KIND = ("answer_is", "answer_of", "boxed", "answer_tag")
"""Rules whose cues introduce answers of every kind."""


class _Piece(NamedTuple):
    """A part of a text that is kept as it is."""

    start: int
    """Its offset in the text that is left."""
    verbatim_start: int
    """Its offset in the verbatim text."""


class SplitText(NamedTuple):
    """A text, split into its thoughts and the text meant for the reader."""

    reasoning: str | None
    """Content of its <think> blocks and their like; None if there is none."""
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


# --- thoughts ---


def split_reasoning(text: str) -> SplitText:
    """Split a text into the content of its <think> blocks and the rest.

    Other marks of thoughts count too: `<reasoning>`, `[THINK]`, the channels of Harmony,
    `<|begin_of_thought|>`. A closing mark without an opening one ends a block that the
    chat template opened; a block that is never closed reaches to the end of the text.
    """
    if not any(start in text for start in _MARK_STARTS):
        return SplitText(None, text, (_Piece(0, 0),))
    return _split_at(text, _find_turns(text))


def split_think_tags(text: str) -> SplitText:
    """Split a text at its <think> and <thinking> tags alone.

    What it leaves is shown to the teacher in a later step of a chain, and so it is part
    of that request's key: it never changes.
    """
    if "<" not in text:
        return SplitText(None, text, (_Piece(0, 0),))
    turns = [
        _Turn(*tag.span(), inside=not tag[0].startswith("</"))
        for tag in _THINK_TAG.finditer(text)
    ]
    return _split_at(text, turns)


class _Turn(NamedTuple):
    """A mark at which a text turns to thoughts, or back."""

    start: int
    end: int
    inside: bool
    """Whether thoughts follow."""


def _find_turns(text: str) -> list[_Turn]:
    turns: list[_Turn] = []
    inside = False
    in_channel = False
    opening = ""
    for mark in _MARK.finditer(text):
        if mark["end"] and not (inside and in_channel):
            continue  # the end of a turn, not of thoughts
        if mark["open"]:
            inside, opening = True, mark[0].lower()
            in_channel = "channel" in opening
        elif not mark["nothing"]:
            # A text may begin inside of thoughts, a solution does not follow them.
            if mark["start"] and not turns:
                turns.append(_Turn(mark.start(), mark.start(), inside=False))
            inside = False
        turns.append(_Turn(*mark.span(), inside))
    is_broken_off = inside and "im_start" in opening
    may_end_unclosed = inside and "think" not in opening and not in_channel
    if inside and (closed := _CLOSED_ANSWER.search(text, turns[-1].end)):
        # It is no thought, although the thought was not closed.
        turns.append(_Turn(closed.start(), closed.start(), inside=False))
    elif is_broken_off and (head := _find_closing_head(text, turns[-1].end)):
        turns.append(_Turn(head, head, inside=False))
    elif may_end_unclosed and (answer := _ANSWER_TAG.search(text, turns[-1].end)):
        # <reasoning> that was not closed ends where the answer's tag opens.
        turns.append(_Turn(answer.start(), answer.start(), inside=False))
    return turns


def _find_closing_head(text: str, start: int) -> int | None:
    """Return where "Final Answer:" closes a thought, if the text ends in a box.

    Where thoughts are broken off at a budget, it is put behind them.
    """
    heads = deque(_CLOSING_HEAD.finditer(text, start), maxlen=1)
    tail_start = max(start, len(text) - _LAST_LINE_CHARS)
    if not heads or _CLOSING_BOX.search(text, tail_start) is None:
        return None
    return heads[0].start()


def _split_at(text: str, turns: list[_Turn]) -> SplitText:
    if not turns:
        return SplitText(None, text, (_Piece(0, 0),))
    thoughts: list[str] = []
    kept: list[tuple[int, int]] = []
    is_closing = turns[0].start < turns[0].end and not turns[0].inside
    inside = is_closing and not _EMPTY_MARK.match(text, turns[0].start)
    start = 0
    for turn in turns:
        if inside:
            thoughts.append(text[start : turn.start])
        else:
            kept.append((start, turn.start))
        inside = turn.inside
        start = turn.end
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


# --- the end of the turn ---


class _Mark(NamedTuple):
    """A place where run-on text may begin."""

    start: int
    end: int
    head: str
    """What opens the next item; empty: a chat marker."""
    number: str
    is_inline: bool


def find_turn_end(low: str, question: Question, heads: tuple[str, ...] = ()) -> int:
    """Return where run-on text begins: an invented next item, or a chat marker.

    `low` is the folded text in lower case. A next item opens with "Question:" or the
    like, or with a line head of the question itself ("Premise:"), or, once an answer is
    stated, with one of the prompt's form, which `heads` gives. Restating the question
    is not run-on text, nor are parts of it that a teacher numbers and answers in turn.
    """
    in_series = False
    question_heads = find_question_heads(question.text)
    heads = _without_known_heads(heads, question_heads)
    marks = _find_marks(low, question_heads, heads)
    cues = _find_stating_cues(low) if marks else []
    for mark in marks:
        if not mark.start and not mark.number:
            continue
        is_stated = any(cue.search(low, 0, mark.start) for cue in cues)
        if mark.number == "1" and not is_stated:
            in_series = True
        if in_series and mark.number:
            continue
        if (mark.is_inline or mark.head in heads) and not is_stated:
            continue
        if mark.start and _is_run_on(low, mark, is_stated, question):
            return mark.start
    return len(low)


def _find_marks(
    low: str, heads: tuple[str, ...], line_heads: tuple[str, ...]
) -> list[_Mark]:
    """Return the first marks in order; those of `line_heads` begin a line."""
    marks = []
    if ":" in low:
        lines = "\n" + low
        pattern = _line_pattern((*heads, *line_heads))
        for found in islice(pattern.finditer(lines), _MAX_MARKS):
            start = max(0, found.start() - 1)
            end, number = found.end() - 1, found["number"] or ""
            marks.append(_Mark(start, end, found["head"], number, is_inline=False))
        names = [name for name in (*_INLINE_HEADS, *heads) if f" {name}:" in low]
        for name in names:
            for start in islice(_find_all(low, f" {name}:"), _MAX_MARKS):
                end = start + len(name) + 2
                if _is_in_line(low, start):
                    marks.append(_Mark(start + 1, end, name, "", is_inline=True))
    if "<" in low:
        for found in islice(CHAT_MARK.finditer(low), _MAX_MARKS):
            marks.append(_Mark(*found.span(), "", "", is_inline=False))
    return sorted(marks)[:_MAX_MARKS]


def _is_in_line(low: str, start: int) -> bool:
    """Return whether a word stands before `start` in its line: "#### Sentence:" heads it."""
    line_start = max(low.rfind("\n", 0, start) + 1, start - _LINE_START_CHARS)
    return p.WORD.search(low, line_start, start) is not None


def _find_all(low: str, part: str) -> Iterator[int]:
    start = low.find(part)
    while start >= 0:
        yield start
        start = low.find(part, start + 1)


def _is_run_on(low: str, mark: _Mark, is_stated: bool, question: Question) -> bool:
    if not mark.head:
        return True  # a chat marker
    after = low[mark.end : mark.end + _RESTATED_CHARS]
    line = after.lstrip(p.EDGE).partition("\n")[0]
    if line and not _WORD.search(line):
        return False  # "Q: (16, 30)" is a point
    if is_stated:
        return True
    question_start = " ".join(question.text.lower().split())[:40]
    if " ".join(after.strip(p.EDGE).split()).startswith(question_start):
        return False
    if re.fullmatch(_QUESTION_HEADS, mark.head):
        is_repeated = bool(line) and _share_known(line, question) == 1.0
        return not is_repeated and not _leads_to_question(low[: mark.start], question)
    follows_blank_line = low[: mark.start].rstrip(" ").endswith("\n")
    return follows_blank_line and bool(line) and not _restates(line, question)


def _leads_to_question(lead: str, question: Question) -> bool:
    """Return whether a text's first words are no answer, so that it restates a question.

    It may do so in another language: "好的，让我们来理解这个问题。". Without a digit no
    number has been named.
    """
    if _DIGIT.search(lead):
        return False
    if question.kind is QuestionKind.NUMBER:
        return True
    lead = _HEADING_LINES.sub("", lead).strip()
    if len(lead) > _ANNOUNCING_CHARS:
        return False
    return not lead or lead.endswith(":") or _ANNOUNCES.search(lead) is not None


def _restates(line: str, question: Question) -> bool:
    """Return whether at least half of a line's words are the question's."""
    return _share_known(line, question) >= 0.5


def _share_known(line: str, question: Question) -> float:
    """Return the share of a line's words that the question has; 1 if it has no words."""
    words = _WORD.findall(line)
    known = set(_WORD.findall(p.fold(question.text).lower()))
    return sum(word in known for word in words) / len(words) if words else 1.0


def _find_stating_cues(low: str) -> list[re.Pattern[str]]:
    """Return the cues of answers of every kind that a text may hold."""
    rules = select_rules_for_text(low, 0, QuestionKind.CHOICE, Strength.FORMAL)
    cues = [cue for rule in rules if rule.id in _ANY_KIND for cue in rule.cues]
    languages = find_languages_of_nouns(low)
    return [*cues, _HASHED_ANSWER, *(patterns.cue for patterns in languages)]


@lru_cache(maxsize=256)
def _without_known_heads(
    heads: tuple[str, ...], known: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the heads that do not end a turn anyway."""
    return tuple(
        head
        for head in heads
        if head not in known and not re.fullmatch(_QUESTION_HEADS, head)
    )


@lru_cache(maxsize=256)
def _line_pattern(heads: tuple[str, ...]) -> re.Pattern[str]:
    names = "|".join([_QUESTION_HEADS, *map(re.escape, heads)])
    return re.compile(
        rf"\n[ >#]*+[*_]{{0,3}}(?:next )?(?P<head>{names})(?: ?#?(?P<number>[0-9]{{1,3}}))?"
        r"[*_ ]{0,4}:"
    )
