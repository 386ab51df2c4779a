"""Questions that ask for a translation."""

from collections.abc import Sequence

from cotbuild.builder.sources.languages import language_name
from cotbuild.builder.sources.make import clean_field, make_question
from cotbuild.schemas.question import Input, Question, QuestionKind, SourceRef, Tag

INPUT_NAMES = ("source_lang", "target_lang")
"""Inputs of such a question: the English names of both languages."""


def make_translation(
    row_id: str | None,
    source: object,
    target: object,
    direction: tuple[str, str],
    ref: SourceRef,
    tags: Sequence[Tag] = (),
) -> Question:
    """Return the question whose text is a sentence, and whose target is its translation.

    `direction` holds the codes of both languages. Raises BadRow if either text is
    missing.
    """
    source_code, target_code = direction
    names = {
        "source_lang": language_name(source_code),
        "target_lang": language_name(target_code),
    }
    return make_question(
        row_id,
        QuestionKind.PROSE,
        clean_field(source, source_code),
        [],
        clean_field(target, target_code),
        ref,
        inputs=[Input(name=name, text=text) for name, text in names.items()],
        tags=[Tag(name="direction", value=f"{source_code}-{target_code}"), *tags],
    )
