"""Questions with the teacher's own chains: those of the split it was asked about that a
student was not trained on.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from cotbuild.builder.build.build import Build
from cotbuild.builder.evaluation.models import open_build
from cotbuild.builder.ui import Ui
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.question import Question
from cotbuild.schemas.variant import VariantSpec


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
    build = open_build(source, ui)
    folder = build.folder
    if spec.fingerprint not in [variant.fingerprint for variant in build.specs]:
        raise ConfigError(
            f"{folder}: no variant {spec.ref!r} as the run was trained on. Expected the build it was trained on. "
            "Pass it with --source."
        )
    found = list(islice(_unseen(build, spec, seen), limit))
    if not found:
        raise DataError(
            f"{folder}: the student was trained on every question of {spec.name!r}. Expected some that it was not "
            "trained on. Train with --rows."
        )
    return Chains(
        build.split,
        [question for question, _ in found],
        [chain for _, chain in found],
    )


def _unseen(
    build: Build, spec: VariantSpec, seen: Callable[[str], bool]
) -> Iterator[tuple[Question, str]]:
    questions = {row.question_id: row.question_record() for row in build.rationales()}
    had: set[str] = set()
    for row in build.rows(spec.name):
        question = questions[row.question_id]
        if row.rationale_start is None or question.id in had or seen(question.text):
            continue
        had.add(question.id)
        yield question, row.completion[row.rationale_start : row.rationale_end].strip()
