"""Ask with an input in place of the question's text, or without an input.

A student that was trained on what people wrote down is evaluated on what a recogniser
heard: `question=asr`. An input that the student is not to see is left out: `asr=`.
"""

from collections.abc import Mapping, Sequence

from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.question import Question
from cotbuild.schemas.record import short_repr

QUESTION = "question"
"""The name of the question's text, as templates call it."""


def check_mapping(mapping: Mapping[str, str]) -> None:
    """Raise ConfigError for a mapping that is neither question=INPUT nor INPUT=."""
    for name, source in mapping.items():
        if (name == QUESTION) != bool(source) or source == QUESTION:
            raise ConfigError(
                f"--map {name}={source}: pass question=INPUT to ask with an input in "
                "place of the question's text, or INPUT= to leave one out."
            )


def left_out_inputs(mapping: Mapping[str, str]) -> tuple[str, ...]:
    """Return the inputs that a mapping leaves out."""
    return tuple(name for name in mapping if name != QUESTION)


def map_questions(
    questions: Sequence[Question], mapping: Mapping[str, str]
) -> list[Question]:
    """Return the questions as a mapping has them asked; their ids stay.

    An input that takes the place of the text is no input any more. Raises DataError for
    a question that lacks it.
    """
    if not mapping:
        return list(questions)
    return [_map_question(question, mapping) for question in questions]


def _map_question(question: Question, mapping: Mapping[str, str]) -> Question:
    text, taken = question.text, mapping.get(QUESTION)
    if taken is not None:
        texts = question.input_texts
        if taken not in texts:
            raise DataError(
                f"--map question={taken}: question {short_repr(question.id)} has no such "
                f"text among its inputs, {list(texts)}. Map one that every question has."
            )
        text = texts[taken]
    gone = {taken, *left_out_inputs(mapping)}
    inputs = tuple(one for one in question.inputs if one.name not in gone)
    return question.model_copy(update={"text": text, "inputs": inputs})


def describe_mapping(mapping: Mapping[str, str]) -> str:
    """Return a part of a folder's name: "-question-asr" or "-no-hint", "" for nothing."""
    parts = (
        f"-question-{source}" if source else f"-no-{name}"
        for name, source in sorted(mapping.items())
    )
    return "".join(parts)
