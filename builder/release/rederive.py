"""Rows of `rationales` made once more from what they hold: requests from templates and
questions, the rest from texts.

Pure. Nothing of the build's machine is needed, so anybody
can check it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cotbuild.builder.generate.chains import ChainRules, extend_chain, start_chain
from cotbuild.builder.generate.exemplars import ExemplarPool
from cotbuild.builder.generate.rows import flag_duplicates, to_rationale
from cotbuild.builder.imports.read import ImportedText
from cotbuild.builder.imports.rows import import_key
from cotbuild.builder.imports.rows import to_rationale as imported_rationale
from cotbuild.prompts.template import Template
from cotbuild.schemas.answers.statements import split_reasoning
from cotbuild.schemas.completion import Answer, Completion, Failure, FailureKind
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.import_recipe import ImportFile
from cotbuild.schemas.manifest import Manifest, TemplateEntry
from cotbuild.schemas.question import QuestionKind
from cotbuild.schemas.rationale import OtherStep, Purpose, Rationale

NO_WORDS = "as published; the server's own words are not kept in a release"


# -- what a row holds --------------------------------------------------------------------------------------------------


def answers_of(row: Rationale) -> list[tuple[Purpose, Answer]]:
    """What the teacher answered to each step of a row's chain, in the order it was
    asked.

    The step that holds the rationale stands apart in the row: it was the last but for
    the choice that may follow it.
    """
    others = [
        (step.purpose, _answer(step, step.reasoning, row)) for step in row.other_steps
    ]
    main = (row.purpose, _answer(row, _apart(row), row))
    if row.completion is not None and others and others[-1][0] is Purpose.CHOOSE:
        return [*others[:-1], main, others[-1]]
    return [*others, main]


def _apart(row: Rationale) -> str | None:
    """What the server returned apart. A row tells that and a <think> block of its text
    as one.

    Where they are equal None is meant: `judge` finds the block by itself, and comes to
    the same in either case.
    """
    if (
        row.reasoning is not None
        and row.completion is not None
        and row.reasoning == split_reasoning(row.completion)[0]
    ):
        return None
    return row.reasoning


def _answer(
    step: Rationale | OtherStep, reasoning: str | None, row: Rationale
) -> Answer:
    where = f"question {row.question_id!r} sample {row.sample_index}"
    if step.completion is None:
        value: dict[str, Any] = {
            "request_key": step.request_key,
            "kind": row.failure,
            "message": NO_WORDS,
        }
        return Failure.parse(value, where)
    value = {
        "request_key": step.request_key,
        "text": step.completion,
        "reasoning": reasoning,
        "finish_reason": step.finish_reason,
        "prompt_tokens": step.prompt_tokens,
        "completion_tokens": step.completion_tokens,
    }
    return Completion.parse(value, where)


def may_pass(answer: Answer) -> bool:
    """Whether it is a failure that the next run asks again."""
    return isinstance(answer, Failure) and answer.kind is not FailureKind.REJECTED


# -- asked for ---------------------------------------------------------------------------------------------------------


def templates_of(manifest: Manifest) -> dict[Purpose, dict[QuestionKind, Template]]:
    """The templates that the manifest keeps, by what they are for.

    Raises DataError where one is not what its fingerprint says.
    """
    found: dict[Purpose, dict[QuestionKind, Template]] = {}
    for entry in manifest.templates:
        template = template_of(entry)
        purpose = Purpose.RATIONALIZE if template.shows_target else Purpose.ELICIT
        found.setdefault(purpose, {})[template.kind] = template
    return found


def template_of(entry: TemplateEntry) -> Template:
    """The template that an entry of the manifest keeps.

    Raises DataError where it is not what its fingerprint says.
    """
    where = f"manifest.json: template {entry.template}"
    template = Template.parse(entry.content or {}, where)
    if (template.fingerprint, template.ref) != (entry.fingerprint, entry.template):
        raise DataError(
            f"{where}: its content has fingerprint {template.fingerprint[:16]!r}. Expected "
            f"{entry.fingerprint[:16]!r}: it was edited. Restore it, or build again."
        )
    return template


@dataclass(frozen=True)
class Rederiving:
    """A build's way of asking, without its source, store and teacher."""

    asking: ChainRules
    keys: bool
    """Whether requests can be made again: not where exemplars were drawn from a split
    that is not at hand.
    """

    def row(self, row: Rationale) -> Rationale:
        """The row, made of its own question and texts.

        Raises DataError where its requests are others.
        """
        where = f"question {row.question_id!r} sample {row.sample_index}"
        answers = answers_of(row)
        chain = start_chain(self.asking, row.question_record(), row.sample_index)
        for number, (purpose, answer) in enumerate(answers):
            step = chain.open_step
            if step is None or step.purpose is not purpose:
                raise DataError(
                    f"{where}: step {number} of {len(answers)} is {purpose.value}. Expected "
                    f"{step.purpose.value if step else 'none'}, by what the steps before it brought."
                )
            if self.keys and step.request.request_key != answer.request_key:
                raise DataError(
                    f"{where}: request_key of its {purpose.value} step is {answer.request_key[:16]!r}. Expected "
                    f"{step.request.request_key[:16]!r}, of template {step.template.ref}, teacher, "
                    "sampling, seed and question as published."
                )
            chain = extend_chain(self.asking, chain, answer)
        if chain.open_step is not None:
            raise DataError(
                f"{where}: ends after {len(answers)} steps. Expected {chain.open_step.purpose.value} to follow, by what "
                "they brought."
            )
        return to_rationale(chain)


