"""From an imported text to a published row. Pure."""

from typing import NamedTuple

from cotbuild.builder.imports.read import ImportedText
from cotbuild.builder.sources.base import BadRow
from cotbuild.builder.sources.targets import choice_label, number, yes_no
from cotbuild.schemas.answers.grade import GradedCompletion, grade_completion
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.import_recipe import ImportFile, ImportRecipe
from cotbuild.schemas.question import Question, QuestionKind
from cotbuild.schemas.rationale import (
    Origin,
    Purpose,
    Rationale,
    Verdict,
    question_fields,
)


def to_rationale(
    question: Question,
    sample_index: int,
    text: ImportedText,
    file: ImportFile,
    recipe: ImportRecipe,
) -> Rationale:
    """The published row of one text of a question."""
    judged = _judged(question, text, recipe)
    return Rationale(
        **question_fields(question),
        sample_index=sample_index,
        rationale=judged.rationale,
        answer=judged.answer,
        verdict=judged.verdict,
        flags=judged.flags,
        completion=text.text,
        reasoning=judged.reasoning,
        finish_reason=None,
        prompt_tokens=None,
        completion_tokens=None,
        failure=None,
        teacher=recipe.made_by,
        purpose=Purpose.RATIONALIZE if recipe.target_shown else Purpose.ELICIT,
        template=recipe.ref,
        request_key=import_key(file.checksum, text),
        other_steps=(),
        origin=Origin(file=file.file, row=text.row, position=text.position),
    )


def import_key(checksum: str, text: ImportedText) -> str:
    """What an imported text is known by, in place of a request_key."""
    return digest("import/1", [checksum, text.row, text.position])


class StatedAnswer(NamedTuple):
    """What the answer column says: None for an answer that is none of the question's."""

    answer: str | None


def _judged(
    question: Question, text: ImportedText, recipe: ImportRecipe
) -> GradedCompletion:
    stated = _stated(question, text, recipe)
    given = stated.answer if stated else None
    judged = grade_completion(
        question,
        text.text,
        finish_reason=None,
        answer_first=recipe.answer == "first",
        given=given,
    )
    if stated is None or stated.answer is not None:
        return judged
    verdict = Verdict.UNSCORED if question.target is None else Verdict.NO_ANSWER
    return judged.model_copy(update={"answer": None, "verdict": verdict})


def _stated(
    question: Question, text: ImportedText, recipe: ImportRecipe
) -> StatedAnswer | None:
    """The answer that stands outside the text; None: the text itself is to be read."""
    if recipe.answer == "target":
        return None if question.target is None else StatedAnswer(question.target)
    return (
        None if text.answer is None else StatedAnswer(answer_of(text.answer, question))
    )


def answer_of(value: object, question: Question) -> str | None:
    """An answer column's value in the form of the target; None: it is none of the
    question's answers.
    """
    match question.kind:
        case QuestionKind.CHOICE:
            try:
                return choice_label(
                    value,
                    [(choice.label, choice.text) for choice in question.choices],
                    None,
                )
            except BadRow:
                return None
        case QuestionKind.YES_NO:
            return yes_no(value)
        case QuestionKind.NUMBER:
            return number(value)
        case QuestionKind.TEXT:
            return str(value).strip() or None
