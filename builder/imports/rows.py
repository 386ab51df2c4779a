"""Published rows of imported texts. Pure."""

from cotbuild.builder.imports.read import ImportedText
from cotbuild.builder.sources.base import BadRow
from cotbuild.builder.sources.targets import (
    find_choice_label,
    parse_number,
    parse_yes_no,
)
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
    """Return the published row of one text of a question."""
    graded = _grade(question, text, recipe)
    return Rationale(
        **question_fields(question),
        sample_index=sample_index,
        rationale=graded.rationale,
        answer=graded.answer,
        verdict=graded.verdict,
        flags=graded.flags,
        completion=text.text,
        reasoning=graded.reasoning,
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
    """Return the key of an imported text; it takes the place of a request_key."""
    return digest("import/1", [checksum, text.row, text.position])


def _grade(
    question: Question, text: ImportedText, recipe: ImportRecipe
) -> GradedCompletion:
    is_stated, stated = _stated_answer(question, text, recipe)
    graded = grade_completion(
        question,
        text.text,
        finish_reason=None,
        answer_first=recipe.answer == "first",
        given=stated,
    )
    if not is_stated or stated is not None:
        return graded
    # The column states none of the question's answers: the text does not replace it.
    verdict = Verdict.UNSCORED if question.target is None else Verdict.NO_ANSWER
    return graded.model_copy(update={"answer": None, "verdict": verdict})


def _stated_answer(
    question: Question, text: ImportedText, recipe: ImportRecipe
) -> tuple[bool, str | None]:
    """Return whether an answer is stated outside the text, and that answer.

    The answer is None where it is none of the question's.
    """
    if recipe.answer == "target":
        return question.target is not None, question.target
    if text.answer is None:
        return False, None
    return True, read_stated_answer(text.answer, question)


def read_stated_answer(value: object, question: Question) -> str | None:
    """Return the value of an answer column in the form of the target.

    None where it is none of the question's answers.
    """
    match question.kind:
        case QuestionKind.CHOICE:
            pairs = [(choice.label, choice.text) for choice in question.choices]
            try:
                return find_choice_label(value, pairs, None)
            except BadRow:
                return None
        case QuestionKind.YES_NO:
            return parse_yes_no(value)
        case QuestionKind.NUMBER:
            return parse_number(value)
        case QuestionKind.TEXT:
            return str(value).strip() or None