def rederiving(
    manifest: Manifest, config: BuildConfig, pool: ExemplarPool | None
) -> Rederiving:
    """Raises DataError where the configuration is not the one the manifest tells of."""
    asking = ChainRules(config, manifest.teacher, templates_of(manifest), pool)
    for what, found, expected in (
        ("mode", asking.ref, manifest.mode),
        ("sampling", config.sampling, manifest.sampling),
        ("samples", config.samples, manifest.samples),
        ("seed", config.seed, manifest.seed),
        ("exemplars", config.exemplars, manifest.exemplars),
    ):
        if found != expected:
            raise DataError(
                f"build.json: {what} is {found!r:.120}. Expected {expected!r:.120}, as manifest.json says."
            )
    return Rederiving(asking, keys=config.exemplars is None or pool is not None)


# -- imported ----------------------------------------------------------------------------------------------------------


def imported_row(row: Rationale, manifest: Manifest, config: BuildConfig) -> Rationale:
    """An imported row, made of its text once more; its answer is taken as it is where a
    column of the files said it.
    """
    where = f"question {row.question_id!r} sample {row.sample_index}"
    assert config.imported is not None
    assert manifest.imported is not None
    if row.origin is None or row.completion is None:
        raise DataError(
            f"{where}: no origin or text. Expected both, of an imported rationale."
        )
    origin, recipe = row.origin, config.imported.recipe
    text = ImportedText(0, 0, origin.row, origin.position, row.completion, None)
    file = _file(row, text, manifest.imported.files, where)
    if recipe.answer == "column":
        text = text._replace(answer=row.answer)
    made = imported_rationale(
        row.question_record(), row.sample_index, text, file, recipe
    )
    if (
        recipe.answer == "column" and row.answer is None
    ):  # what the column said, if anything, is not published
        return made.model_copy(
            update={"answer": None, "verdict": row.verdict, "flags": row.flags}
        )
    return made


def _file(
    row: Rationale, text: ImportedText, files: Sequence[ImportFile], where: str
) -> ImportFile:
    """The file a row came from: two may have one name, and the key tells them apart."""
    assert row.origin is not None
    named = [file for file in files if file.file == row.origin.file]
    for file in named:
        if import_key(file.checksum, text) == row.request_key:
            return file
    raise DataError(
        f"{where}: request_key is {row.request_key[:16]!r}. Expected that of row {text.row}, position {text.position} "
        f"of {row.origin.file!r}, by the checksums in manifest.json."
    )


# -- all of it ---------------------------------------------------------------------------------------------------------


def check_rows(rows: Iterable[Rationale], again: Iterable[Rationale]) -> int:
    """Compare rows with those made `again`, duplicates flagged; how many.

    Raises DataError at one that differs.
    """
    count = 0
    for row, made in zip(rows, flag_duplicates(again), strict=True):
        count += 1
        if row == made:
            continue
        name = next(
            name
            for name in type(row).model_fields
            if getattr(row, name) != getattr(made, name)
        )
        raise DataError(
            f"question {row.question_id!r} sample {row.sample_index}: {name} is {getattr(row, name)!r:.120}. Expected "
            f"{getattr(made, name)!r:.120}, as derived from its texts. The row was edited, or another cotbuild made it."
        )
    return count
