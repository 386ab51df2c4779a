"""The template of each kind of question, unless the user names one."""

from collections.abc import Collection, Iterable

from cotbuild.prompts.template import Template, load_template
from cotbuild.schemas.errors import ConfigError
from cotbuild.schemas.question import QuestionKind
from cotbuild.schemas.rationale import Purpose

DEFAULTS = {
    QuestionKind.CHOICE: "choice_few_shot@1",
    QuestionKind.YES_NO: "yes_no_few_shot@1",
    QuestionKind.NUMBER: "number_few_shot@1",
    QuestionKind.TEXT: "text_few_shot@1",
    QuestionKind.PROSE: "prose_zero_shot@1",
}
"""The template of each kind of question, unless the user names one."""
HINTED_DEFAULTS = {kind: f"{kind.value}_rationalize@1" for kind in QuestionKind}
"""The same for requests that show the target."""
INPUT_DEFAULTS = {kind: f"{kind.value}_inputs@1" for kind in QuestionKind} | {
    QuestionKind.PROSE: "prose_zero_shot@1"
}
"""The templates of `DEFAULTS` for questions with inputs."""
HINTED_INPUT_DEFAULTS = {
    kind: f"{kind.value}_inputs_rationalize@1" for kind in QuestionKind
} | {QuestionKind.PROSE: "prose_rationalize@1"}
"""The templates of `HINTED_DEFAULTS` for questions with inputs."""

TRANSLATION_INPUTS = frozenset({"source_lang", "target_lang"})
"""Inputs that make a question in prose the translation of its text."""
TRANSLATION_DEFAULTS = {
    Purpose.ELICIT: "translation_zero_shot@1",
    Purpose.RATIONALIZE: "translation_rationalize@1",
}
"""The templates of translations."""
REFLECT_DEFAULTS = {kind: f"{kind.value}_reflect@1" for kind in QuestionKind}
"""The templates that ask for an evaluation of an attempt."""


def load_templates(
    refs: Iterable[str],
    system: str | None = None,
    *,
    purpose: Purpose = Purpose.ELICIT,
    inputs: Collection[str] = (),
) -> dict[QuestionKind, Template]:
    """Load the template of each kind of question: those named, else the defaults.

    Of those named, only the ones for `purpose` are used. `system` replaces the system
    turn of all; an empty one removes it. `inputs`: the defaults are ones that show
    all inputs of a question. Raises ConfigError if two are for the same kind.
    """
    templates: dict[QuestionKind, Template] = {}
    for template in map(load_template, refs):
        if template.purpose is not purpose:
            continue
        if template.kind in templates:
            raise ConfigError(
                f"templates {templates[template.kind].ref} and {template.ref} "
                f"are both for kind {template.kind.value}. Pass one a kind."
            )
        templates[template.kind] = template
    for kind, ref in _default_refs(purpose, inputs).items():
        templates.setdefault(kind, load_template(ref))
    if system is None:
        return templates
    return {kind: one.replace(system=system or None) for kind, one in templates.items()}


def _default_refs(purpose: Purpose, inputs: Collection[str]) -> dict[QuestionKind, str]:
    if purpose is Purpose.EVALUATE:
        return REFLECT_DEFAULTS
    if purpose is Purpose.RATIONALIZE:
        defaults = HINTED_INPUT_DEFAULTS if inputs else HINTED_DEFAULTS
    else:
        defaults = INPUT_DEFAULTS if inputs else DEFAULTS
    if set(inputs) >= TRANSLATION_INPUTS:
        return defaults | {QuestionKind.PROSE: TRANSLATION_DEFAULTS[purpose]}
    return defaults
