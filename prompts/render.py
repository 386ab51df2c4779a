"""From a question to the messages really sent."""

from cotbuild.prompts.template import Template
from cotbuild.schemas.completion import Message
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.question import Question


def render(template: Template, question: Question) -> tuple[Message, ...]:
    """The chat for one question: system turn, exemplars, the question.

    Raises DataError where the template shows the target and the question has none.
    """
    if template.shows_target and question.target is None:
        raise DataError(
            f"question {question.id!r} has no target, and template {template.ref} shows it. Expected one. "
            "Ask about a split with targets, or with --mode elicit."
        )
    asked = template.ask(question.text, question.choices, question.target)
    return (*template.opening, Message(role="user", content=asked))
