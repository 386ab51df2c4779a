"""From a question to the messages really sent."""

from cotbuild.prompts.template import Template
from cotbuild.schemas.completion import Message
from cotbuild.schemas.question import Question


def render(template: Template, question: Question) -> tuple[Message, ...]:
    """The chat for one question: system turn, exemplars, the question."""
    return (*template.opening, Message(role="user", content=template.ask(question.text, question.choices)))
