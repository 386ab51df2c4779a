"""Forms of a student's prompt: texts with variables such as `$question`."""

from string import Template as Text

from cotbuild.schemas.question import is_input_name

OPTIONS = "options"
"""The variable that stands for a question's options, a line each."""
QUESTION = "question"
"""The variable that stands for a question's text."""
MAX_FORM_CHARS = 20_000
"""Longest form, in characters."""
MAX_VARIABLES = 64
"""Most places of a form in which a value is substituted: a question may be long."""


def check_prompt_form(form: str) -> None:
    """Raise ValueError unless each variable is the question, its options or an input.

    Whether a question has the inputs is known only once it is read.
    """
    if not Text(form).is_valid():
        raise ValueError("prompt has a lone $; write $name, or $$ for a dollar sign")
    num_places = sum(1 for _ in Text.pattern.finditer(form))
    if num_places > MAX_VARIABLES:
        raise ValueError(
            f"prompt has {num_places} variables, more than {MAX_VARIABLES}"
        )
    variables = form_variables(form)
    for name in variables:
        if name not in (QUESTION, OPTIONS) and not is_input_name(name):
            raise ValueError(f"prompt uses ${name}, which no question has")
    if set(variables) <= {OPTIONS}:
        raise ValueError(
            "prompt shows nothing of a question; use $question or the name of an input"
        )


def form_variables(form: str) -> list[str]:
    """Return the variables of a form, each once, in order."""
    return Text(form).get_identifiers()
