"""The questions of an evaluation, and their rows in a variant's prompts and labels."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from cotbuild.builder.build.build import QUESTIONS, StoredBuild
from cotbuild.builder.build.directory import MANIFEST
from cotbuild.builder.evaluation.models import open_build
from cotbuild.builder.sources.open import open_source
from cotbuild.builder.sources.splits import canonical_split
from cotbuild.builder.ui import Ui
from cotbuild.builder.variants.registry import choose_variants
from cotbuild.prompts.student import evaluation_row
from cotbuild.schemas.config import SourceConfig
from cotbuild.schemas.errors import ConfigError, DataError
from cotbuild.schemas.question import Question
from cotbuild.schemas.variant import Placement, TrainingRow, VariantSpec

DEFAULT_VARIANT = "label_only"
"""The variant whose prompts and labels a bare model gets."""


class EvaluationQuestions(NamedTuple):
    """Questions of one split, with the teacher's rationales if they are given."""

    split: str
    questions: list[Question]
    rationales: list[str] | None = None
    """The teacher's rationale of each question; None: the student generates its own."""


def read_questions(
    source: str,
    split: str,
    limit: int | None,
    ui: Ui,
    config_name: str | None = None,
) -> EvaluationQuestions:
    """Read the first `limit` questions of a split, or all if `limit` is None.

    `source` is a build, a release (ORG/NAME@TAG), a known dataset or a file;
    `config_name` names the config of a dataset that has several. Raises ConfigError if
    there is no such split or config, DataError if the split is empty.
    """
    name = canonical_split(split)
    if _is_build(source):
        if config_name is not None:
            raise ConfigError(
                f"--config-name {config_name!r} with the build {source}, whose questions "
                "are of one config. Leave it out."
            )
        questions = read_build_questions(open_build(source, ui), name)
    else:
        config = SourceConfig(name=source, config_name=config_name, split=split)
        questions = open_source(config).read(split)
    selected = list(islice(questions, limit))
    if not selected:
        raise DataError(f"{source}: split {split!r} has no questions. Choose another.")
    return EvaluationQuestions(name, selected)


def _is_build(source: str) -> bool:
    if "@" in source or source.startswith("file:"):
        return True
    return (Path(source).expanduser() / MANIFEST).is_file()


def read_build_questions(build: StoredBuild, split: str) -> Iterator[Question]:
    """Return the questions of an evaluation split of a build.

    Raises ConfigError if there is no such split.
    """
    name = canonical_split(split)
    splits = build.splits(QUESTIONS)
    if name not in splits:
        raise ConfigError(
            f"{build.folder}: no evaluation split {name!r}; it has {sorted(splits)}. "
            "Pass the dataset of the questions as --source, or build with "
            f"--eval-splits {split}."
        )
    return build.questions(name)


def read_unseen_rationales(
    source: str,
    spec: VariantSpec,
    is_seen: Callable[[Question], bool],
    limit: int | None,
    ui: Ui,
) -> EvaluationQuestions:
    """Read the first `limit` unseen questions with the teacher's first rationale each.

    The questions are those of the split that the build has rationales for; `is_seen`
    says whether the student was trained on one. Raises ConfigError if the build lacks
    the variant, DataError if every question was seen.
    """
    build = open_build(source, ui)
    if spec.fingerprint not in [known.fingerprint for known in build.specs]:
        raise ConfigError(
            f"{build.folder}: lacks variant {spec.ref!r} as the run was trained on it. Pass "
            "the build that the run was trained on with --source."
        )
    pairs = list(islice(_unseen_pairs(build, spec, is_seen), limit))
    if not pairs:
        raise DataError(
            f"{build.folder}: the student was trained on every question of {spec.name!r}. "
            "Train it on fewer, with --rows."
        )
    questions = [question for question, _ in pairs]
    rationales = [rationale for _, rationale in pairs]
    return EvaluationQuestions(build.split, questions, rationales)


def _unseen_pairs(
    build: StoredBuild, spec: VariantSpec, is_seen: Callable[[Question], bool]
) -> Iterator[tuple[Question, str]]:
    """Yield each unseen question once, with its first rationale in the variant."""
    questions = {row.question_id: row.question_record() for row in build.rationales()}
    yielded: set[str] = set()
    for row in build.rows(spec.name):
        question = questions[row.question_id]
        start, end = row.rationale_start, row.rationale_end
        if start is None or question.id in yielded or is_seen(question):
            continue
        yielded.add(question.id)
        yield question, row.completion[start:end].strip()


# -- rows and variants -----------------------------------------------------------------


def evaluation_rows(
    spec: VariantSpec, questions: Sequence[Question]
) -> list[TrainingRow]:
    """Return a row for each question; its completion is the reference label alone.

    Raises ConfigError for rationale_only, which has no label to evaluate.
    """
    if spec.placement is Placement.RATIONALE_ONLY:
        raise ConfigError(
            f"variant {spec.name!r} has no label, so there is nothing to evaluate. "
            "Choose a variant with a label, such as label_only."
        )
    rows = (evaluation_row(spec, question) for question in questions)
    return [row for row in rows if row is not None]


def choose_variant(name: str | None, file: Path | None) -> VariantSpec:
    """Return the variant that --variant and --spec name; `DEFAULT_VARIANT` for none.

    Raises ConfigError if they name several.
    """
    if name is None and file is None:
        name = DEFAULT_VARIANT
    specs = choose_variants([name] if name else None, [file] if file else [])
    if len(specs) != 1:
        raise ConfigError(
            f"--variant names {[spec.name for spec in specs]}. Name one of them."
        )
    return specs[0]
