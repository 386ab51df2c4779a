"""How the teacher was asked, or where imported rationales come from."""

from cotbuild.builder.card.escape import code, counts, fence, folded, inline
from cotbuild.prompts.template import Exemplar, Template
from cotbuild.schemas.import_recipe import ImportEntry
from cotbuild.schemas.manifest import Manifest, TemplateEntry
from cotbuild.schemas.question import Choice, QuestionKind

_OPTIONS = (Choice(label="A", text="‹option A›"), Choice(label="B", text="‹option B›"))
_ANSWERS = {
    QuestionKind.CHOICE: "A",
    QuestionKind.YES_NO: "yes",
    QuestionKind.NUMBER: "1",
    QuestionKind.TEXT: "‹text›",
}


def asked_lines(manifest: Manifest, *, whole: bool = False) -> list[str]:
    """The teacher, the templates and the sampling.

    `whole`: every prompt as it was sent, and sampling as a list.
    """
    sampling = manifest.sampling
    assert sampling is not None
    lines = [
        "## How the teacher was asked",
        "",
        f"- teacher: {code(manifest.teacher)}" + (_FAKE if is_fake(manifest) else ""),
        f"- mode: {code(manifest.mode)}; templates: "
        + ", ".join(
            f"{code(t.template)} ({code(t.fingerprint[:12])})"
            for t in manifest.templates
        ),
        f"- sampling: {code(sampling.model_dump_json())}; build seed {manifest.seed}",
    ]
    if drawn := manifest.exemplars:
        lines.append(
            f"- exemplars: {drawn.count} a prompt, drawn from {inline(drawn.split)} with seed {drawn.seed}"
        )
    if not whole:
        return lines
    lines += [
        f"- samples a question: {manifest.samples}; tokens generated: {manifest.completion_tokens:,}",
        "",
    ]
    lines += ["The prompts, whole; what stands in ‹ › is the question's own:", ""]
    count = None if manifest.exemplars is None else manifest.exemplars.count
    return lines + [
        line for entry in manifest.templates for line in _prompt(entry, count)
    ]


_FAKE = " (a fake for tests: these rationales are made up)"


def is_fake(manifest: Manifest) -> bool:
    """Whether nobody was asked."""
    return manifest.teacher.startswith("scripted:")


def _prompt(entry: TemplateEntry, drawn: int | None) -> list[str]:
    if entry.content is None:
        return [
            f"{code(entry.template)} was not kept whole by the version that built this.",
            "",
        ]
    template = Template.parse(
        entry.content, f"manifest.json: template {entry.template}"
    )
    return folded(
        f"Prompt {template.ref}, {template.kind.value} questions",
        fence(_rendered(template, drawn)),
    )


def _rendered(template: Template, drawn: int | None) -> str:
    """The messages as they were sent, each under its role."""
    template = template if drawn is None else _with_drawn(template)
    answer = _ANSWERS[template.kind]
    choices = _OPTIONS if template.kind is QuestionKind.CHOICE else ()
    turns = [(message.role, message.content) for message in template.opening]
    turns.append(("user", template.render_user_turn("‹question›", choices, answer)))
    note = (
        ""
        if drawn is None
        else f"[the worked example below stands for the {drawn} drawn for each question]\n\n"
    )
    return note + "\n\n".join(f"[{role}]\n{text}" for role, text in turns)


def _with_drawn(template: Template) -> Template:
    options = (
        tuple(choice.text for choice in _OPTIONS)
        if template.kind is QuestionKind.CHOICE
        else ()
    )
    answer = _ANSWERS[template.kind]
    shown = Exemplar(
        question="‹its question›",
        choices=options,
        answer=answer,
        rationale="‹its rationale›",
    )
    return template.replace(exemplars=(shown,))


def imported_lines(entry: ImportEntry) -> list[str]:
    """Who wrote imported rationales, where they stood, and how they were read."""
    left_out = f"{entry.num_texts} texts = {entry.num_rationales} rows; left out: {counts(entry.dropped)}"
    return [
        "## Where the rationales come from",
        "",
        f"- written by: {inline(entry.made_by)}; licence as stated: {inline(entry.licence)}",
        f"- published at: {inline(entry.url or 'not stated')}",
        f"- read with recipe {code(entry.recipe)} ({code(entry.fingerprint[:12])}): {left_out}",
        *(
            f"- file {inline(file.file)}: {file.num_rows} rows, sha256 {code(file.checksum)}"
            for file in entry.files
        ),
        f"- questions without a rationale: {entry.num_questions_without}",
    ]
