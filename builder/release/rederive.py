"""Derive the rows of `rationales` again from what they hold.

Pure. Requests follow from templates and questions, everything else from the teacher's
texts. Nothing of the machine that made the build is needed, so anybody can check it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cotbuild.builder.generate.chains import (
    ChainRules,
    Step,
)
from cotbuild.builder.generate.exemplars import ExemplarPool
from cotbuild.builder.generate.follow import (
    extend_chain,
    start_chain,
)
from cotbuild.builder.generate.rows import flag_duplicates, to_rationale
from cotbuild.builder.imports.read import ImportedText
from cotbuild.builder.imports.rows import import_key
from cotbuild.builder.imports.rows import to_rationale as to_imported_rationale
from cotbuild.prompts.template import Template
from cotbuild.schemas.answers.grade import PLAIN_GRADING, GradingRules
from cotbuild.schemas.answers.turn import split_reasoning
from cotbuild.schemas.completion import Answer, Completion, Failure, FailureKind
from cotbuild.schemas.config import BuildConfig
from cotbuild.schemas.errors import DataError
from cotbuild.schemas.finish_reasons import FinishReason, to_finish_reason
from cotbuild.schemas.import_recipe import ImportEntry, ImportFile, ImportRecipe
from cotbuild.schemas.manifest import Manifest, TemplateEntry
from cotbuild.schemas.question import QuestionKind
from cotbuild.schemas.rationale import Origin, OtherStep, Purpose, Rationale

# -- what a row holds ------------------------------------------------------------------


def stored_answers(row: Rationale) -> list[tuple[Purpose, Answer]]:
    """Return the purpose of each step of a row's chain and the answer to it, in order.

    The step whose text holds the rationale has columns of its own. It was the last,
    unless a constrained choice followed it. A row joins the notes on all replies; the
    first completion gets them.
    """
    others = [
        (step.purpose, _to_answer(step, step.reasoning, row))
        for step in row.other_steps
    ]
    rationale = (row.purpose, _to_answer(row, _separate_reasoning(row), row))
    ends_with_choice = bool(others) and others[-1][0] is Purpose.CHOOSE
    if row.completion is not None and ends_with_choice:
        steps = [*others[:-1], rationale, others[-1]]
    else:
        steps = [*others, rationale]
    return _with_notes(steps, row.notes)


def _with_notes(
    steps: list[tuple[Purpose, Answer]], notes: tuple[str, ...]
) -> list[tuple[Purpose, Answer]]:
    for number, (purpose, answer) in enumerate(steps):
        if notes and isinstance(answer, Completion):
            noted = answer.model_copy(update={"notes": notes})
            return [*steps[:number], (purpose, noted), *steps[number + 1 :]]
    return steps


def _separate_reasoning(row: Rationale) -> str | None:
    """Return the reasoning that the server returned apart from the text.

    A row has one column for it and for a <think> block in the text. If they are equal,
    None gives the same row: grading finds the block by itself.
    """
    if row.reasoning is None or row.completion is None:
        return row.reasoning
    in_text = split_reasoning(row.completion).reasoning
    return None if row.reasoning == in_text else row.reasoning


def _to_answer(
    step: Rationale | OtherStep, reasoning: str | None, row: Rationale
) -> Answer:
    value: dict[str, Any] = {"request_key": step.request_key}
    if step.completion is None:
        # Older builds hold no message; an empty one gives the same row.
        value |= {"kind": row.failure, "message": row.failure_message or ""}
        return Failure.parse(value, _row_name(row))
    value |= {
        "text": step.completion,
        "reasoning": reasoning,
        "finish_reason": step.finish_reason,
        "prompt_tokens": step.prompt_tokens,
        "completion_tokens": step.completion_tokens,
    }
    return Completion.parse(value, _row_name(row))


def is_retryable(answer: Answer) -> bool:
    """Whether an answer is a failure that the next run requests again."""
    return isinstance(answer, Failure) and answer.kind is not FailureKind.REJECTED


def _row_name(row: Rationale) -> str:
    return f"question {row.question_id!r} sample {row.sample_index}"


# -- rows of a teacher -----------------------------------------------------------------


def stored_template(entry: TemplateEntry) -> Template:
    """Return the template that an entry of the manifest holds.

    Raises DataError if its content does not have the fingerprint of the entry.
    """
    where = f"manifest.json: template {entry.template}"
    template = Template.parse(entry.content or {}, where)
    if (template.fingerprint, template.ref) != (entry.fingerprint, entry.template):
        raise DataError(
            f"{where}: its content has fingerprint {template.fingerprint[:16]!r}, not "
            f"{entry.fingerprint[:16]!r}, so it was edited. Restore it, or build again."
        )
    return template


def _stored_templates(
    manifest: Manifest,
) -> dict[Purpose, dict[QuestionKind, Template]]:
    """Return the templates of the manifest by purpose and kind of question."""
    templates: dict[Purpose, dict[QuestionKind, Template]] = {}
    for entry in manifest.templates:
        template = stored_template(entry)
        templates.setdefault(template.purpose, {})[template.kind] = template
    return templates


@dataclass(frozen=True)
class RowDeriver:
    """Derives rows as a build did, without its source, answer store and teacher."""

    rules: ChainRules
    check_keys: bool
    """Whether requests can be made again.

    They cannot if exemplars were drawn from a split that is not given.
    """

    @classmethod
    def for_build(
        cls,
        manifest: Manifest,
        config: BuildConfig,
        pool: ExemplarPool | None,
        grading: GradingRules = PLAIN_GRADING,
    ) -> "RowDeriver":
        """Return the deriver of a build; `pool` holds the exemplars that were drawn.

        Raises DataError if a template was edited.
        """
        templates = _stored_templates(manifest)
        rules = ChainRules(config, manifest.teacher, templates, pool, grading)
        return cls(rules, check_keys=config.exemplars is None or pool is not None)

    def derive(self, row: Rationale) -> Rationale:
        """Return the row derived from its own question and texts.

        Raises DataError if its requests differ from those of the build's rules.
        """
        answers = stored_answers(row)
        chain = start_chain(self.rules, row.question_record(), row.sample_index)
        for number, (purpose, answer) in enumerate(answers):
            self._check_step(chain.open_step, purpose, answer, row, number)
            chain = extend_chain(self.rules, chain, answer)
        if chain.open_step is not None:
            raise DataError(
                f"{_row_name(row)}: ends after {len(answers)} steps, but a step with "
                f"purpose {chain.open_step.purpose.value} follows from them. The row was "
                "edited; restore it, or build again."
            )
        return to_rationale(chain, self.rules.grading)

    def check_first_key(self, row: Rationale) -> None:
        """Raise DataError unless the first request of a row has the key that it states.

        This request does not depend on how answers are graded.
        """
        chain = start_chain(self.rules, row.question_record(), row.sample_index)
        purpose, answer = stored_answers(row)[0]
        self._check_step(chain.open_step, purpose, answer, row, 0)

    def _check_step(
        self,
        step: Step | None,
        purpose: Purpose,
        answer: Answer,
        row: Rationale,
        number: int,
    ) -> None:
        """Raise DataError unless `step` is what the row answers at that place."""
        if step is None or step.purpose is not purpose:
            due = "no step" if step is None else step.purpose.value
            raise DataError(
                f"{_row_name(row)}: step {number} has purpose {purpose.value}, but {due} "
                "follows from the steps before it. The row was edited; restore it, or "
                "build again."
            )
        key = step.request.request_key
        if self.check_keys and key != answer.request_key:
            raise DataError(
                f"{_row_name(row)}: request_key of its {purpose.value} step is "
                f"{answer.request_key[:16]!r}, but template {step.template.ref}, teacher, "
                f"sampling, seed and question as published give {key[:16]!r}. One of them "
                "was edited; restore it, or build again."
            )


# -- imported rows ---------------------------------------------------------------------


def derive_imported(
    row: Rationale, entry: ImportEntry, config: BuildConfig, grading: GradingRules
) -> Rationale:
    """Return an imported row derived from its text.

    Its answer is taken as it is if it came from a column of the imported files. Raises
    DataError if its key is not that of one of the files.
    """
    if config.imported is None:
        raise DataError("build.json: no import, but manifest.json has one. Restore it.")
    if row.origin is None or row.completion is None:
        raise DataError(
            f"{_row_name(row)}: an imported rationale without origin or text. The row was "
            "edited; restore it, or import again."
        )
    recipe = config.imported.recipe
    text = ImportedText(
        number=0,
        file=0,
        row=row.origin.row,
        position=row.origin.position,
        text=row.completion,
        answer=_stored_column_answer(row, recipe),
        reasoning=row.reasoning if "reasoning" in recipe.columns else None,
        finish_reason=_stored_finish_reason(row, recipe),
    )
    file = _find_file(row, row.origin, entry.files)
    return to_imported_rationale(
        row.question_record(), row.sample_index, text, file, recipe, grading
    )


def check_import_key(row: Rationale, entry: ImportEntry) -> None:
    """Raise DataError unless an imported row has the key of a row of one of the files."""
    if row.origin is None:
        raise DataError(
            f"{_row_name(row)}: an imported rationale without origin. The row was edited; "
            "restore it, or import again."
        )
    _find_file(row, row.origin, entry.files)


def _stored_column_answer(row: Rationale, recipe: ImportRecipe) -> str | None:
    """Return what a column of the files said the answer is; None if it said nothing.

    A value that is none of the question's answers is not published; an empty text is
    another such value.
    """
    if recipe.answer != "column" or row.answer_rule != "answer_column":
        return None
    return row.answer or ""


def _stored_finish_reason(row: Rationale, recipe: ImportRecipe) -> FinishReason | None:
    """Return what the column of the files held, if there was one."""
    if "finish_reason" not in recipe.columns or row.finish_reason is None:
        return None
    return to_finish_reason(row.finish_reason)


def _find_file(
    row: Rationale, origin: Origin, files: Iterable[ImportFile]
) -> ImportFile:
    """Return the file of a row; two may have the same name, so its key decides."""
    for file in files:
        is_named = file.file == origin.file
        if is_named and row.request_key == import_key(
            file.checksum, origin.row, origin.position
        ):
            return file
    raise DataError(
        f"{_row_name(row)}: request_key {row.request_key[:16]!r} is not that of row "
        f"{origin.row}, position {origin.position} in {origin.file!r} with a checksum of "
        "manifest.json. The row was edited; restore it, or import again."
    )


# -- comparing -------------------------------------------------------------------------


def compare_rows(rows: Iterable[Rationale], derived: Iterable[Rationale]) -> int:
    """Compare rows with those derived again, and return how many there are.

    Duplicates are flagged in the derived rows first. Raises DataError at the first row
    that differs.
    """
    count = 0
    for row, again in zip(rows, flag_duplicates(derived), strict=True):
        count += 1
        if row != again:
            raise _difference(row, again)
    return count


def _difference(row: Rationale, derived: Rationale) -> DataError:
    """Return the error that names the first column in which two rows differ."""
    for name in type(row).model_fields:
        stored, again = getattr(row, name), getattr(derived, name)
        if stored != again:
            break
    return DataError(
        f"{_row_name(row)}: {name} is {stored!r:.120}, but its texts give {again!r:.120}. "
        "The row was edited, or derived by another version of cotbuild."
    )
