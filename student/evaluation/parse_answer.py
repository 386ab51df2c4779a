"""Free greedy answers: where they end, what they say. Pure."""

from collections.abc import Sequence

from cotbuild.schemas.answers.compare import compared, number_value
from cotbuild.schemas.answers.patterns import fold
from cotbuild.schemas.answers.readers import READERS
from cotbuild.schemas.question import Question, QuestionKind
from cotbuild.schemas.training import Layout

YES_NO = ("yes", "no")


def option_names(question: Question) -> tuple[str, ...]:
    """What options are called: labels of choices, or yes and no; none where an answer
    is a number or text.
    """
    if question.kind is QuestionKind.YES_NO:
        return YES_NO
    return tuple(choice.label for choice in question.choices)


def label_stops(layout: Layout) -> tuple[str, ...]:
    """What ends a label: the line, since no label holds a line break, or what stands
    behind it in training.
    """
    behind = layout.text_after_label.rstrip()
    return ("\n",) if not behind or behind.startswith("\n") else ("\n", behind)


def parse_answer(said: str, question: Question, labels: Sequence[str]) -> str | None:
    """The answer in the form of the target; None where none, or several, are named.

    `labels`: the options as the student was trained to say them. Those count as a
    whole; then as a teacher's do.
    """
    said = said.strip()
    for name, label in zip(option_names(question), labels, strict=True):
        if compared(said) == compared(label):
            return name
    if question.kind is QuestionKind.TEXT:
        return said or None
    if question.kind is QuestionKind.NUMBER and number_value(said) is not None:
        return said
    value = READERS[question.kind](fold(said), question) if said else None
    return value.answer if value else None
