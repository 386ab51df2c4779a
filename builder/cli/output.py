"""What commands print on standard output, in lines of at most 80 columns."""

from collections.abc import Iterator
from pathlib import Path

from cotbuild.builder.cli.failures import remedy_lines, unscored_lines
from cotbuild.builder.cli.layout import WIDTH, list_counts, wrap_text
from cotbuild.builder.generate.accounts import account_lines
from cotbuild.builder.generate.run import GenerateResult
from cotbuild.builder.ui import pluralize
from cotbuild.builder.visible import shell_quote
from cotbuild.prompts.defaults import (
    DEFAULTS,
    HINTED_DEFAULTS,
)
from cotbuild.prompts.template import (
    builtin_templates,
    load_template,
    render_messages,
)
from cotbuild.schemas.attempts import ATTEMPT
from cotbuild.schemas.import_recipe import ImportEntry
from cotbuild.schemas.manifest import Manifest, SourceEntry
from cotbuild.schemas.question import Input, Question, QuestionKind


def closing_lines(result: GenerateResult, out: Path | str) -> Iterator[str]:
    """Yield the last lines of a run: counts, place, fingerprint, the next command."""
    manifest = result.manifest
    if not result.rebuilt:
        yield "no open requests, no server started: the build is up to date"
    elif not result.asked and manifest.imported is None:
        yield "no open requests, no server started: rebuilt from stored answers"
    yield from count_lines(manifest)
    yield from remedy_lines(manifest)
    if manifest.run is not None and manifest.run.account is not None:
        yield from account_lines(manifest.run.account)
    yield f"{out}  fingerprint {manifest.fingerprint[:16]}"
    yield f"next: cotbuild inspect {shell_quote(out)}"


def count_lines(manifest: Manifest) -> Iterator[str]:
    """Yield the counts of a build, which add up: verdicts, failures, rows left out."""
    verdicts = {name: count for name, count in manifest.verdicts.items() if count}
    by_verdict = list_counts(verdicts, separator=" + ")
    yield f"{manifest.num_planned} rationales = {by_verdict or 'none'}"
    yield from score_lines(manifest)
    yield from unscored_lines(manifest)
    if manifest.imported is not None:
        yield from _import_count_lines(manifest.imported)
    yield from _source_count_lines(manifest.source)


def score_lines(manifest: Manifest) -> Iterator[str]:
    """Yield the mean scores of answers in prose, and how they were computed."""
    for score in manifest.scores:
        yield f"{score.metric:<8} {score.mean:6.2f}  mean of {score.num_rows} answers"
        yield from wrap_text("         ", score.settings)
    if manifest.scores:
        yield f"scored by {manifest.prose_scorers}"


def _import_count_lines(entry: ImportEntry) -> Iterator[str]:
    terms = [pluralize(entry.num_rationales, "rationale")]
    terms += [f"{count} {reason}" for reason, count in entry.dropped.items()]
    yield f"{pluralize(entry.num_texts, 'text')} = {' + '.join(terms)}"
    if entry.num_questions_without:
        yield f"questions without a rationale: {entry.num_questions_without}"


def _source_count_lines(source: SourceEntry) -> Iterator[str]:
    if source.dropped:
        reasons = list_counts(source.dropped)
        yield f"source rows left out: {reasons}"
    for split, count in source.overlaps.items():
        if count and f"overlap_{split}" not in source.dropped:
            yield (
                f"questions whose text also occurs in {split}, whatever their options: "
                f"{count} (--drop-overlap leaves them out)"
            )
    for split, count in source.eval_questions.items():
        yield f"{count} evaluation questions in {split}"


def prompt_list() -> Iterator[str]:
    """Yield a line per template that ships, defaults marked."""
    for ref, template in builtin_templates().items():
        mark = "*" if ref in {*DEFAULTS.values(), *HINTED_DEFAULTS.values()} else " "
        yield f"{mark} {ref:<25} {template.kind.value:<7} {template.about}"
    yield "* default of its kind (rationalize: of that mode)"
    yield "`cotbuild prompts NAME@VERSION` shows one with an example"


_EXAMPLES = {
    QuestionKind.CHOICE: (
        "Which of these floats on water?",
        ("a stone", "a cork", "a nail"),
        "B",
    ),
    QuestionKind.YES_NO: ("Is a whale a mammal?", (), "yes"),
    QuestionKind.NUMBER: (
        "Ida has 3 boxes of 12 eggs. How many eggs has she?",
        (),
        "36",
    ),
    QuestionKind.TEXT: ("What is the capital of France?", (), "Paris"),
    QuestionKind.PROSE: ("The river is high.", (), "Der Fluss führt Hochwasser."),
}


def prompt_shown(ref: str) -> Iterator[str]:
    """Yield a template as the messages of an example question."""
    template = load_template(ref)
    text, options, target = _EXAMPLES[template.kind]
    names = list(template.needed_inputs)
    if template.shows_all_inputs:
        names.append("input")
    if template.follow_up is not None:
        names.append(ATTEMPT)
    inputs = [Input(name=name, text=f"‹{name}›") for name in names]
    question = Question.create(
        text, target=target, choices=options, kind=template.kind, inputs=inputs
    )
    yield (
        f"{template.ref}  {template.kind.value}  answer {template.answer}  "
        f"fingerprint {template.fingerprint[:16]}"
    )
    yield template.about
    for message in render_messages(template, question):
        yield f"── {message.role} ".ljust(WIDTH, "─")
        yield from message.text.splitlines()
