"""Where a release comes from: teacher, prompts, sources, licences; and its limitations."""

import json
from collections.abc import Iterator

from cotbuild.builder.card.inputs import has_images
from cotbuild.builder.card.licences import NOT_ADVICE, Licence
from cotbuild.builder.card.markdown import (
    code_block,
    code_span,
    details_block,
    format_counts,
    format_percent,
    inline_text,
    table_lines,
)
from cotbuild.prompts.exemplar import (
    Exemplar,
)
from cotbuild.prompts.template import (
    Template,
)
from cotbuild.schemas.budget import COST_PLACES
from cotbuild.schemas.completion import Message, Sampling
from cotbuild.schemas.config import BUNDLED
from cotbuild.schemas.grading import GradingConfig
from cotbuild.schemas.import_recipe import ImportEntry
from cotbuild.schemas.manifest import Manifest, TemplateEntry
from cotbuild.schemas.question import Choice, Input, QuestionKind
from cotbuild.schemas.rationale import Flag, Purpose, Verdict

_PLACEHOLDER_CHOICES = (
    Choice(label="A", text="‹option A›"),
    Choice(label="B", text="‹option B›"),
)
_PLACEHOLDER_ANSWERS = {
    QuestionKind.CHOICE: "A",
    QuestionKind.YES_NO: "yes",
    QuestionKind.NUMBER: "1",
    QuestionKind.TEXT: "‹text›",
    QuestionKind.PROSE: "‹text›",
}
_SCRIPTED_NOTE = " (a script for tests: no model wrote these rationales)"


def is_scripted(manifest: Manifest) -> bool:
    """Return whether the teacher is a script that stands in for a model."""
    return manifest.teacher.startswith("scripted:")


# -- how the rationales were written -----------------------------------------------------


def origin_lines(manifest: Manifest, *, with_prompts: bool) -> list[str]:
    """Return how the rationales were generated, or where they were imported from.

    `with_prompts` adds every prompt as it was sent.
    """
    if manifest.imported is not None:
        return _import_lines(manifest.imported)
    if manifest.sampling is None:
        return []
    lines = _generation_lines(manifest, manifest.sampling)
    return lines + _prompt_lines(manifest) if with_prompts else lines


def _generation_lines(manifest: Manifest, sampling: Sampling) -> list[str]:
    note = _SCRIPTED_NOTE if is_scripted(manifest) else ""
    templates = [
        f"{code_span(entry.template)} ({code_span(entry.fingerprint[:12])})"
        for entry in manifest.templates
    ]
    lines = [
        "## How the rationales were generated",
        "",
        f"- Teacher: {code_span(manifest.teacher)}{note}",
        f"- Mode: {code_span(manifest.mode)}; templates: {', '.join(templates)}",
        f"- Sampling: {code_span(sampling.model_dump_json())}; "
        f"build seed {manifest.seed}",
        f"- Samples per question: {manifest.samples}; "
        f"tokens generated: {manifest.completion_tokens:,}",
        *_edit_lines(manifest),
    ]
    if (exemplars := manifest.exemplars) is not None:
        lines.append(
            f"- Exemplars: {exemplars.count} per prompt, drawn from split "
            f"{inline_text(exemplars.split)} with seed {exemplars.seed}"
        )
    return lines


def spending_lines(manifest: Manifest) -> Iterator[str]:
    """Yield what a local build has spent; nothing for a release.

    Without the seconds, so that the card is the same however often a run was resumed.
    """
    account = None if manifest.run is None else manifest.run.account
    if account is None:
        return
    failed = f" ({account.failed:,} failed)" if account.failed else ""
    line = (
        f"- Asked: {account.requests:,} requests{failed}, {account.prompt_tokens:,} prompt "
        f"tokens, {account.completion_tokens:,} generated"
    )
    if account.gpu_seconds:
        line += f", {account.gpu_seconds / 3600:.2f} GPU hours"
    if account.cost is not None:
        line += f"; cost {account.cost:,.{COST_PLACES}f}".rstrip("0").rstrip(".")
    yield line


def _edit_lines(manifest: Manifest) -> Iterator[str]:
    """Yield how requests differ from the sampling parameters as stated."""
    if manifest.seed_bits is not None:
        yield f"- Seeds of requests: cut to {manifest.seed_bits} bits"
    edits = manifest.edits
    if edits is None:
        return
    if edits.omitted:
        names = ", ".join(code_span(name) for name in edits.omitted)
        yield f"- Not sent, so the server's own defaults hold: {names}"
    for name, sent in edits.renamed.items():
        yield f"- {code_span(name)} was sent as {code_span(sent)}"
    if edits.added:
        yield f"- Sent besides: {code_span(json.dumps(edits.added, sort_keys=True))}"


