"""Rationales with a question, as transforms take them."""

from cotbuild.builder.variants.example import RationaleExample
from cotbuild.schemas.question import Question
from tests.schemas.test_records import question as record

CHOICES = ("river", "pet shop", "attic")


def example(
    rationale: str,
    question_id: str = "q",
    sample_index: int = 0,
    *,
    target: str = "river",
    text: str = "Where does the cold water run?",
) -> RationaleExample:
    """Return a rationale about where water runs.

    Its question has the choices river, pet shop and attic if the target is one of them,
    else it is answered by text.
    """
    is_choice = target in CHOICES
    choices = [
        {"label": label, "text": choice}
        for label, choice in zip("ABC", CHOICES, strict=True)
    ]
    question = record(
        id=question_id,
        kind="choice" if is_choice else "text",
        text=text,
        choices=choices if is_choice else [],
        target="ABC"[CHOICES.index(target)] if is_choice else target,
    )
    return RationaleExample(question, sample_index, rationale)


def example_of(
    question: Question, rationale: str = "", sample_index: int = 0
) -> RationaleExample:
    """Return a rationale for this question."""
    return RationaleExample(question, sample_index, rationale)
