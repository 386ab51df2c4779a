"""Published rows of imported texts. Pure."""

from collections.abc import Iterator, Sequence

from cotbuild.builder.imports.read import ImportedText
from cotbuild.builder.sources.base import BadRow
from cotbuild.builder.sources.choice_targets import find_choice_label
from cotbuild.builder.sources.targets import parse_number, parse_yes_no
from cotbuild.schemas.answers.grade import (
    GradedCompletion,
    GradingRules,
    grade_completion,
    without_given_answer,
)
from cotbuild.schemas.answers.line_heads import find_form_heads
from cotbuild.schemas.fingerprint import digest
from cotbuild.schemas.import_recipe import ImportFile, ImportRecipe
from cotbuild.schemas.question import Question, QuestionKind
from cotbuild.schemas.rationale import (
    Origin,
    Purpose,
    Rationale,
    question_fields,
)


def to_rationale(
    question: Question,
    sample_index: int,
    text: ImportedText,
    file: ImportFile,
    recipe: ImportRecipe,
    grading: GradingRules,
) -> Rationale:
    """Return the published row of one text of a question."""
    graded = _grade(question, text, recipe, grading)
    return Rationale(
        **question_fields(question),
        sample_index=sample_index,
        **dict(graded),
        completion=text.text,
        finish_reason=text.finish_reason,
        prompt_tokens=None,
        completion_tokens=None,
        failure=None,
        teacher=recipe.made_by,
        purpose=Purpose.RATIONALIZE if recipe.target_shown else Purpose.ELICIT,
        template=recipe.ref,
        request_key=import_key(file.checksum, text.row, text.position),
        other_steps=(),
        origin=Origin(file=file.file, row=text.row, position=text.position),
    )


def question_rows(
    question: Question,
    texts: Sequence[ImportedText],
    files: Sequence[ImportFile],
    recipe: ImportRecipe,
    grading: GradingRules,
) -> Iterator[Rationale]:
    """Yield the published rows of the texts of a question, in their order."""
    for sample_index, text in enumerate(texts):
        file = files[text.file]
        yield to_rationale(question, sample_index, text, file, recipe, grading)


def import_key(checksum: str, row: int, position: int) -> str:
    """Return the key of an imported text; it takes the place of a request_key.

    It covers the checksum of its file, its row there and its position in the row.
    """
    return digest("import/1", [checksum, row, position])


def _grade(
    question: Question,
    text: ImportedText,
    recipe: ImportRecipe,
    grading: GradingRules,
) -> GradedCompletion:
    is_stated, stated = _stated_answer(question, text, recipe)
    graded = grade_completion(
        question,
        text.text,
        reasoning=text.reasoning,
        finish_reason=text.finish_reason,
        answer_first=recipe.answer == "first",
        given=stated,
        given_by="given_target" if recipe.answer == "target" else "answer_column",
        grading=grading,
        heads=find_form_heads(recipe.question_form),
    )
    if not is_stated or stated is not None:
        return graded
    # The column states none of the question's answers.
    return without_given_answer(graded, "answer_column", question)


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
        case QuestionKind.TEXT | QuestionKind.PROSE:
            return str(value).strip() or None
