"""Taking the answer and the rationale out of a teacher's free text. Pure: text in,
Extraction out.

An answer counts only where the text states it: "The answer is (B)", "Answer: 12", "####
42", a boxed or tagged value, or a line that is nothing but an answer. Text that names
several options, or none, has no answer; nothing is guessed from the last number or the
last option mentioned.
"""

from pydantic import Field

from cotbuild.schemas.answers import patterns as p
from cotbuild.schemas.answers.compare import grade
from cotbuild.schemas.answers.flags import refuses
from cotbuild.schemas.answers.statements import (
    Statement,
    differ,
    find_statements,
    split_thought,
    turn_end,
)
from cotbuild.schemas.question import Question
from cotbuild.schemas.rationale import Flag, Verdict
from cotbuild.schemas.record import Record

EXTRACT_VERSION = 2
"""Goes into the manifest; any change of what `judge` says of some text raises it."""


class Extraction(Record):
    """What one text says: its answer, its reasoning, and how far to trust its end."""

    answer: str | None = Field(
        description="In the form of the target: a choice's label, yes or no, plain digits, text. None: no single one."
    )
    rationale: str = Field(description="The reasoning alone, stripped; empty: none.")
    flags: tuple[Flag, ...] = Field(description="Sorted; see Flag.")
    whole: bool = Field(
        description="Whether a cut at the end of the text cannot have changed the answer."
    )


def extract(
    text: str, question: Question, *, answer_first: bool = False, given: bool = False
) -> Extraction:
    """The answer and rationale in `text`; never raises.

    The last statement counts, and what follows it is cut. With `answer_first` ("The
    answer is (B) because …") the first one counts and the rationale is what follows it.
    A <think> block states nothing. With `given` the answer that counts comes from
    elsewhere, and a line of prose that reads as an answer ("house") is left in the
    rationale.
    """
    text = split_thought(text)[1]
    view = p.fold(text)
    text = text[len(view) - len(view.lstrip()) : len(view.rstrip())]
    view = view.strip()
    low = view.lower()
    end = turn_end(low, question)
    stated = find_statements(view[:end], low[:end], question, answer_first, given)
    chosen = (stated[0] if answer_first else stated[-1]) if stated else None
    split = _after_first if answer_first else _before_last
    rationale, ran_on = (
        split(text[:end], view[:end], stated) if stated else (_tidy(text[:end]), False)
    )
    flags = set()
    if ran_on or end < len(text):
        flags.add(Flag.RUN_ON)
    if differ((s.answer for s in stated), question):
        flags.add(Flag.CONTRADICTS)
    if refuses(low[:end], question):
        flags.add(Flag.REFUSAL)
    return Extraction(
        answer=chosen.answer if chosen else None,
        rationale=rationale,
        flags=tuple(sorted(flags)),
        whole=end < len(text) or (chosen is not None and chosen.whole),
    )


def verdict(
    extraction: Extraction,
    finish_reason: str | None,
    question: Question,
    *,
    answer_first: bool,
) -> tuple[Verdict, tuple[Flag, ...]]:
    """The verdict on a completion that came, and its flags with `cut` added where they
    apply.

    A text cut by max_tokens is truncated where the answer was to come last and is
    missing or may itself be cut ("The answer is 12" of 120). Cut behind a whole
    statement, or in a label-first text, it keeps its verdict.
    """
    cut = finish_reason == "length"
    truncated = cut and not answer_first and not extraction.whole
    flags = (
        tuple(sorted({*extraction.flags, Flag.CUT}))
        if cut and not truncated
        else extraction.flags
    )
    if question.target is None:
        return Verdict.UNSCORED, flags
    if truncated:
        return Verdict.TRUNCATED, flags
    if extraction.answer is None:
        return Verdict.NO_ANSWER, flags
    return Verdict.CORRECT if grade(
        extraction.answer, question
    ) else Verdict.INCORRECT, flags


def _before_last(text: str, view: str, stated: list[Statement]) -> tuple[str, bool]:
    """The reasoning before the last statement (behind it, if none), and whether text
    behind it was cut.
    """
    chosen = stated[-1]
    if before := _tidy(
        _without_statements_at_end(text, stated)[_statements_at_start(text, stated) :]
    ):
        return before, _says_something(text[chosen.end :])
    return _reason(text, view, chosen, len(text)), False


def _after_first(text: str, view: str, stated: list[Statement]) -> tuple[str, bool]:
    """The reasoning behind the first statement; without any, that before it."""
    chosen, end = stated[0], len(text)
    if len(stated) > 1 and not _says_something(text[stated[-1].end :]):
        end = len(_without_statements_at_end(text, stated[1:]))
    return _reason(text, view, chosen, end) or _tidy(
        _trim(text[: _lead_start(text, chosen.start)])
    ), False


def _reason(text: str, view: str, stated: Statement, end: int) -> str:
    """What a statement is given as its reason: "… because", else what stands behind its
    sentence.
    """
    if stated.answer is None:
        return _tidy(text[:end])
    reason = p.REASON.search(view, stated.after, stated.end)
    start = reason.start() if reason else stated.end
    behind = p.BECAUSE.match(view, start)
    return _tidy(text[behind.end() if behind else start : max(start, end)])


def _without_statements_at_end(text: str, stated: list[Statement]) -> str:
    """What stands before the last statement and those right before it: "Thus the answer
    is A: ice. The answer is A".
    """
    cut = _lead_start(text, stated[-1].start)
    for earlier in reversed(stated[:-1]):
        if earlier.end < cut and _says_something(text[earlier.end : cut]):
            break
        cut = min(cut, _lead_start(text, earlier.start))
    return _trim(text[:cut])


def _statements_at_start(text: str, stated: list[Statement]) -> int:
    """Where the reasoning begins behind statements that open the text: "The answer is
    B. It fits. The answer is B".
    """
    begin = 0
    for statement in stated[:-1]:
        if _says_something(text[begin : _lead_start(text, statement.start)]):
            break
        begin = statement.end
    return (
        begin + len(text[begin:]) - len(text[begin:].lstrip(_DANGLING + ".)]*"))
        if begin
        else 0
    )


def _lead_start(text: str, start: int) -> int:
    """Where the introduction of a statement at `start` begins: "Therefore, the
    correct", "## Final ".
    """
    window = p.fold(text[max(0, start - 80) : start]).lower()
    sentence = (
        max(window.rfind(mark) for mark in ".!?") + 1
    )  # no introduction reaches over one
    if lead := p.LOW_LEAD.search(window, sentence):
        window = window[: lead.start()]
    heading = p.LOW_HEADING.search(window)
    return max(0, start - 80) + (heading.start() if heading else len(window))


def _says_something(text: str) -> bool:
    return any(char.isalnum() for char in p.TAG.sub("", text))


def _tidy(text: str) -> str:
    """Without scaffolding such as "Rationale:"."""
    text = text.strip()
    if scaffold := p.SCAFFOLD.match(text):
        text = text[scaffold.end() :].strip()
    return text if _says_something(text) else ""


def _trim(text: str) -> str:
    """`text`, which a statement was cut from, without the markup and marks that led
    over to it.
    """
    text = text.rstrip()
    for mark in ("**", "__", " $"):
        if text.endswith(mark) and text.count(mark.strip()) % 2:
            text = text.removesuffix(mark).rstrip()
    return text.rstrip(_DANGLING)


_DANGLING = ",:;([<- \n"
