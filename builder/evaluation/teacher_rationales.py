"""Questions with the teacher's own chains: those of the split it was asked about that a
student was not trained on.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from cotbuild.builder.build.directory import need_manifest
from cotbuild.builder.evaluation.models import source_folder
from cotbuild.builder.release.publish import Ui
from cotbuild.builder.release.rederive import question_of, rationales
from cotbuild.builder.storage.parquet import read_rows
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.manifest import Manifest
from cotbuild.schemas.question import Question
from cotbuild.schemas.variant import TrainingRow, VariantSpec


class Chains(NamedTuple):
    """Questions, and the rationale of each as the variant has it."""

    split: str
    questions: list[Question]
    rationales: list[str]


def teacher_chains(
    source: str,
    spec: VariantSpec,
    seen: Callable[[str], bool],
    limit: int | None,
    ui: Ui,
) -> Chains:
    """The first `limit` questions that are not `seen`, by text, each with its first
    rationale.

    Raises ConfigError where the source has not the variant, DataError where every
    question was seen.
    """
    folder = source_folder(source, ui)
    manifest = need_manifest(folder)
    specs = manifest.variants.made.specs if manifest.variants else ()
    if spec.fingerprint not in [one.fingerprint for one in specs]:
        raise ConfigError(
            f"{folder}: no variant {spec.ref!r} as the run was trained on. Expected the build it was trained on. "
            "Pass it with --source."
        )
    found = list(islice(_unseen(folder, manifest, spec, seen), limit))
    if not found:
        raise DataError(
            f"{folder}: the student was trained on every question of {spec.name!r}. Expected some that it was not "
            "trained on. Train with --rows."
        )
    return Chains(
        manifest.source.split,
        [question for question, _ in found],
        [chain for _, chain in found],
    )


def _unseen(
    folder: Path, manifest: Manifest, spec: VariantSpec, seen: Callable[[str], bool]
) -> Iterator[tuple[Question, str]]:
    questions = {
        row.question_id: question_of(row) for row in rationales(folder, manifest)
    }
    had: set[str] = set()
    for row in _rows(folder, manifest, spec):
        question = questions[row.question_id]
        if row.rationale_start is None or question.id in had or seen(question.text):
            continue
        had.add(question.id)
        yield question, row.completion[row.rationale_start : row.rationale_end].strip()


def _rows(folder: Path, manifest: Manifest, spec: VariantSpec) -> Iterator[TrainingRow]:
    for entry in manifest.files:
        if (entry.config_name, entry.split) == (spec.name, manifest.source.split):
            for number, row in enumerate(read_rows(folder / entry.path)):
                yield TrainingRow.parse(row, f"{entry.path} row {number}")
