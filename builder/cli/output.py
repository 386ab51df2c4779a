"""What commands print on standard output, in lines of at most 80 columns."""

from collections.abc import Iterator
from pathlib import Path

from cotbuild.builder.build.inspect import WIDTH, count_lines
from cotbuild.builder.generate.run import GenerateResult
from cotbuild.prompts.template import (
    DEFAULTS,
    HINTED_DEFAULTS,
    builtin_templates,
    load_template,
    render_messages,
)
from cotbuild.schemas.question import Choice, Question, QuestionKind, SourceRef


def closing_lines(outcome: GenerateResult, out: Path) -> Iterator[str]:
    """The last lines of a run: counts that add up, where it is, its fingerprint, the
    next command.
    """
    manifest = outcome.manifest
    if not outcome.rebuilt:
        yield "nothing to ask, no server started: the build is up to date"
    elif not outcome.asked and outcome.manifest.imported is None:
        yield "nothing to ask, no server started: rebuilt from the answers at hand"
    yield from count_lines(manifest)
    if manifest.run is not None and manifest.run.open_failures:
        yield f"{manifest.run.open_failures} requests failed and may pass: the same command asks them again"
    yield f"{out}  fingerprint {manifest.fingerprint[:16]}"
    yield f"next: cotbuild inspect {out}"


def prompt_list() -> Iterator[str]:
    """Every template that ships, defaults marked."""
    for ref, template in builtin_templates().items():
        mark = "*" if ref in {*DEFAULTS.values(), *HINTED_DEFAULTS.values()} else " "
        yield f"{mark} {ref:<22} {template.kind.value:<7} {template.about}"
    yield "* is a default of its kind (rationalize: of that mode). `cotbuild prompts NAME@VERSION` shows one."


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
}


def prompt_shown(ref: str) -> Iterator[str]:
    """One template as the messages of an example question."""
    template = load_template(ref)
    text, options, target = _EXAMPLES[template.kind]
    question = Question(
        id="example",
        kind=template.kind,
        text=text,
        choices=tuple(
            Choice(label=chr(ord("A") + i), text=option)
            for i, option in enumerate(options)
        ),
        target=target,
        other_targets=(),
        source=SourceRef(
            dataset="example", config_name=None, split="train", revision=None, row=0
        ),
    )
    yield f"{template.ref}  {template.kind.value}  answer {template.answer}  fingerprint {template.fingerprint[:16]}"
    yield template.about
    for message in render_messages(template, question):
        yield f"── {message.role} ".ljust(WIDTH, "─")
        yield from message.content.splitlines()