def _import_lines(entry: ImportEntry) -> list[str]:
    files = [
        f"- File {inline_text(file.file)}: {file.num_rows} rows, "
        f"sha256 {code_span(file.checksum)}"
        for file in entry.files
    ]
    return [
        "## Where the rationales come from",
        "",
        f"- Written by: {inline_text(entry.made_by)}",
        f"- Stated licence: {inline_text(entry.licence)}",
        f"- Published at: {inline_text(entry.url or 'not stated')}",
        f"- Imported with recipe {code_span(entry.recipe)} "
        f"({code_span(entry.fingerprint[:12])}): {entry.num_texts} texts, "
        f"{entry.num_rationales} rows; left out: {format_counts(entry.dropped)}",
        *files,
        f"- Questions without a rationale: {entry.num_questions_without}",
    ]


def _prompt_lines(manifest: Manifest) -> list[str]:
    exemplars = manifest.exemplars
    num_exemplars = None if exemplars is None else exemplars.count
    lines = [
        "",
        "The complete prompts; text in ‹ › stands for the question's own:",
        "",
    ]
    for entry in manifest.templates:
        lines += _template_lines(entry, num_exemplars)
    return lines


def _template_lines(entry: TemplateEntry, num_exemplars: int | None) -> list[str]:
    if entry.content is None:
        return [
            f"The text of {code_span(entry.template)} was not recorded by the version "
            "of cotbuild that built this.",
            "",
        ]
    where = f"manifest.json: template {entry.template}"
    template = Template.parse(entry.content, where)
    summary = f"Prompt {template.ref}, {template.kind.value} questions"
    return details_block(summary, code_block(_render_prompt(template, num_exemplars)))


def _render_prompt(template: Template, num_exemplars: int | None) -> str:
    """Return the messages as they were sent, each below its role in brackets.

    `num_exemplars` is how many were drawn for each question; None: the template's own.
    """
    note = ""
    if num_exemplars is not None:
        template = template.replace(exemplars=(_placeholder_exemplar(template.kind),))
        note = (
            f"[the example below stands for the {num_exemplars} exemplars drawn for "
            "each question]\n\n"
        )
    choices = _PLACEHOLDER_CHOICES if template.kind is QuestionKind.CHOICE else ()
    answer = _PLACEHOLDER_ANSWERS[template.kind]
    inputs = [Input(name=name, text=f"‹{name}›") for name in template.input_names]
    if template.shows_all_inputs:
        inputs.append(Input(name="input", text="‹its text›"))
    messages = [(message.role, message.text) for message in template.opening]
    turn = template.render_user_turn("‹question›", choices, answer, inputs)
    messages.append(("user", Message(role="user", content=turn).text))
    if template.follow_up is not None:
        messages += [("assistant", "‹attempt›"), ("user", template.follow_up)]
    if template.reply_start is not None:
        messages.append(("assistant", template.render_reply_start(answer)))
    return note + "\n\n".join(f"[{role}]\n{text}" for role, text in messages)


def _placeholder_exemplar(kind: QuestionKind) -> Exemplar:
    choices = _PLACEHOLDER_CHOICES if kind is QuestionKind.CHOICE else ()
    return Exemplar(
        question="‹its question›",
        choices=tuple(choice.text for choice in choices),
        answer=_PLACEHOLDER_ANSWERS[kind],
        rationale="‹its rationale›",
    )


# -- limitations -------------------------------------------------------------------------


def limitation_lines(manifest: Manifest) -> list[str]:
    """Return what to know before using a release, each point from its own figures."""
    points = [
        *_answer_limitations(manifest),
        *_question_limitations(manifest),
        *_text_limitations(manifest),
    ]
    return ["## Limitations", "", *(f"- {point}" for point in points), ""]


