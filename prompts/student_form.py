"""A student's prompt in the form that a variant states. Pure."""

from collections.abc import Sequence
from string import Template as Text

from cotbuild.prompts.inputs import without_empty_lines
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.prompt_form import OPTIONS, QUESTION, form_variables
from cotbuild.schemas.question import Question
from cotbuild.schemas.record import short_repr


def fill_prompt_form(form: str, question: Question, options: Sequence[str]) -> str:
    """Return a form with the values of a question, without white space at its end.

    Values are substituted once: a `$` in them stays a `$`. A line that shows only the
    options is left out if there are none. Raises DataError if the question lacks an
    input that the form shows, or it is a picture.
    """
    values = {QUESTION: question.text.strip(), OPTIONS: "\n".join(options)}
    for name in form_variables(form):
        if name not in values:
            values[name] = _input_text(question, name)
    lines = form if options else without_empty_lines(form, {OPTIONS})
    return Text(lines).substitute(values).rstrip()


def _input_text(question: Question, name: str) -> str:
    text = question.input_texts.get(name)
    if text is not None:
        return text.strip()
    has_picture = any(one.name == name for one in question.inputs)
    fault = f"input {name!r} is a picture" if has_picture else f"no input {name!r}"
    raise DataError(
        f"question {short_repr(question.id)}: {fault}, and the variant's prompt shows its "
        f"text. Change `prompt` in the variant, or read the input from a column of text "
        f"(--map {name}=COLUMN)."
    )
