"""What a completion says and whether it is right: the one place where a text gets its
answer, verdict and flags.
"""

from pydantic import Field

from cotbuild.schemas.answers.extract import Extraction, extract, verdict
from cotbuild.schemas.answers.flags import flags_of
from cotbuild.schemas.answers.json_answer import read_object
from cotbuild.schemas.answers.statements import differ, split_thought
from cotbuild.schemas.question import Question
from cotbuild.schemas.rationale import Flag, Verdict
from cotbuild.schemas.record import Record


class GradedCompletion(Record):
    """What one completion says, and whether it is right."""

    rationale: str = Field(
        description="The reasoning kept: no answer statement, no run-on text; empty: none."
    )
    answer: str | None = Field(
        description="The answer that counts, in the form of the target; None: no single one."
    )
    reasoning: str | None = Field(
        description="Reasoning returned apart, or in a <think> block; None: nothing."
    )
    verdict: Verdict = Field(
        description="correct, incorrect, no_answer, truncated or unscored."
    )
    flags: tuple[Flag, ...] = Field(description="Sorted; see Flag.")


def grade_completion(
    question: Question,
    text: str,
    *,
    reasoning: str | None = None,
    finish_reason: str | None = "stop",
    answer_first: bool = False,
    as_json: bool = False,
    given: str | None = None,
    flags: bool = True,
) -> GradedCompletion:
    """Extract and grade one completion; never raises.

    `given` is an answer that does not come from this text: a constrained choice made
    after it, or the target it was written for. `as_json`: a JSON object of rationale
    and answer was asked for; a text that holds none is read as free text. `reasoning`
    is what the server returned apart; it stands in where the text has no rationale.
    Without `flags` those of the rationale's wording are left out, which cost as much as
    all the rest.
    """
    thought, own = split_thought(text)
    reasoning = reasoning or thought
    found = read_object(own, question) if as_json else None
    if found is not None:
        answer_first = False  # the object's order is its own
    else:
        found = extract(
            own, question, answer_first=answer_first, given=given is not None
        )
    if given is not None:
        found = _with_given(found, given, question)
    result, said = verdict(found, finish_reason, question, answer_first=answer_first)
    rationale = found.rationale or (reasoning or "").strip()
    return GradedCompletion(
        rationale=rationale,
        answer=found.answer,
        reasoning=reasoning,
        verdict=result,
        flags=tuple(sorted({*said, *flags_of(rationale, question)})) if flags else said,
    )


def _with_given(found: Extraction, given: str, question: Question) -> Extraction:
    flags = (
        {*found.flags, Flag.CONTRADICTS}
        if differ((found.answer, given), question)
        else found.flags
    )
    return found.model_copy(
        update={"answer": given, "flags": tuple(sorted(flags)), "whole": True}
    )