def _answer_limitations(manifest: Manifest) -> Iterator[str]:
    total = manifest.num_planned
    if is_scripted(manifest):
        yield (
            "The teacher is a script for tests. No model wrote these rationales, and "
            "nothing can be learned from them."
        )
    num_scored = manifest.verdicts.get(Verdict.SCORED, 0)
    if not manifest.has_only_prose:
        num_correct = manifest.verdicts.get(Verdict.CORRECT, 0)
        correct = format_percent(num_correct, total - num_scored)
        yield (
            f"{correct} of the answers match the target. A correct answer may follow "
            "from incorrect reasoning, and a target may itself be wrong; no rationale "
            "was reviewed by hand."
        )
    if num_scored:
        yield (
            f"{num_scored:,} answers are prose. A score says how much of their wording "
            "they share with the references, which other good answers may not; no "
            "rationale was reviewed by hand."
        )
    no_answer = format_percent(manifest.verdicts.get(Verdict.NO_ANSWER, 0), total)
    yield (
        "Answers were extracted from the text by rules (version "
        f"{manifest.extract_version}). Where these find no single answer, the verdict "
        f"is no_answer ({no_answer}); answers are never guessed."
    )
    yield from _grading_limitations(manifest.grading)
    if num_named := manifest.flags.get(Flag.NAMES_TARGET):
        yield (
            f"{format_percent(num_named, total)} of the rationales name the target, so "
            "a student may learn to copy it instead of reasoning."
        )
    if num_shown := manifest.purposes.get(Purpose.RATIONALIZE):
        yield (
            f"{num_shown:,} rationales were written with the target shown: they "
            "explain a known answer."
        )


def _grading_limitations(grading: GradingConfig) -> Iterator[str]:
    if grading.closing_sentence:
        yield (
            "Where nothing states the answer to a number question formally, it was read "
            "from a last sentence such as `So there are 49 chairs.` "
            "(rule closing_sentence)."
        )
    if grading.math_metric is not None:
        yield (
            "Answers that the plain comparison did not find equal to the target were "
            f"also compared by {grading.math_metric} (column `verdict_rule`)."
        )


def _question_limitations(manifest: Manifest) -> Iterator[str]:
    overlaps = manifest.source.overlaps
    if manifest.imported is not None:
        yield (
            "How the rationales were sampled is not known beyond what their publisher "
            "states."
        )
    if any(overlaps.values()):
        yield (
            "Questions whose text also occurs in an evaluation split, whatever their "
            "options: "
            f"{format_counts(overlaps)}."
        )
    elif not overlaps:
        yield "The questions were not checked for overlap with evaluation sets."
    if manifest.source.dropped:
        yield (
            "Questions of the source that were left out: "
            f"{format_counts(manifest.source.dropped)}."
        )


def _text_limitations(manifest: Manifest) -> Iterator[str]:
    if has_images(manifest):
        yield (
            "Pictures are as the source has them, with whatever metadata is in their files."
        )
    yield (
        "Text written by a model may reproduce its training data and the biases in it; "
        "nothing was filtered for either."
    )
    if manifest.imported is not None:
        yield (
            "If a model wrote the rationales, its licence or terms of use may restrict "
            "how they may be used."
        )
    elif not is_scripted(manifest):
        yield (
            "The teacher's licence or terms of use may restrict how its output may be "
            "used."
        )


# -- sources and licences ----------------------------------------------------------------


def licence_lines(manifest: Manifest, licence: Licence) -> list[str]:
    """Return the sources with their stated licences, and the licence derived from them."""
    header = ("part", "source", "stated licence", "location")
    checksums = [
        f"- Questions, split {inline_text(split)}: {code_span(checksum)}"
        for split, checksum in manifest.source.checksums.items()
    ]
    own_name = f" ({inline_text(licence.name)})" if licence.name else ""
    reasons = [f"- {inline_text(line)}" for line in (*licence.lines, NOT_ADVICE)]
    return [
        "## Sources and licences",
        "",
        *table_lines(header, _source_rows(manifest)),
        "",
        *checksums,
        "",
        f"Licence of this release: {code_span(licence.id)}{own_name}.",
        "",
        *reasons,
        "",
    ]


def _source_rows(manifest: Manifest) -> list[tuple[str, ...]]:
    rows = [_questions_row(manifest)]
    imported = manifest.imported
    if imported is not None:
        author, stated = inline_text(imported.made_by), inline_text(imported.licence)
        location = inline_text(imported.url or "not stated")
        rows.append(("rationales", author, stated, location))
    elif not is_scripted(manifest):
        teacher = code_span(manifest.teacher)
        rows.append(("rationales", teacher, "see the teacher", ""))
    return rows


def _questions_row(manifest: Manifest) -> tuple[str, ...]:
    source = manifest.source
    if source.dataset in BUNDLED:
        location = "included in cotbuild"
    elif source.hub_id is not None:
        location = code_span(source.hub_id)
    else:
        location = "a local file"
    stated = inline_text(source.licence or "not stated")
    return ("questions", inline_text(source.dataset), stated, location)
